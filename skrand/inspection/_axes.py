"""What every display needs: axes to draw on, or a sentence about what to install."""

from __future__ import annotations

from typing import Any

__all__ = ["get_axes"]


def get_axes(ax: Any, caller: str) -> Any:
    """Return `ax`, or the axes of a new figure if it is None."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f'{caller} needs matplotlib. Install it with: pip install "skrand[plot]"'
        ) from error
    return pyplot.subplots(layout="constrained")[1] if ax is None else ax
