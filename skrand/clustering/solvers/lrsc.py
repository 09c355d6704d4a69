"""Low-rank subspace clustering."""

from __future__ import annotations

import numpy as np
from scipy.linalg import svd

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.problem import SubspaceClustering
from skrand.clustering.solvers.lsr import representation_memory
from skrand.linalg.products import largest_products
from skrand.linalg.threads import effective_n_jobs

__all__ = ["LRSC"]


class LRSC(GraphSolver):
    """All rows as combinations of each other by a matrix of least nuclear norm, in closed form.

    The coefficients that minimise ``|C|_* + tau / 2 |X - C X|^2`` are ``U f(S) U^T`` with U and S
    from the singular value decomposition of X and ``f(s) = 1 - 1 / (tau s^2)`` where that is
    positive, else 0. They are computed tile by tile, and the largest of each row kept.

    Cost: a singular value decomposition of n x D, and ``2 n^2 r`` flops for rank r. Memory: 12
    bytes for each of the n x `n_neighbors` coefficients, three times.

    Parameters
    ----------
    tau : float, default=1.0
        Weight of the fit, for rows of length one; singular values below ``tau ** -0.5`` are noise.
    n_neighbors : int, default=50
        Coefficients kept in each row.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    R. Vidal, P. Favaro, "Low rank subspace clustering (LRSC)", Pattern Recognition Letters 43,
    2014. doi:10.1016/j.patrec.2013.08.006

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import LRSC
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> LRSC().solve(SubspaceClustering(X=X, n_clusters=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    name = "lrsc"

    def __init__(
        self, *, tau: float = 1.0, n_neighbors: int = 50, n_jobs: int | None = None
    ) -> None:
        self.tau = tau
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    def memory(self, problem: SubspaceClustering) -> int:
        """Bytes of the coefficients, their graph, and the singular vectors."""
        return representation_memory(problem, self.n_neighbors)

    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Link each row to those of its largest coefficients."""
        tau = check_real(self, "tau", self.tau, 0, closed="neither")
        q = check_integer(self, "n_neighbors", self.n_neighbors, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        X = problem.directions
        U, s, _ = svd(X.astype(np.float64), full_matrices=False, check_finite=False)
        kept = tau * s**2 > 1.0
        # If all is noise, the first direction is left.
        kept[0] = True
        shrunk = np.maximum(1.0 - 1.0 / (tau * s[kept] ** 2), np.finfo(np.float64).eps)
        V = (U[:, kept] * np.sqrt(shrunk)).astype(X.dtype)
        C = largest_products(V, V, q, threads=threads)
        problem.oracles["passes"] += 1
        return Graph(symmetric_affinity(C, normalize=True), C)
