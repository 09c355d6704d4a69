"""For authors of plugins: the checks every entry passes, and what a claim returns.

Importing this imports neither NumPy nor scikit-learn; the checks themselves do.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from skrand.testing._results import CheckResult, ClaimResult, DemoResult

if TYPE_CHECKING:
    from skrand.testing._conformance import check_entry, iter_checks
    from skrand.testing._demo import run_demo

__all__ = ["CheckResult", "ClaimResult", "DemoResult", "check_entry", "iter_checks", "run_demo"]

_HOME = {"check_entry": "_conformance", "iter_checks": "_conformance", "run_demo": "_demo"}


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"skrand.testing.{_HOME[name]}"), name)
    raise AttributeError(f"module 'skrand.testing' has no attribute {name!r}")
