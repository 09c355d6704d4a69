"""The temperature of soft labels, from the data."""

from __future__ import annotations

import numpy as np

from skrand.fewshot.labels import class_sums
from skrand.fewshot.problem import TransductiveLabelling

__all__ = ["scatter_temperature"]


def scatter_temperature(problem: TransductiveLabelling, M: np.ndarray) -> float:
    """Return ``4 tr(S^2) / tr(S)`` for the covariance S of rows about the means of classes.

    Classes are those of the nearest prototypes M, (n_classes, d).

    ``tr(S)^2 / tr(S^2)`` is the number of dimensions in which rows scatter, and ``2 tr(S^2) /
    tr(S)`` twice the variance in one of them: the temperature of a Gaussian likelihood. It is
    doubled because rows lie closer to the nearest prototype than to their own.
    """
    # A sample does: the temperature is one number.
    step = max(1, len(problem.X) // 4096)
    X, y = problem.features[::step].astype(np.float64), problem.y[::step]
    nearest = np.where(y >= 0, y, (X @ (2 * M.T) - (M**2).sum(axis=1)).argmax(axis=1))
    queries = y < 0
    sums = problem.support_sums + class_sums(X[queries], nearest[queries], len(M))
    counts = problem.shots + np.bincount(nearest[queries], minlength=len(M))
    R = X - (sums / counts[:, None])[nearest]
    G = R @ R.T if len(R) < R.shape[1] else R.T @ R
    trace = float(G.trace())
    if trace <= 0:
        return 1.0
    # The fourth powers of large data would overflow.
    G /= trace
    return 4.0 * float(np.vdot(G, G)) * (trace / len(R))
