"""Feature maps for skrand that are drawn or built, not trained.

Names are imported on first use, so that listing the plugin stays cheap.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

__all__ = [
    "BandlimitWarning",
    "BandlimitedFeatures",
    "DiagonalizationWarning",
    "PTDStateSpaceFeatures",
]

_HOMES = {
    "BandlimitWarning": "skrand_features._bandlimited",
    "BandlimitedFeatures": "skrand_features._bandlimited",
    "DiagonalizationWarning": "skrand_features._statespace",
    "PTDStateSpaceFeatures": "skrand_features._statespace",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(set(globals()) | set(__all__))
