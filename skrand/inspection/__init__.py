"""Pictures of fitted estimators, by scikit-learn's ``Display.from_estimator`` convention.

Importing this imports no matplotlib; drawing does (``pip install "skrand[plot]"``).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skrand.inspection.convergence import ConvergenceDisplay
    from skrand.inspection.transport_plan import TransportPlanDisplay

#: Public name -> module that has it.
_HOME = {
    "ConvergenceDisplay": "skrand.inspection.convergence",
    "TransportPlanDisplay": "skrand.inspection.transport_plan",
}

__all__ = ["ConvergenceDisplay", "TransportPlanDisplay"]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'skrand.inspection' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
