"""For authors of plugins: the checks every entry passes, and what a claim returns.

Importing this imports neither NumPy nor scikit-learn; the checks themselves do.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from skrand.testing._results import CheckResult, ClaimResult, DemoResult

if TYPE_CHECKING:
    from skrand.testing._conformance import check_entry, iter_checks

__all__ = ["CheckResult", "ClaimResult", "DemoResult", "check_entry", "iter_checks"]


def __getattr__(name: str) -> object:
    if name in ("check_entry", "iter_checks"):
        return getattr(import_module("skrand.testing._conformance"), name)
    raise AttributeError(f"module 'skrand.testing' has no attribute {name!r}")
