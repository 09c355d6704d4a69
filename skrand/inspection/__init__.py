"""Pictures of fitted estimators, by scikit-learn's ``Display.from_estimator`` convention.

Importing this imports no matplotlib; drawing does (``pip install "skrand[plot]"``).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skrand.inspection.affinity import AffinityDisplay
    from skrand.inspection.convergence import ConvergenceDisplay
    from skrand.inspection.eigengap import EigengapDisplay
    from skrand.inspection.principal_angles import PrincipalAnglesDisplay
    from skrand.inspection.transport_plan import TransportPlanDisplay

#: Public name -> module that has it.
_HOME = {
    "AffinityDisplay": "skrand.inspection.affinity",
    "ConvergenceDisplay": "skrand.inspection.convergence",
    "EigengapDisplay": "skrand.inspection.eigengap",
    "PrincipalAnglesDisplay": "skrand.inspection.principal_angles",
    "TransportPlanDisplay": "skrand.inspection.transport_plan",
}

__all__ = [
    "AffinityDisplay",
    "ConvergenceDisplay",
    "EigengapDisplay",
    "PrincipalAnglesDisplay",
    "TransportPlanDisplay",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'skrand.inspection' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
