"""An ensemble of K-subspaces."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.consensus import consensus
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.solvers.kss import descend, neighbourhood_start
from skrand.linalg.threads import single_threaded_blas

__all__ = ["EKSS"]


class EKSS(Solver):
    """Cluster by how often rows fall together in many short runs of K-subspaces.

    The graph of co-occurrences is never formed: its spectrum is that of a small Gram matrix.

    Cost: `n_runs` times a start and `max_iter` iterations of ``kss``, and ``n (n_runs)^2`` for the
    spectrum; linear in n. Memory: 12 bytes a row and run.

    Parameters
    ----------
    n_runs : int, default=50
        Runs.
    n_steps : int, default=3
        Iterations of each run.

    References
    ----------
    J. Lipor, D. Hong, Y. S. Tan, L. Balzano, "Subspace Clustering Using Ensembles of K-Subspaces",
    Information and Inference 10, 2021, arXiv:1709.04744.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import EKSS
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> EKSS().solve(SubspaceClustering(X=X, n_clusters=2, subspace_dim=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    task = "subspace-clustering"
    name = "ekss"

    def __init__(self, *, n_runs: int = 50, n_steps: int = 3) -> None:
        self.n_runs = n_runs
        self.n_steps = n_steps

    @property
    def max_steps(self) -> int | None:
        """Runs."""
        return self.n_runs

    def supports(self, problem: SubspaceClustering) -> str | None:
        """Say so if the number of clusters is not known, or labels are given."""
        if problem.n_clusters is None:
            return "it needs the number of clusters"
        if problem.initial is not None:
            return "it does not start from given labels"
        return None

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        runs = check_integer(self, "n_runs", self.n_runs, 1)
        steps = check_integer(self, "n_steps", self.n_steps, 1)
        K = int(problem.n_clusters)
        partitions: list[np.ndarray] = []
        with single_threaded_blas():
            for run in range(runs):
                start = neighbourhood_start(problem, K, rng)
                labels, _, cost, *_ = descend(problem, start, steps, Monitor())
                partitions.append(labels)
                if monitor({"iteration": run + 1, "residual": np.sqrt(cost / len(problem.X))}):
                    break
            labels, values = consensus(partitions, K, rng)
            return finish(
                problem,
                labels,
                converged=len(partitions) == runs,
                n_iter=len(partitions),
                extra={"eigenvalues": values},
            )
