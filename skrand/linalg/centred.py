"""A data matrix with its rows weighted and its columns centred, never formed.

Every method works on blocks of rows that fit in cache; the blocks are cut at places that depend
on the shape alone, so that no result depends on the number of threads.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skrand.linalg.threads import ordered_map, single_threaded_blas

__all__ = ["CentredMatrix"]

# Rows are summed in this many independent runs, whatever the number of threads, and the runs are
# added in order. It bounds the useful number of threads and costs one d x d matrix each.
_SEGMENTS = 8
_BLOCK_BYTES = 1 << 21


class CentredMatrix:
    """The matrix ``diag(scale) (A - 1 center^T)`` as an operator on float64 arrays.

    Parameters
    ----------
    A : ndarray or CSR matrix of shape (n, d)
        float32 or float64, in C or Fortran order. It is not copied and not modified.
    scale : ndarray of shape (n,), optional
        Row scale; ones if None.
    center : ndarray of shape (d,), optional
        What is taken from each row; zeros if None.
    threads : int, default=1
        Threads to use; the results do not depend on it.

    Notes
    -----
    A dense block of rows is centred before it is used, so a column with a large offset loses no
    digits. A sparse matrix stays sparse and its centre is applied as a rank-one term.
    """

    def __init__(
        self,
        A: Any,
        scale: np.ndarray | None = None,
        center: np.ndarray | None = None,
        threads: int = 1,
    ) -> None:
        self.A = A
        self.scale = scale
        self.center = center
        self.threads = threads
        self.shape = A.shape

    @property
    def issparse(self) -> bool:
        """Whether the underlying matrix is sparse."""
        return sp.issparse(self.A)

    def block(self, start: int, stop: int) -> np.ndarray:
        """Return rows ``start:stop`` as a dense float64 array, a view where that is possible."""
        rows = self.A[start:stop]
        rows = rows.toarray() if self.issparse else rows
        if self.center is not None:
            rows = rows - self.center
        if self.scale is not None:
            rows = rows * self.scale[start:stop, None]
        return rows.astype(np.float64, copy=False)

    def toarray(self) -> np.ndarray:
        """Return the whole matrix, dense: ``8 n d`` bytes."""
        return self.block(0, self.shape[0])

    def matmul(self, V: np.ndarray) -> np.ndarray:
        """Return the product with `V` of shape (d, k), as (n, k)."""
        if self.issparse:
            product = self.A @ V
            if self.center is not None:
                product = product - self.center @ V
            return product if self.scale is None else product * self.scale[:, None]
        out = np.empty((self.shape[0], V.shape[1]))

        def piece(bounds: tuple[int, int]) -> None:
            for start, stop in self._blocks(*bounds):
                np.matmul(self.block(start, stop), V, out=out[start:stop])

        self._run(piece)
        return out

    def rmatmul(self, U: np.ndarray) -> np.ndarray:
        """Return the product of the transpose with `U` of shape (n, k), as (d, k)."""
        if self.issparse:
            U = U if self.scale is None else U * self.scale[:, None]
            product = self.A.T @ U
            return product if self.center is None else product - np.outer(self.center, U.sum(0))
        return self._sum(lambda start, stop: self.block(start, stop).T @ U[start:stop])

    def gram(self, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the Gram matrix (d, d) and the product of the transpose with `B`, in one pass.

        Costs ``n d^2`` flops, half of what a general product would.
        """
        if self.issparse:
            return self._sparse_gram(), self.rmatmul(B)
        d = self.shape[1]

        def panel(start: int, stop: int) -> np.ndarray:
            rows = self.block(start, stop)
            out = np.empty((d, d + B.shape[1]))
            out[:, :d] = rows.T @ rows
            out[:, d:] = rows.T @ B[start:stop]
            return out

        total = self._sum(panel)
        return np.ascontiguousarray(total[:, :d]), total[:, d:]

    def residual(self, B: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``R = B - M x`` of shape (n, k) and ``M^T R`` of shape (d, k), in one pass."""
        if self.issparse:
            R = B - self.matmul(x)
            return R, self.rmatmul(R)
        R = np.empty_like(B)

        def panel(start: int, stop: int) -> np.ndarray:
            rows = self.block(start, stop)
            R[start:stop] = B[start:stop] - rows @ x
            return rows.T @ R[start:stop]

        return R, self._sum(panel)

    def row_norms(self, V: np.ndarray) -> np.ndarray:
        """Return the Euclidean norm of every row of the product with `V`, which is not kept."""
        out = np.empty(self.shape[0])

        def piece(bounds: tuple[int, int]) -> None:
            for start, stop in self._blocks(*bounds):
                out[start:stop] = np.linalg.norm(self.block(start, stop) @ V, axis=1)

        self._run(piece)
        return out

    def triangle(self) -> np.ndarray:
        """Return the triangular factor of the QR factorisation, block by block.

        Costs ``2 n d^2`` flops. Unlike the Gram matrix it loses nothing to rounding.
        """
        d = self.shape[1]

        def piece(bounds: tuple[int, int]) -> np.ndarray:
            R = np.empty((0, d))
            for start, stop in self._blocks(*bounds):
                stacked = np.vstack([R, self.block(start, stop)])
                R = scipy.linalg.qr(stacked, mode="r", check_finite=False, overwrite_a=True)[0][:d]
            return R

        return scipy.linalg.qr(np.vstack(self._run(piece)), mode="r", check_finite=False)[0][:d]

    def column_norms(self) -> np.ndarray:
        """Return the Euclidean norm of every column."""
        if self.issparse:
            return np.sqrt(np.maximum(self._sparse_square_sums(), 0.0))
        return np.sqrt(self._sum(lambda i, j: np.einsum("ij,ij->j", *[self.block(i, j)] * 2)))

    def sketch(self, operator: Any) -> np.ndarray:
        """Return the product of a sketching operator of :mod:`skrand.linalg` with the matrix."""
        n, d = self.shape
        if self.issparse or self.center is None:
            sketched = operator.apply(self.A, scale=self.scale)
            if self.center is not None:
                ones = np.ones(n) if self.scale is None else self.scale
                sketched = sketched - np.outer(operator.apply(ones), self.center)
            return np.asarray(sketched, dtype=np.float64)
        out = np.zeros((operator.sketch_size, d))
        for start, stop in self._blocks(0, n):
            operator.apply(self.block(start, stop), row_offset=start, out=out)
        return out

    def _sparse_square_sums(self) -> np.ndarray:
        weights = np.ones(self.shape[0]) if self.scale is None else self.scale**2
        square_sums = self.A.multiply(self.A).T @ weights
        if self.center is None:
            return square_sums
        # The centre need not be the weighted mean: expand the square.
        return square_sums - 2 * self.center * (self.A.T @ weights) + weights.sum() * self.center**2

    def _sparse_gram(self) -> np.ndarray:
        weights = None if self.scale is None else self.scale**2
        A = self.A.astype(np.float64, copy=False)
        weighted = A if weights is None else A.multiply(weights[:, None]).tocsr()
        gram = (A.T @ weighted).toarray()
        if self.center is None:
            return gram
        total = self.shape[0] if weights is None else weights.sum()
        sums = np.asarray(weighted.sum(axis=0)).ravel()
        cross = np.outer(self.center, sums)
        return gram - cross - cross.T + total * np.outer(self.center, self.center)

    def _blocks(self, start: int, stop: int) -> list[tuple[int, int]]:
        rows = max(64, 2 * self.shape[1], _BLOCK_BYTES // (8 * max(1, self.shape[1])))
        return [(i, min(i + rows, stop)) for i in range(start, stop, rows)]

    def _segments(self) -> list[tuple[int, int]]:
        edges = np.linspace(0, self.shape[0], _SEGMENTS + 1).astype(int)
        return [(int(i), int(j)) for i, j in itertools.pairwise(edges) if i < j]

    def _run(self, piece: Any) -> list[Any]:
        small = self.shape[0] * self.shape[1] < 1 << 16
        with single_threaded_blas():
            return list(ordered_map(piece, self._segments(), 1 if small else self.threads))

    def _sum(self, panel: Any) -> np.ndarray:
        def piece(bounds: tuple[int, int]) -> Any:
            return sum(panel(start, stop) for start, stop in self._blocks(*bounds))

        return sum(self._run(piece))
