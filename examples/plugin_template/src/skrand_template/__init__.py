"""A solver and an estimator for skrand.

The names are fetched on first use, so that listing the plugin imports neither NumPy nor
scikit-learn.
"""

from importlib import import_module

_HOME = {"ConjugateGradient": "solver", "TrendRegressor": "estimator"}

__all__ = ["ConjugateGradient", "TrendRegressor"]


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"skrand_template.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
