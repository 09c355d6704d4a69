"""Where solvers that improve on a partition take it from."""

from __future__ import annotations

from typing import Any

import numpy as np

from skrand import registry
from skrand.base import Solution
from skrand.clustering.problem import SubspaceClustering

__all__ = ["given_or_found"]


def given_or_found(
    problem: SubspaceClustering, start: Any, rng: np.random.Generator
) -> tuple[np.ndarray, int, Solution | None]:
    """Return labels to start from, their number, and the solution they came from if any.

    Parameters
    ----------
    problem : SubspaceClustering
        Whose given labels are taken if it has any.
    start : str or Solver
        What finds them otherwise.
    rng : numpy.random.Generator
        Source of randomness.
    """
    found = None
    labels = problem.initial
    if labels is None:
        found = registry.resolve_solver(start, problem.task).solve(problem, rng=rng)
        labels = found.x
    labels = np.asarray(labels, dtype=np.int64)
    return labels, problem.n_clusters or int(labels.max()) + 1, found
