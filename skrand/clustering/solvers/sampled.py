"""Cluster a sample, and give every other row to the nearest subspace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skrand import registry
from skrand._validation import check_integer
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.subspaces import Subspaces
from skrand.linalg.threads import single_threaded_blas

__all__ = ["Sampled"]


class Sampled(Solver):
    """Solve the problem on a sample of the rows; the subspaces found label all.

    A few rounds of refitting to all rows and assigning them again follow.

    Cost: that of `base` on `n_samples` rows, and ``2 n D sum(d_k)`` flops for each round, so linear
    in n. Memory: that of `base` on the sample and some blocks of rows.

    Parameters
    ----------
    base : str or Solver, default="adssc"
        What solves the sample.
    n_samples : int, default=2000
        Rows in it; all if there are no more.
    n_refits : int, default=1
        Rounds of refitting to all rows.

    References
    ----------
    X. Peng, L. Zhang, Z. Yi, "Scalable Sparse Subspace Clustering", CVPR 2013.
    doi:10.1109/CVPR.2013.62

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import Sampled
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((90, 2)))
    >>> problem = SubspaceClustering(X=X, n_clusters=2)
    >>> np.bincount(Sampled(n_samples=40).solve(problem, rng=0).x)
    array([90, 90])
    """

    task = "subspace-clustering"
    name = "sampled"

    def __init__(self, *, base: Any = "adssc", n_samples: int = 2000, n_refits: int = 1) -> None:
        self.base = base
        self.n_samples = n_samples
        self.n_refits = n_refits

    @property
    def max_steps(self) -> int | None:
        """Steps of the base."""
        return registry.resolve_solver(self.base, self.task).max_steps

    def supports(self, problem: SubspaceClustering) -> str | None:
        """Refuse given labels."""
        if problem.initial is not None:
            return "it does not start from given labels"
        return None

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        count = check_integer(self, "n_samples", self.n_samples, 2)
        refits = check_integer(self, "n_refits", self.n_refits, 0)
        base = registry.resolve_solver(self.base, self.task)
        n = len(problem.X)
        sample = np.arange(n)
        if count < n:
            sample = np.sort(rng.choice(n, count, replace=False))
        part = replace(problem, X=problem.X[sample], affinity=None)
        start = base.solve(part, rng=rng, callback=monitor)
        subspaces: Subspaces = start.extra["subspaces"]
        with single_threaded_blas():
            labels, _ = subspaces.nearest(problem.rows)
            problem.oracles["passes"] += 1
            for _ in range(refits if count < n else 0):
                # Dimensions are told anew: a stray row in a sample is a direction of its own.
                subspaces = problem.subspaces(labels, len(subspaces.bases))
                labels, _ = subspaces.nearest(problem.rows)
                problem.oracles["passes"] += 1
            told = ("eigenvalues", "eigengap", "n_components")
            solution = finish(
                problem,
                labels,
                subspaces=subspaces,
                converged=start.converged,
                n_iter=start.n_iter,
                message=start.message,
                extra={
                    **{key: start.extra.get(key) for key in told},
                    "affinity": None,
                    "representation": None,
                    "sample_indices": sample,
                },
            )
            solution.extra["outliers"][sample] |= start.extra["outliers"]
            return solution
