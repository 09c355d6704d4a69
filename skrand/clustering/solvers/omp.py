"""Sparse subspace clustering by orthogonal matching pursuit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from skrand._ext import pursuit as _pursuit
from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution
from skrand.clustering.coding_rate import membership_of, refine_membership
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.solvers.lsr import representation_memory
from skrand.linalg.products import LargestEntries
from skrand.linalg.threads import effective_n_jobs, ordered_map, single_threaded_blas

__all__ = ["SSCOMP", "orthogonal_pursuit"]

#: Rows that share products with all others.
_ROWS = 512

#: Atoms among which products in float64 choose, if those in float32 are too close.
_CLOSE = 8


class SSCOMP(GraphSolver):
    """Each row as a combination of few others, chosen one by one.

    The atom most correlated with what is left of a row comes next, and the row is fitted again to
    all its atoms. The correlations of a block of rows with all others are one matrix product.

    Once the first atom leaves no more than noise, the others fit that, and link to any group: two
    nearly parallel rows can be cut off from their own. So the groups of the graph are refined by
    coding rates, as by solver ``mcr2``, which never lengthens the code of the rows.

    Cost: ``2 n^2 D`` flops a step, `n_nonzero` steps, and some ``2 n D^2 K`` a round. Memory: 12
    bytes for each of the n x `n_nonzero` coefficients, three times.

    Parameters
    ----------
    n_nonzero : int, default=5
        Most atoms of a row: the dimension of the subspaces, or a little more. Atoms beyond it fit
        noise and link to other subspaces.
    tol : float, default=1e-6
        Squared length of what is left, for rows of length one, at which a row is done.
    n_refits : int, default=1
        Rounds in which each row goes to the group where its code is shortest; 0 leaves the groups
        as the graph has them.
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

    def __init__(
        self,
        *,
        n_nonzero: int = 5,
        tol: float = 1e-6,
        n_refits: int = 1,
        n_jobs: int | None = None,
    ) -> None:
        self.n_nonzero = n_nonzero
        self.tol = tol
        self.n_refits = n_refits
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

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        rounds = check_integer(self, "n_refits", self.n_refits, 0)
        start = super()._solve(problem, rng, monitor)
        if rounds == 0:
            return start
        membership = membership_of(start.x, len(start.extra["subspaces"].bases))
        with single_threaded_blas():
            labels = refine_membership(problem.directions, membership, max_iter=rounds).labels
            end = finish(problem, labels)
        problem.oracles["passes"] += rounds
        # Rows that moved are judged anew.
        outliers = end.extra["outliers"] | (start.extra["outliers"] & (labels == start.x))
        extra = {**start.extra, **end.extra, "outliers": outliers}
        return replace(start, x=end.x, residual=end.residual, extra=extra)


def orthogonal_pursuit(X: np.ndarray, k: int, tol: float, threads: int = 1) -> sp.csr_array:
    """Return the coefficients of each row of X in at most k of the others, by matching pursuit."""
    n, D = X.shape
    k = min(k, n - 1, D)
    X = np.ascontiguousarray(X)
    atoms = _Atoms(X)

    def block(start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _pursue_block(X, atoms, start, min(start + _ROWS, n), k, tol)

    parts = list(ordered_map(block, range(0, n, _ROWS), threads))
    rows, columns, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    C = sp.csr_array((values, (rows, columns)), shape=(n, n))
    C.sort_indices()
    return C


def _pursue_block(
    X: np.ndarray, atoms: _Atoms, start: int, stop: int, k: int, tol: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the non-zero coefficients of rows start to stop, as triplets."""
    b, D = stop - start, X.shape[1]
    residual = X[start:stop].astype(np.float64)
    Q, R, along = np.zeros((b, k, D)), np.zeros((b, k, k)), np.zeros((b, k))
    chosen = np.full((b, k), -1, dtype=np.int32)
    going = np.einsum("ij,ij->i", residual, residual) > tol
    for step in range(k):
        if not going.any():
            break
        best = atoms.nearest(residual, start)
        best[~going] = -1
        _pursuit.pursue(X, best, step, Q, R, along, residual)
        # An atom that adds nothing is not counted: a row in the span of its atoms is done.
        going &= (best >= 0) & (along[:, step] != 0)
        chosen[going, step] = best[going]
        going &= np.einsum("ij,ij->i", residual, residual) > tol
    # Atoms not chosen are no part of any other's column, and have nothing along them.
    R[:, range(k), range(k)] += chosen < 0
    along[chosen < 0] = 0.0
    values = np.linalg.solve(R, along[:, :, None])[:, :, 0]
    rows, places = np.nonzero(chosen >= 0)
    return rows + start, chosen[rows, places], values[rows, places]


class _Atoms:
    """Rows of X, to find the one that is nearest in direction.

    Products are taken in float32, and again in float64 where their error leaves the choice open.
    """

    def __init__(self, X: np.ndarray) -> None:
        self.X = X
        self.single = X.astype(np.float32, copy=False)
        # Of the product of one of them with a vector of length one.
        longest = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64).max(initial=0.0))
        self.error = (X.shape[1] + 4) * 0.5 * float(np.finfo(np.float32).eps) * longest

    def nearest(self, vectors: np.ndarray, start: int) -> np.ndarray:
        """Return the row with the largest product with each vector; vector i is of row start + i.

        Of equal ones it is the first, and -1 if all products are zero.
        """
        lengths = np.linalg.norm(vectors, axis=1)
        units = vectors / np.where(lengths > 0, lengths, 1.0)[:, None]
        largest = LargestEntries(len(vectors), _CLOSE, np.float32)
        largest.scan(units.astype(np.float32), self.single, start)
        values, columns, counts = largest.finish()
        sizes = np.where(np.arange(_CLOSE) < counts[:, None], np.abs(values), 0.0)
        close = (sizes > 0) & (sizes >= sizes.max(axis=1, keepdims=True) - 2.0 * self.error)
        if close.all(axis=1).any():
            return self._exactly_nearest(vectors, start)
        best = columns[np.arange(len(vectors)), sizes.argmax(axis=1)]
        for i in np.flatnonzero(np.count_nonzero(close, axis=1) > 1):
            some = columns[i, close[i]]
            best[i] = some[np.abs(self.X[some] @ vectors[i]).argmax()]
        return np.where(counts > 0, best, -1).astype(np.int32)

    def _exactly_nearest(self, vectors: np.ndarray, start: int) -> np.ndarray:
        largest = LargestEntries(len(vectors), 1, np.float64)
        largest.scan(vectors, self.X.astype(np.float64, copy=False), start)
        _, columns, counts = largest.finish()
        return np.where(counts > 0, columns[:, 0], -1).astype(np.int32)
