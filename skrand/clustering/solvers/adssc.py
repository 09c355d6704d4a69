"""Least-squares self-representation, made doubly stochastic."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.problem import SubspaceClustering
from skrand.clustering.solvers.lsr import least_squares_representation, representation_memory
from skrand.clustering.stochastic import doubly_stochastic_projection
from skrand.linalg.threads import effective_n_jobs

__all__ = ["ADSSC"]


class ADSSC(GraphSolver):
    """The doubly stochastic graph nearest to a least-squares self-representation.

    The representation of solver ``lsr`` links each row to many; the projection keeps the links that
    both ends need for their sums to be one, which is often a fifth of them, and gives every row the
    same weight in the graph.

    Cost: that of ``lsr``, and some hundred sweeps over the kept coefficients. Memory: that of
    ``lsr`` and 16 bytes a coefficient.

    Parameters
    ----------
    lam : float, default=1.0
        Penalty on the squared coefficients, for rows of length one.
    eta : float, default=0.01
        Penalty on the squared entries of the graph: the larger, the more links.
    n_neighbors : int, default=50
        Coefficients kept in each row before the projection.
    tol : float, default=1e-6
        Largest distance of a row sum from one.
    max_iter : int, default=200
        Most Newton steps of the projection.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    D. Lim, R. Vidal, B. D. Haeffele, "Doubly Stochastic Subspace Clustering", 2020,
    arXiv:2011.14859.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import ADSSC
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> ADSSC().solve(SubspaceClustering(X=X, n_clusters=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    name = "adssc"

    def __init__(
        self,
        *,
        lam: float = 1.0,
        eta: float = 0.01,
        n_neighbors: int = 50,
        tol: float = 1e-6,
        max_iter: int = 200,
        n_jobs: int | None = None,
    ) -> None:
        self.lam = lam
        self.eta = eta
        self.n_neighbors = n_neighbors
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def memory(self, problem: SubspaceClustering) -> int:
        """Bytes of the representation and of the projection."""
        n = len(problem.X)
        return representation_memory(problem, self.n_neighbors) + 40 * n * self.n_neighbors

    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Project the representation onto the doubly stochastic matrices."""
        lam = check_real(self, "lam", self.lam, 0, closed="neither")
        eta = check_real(self, "eta", self.eta, 0, closed="neither")
        q = check_integer(self, "n_neighbors", self.n_neighbors, 1)
        tol = check_real(self, "tol", self.tol, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        C = least_squares_representation(problem, lam, q, threads)
        return stochastic_graph(C, eta, tol, max_iter, threads, monitor)


def stochastic_graph(
    C: sp.csr_array,
    eta: float,
    tol: float,
    max_iter: int,
    threads: int,
    monitor: Monitor,
    start: np.ndarray | None = None,
) -> Graph:
    """Return the doubly stochastic graph of a representation; `start` as the projection has it."""
    result = doubly_stochastic_projection(
        symmetric_affinity(C) * 0.5,
        eta,
        tol=tol,
        max_iter=max_iter,
        threads=threads,
        start=start,
        step=lambda i, error: monitor({"iteration": i, "residual": error}),
    )
    affinity = result.matrix.copy()
    affinity.setdiag(0.0)
    affinity.eliminate_zeros()
    message = ""
    if not result.converged:
        message = f"Raise max_iter: the graph's row sums are off by {result.error:.1e}."
    return Graph(
        affinity,
        C,
        converged=result.converged,
        message=message,
        extra={"stochastic_error": result.error, "dual": result.dual},
    )
