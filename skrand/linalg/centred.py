"""A data matrix with its rows weighted and its columns centred, never formed.

Every method works on blocks of rows that fit in cache; the blocks are cut at places that depend
on the shape alone, so that no result depends on the number of threads.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skrand._ext import leastsquares as _kernel
from skrand.linalg.threads import ordered_map, single_threaded_blas

__all__ = ["CentredMatrix"]

# Rows are summed in this many independent runs, whatever the number of threads, and the runs are
# added in order. It bounds the useful number of threads and costs one d x d matrix each.
_SEGMENTS = 8
_BLOCK_BYTES = 1 << 21

# A Gram matrix is added to by blocks of this size, best for rows that were centred on the way.
_PANEL_BYTES = 1 << 20

# A centre of up to this many standard deviations is taken off as a rank-one term, which spares a
# copy of every block and costs less than one decimal digit.
_MODEST = 4.0


class CentredMatrix:
    """The matrix ``diag(scale) (A - 1 center^T)`` as an operator on float64 arrays.

    Parameters
    ----------
    A : ndarray or CSR matrix of shape (n, d)
        float32 or float64, in C or Fortran order. It is not copied and not modified.
    scale : ndarray of shape (n,), optional
        Row scale; ones if None.
    center : ndarray of shape (d,), optional
        The mean of the rows, weighted by ``scale**2``: taken from each row. Zeros if None.
    threads : int, default=1
        Threads to use; the results do not depend on it.

    Notes
    -----
    A dense block of rows is centred before it is used, so a column with a large offset loses no
    digits; only where all means are modest is the centre applied as a rank-one term, as it always
    is to a sparse matrix, which stays sparse.
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
        # Whether the rows are used as they lie in memory.
        self._direct = (
            not sp.issparse(A)
            and scale is None
            and A.dtype == np.float64
            and (center is None or self._is_modest(center))
        )

    def on(self, threads: int) -> CentredMatrix:
        """Return the same matrix, to work on so many threads."""
        other = copy.copy(self)
        other.threads = threads
        return other

    @property
    def issparse(self) -> bool:
        """Whether the underlying matrix is sparse."""
        return sp.issparse(self.A)

    def block(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """Return rows ``start:stop`` as a dense float64 array, a view where that is possible.

        Where it is not, they are written to `out`, if given.
        """
        rows = self.A[start:stop]
        rows = rows.toarray() if self.issparse else rows
        if self.center is None and self.scale is None:
            return rows.astype(np.float64, copy=False)
        center = 0.0 if self.center is None else self.center
        rows = np.subtract(rows, center, out=out, dtype=np.float64)
        if self.scale is not None:
            with np.errstate(over="ignore"):
                rows *= self.scale[start:stop, None]
        return rows

    def toarray(self) -> np.ndarray:
        """Return the whole matrix, dense: ``8 n d`` bytes."""
        return self.block(0, self.shape[0])

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with these indices as a dense float64 array."""
        scale = None if self.scale is None else self.scale[rows]
        return CentredMatrix(self.A[rows], scale=scale, center=self.center).toarray()

    def _is_modest(self, center: np.ndarray) -> bool:
        """Whether the centre is small beside the spread of a sample of the rows."""
        sample = self.A[:: max(1, self.shape[0] // 256)]
        # Squares that overflow are a large spread.
        with np.errstate(over="ignore", invalid="ignore"):
            return bool(np.all(np.abs(center) <= _MODEST * sample.std(axis=0)))

    def _rows(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """Return rows ready for products: without their centre if it is a rank-one term."""
        return self.A[start:stop] if self._direct else self.block(start, stop, out)

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
                np.matmul(self._rows(start, stop), V, out=out[start:stop])

        self._run(piece)
        return out - self.center @ V if self._is_rank_one else out

    def rmatmul(self, U: np.ndarray) -> np.ndarray:
        """Return the product of the transpose with `U` of shape (n, k), as (d, k)."""
        if self.issparse:
            U = U if self.scale is None else U * self.scale[:, None]
            product = self.A.T @ U
            return product if self.center is None else product - np.outer(self.center, U.sum(0))
        if U.shape[1] == 1 and self.A.flags.c_contiguous:
            return self._single_product(U)
        product = self._sum(lambda start, stop: self._rows(start, stop).T @ U[start:stop])
        return product - np.outer(self.center, U.sum(axis=0)) if self._is_rank_one else product

    @np.errstate(over="ignore", invalid="ignore")
    def gram(self, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the Gram matrix (d, d) and the product of the transpose with `B`, in one pass.

        Costs ``n d^2`` flops, half of what a general product would. Where squares overflow it is
        not finite.
        """
        if self.issparse:
            return self._sparse_gram(), self.rmatmul(B)
        d = self.shape[1]

        @np.errstate(over="ignore", invalid="ignore")
        def piece(bounds: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
            gram, product = np.zeros((d, d), order="F"), np.zeros((d, B.shape[1]))
            for start, stop, rows in self._panels(*bounds):
                # The lower triangle, added to in place: half the work, and no d x d matrix a block.
                gram = scipy.linalg.blas.dsyrk(
                    1.0, rows.T, beta=1.0, c=gram, lower=1, overwrite_c=1
                )
                product += rows.T @ B[start:stop]
            return gram, product

        pieces = self._run(piece)
        gram, product = pieces[0]
        for more_gram, more_product in pieces[1:]:
            gram += more_gram
            product += more_product
        gram += np.tril(gram, -1).T
        if self._is_rank_one:
            gram -= self.shape[0] * np.outer(self.center, self.center)
            product -= np.outer(self.center, B.sum(axis=0))
        return gram, product

    def preconditioned_gram(
        self, N: np.ndarray, B: np.ndarray, x: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ``Y^T Y`` and ``Y^T (B - M x)`` for ``Y = M N``, in one pass.

        `N` of shape (d, r) is meant to make the columns of Y nearly orthonormal, so that the Gram
        matrix can be summed in single precision, 1e-6, at half the price. A triangular N costs
        ``n d^2`` flops where a full one costs ``2 n d r``; the Gram matrix ``n r^2``. Only a block
        of Y exists at a time.
        """
        r = N.shape[1]
        N = np.asfortranarray(N)
        triangular = N.shape[0] == r and not np.tril(N, -1).any()
        shift = self.center @ np.hstack([N, x]) if self._is_rank_one else np.zeros(r + x.shape[1])

        def product(rows: np.ndarray) -> np.ndarray:
            if not triangular:
                return rows @ N
            # The transpose of rows that lie in C order is what BLAS takes without a copy.
            return scipy.linalg.blas.dtrmm(1.0, N, rows.T, side=0, trans_a=1).T

        def panel(start: int, stop: int) -> np.ndarray:
            rows = self._rows(start, stop)
            Y = product(rows)
            if self._is_rank_one:
                Y -= shift[:r]
            out = np.empty((r, r + B.shape[1]))
            out[:, r:] = Y.T @ (B[start:stop] - rows @ x + shift[r:])
            Y = Y.astype(np.float32)
            out[:, :r] = Y.T @ Y
            return out

        both = self._sum(panel)
        return both[:, :r], both[:, r:]

    def residual(self, B: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``R = B - M x`` of shape (n, k) and ``M^T R`` of shape (d, k), in one pass."""
        if self.issparse and B.shape[1] > 1:
            R = B - self.matmul(x)
            return R, self.rmatmul(R)
        if self.issparse:
            return self._single_sparse_residual(B, x)
        if not self._direct and B.shape[1] == 1 and self.A.flags.c_contiguous:
            return self._single_residual(B, x)
        R = np.empty_like(B)
        shift = self.center @ x if self._is_rank_one else 0.0

        def panel(start: int, stop: int) -> np.ndarray:
            rows = self._rows(start, stop)
            R[start:stop] = B[start:stop] - rows @ x + shift
            return rows.T @ R[start:stop]

        product = self._sum(panel)
        return R, product - np.outer(self.center, R.sum(axis=0)) if self._is_rank_one else product

    def _single_product(self, U: np.ndarray) -> np.ndarray:
        """Do :meth:`rmatmul` for one column, without a copy of the rows to centre and scale."""
        center = np.zeros(self.shape[1]) if self.center is None else self.center
        weights = U[:, 0] if self.scale is None else U[:, 0] * self.scale
        weights = np.ascontiguousarray(weights, dtype=np.float64)
        edges, sums = self._sums()
        _kernel.weighted_sums(self.A, center, weights, sums, edges, self.threads)
        return sums.sum(axis=0)[:, None]

    def _single_residual(self, B: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Do :meth:`residual` for one column, without a copy of the rows to centre and scale."""
        center = np.zeros(self.shape[1]) if self.center is None else self.center
        R, sums = self._fused(_kernel.residual, [self.A, center], B, x)
        return R, sums

    def _single_sparse_residual(
        self, B: np.ndarray, x: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Do :meth:`residual` for one column, in one pass over the entries."""
        shift = 0.0 if self.center is None else float(self.center @ x[:, 0])
        rows = [self.A.data, self.A.indices, self.A.indptr, shift]
        R, product = self._fused(_kernel.sparse_residual, rows, B, x)
        if self.center is not None:
            total = R.sum() if self.scale is None else self.scale @ R[:, 0]
            product -= total * self.center[:, None]
        return R, product

    def _fused(
        self, kernel: Any, rows: list[Any], B: np.ndarray, x: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        n = self.shape[0]
        edges, sums = self._sums()
        R = np.empty((n, 1))
        scale = np.ones(n) if self.scale is None else self.scale
        b, x = (np.ascontiguousarray(V[:, 0], dtype=np.float64) for V in (B, x))
        kernel(*rows, scale, b, x, R[:, 0], sums, edges, self.threads)
        return R, sums.sum(axis=0)[:, None]

    def _sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the edges of the segments, and zeros to sum each of them into."""
        edges = np.array([0, *(stop for _, stop in self._segments())])
        return edges, np.zeros((len(edges) - 1, self.shape[1]))

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
        """Return the Euclidean norm of every column, infinite where squares overflow."""
        if self.issparse:
            return np.sqrt(np.maximum(self._sparse_square_sums(), 0.0))
        return np.sqrt(self._sum(lambda i, j: np.einsum("ij,ij->j", *[self.block(i, j)] * 2)))

    def sketch(self, operator: Any) -> np.ndarray:
        """Return the product of a sketching operator of :mod:`skrand.linalg` with the matrix."""
        n, d = self.shape
        if self.issparse or self._direct or self.center is None:
            sketched = operator.apply(self.A, scale=self.scale)
            if self.center is not None:
                ones = np.ones(n) if self.scale is None else self.scale
                sketched = sketched - np.outer(operator.apply(ones), self.center)
            return np.asarray(sketched, dtype=np.float64)
        out = np.zeros((operator.sketch_size, d))
        for start, stop in self._blocks(0, n):
            operator.apply(self.block(start, stop), row_offset=start, out=out)
        return out

    @property
    def _is_small(self) -> bool:
        # Too few numbers for threads, or for sums in parts, to pay.
        return self.shape[0] * self.shape[1] < 1 << 16

    @property
    def _is_rank_one(self) -> bool:
        return self._direct and self.center is not None

    @np.errstate(over="ignore", invalid="ignore")
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

    def _panels(self, start: int, stop: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield bounds and rows of blocks; the rows are good until the next are asked for."""
        if self._direct and self.A.flags.c_contiguous:
            yield start, stop, self.A[start:stop]
            return
        d = self.shape[1]
        size = min(stop - start, max(64, _PANEL_BYTES // (8 * max(1, d))))
        buffer = np.empty((size, d))
        for i in range(start, stop, size):
            j = min(i + size, stop)
            yield i, j, self._rows(i, j, out=buffer[: j - i])

    def _segments(self) -> list[tuple[int, int]]:
        if self._is_small:
            return [(0, self.shape[0])]
        edges = np.linspace(0, self.shape[0], _SEGMENTS + 1).astype(int)
        return [(int(i), int(j)) for i, j in itertools.pairwise(edges) if i < j]

    def _run(self, piece: Any) -> list[Any]:
        with single_threaded_blas():
            return list(ordered_map(piece, self._segments(), self.threads))

    def _sum(self, panel: Any) -> np.ndarray:
        def piece(bounds: tuple[int, int]) -> Any:
            return sum(panel(start, stop) for start, stop in self._blocks(*bounds))

        return sum(self._run(piece))
