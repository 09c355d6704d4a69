"""The largest entries in each row of a product of two matrices that is never formed."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from skrand._ext import graph as _kernels
from skrand.linalg.threads import ordered_map, single_threaded_blas

__all__ = ["LargestEntries", "largest_products"]

#: Rows and columns of a tile: large enough for BLAS, small enough for the cache.
_ROWS, _COLUMNS = 512, 512


class LargestEntries:
    """The largest entries in each row of products with all rows of a matrix, tile by tile.

    Parameters
    ----------
    b : int
        Rows of the product.
    q : int
        Entries a row.
    dtype : dtype
        float32 or float64.
    bars : ndarray of shape (b,), default=None
        What the magnitude of an entry must exceed; 0 if not given.
    """

    def __init__(self, b: int, q: int, dtype: Any, bars: np.ndarray | None = None) -> None:
        self.q = q
        # Room for twice as many: the smaller half goes when the kernel finds no more room.
        width = 2 * q + 16
        self._values = np.empty((b, width), dtype=dtype)
        self._columns = np.empty((b, width), dtype=np.int32)
        self._counts = np.zeros(b, dtype=np.int32)
        self._bars = np.zeros(b, dtype=dtype) if bars is None else bars.astype(dtype)

    def scan(self, A: np.ndarray, B: np.ndarray, row: int = -1) -> None:
        """Take the entries of ``A @ B.T``; from `row` on entries (row + i, i) are passed over."""
        b = len(A)
        tile = np.empty(b * min(_COLUMNS, len(B)), dtype=A.dtype)
        for first in range(0, len(B), _COLUMNS):
            part = B[first : first + _COLUMNS]
            product = np.matmul(A, part.T, out=tile[: b * len(part)].reshape(b, len(part)))
            _kernels.top_scan(
                product, row, first, self.q, self._values, self._columns, self._counts, self._bars
            )

    def finish(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return entries and columns, both of shape (b, q) and by column, and how many count."""
        _kernels.top_finish(self.q, self._values, self._columns, self._counts, self._bars)
        return self._values[:, : self.q], self._columns[:, : self.q], self._counts


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
        With sorted columns. Of products of equal magnitude those of the first columns are kept.
        Zeros are not stored.
    """
    A, B = np.ascontiguousarray(A), np.ascontiguousarray(B)
    n, m = len(A), len(B)
    q = max(1, min(q, m))

    def block(start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = A[start : start + _ROWS]
        largest = LargestEntries(len(rows), q, A.dtype)
        largest.scan(rows, B, start if exclude_diagonal else -1)
        values, columns, counts = largest.finish()
        kept = np.arange(q) < counts[:, None]
        return columns[kept], values[kept], counts

    with single_threaded_blas():
        blocks = list(ordered_map(block, range(0, n, _ROWS), threads))
    counts = np.concatenate([part[2] for part in blocks])
    indptr = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    indices = np.concatenate([part[0] for part in blocks])
    data = np.concatenate([part[1] for part in blocks])
    if indptr[-1] < 2**31:
        indptr = indptr.astype(np.int32)
    return sp.csr_array((data, indices, indptr), shape=(n, m))
