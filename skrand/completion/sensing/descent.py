"""First-order steps on both factors at once, with a step length that never lets the loss rise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skrand.base import Monitor
from skrand.completion.sensing.point import ROUNDING, Point, record, relative

__all__ = ["descend"]

#: Halvings after which a step is given up: it is then below rounding.
_HALVINGS = 60

Direction = Callable[[Point], tuple[np.ndarray, np.ndarray]]


def descend(
    point: Point,
    step: float,
    direction: Direction,
    monitor: Monitor,
    *,
    scale: float,
    tol: float,
    max_iter: int,
    rewrite: Callable[[Point, int], Point] | None = None,
) -> tuple[Point, int, str]:
    """Take steps until the slope is below `tol`, none lowers the loss, or the caller stops it.

    Parameters
    ----------
    point : Point
        Where to begin.
    step : float
        Length of the steps; it is halved for good whenever the loss would rise.
    direction : callable
        ``direction(point) -> (dF, dG)``, to be subtracted.
    monitor : Monitor
        Told of each step.
    scale, tol : float
        What slopes are divided by, and where that may end.
    max_iter : int
        Most steps.
    rewrite : callable, optional
        ``rewrite(point, iteration) -> point``: may put other factors of the same matrix.

    Returns
    -------
    point : Point
        The last point.
    n_iter : int
        Steps taken.
    reason : str
        What ended it, if neither the slope nor `max_iter` did.
    """
    # Below this, differences of the loss are rounding.
    slack = 8 * np.finfo(point.F.dtype).eps * float(np.sum(point.problem.target**2))
    n_iter = 0
    while n_iter < max_iter and relative(point, scale) > tol:
        if rewrite is not None:
            point = rewrite(point, n_iter)
        dF, dG = direction(point)
        for _ in range(_HALVINGS):
            F = point.F - step * dF
            trial = Point(point.problem, F, F if point.problem.symmetric else point.G - step * dG)
            # Not a number is a step far too long.
            if trial.loss <= point.loss + slack:
                break
            step /= 2
        else:
            return point, n_iter, ROUNDING
        point = trial
        n_iter += 1
        if record(monitor, n_iter, point, scale, step_size=step):
            break
    return point, n_iter, ""
