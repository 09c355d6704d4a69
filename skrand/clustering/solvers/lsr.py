"""Least-squares self-representation."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.problem import SubspaceClustering
from skrand.linalg.products import largest_products
from skrand.linalg.threads import effective_n_jobs

__all__ = ["LSR", "least_squares_representation"]


class LSR(GraphSolver):
    """Each row as a combination of all others, of least squares and least length.

    With ``H = X (X^T X + lam I)^-1 X^T`` the coefficients with an empty diagonal are
    ``H_ij / (1 - H_jj)``. They are computed tile by tile, and the largest of each row kept.

    Cost: one product of n x D with D x n, ``2 n^2 D`` flops, and a factorisation of order
    ``min(n, D)``. Memory: 12 bytes for each of the n x `n_neighbors` coefficients, three times.

    Parameters
    ----------
    lam : float, default=1.0
        Penalty on the squared coefficients, for rows of length one.
    n_neighbors : int, default=50
        Coefficients kept in each row.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    C.-Y. Lu, H. Min, Z.-Q. Zhao, L. Zhu, D.-S. Huang, S. Yan, "Robust and Efficient Subspace
    Segmentation via Least Squares Regression", ECCV 2012, arXiv:1404.6736.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import LSR
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> LSR().solve(SubspaceClustering(X=X, n_clusters=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    name = "lsr"

    def __init__(
        self, *, lam: float = 1.0, n_neighbors: int = 50, n_jobs: int | None = None
    ) -> None:
        self.lam = lam
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    def memory(self, problem: SubspaceClustering) -> int:
        """Bytes of the coefficients, their transpose and their sum, and of the matrix inverted."""
        return representation_memory(problem, self.n_neighbors)

    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Link each row to those of its largest coefficients."""
        lam = check_real(self, "lam", self.lam, 0, closed="neither")
        q = check_integer(self, "n_neighbors", self.n_neighbors, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        C = least_squares_representation(problem, lam, q, threads)
        return Graph(symmetric_affinity(C, normalize=True), C)


def least_squares_representation(
    problem: SubspaceClustering, lam: float, q: int, threads: int = 1
) -> sp.csr_array:
    """Return the q largest coefficients of each row."""
    X = problem.directions
    n, D = X.shape
    work = X.astype(np.float64)
    # (X^T X + lam I)^-1 applied to X from the right, or its equal from the left.
    if n >= D:
        Z = cho_solve(cho_factor(work.T @ work + lam * np.eye(D)), work.T).T
    else:
        Z = cho_solve(cho_factor(work @ work.T + lam * np.eye(n)), work)
    leverage = np.einsum("ij,ij->i", Z, work)
    scaled = work / (1.0 - leverage)[:, None]
    problem.oracles["passes"] += 2
    return largest_products(Z.astype(X.dtype), scaled.astype(X.dtype), q, threads=threads)


def representation_memory(problem: SubspaceClustering, q: int) -> int:
    """Estimate the bytes of q coefficients a row with their symmetric graph, and of the factors."""
    n, D = problem.shape
    return 36 * n * min(q, n) + 16 * n * D + 8 * min(n, D) ** 2
