"""What an answer from a sketch is guaranteed to be, and how many rows of sketch that takes.

For independent normal entries the rules are exact, not bounds. With ``e`` the error of the answer,
``r`` the residual of the exact one and m rows of sketch for d columns,

* ``|A e|^2 / |r|^2`` is distributed as ``d / (m - d + 1)`` times Fisher's F with d and m - d + 1
  degrees of freedom;
* given the sketched matrix, ``e`` is normal with mean 0, and the covariance estimated from the
  sketched residual as in ordinary regression; so each coefficient has a Student interval.

The other operators with many entries in each column follow these laws closely.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from skrand._validation import check_option, check_real, fail_parameter
from skrand.linalg import SRHT, CountSketch, Gaussian, Rademacher
from skrand.regression.factor import Factor

__all__ = [
    "check_guarantee",
    "coefficient_error",
    "error_limit",
    "objection_to_sketch",
    "realised_error",
    "rows_for_linf",
    "rows_for_residual",
]

_DENSE = {"gaussian": Gaussian, "rademacher": Rademacher, "srht": SRHT}

# Of the interval for each coefficient, two-sided.
_CONFIDENCE = 0.95


def check_guarantee(owner: Any) -> None:
    """Check ``guarantee``, ``epsilon`` and ``delta`` of an estimator or solver."""
    check_option(owner, "guarantee", owner.guarantee, (None, "exact", "residual", "linf"))
    check_real(owner, "delta", owner.delta, 0, 1, closed="neither")
    if owner.guarantee == "residual":
        check_real(owner, "epsilon", owner.epsilon, 0, 1, closed="right")
    elif owner.guarantee == "linf":
        check_real(owner, "epsilon", owner.epsilon, 0, closed="neither")
    elif owner.epsilon is not None:
        allowed = "None without guarantee='residual' or 'linf'"
        fail_parameter(owner, "epsilon", allowed, owner.epsilon)


def objection_to_sketch(guarantee: str | None, sketch: Any) -> str | None:
    """Say in one sentence why no `guarantee` can be given with this kind of sketch, or None."""
    if guarantee == "exact":
        return "it estimates its error, and guarantee='exact' asks for an answer that is verified"
    if guarantee == "linf":
        dense = sketch in ("auto", *_DENSE) if isinstance(sketch, str) else None
        if not (isinstance(sketch, tuple(_DENSE.values())) if dense is None else dense):
            return (
                "guarantee='linf' needs a dense sketch ('gaussian', 'rademacher', 'srht'), as a "
                f"sparse one can put the whole error into one coefficient, and sketch is {sketch!r}"
            )
    if guarantee == "residual" and (sketch == "countsketch" or isinstance(sketch, CountSketch)):
        return (
            "guarantee='residual' cannot be given with 'countsketch', which in the worst case "
            "needs as many rows as the square of the number of columns"
        )
    return None


def rows_for_residual(d: int, k: int, epsilon: float, delta: float) -> int:
    """Return the least m for which every target's objective is within ``1 + epsilon``.

    Parameters
    ----------
    d, k : int
        Columns and targets.
    epsilon : float
        Relative excess of the objective, the sum of squares, over its minimum.
    delta : float
        Probability that it is larger for some target.

    Returns
    -------
    int
        About ``d + d (1 + 2 sqrt(log(k / delta) / d) + 2 log(k / delta) / d) / epsilon``.
    """
    low, high = d, d + 2
    while _excess_quantile(d, high, delta / k) > epsilon:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _excess_quantile(d, middle, delta / k) > epsilon:
            low = middle
        else:
            high = middle
    return high


def rows_for_linf(d: int, k: int, epsilon: float, delta: float) -> int:
    """Return an m for which no coefficient is off by ``epsilon / sqrt(d) |r| |A^+|``.

    The error of a coefficient is normal with a standard deviation of at most
    ``|r| |A^+| / sqrt(m - d - 1)``; there are ``k d`` of them. (Song, Ye, Yin and Zhang, ICML 2023,
    arXiv:2302.00248, prove ``d log^3(n / delta) / epsilon^2`` for the transform in the worst case.)
    """
    return d + 1 + int(np.ceil(2 * d * np.log(2 * d * k / delta) / epsilon**2))


def error_limit(d: int, m: int, least: np.ndarray, delta: float) -> np.ndarray:
    """Return what ``|A e|`` stays below but for a probability of `delta`, if the sketch embeds.

    Parameters
    ----------
    d, m : int
        Columns, and rows of the sketch.
    least : ndarray of shape (k,)
        Norms of the residuals of the exact answers.
    delta : float
        Probability.
    """
    return least * np.sqrt(_excess_quantile(d, m, delta))


def coefficient_error(m: int, rank: int, sketched: np.ndarray, N: np.ndarray) -> np.ndarray:
    """Return the half-width, (k, d), of the 95 % interval of every coefficient.

    Parameters
    ----------
    m, rank : int
        Rows of the sketch, and its rank.
    sketched : ndarray of shape (k,)
        Norms of the residuals of the sketched problem.
    N : ndarray of shape (d, rank)
        With ``N N^T`` the inverse of the Gram matrix of the sketch.
    """
    free = max(m - rank, 1)
    quantile = scipy.special.stdtrit(free, 0.5 + _CONFIDENCE / 2)
    return np.outer(sketched * (quantile / np.sqrt(free)), np.linalg.norm(N, axis=1))


def realised_error(factor: Factor, gradient: np.ndarray, m: int) -> np.ndarray:
    """Estimate ``|A e|`` of this very answer, for each target, from half the gradient at it.

    With the exact Gram matrix ``N N^T`` would be its inverse, and the norm of ``N^T`` times the
    gradient the error. That of a sketch makes it too large by ``1 / (1 - d / m)`` on average, as
    the error is large where the sketch is small.
    """
    norm = np.linalg.norm(factor.left(factor.scale[:, None] * gradient), axis=0)
    return norm * max(1 - factor.rank / m, 1 / m)


def _excess_quantile(d: int, m: int, delta: float) -> float:
    """Return what ``|A e|^2 / |r|^2`` exceeds with probability `delta`."""
    free = m - d + 1
    # The upper tail of F is the lower tail of its reciprocal: no cancellation for small delta.
    return d / free / scipy.special.fdtri(free, d, delta)
