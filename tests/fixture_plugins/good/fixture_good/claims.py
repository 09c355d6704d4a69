"""What the paper of the plugin promises."""

from skrand.testing import ClaimResult


def measure():
    """Return one claim that holds and one that does not."""
    common = {
        "paper": "Gauss 1809",
        "baseline_name": "Legendre 1805",
        "baseline": 1.0,
        "promised": 0.5,
        "seeds": (0, 1),
    }
    return [
        ClaimResult(metric="relative error", measured=0.25, holds=True, note="", **common),
        ClaimResult(
            metric="relative time",
            measured=0.75,
            holds=False,
            note="the gain needs more rows than this",
            **common,
        ),
    ]
