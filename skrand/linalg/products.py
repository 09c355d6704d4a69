"""The largest entries in each row of a product of two matrices that is never formed."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from skrand._ext import graph as _kernels
from skrand.linalg.threads import ordered_map, single_threaded_blas

__all__ = ["largest_products"]

#: Rows and columns of a tile: large enough for BLAS, small enough for the cache.
_ROWS, _COLUMNS = 512, 1024


def largest_products(
    A: np.ndarray, B: np.ndarray, q: int, *, exclude_diagonal: bool = True, threads: int = 1
) -> sp.csr_array:
    """Keep the q entries of largest magnitude in each row of ``A @ B.T``.

    A tile of the product is scanned while it is in the cache, against the smallest of the entries
    kept so far.

    Cost: the product, ``2 n m d`` flops, and one comparison an entry. Memory: ``12 n q`` bytes for
    the answer and a tile a thread.

    Parameters
    ----------
    A : ndarray of shape (n, d)
        Left factor.
    B : ndarray of shape (m, d)
        Right factor, of the same dtype.
    q : int
        Entries a row.
    exclude_diagonal : bool, default=True
        Whether to pass over entries (i, i).
    threads : int, default=1
        Threads; the result does not depend on it.

    Returns
    -------
    csr_array of shape (n, m)
        With sorted columns. Zeros are not stored.
    """
    A, B = np.ascontiguousarray(A), np.ascontiguousarray(B)
    n, m = len(A), len(B)
    q = max(1, min(q, m))

    def block(start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = A[start : start + _ROWS]
        values = np.empty((len(rows), 2 * q), dtype=A.dtype)
        columns = np.empty((len(rows), 2 * q), dtype=np.int32)
        counts = np.zeros(len(rows), dtype=np.int32)
        bars = np.zeros(len(rows), dtype=A.dtype)
        for first in range(0, m, _COLUMNS):
            tile = rows @ B[first : first + _COLUMNS].T
            _kernels.top_scan(
                tile, start if exclude_diagonal else -1, first, values, columns, counts, bars
            )
        _kernels.top_finish(values, columns, counts)
        kept = np.arange(q) < counts[:, None]
        return columns[:, :q][kept], values[:, :q][kept], counts

    with single_threaded_blas():
        blocks = list(ordered_map(block, range(0, n, _ROWS), threads))
    counts = np.concatenate([part[2] for part in blocks])
    indptr = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    indices = np.concatenate([part[0] for part in blocks])
    data = np.concatenate([part[1] for part in blocks])
    if indptr[-1] < 2**31:
        indptr = indptr.astype(np.int32)
    return sp.csr_array((data, indices, indptr), shape=(n, m))
