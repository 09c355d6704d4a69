"""skrand: randomized solvers with scikit-learn's interface.

Importing this imports nothing else; every name is fetched on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from skrand.clustering import LowRankGaussianMixture, ManifoldLinearizer, SubspaceClusterer
    from skrand.completion import LowRankCompleter, LowRankEntryRegressor
    from skrand.completion.sensing import MatrixSensingRegressor
    from skrand.fewshot import TransductiveFewShot
    from skrand.linalg.transformer import SketchTransformer
    from skrand.registry import make_solver
    from skrand.regression import CoresetSampler, SketchedFit, SketchedRegressor
    from skrand.transport import OTAdapter, SinkhornNewtonOT

#: Public name -> module that has it.
_HOME = {
    "CoresetSampler": "skrand.regression",
    "LowRankCompleter": "skrand.completion",
    "LowRankEntryRegressor": "skrand.completion",
    "LowRankGaussianMixture": "skrand.clustering",
    "ManifoldLinearizer": "skrand.clustering",
    "MatrixSensingRegressor": "skrand.completion.sensing",
    "OTAdapter": "skrand.transport",
    "SinkhornNewtonOT": "skrand.transport",
    "SketchTransformer": "skrand.linalg.transformer",
    "SketchedFit": "skrand.regression",
    "SketchedRegressor": "skrand.regression",
    "SubspaceClusterer": "skrand.clustering",
    "TransductiveFewShot": "skrand.fewshot",
    "make_solver": "skrand.registry",
}

_MODULES = (
    "base",
    "clustering",
    "completion",
    "datasets",
    "exceptions",
    "fewshot",
    "inspection",
    "linalg",
    "registry",
    "regression",
    "testing",
    "transport",
)

__all__ = [
    "CoresetSampler",
    "LowRankCompleter",
    "LowRankEntryRegressor",
    "LowRankGaussianMixture",
    "ManifoldLinearizer",
    "MatrixSensingRegressor",
    "OTAdapter",
    "SinkhornNewtonOT",
    "SketchTransformer",
    "SketchedFit",
    "SketchedRegressor",
    "SubspaceClusterer",
    "TransductiveFewShot",
    "__version__",
    "make_solver",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"skrand.{name}")
    raise AttributeError(f"module 'skrand' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
