"""An ensemble of K-subspaces."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from skrand._validation import check_integer
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.solvers.kss import descend, neighbourhood_start
from skrand.linalg.threads import single_threaded_blas

__all__ = ["EKSS"]


class EKSS(Solver):
    """Cluster by how often rows fall together in many short runs of K-subspaces.

    H has an indicator column for each group of each run. The co-occurrences ``H H^T`` are a graph
    that is never formed: its normalised spectrum is that of a small Gram matrix.

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

    def __init__(self, *, n_runs=50, n_steps=3):
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
        K, n = int(problem.n_clusters), len(problem.X)
        columns: list[np.ndarray] = []
        with single_threaded_blas():
            for run in range(runs):
                start = neighbourhood_start(problem, K, rng)
                labels, _, cost, *_ = descend(problem, start, steps, Monitor())
                columns.append(labels + run * K)
                if monitor({"iteration": run + 1, "residual": np.sqrt(cost / n)}):
                    break
            used = len(columns)
            H = sp.csr_array(
                (
                    np.ones(n * used),
                    np.column_stack(columns).ravel(),
                    np.arange(0, n * used + 1, used),
                ),
                shape=(n, used * K),
            )
            # A row occurs once in each run: its degree is the sum of the sizes of its groups.
            degrees = H @ H.sum(axis=0)
            scaled = sp.csr_array(sp.diags_array(degrees**-0.5) @ H)
            gram = (scaled.T @ scaled).toarray()
            w, V = eigh(gram, subset_by_index=[max(0, len(gram) - K), len(gram) - 1])
            rows = scaled @ (V / np.sqrt(np.maximum(w, 1e-12)))
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            with threadpool_limits(1):
                means = KMeans(K, n_init=10, random_state=int(rng.integers(2**31))).fit(rows)
            return finish(problem, means.labels_, n_iter=used, extra={"eigenvalues": w[::-1]})
