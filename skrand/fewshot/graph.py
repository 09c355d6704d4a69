"""Graphs of nearest neighbours, symmetric and normalised."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from skrand.linalg.threads import single_threaded_blas

__all__ = [
    "DENSE",
    "Graph",
    "nearest_others",
    "neighbour_graph",
    "neighbours",
    "relative_distances",
]

#: Up to this many rows, distances are computed at once and the graph is made as a dense array.
DENSE = 1500
#: Above this many rows an approximate search is used, if a package for it is installed.
APPROXIMATE = 50_000


class Graph(NamedTuple):
    """A symmetric sparse matrix, in the parts that the kernels take."""

    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray

    def matrix(self) -> sp.csr_array:
        """Return it as a CSR array."""
        n = len(self.indptr) - 1
        return sp.csr_array((self.weights, self.indices, self.indptr), shape=(n, n))


def neighbours(X: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Return the positions in `X` of the `k` nearest rows of each of `rows`, (len(rows), k)."""
    if len(X) <= DENSE and len(rows) <= DENSE:
        return _smallest(relative_distances(rows, X), k)
    with single_threaded_blas():
        search = NearestNeighbors(n_neighbors=k, algorithm=_algorithm(X)).fit(X)
        return search.kneighbors(rows, return_distance=False)


def neighbour_graph(X: np.ndarray, k: int) -> Graph:
    """Return the graph of `k` nearest neighbours, with eigenvalues between -1 and 1.

    ``D^(-1/2) (A + A^T) D^(-1/2)``, where A has ones at the `k` nearest other rows of each row and
    D holds the row sums of the symmetric matrix.

    Cost: ``O(n^2 d)`` up to 50 000 rows, exact. Above that, ``pynndescent`` (the extra
    ``neighbors``) or else ``hnswlib`` is used if it is installed, and finds nearly all of the
    neighbours in about ``O(n log n)``, the same ones in each run; without one of them the search
    stays exact. Memory: ``O(n k)``, and a block of distances.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    k : int
        Neighbours, fewer than rows.

    Returns
    -------
    Graph
    """
    n = len(X)
    if n <= DENSE:
        A = np.zeros((n, n), dtype=X.dtype)
        A[np.arange(n)[:, None], nearest_others(X, k)] = 1.0
        A += A.T
        root = 1.0 / np.sqrt(A.sum(axis=1))
        rows, indices = np.nonzero(A)
        weights = A[rows, indices] * root[rows] * root[indices]
        counts = np.bincount(rows, minlength=n)
    else:
        near = nearest_others(X, k).ravel()
        A = sp.csr_array(
            (np.ones(n * k, dtype=X.dtype), near, np.arange(0, n * k + 1, k)), shape=(n, n)
        )
        A = (A + A.T).tocsr()
        A.sort_indices()
        root = 1.0 / np.sqrt(np.asarray(A.sum(axis=1)).ravel())
        counts, indices = np.diff(A.indptr), A.indices
        weights = A.data * np.repeat(root, counts) * root[indices]
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Graph(indptr, indices.astype(np.int32), weights.astype(X.dtype, copy=False))


def relative_distances(rows: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return squared distances, less the squared norms of `rows`, (len(rows), len(X))."""
    with single_threaded_blas():
        D = rows @ X.T
    D *= -2.0
    D += np.einsum("ij,ij->i", X, X)
    return D


def _smallest(D: np.ndarray, k: int) -> np.ndarray:
    if k >= D.shape[1]:
        return np.broadcast_to(np.arange(D.shape[1]), D.shape)
    return np.argpartition(D, k - 1, axis=1)[:, :k]


def _algorithm(X: np.ndarray) -> str:
    # Trees lose to blocks of a matrix product in all but a few dimensions.
    return "auto" if X.shape[1] <= 8 else "brute"


def nearest_others(X: np.ndarray, k: int) -> np.ndarray:
    """Return the positions of the `k` nearest other rows of each row, (n, k)."""
    if len(X) <= DENSE:
        D = relative_distances(X, X)
        np.fill_diagonal(D, np.inf)
        return _smallest(D, k)
    if len(X) > APPROXIMATE and find_spec("pynndescent"):
        return _pynndescent(X, k)
    if len(X) > APPROXIMATE and find_spec("hnswlib"):
        return _hnswlib(X, k)
    with single_threaded_blas():
        search = NearestNeighbors(n_neighbors=k, algorithm=_algorithm(X)).fit(X)
        return search.kneighbors(return_distance=False)


def _hnswlib(X: np.ndarray, k: int) -> np.ndarray:
    import hnswlib

    index = hnswlib.Index(space="l2", dim=X.shape[1])
    index.init_index(max_elements=len(X), ef_construction=100, M=16, random_seed=0)
    # One thread: the graph that several build depends on their timing.
    index.add_items(X, num_threads=1)
    index.set_ef(max(50, 4 * k))
    near, _ = index.knn_query(X, k=k + 1, num_threads=1)
    return _without_self(near.astype(np.int64))


def _pynndescent(X: np.ndarray, k: int) -> np.ndarray:
    from pynndescent import NNDescent

    # Neighbours of neighbours are where it searches: few of them lose most of the nearest.
    wide = max(30, k + 1)
    near, _ = NNDescent(X, n_neighbors=wide, random_state=0, n_jobs=1).neighbor_graph
    return _without_self(near)[:, :k]


def _without_self(near: np.ndarray) -> np.ndarray:
    """Drop each row's own position, or the last where it is not there."""
    own = near == np.arange(len(near))[:, None]
    own[~own.any(axis=1), -1] = True
    return near[~own].reshape(len(near), -1)
