"""Thresholding: each row and those at the smallest angles to it."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_n_jobs
from skrand.base import Monitor
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.problem import SubspaceClustering
from skrand.clustering.solvers.lsr import representation_memory
from skrand.linalg.products import largest_products
from skrand.linalg.threads import effective_n_jobs

__all__ = ["TSC"]


class TSC(GraphSolver):
    """Link each row to the rows at the smallest angles, by ``exp(-2 angle)``.

    Cost: one product of n x D with D x n, ``2 n^2 D`` flops. Memory: 12 bytes for each of the
    n x `n_neighbors` links, three times.

    Parameters
    ----------
    n_neighbors : int, default=6
        Links of each row; a few more than the dimension at most.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    R. Heckel, H. Boelcskei, "Robust Subspace Clustering via Thresholding", IEEE Trans. Inf. Theory
    61, 2015, arXiv:1307.4891.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import TSC
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> TSC().solve(SubspaceClustering(X=X, n_clusters=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    name = "tsc"

    def __init__(self, *, n_neighbors: int = 6, n_jobs: int | None = None) -> None:
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    def memory(self, problem: SubspaceClustering) -> int:
        """Bytes of the links and their graph."""
        return representation_memory(problem, self.n_neighbors)

    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Link each row to its nearest directions."""
        q = check_integer(self, "n_neighbors", self.n_neighbors, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        X = problem.directions
        links = largest_products(X, X, q, threads=threads)
        links.data = np.exp(-2.0 * np.arccos(np.minimum(np.abs(links.data), 1.0)))
        problem.oracles["passes"] += 1
        return Graph(symmetric_affinity(links))
