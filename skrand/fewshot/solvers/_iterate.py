"""The loop that the published methods share: update the labels of the queries until they settle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from skrand.base import Monitor, Solution
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import prototype_rule

__all__ = ["finish", "iterate", "rectified"]


def iterate(
    problem: TransductiveLabelling,
    update: Callable[[], np.ndarray],
    monitor: Monitor,
    max_iter: int,
    tol: float,
) -> dict[str, Any]:
    """Call `update`, which returns the queries' labels, until they change by at most `tol`.

    The change is the mass that moves to other classes, a query. Returns what a Solution takes.
    """
    Z, moved, n_iter, converged = np.zeros((len(problem.queries), problem.n_classes)), 1.0, 0, False
    while n_iter < max_iter and not converged:
        n_iter += 1
        new = update()
        moved = float(np.maximum(new - Z, 0).sum()) / max(1, len(Z)) if n_iter > 1 else 1.0
        Z, converged = new, moved <= tol or len(Z) == 0
        record = {
            "iteration": n_iter,
            "residual": moved,
            "x": lambda Z=Z: problem.complete(Z),
        }
        if monitor(record):
            break
    return {
        "x": problem.complete(Z),
        "converged": converged,
        "n_iter": n_iter,
        "residual": moved,
        "message": "" if converged else "Raise max_iter or tol.",
    }


def finish(
    problem: TransductiveLabelling, answer: dict[str, Any], M: np.ndarray, temperature: float
) -> Solution:
    """Make the solution of a method whose rule is the distance to prototypes."""
    dtype = problem.X.dtype
    rule = prototype_rule(M.astype(dtype), dtype.type(temperature))
    extra = {"rule": rule, "prototypes": M, "temperature": temperature}
    return Solution(**answer, extra=extra)


def rectified(
    problem: TransductiveLabelling, sharpness: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move queries so that their mean is the support's, and let them pull the prototypes.

    Returns the moved queries, the shift, and prototypes: means of all rows, weighted by the softmax
    of `sharpness` times the cosine with the support's means (Liu, Song, Qin, ECCV 2020).
    """
    S, Q = problem.X[problem.support].astype(float), problem.X[problem.queries].astype(float)
    shift = S.mean(axis=0) - Q.mean(axis=0) if len(Q) else np.zeros(S.shape[1])
    Q = Q + shift
    rows = np.vstack([S, Q])
    cosine = unit(rows) @ unit(problem.means).T
    Z = np.exp(sharpness * (cosine - cosine.max(axis=1, keepdims=True)))
    Z /= Z.sum(axis=1, keepdims=True)
    Z[: len(S)] = 0.0
    Z[np.arange(len(S)), problem.y[problem.support]] = 1.0
    return Q, shift, (Z.T @ rows) / Z.sum(axis=0)[:, None]


def unit(X: np.ndarray) -> np.ndarray:
    """Scale rows to unit length, zero rows left."""
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms > 0, norms, 1.0)
