"""A graph that is already known."""

from __future__ import annotations

import numpy as np

from skrand.base import Monitor
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.problem import SubspaceClustering

__all__ = ["Precomputed"]


class Precomputed(GraphSolver):
    """Cut the graph that the problem comes with, and fit subspaces to the rows of each part.

    Cost: some hundred products of the graph with a block of ``n_clusters + 8`` vectors. Memory:
    four such blocks.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import Precomputed
    >>> X = np.kron(np.eye(2), np.ones((4, 1)))
    >>> graph = sp.csr_array(np.kron(np.eye(2), np.ones((4, 4))))
    >>> problem = SubspaceClustering(X=X, n_clusters=2, affinity=graph)
    >>> Precomputed().solve(problem, rng=0).x
    array([0, 0, 0, 0, 1, 1, 1, 1])
    """

    name = "precomputed"

    def supports(self, problem: SubspaceClustering) -> str | None:
        """Refuse a problem without a graph; ``fit(X, affinity=...)`` gives it one."""
        if problem.affinity is None:
            return "it cuts a known graph, and fit(X, affinity=...) was given none"
        return super().supports(problem)

    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Return the known graph."""
        return Graph(symmetric_affinity(problem.affinity) * 0.5)
