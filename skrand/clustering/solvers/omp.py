"""Sparse subspace clustering by orthogonal matching pursuit."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_triangular

from skrand._ext import pursuit as _pursuit
from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.problem import SubspaceClustering
from skrand.clustering.solvers.lsr import representation_memory
from skrand.linalg.products import LargestEntries
from skrand.linalg.threads import effective_n_jobs, ordered_map

__all__ = ["SSCOMP", "orthogonal_pursuit"]

#: Rows that share products with all others.
_ROWS = 512


class SSCOMP(GraphSolver):
    """Each row as a combination of few others, chosen one by one.

    The atom most correlated with what is left of a row comes next, and the row is fitted again to
    all its atoms. The correlations of a block of rows with all others are one matrix product.

    Cost: ``2 n^2 D`` flops a step, `n_nonzero` steps. Memory: 12 bytes for each of the
    n x `n_nonzero` coefficients, three times.

    Parameters
    ----------
    n_nonzero : int, default=5
        Most atoms of a row: the dimension of the subspaces, or a little more. Atoms beyond it fit
        noise and link to other subspaces.
    tol : float, default=1e-6
        Squared length of what is left, for rows of length one, at which a row is done.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    C. You, D. P. Robinson, R. Vidal, "Scalable Sparse Subspace Clustering by Orthogonal Matching
    Pursuit", CVPR 2016, arXiv:1507.01238.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import SSCOMP
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> SSCOMP().solve(SubspaceClustering(X=X, n_clusters=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    name = "ssc-omp"

    def __init__(self, *, n_nonzero: int = 5, tol: float = 1e-6, n_jobs: int | None = None) -> None:
        self.n_nonzero = n_nonzero
        self.tol = tol
        self.n_jobs = n_jobs

    def memory(self, problem: SubspaceClustering) -> int:
        """Bytes of the coefficients and their graph."""
        return representation_memory(problem, self.n_nonzero)

    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Link each row to its atoms."""
        k = check_integer(self, "n_nonzero", self.n_nonzero, 1)
        tol = check_real(self, "tol", self.tol, 0)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        C = orthogonal_pursuit(problem.directions, k, tol, threads)
        problem.oracles["passes"] += k
        return Graph(symmetric_affinity(C, normalize=True), C)


def orthogonal_pursuit(X: np.ndarray, k: int, tol: float, threads: int = 1) -> sp.csr_array:
    """Return the coefficients of each row of X in at most k of the others, by matching pursuit."""
    n, D = X.shape
    k = min(k, n - 1, D)
    X = np.ascontiguousarray(X)

    def block(start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _pursue_block(X, start, min(start + _ROWS, n), k, tol)

    parts = list(ordered_map(block, range(0, n, _ROWS), threads))
    rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    C = sp.csr_array((values, (rows, columns)), shape=(n, n))
    C.sort_indices()
    return C


def _pursue_block(
    X: np.ndarray, start: int, stop: int, k: int, tol: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the non-zero coefficients of rows start to stop, as triplets."""
    b, D = stop - start, X.shape[1]
    residual = X[start:stop].astype(np.float64)
    Q, R, along = np.zeros((b, k, D)), np.zeros((b, k, k)), np.zeros((b, k))
    atoms = np.full((b, k), -1, dtype=np.int32)
    lengths = np.zeros(b, dtype=np.int64)
    going = np.einsum("ij,ij->i", residual, residual) > tol
    for step in range(k):
        if not going.any():
            break
        best = _best_atoms(X, residual, start)
        best[~going] = -1
        _pursuit.pursue(X, best, step, Q, R, along, residual)
        # An atom that adds nothing is not counted: a row in the span of its atoms is done.
        new = going & (best >= 0) & (along[:, step] != 0)
        atoms[new, step] = best[new]
        lengths[new] = step + 1
        going = new & (np.einsum("ij,ij->i", residual, residual) > tol)
    rows, columns, values = [], [], []
    for length in np.unique(lengths[lengths > 0]):
        some = np.flatnonzero(lengths == length)
        for i in some:
            c = solve_triangular(R[i, :length, :length], along[i, :length], check_finite=False)
            values.append(c)
        rows.append(np.repeat(some + start, length))
        columns.append(atoms[some, :length].ravel())
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(values)


def _best_atoms(X: np.ndarray, residual: np.ndarray, start: int) -> np.ndarray:
    """Return for each residual the row of X with the largest product, other than its own row."""
    largest = LargestEntries(len(residual), 1, X.dtype)
    largest.scan(residual.astype(X.dtype), X, start)
    _, columns, counts = largest.finish()
    return np.where(counts > 0, columns[:, 0], -1).astype(np.int32)
