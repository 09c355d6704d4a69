"""The observed entries by row, or by column, and what half a sweep does to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skrand._ext import completion as _kernels
from skrand.completion.storage import by_column, cut

__all__ = ["Side", "pad"]

#: Entries that one piece of work has at least: the work is cut by the shape of the data alone.
_PIECE = 4096


def pad(A: np.ndarray, columns: int = 0) -> np.ndarray:
    """Copy A with zero columns added: `columns` of them, then up to what the kernels want."""
    lanes = _kernels.lanes(A.dtype.itemsize)
    width = A.shape[1] + columns
    out = np.zeros((len(A), max(lanes, -(-width // lanes) * lanes)), dtype=A.dtype)
    out[:, : A.shape[1]] = A
    return out


@dataclass(frozen=True, eq=False)
class Side:
    """The observed entries by row, or by column, as the kernels read them.

    Parameters
    ----------
    indptr : ndarray of int64
        Where the entries of each row start.
    indices : ndarray of int32
        Their columns.
    values, weights : ndarray
        The entries and their weights; no weights means all 1.
    ridge : ndarray of shape (rows,)
        What multiplies ``alpha`` for each row.
    cuts : ndarray of int64
        Rows at which the work is cut into pieces.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    ridge: np.ndarray
    cuts: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Number of entries of each row."""
        return np.diff(self.indptr)

    @classmethod
    def of(cls, X: Any, weights: np.ndarray | None, by_count: bool) -> Side:
        """Read a CSR matrix, or the transpose of a CSC one."""
        indptr = X.indptr.astype(np.int64)
        counts = np.diff(indptr)
        dtype = X.data.dtype
        return cls(
            indptr=indptr,
            indices=X.indices.astype(np.int32, copy=False),
            values=X.data,
            weights=np.empty(0, dtype) if weights is None else weights,
            ridge=counts.astype(dtype) if by_count else np.ones(len(counts), dtype),
            cuts=cut(indptr, max(_PIECE, int(indptr[-1]) // 512)),
        )

    @classmethod
    def pair(cls, X: Any, weights: np.ndarray | None, by_count: bool) -> tuple[Side, Side]:
        """Return a CSR matrix by row and by column; the latter lies where X does."""
        if weights is None:
            return cls.of(X, None, by_count), cls.of(by_column(X), None, by_count)
        weights = weights.astype(X.data.dtype, copy=False)
        turned = by_column(type(X)((weights, X.indices, X.indptr), shape=X.shape)).data
        return cls.of(X, weights, by_count), cls.of(by_column(X), turned, by_count)

    def solve(
        self,
        fixed: np.ndarray,
        offset: np.ndarray,
        used: int,
        alpha: float,
        x: np.ndarray,
        *,
        mode: int = _kernels.EXACT,
        eta: float = 0.1,
        steps: int = 1,
        threads: int = 1,
    ) -> np.ndarray:
        """Solve all rows in place; return misfit, gradient and its size, by row.

        See `skrand._ext.completion.solve_rows` for the parameters.
        """
        figures = np.zeros((3, len(x)))
        squares = np.sum(np.square(fixed), axis=0, dtype=np.float64) / max(1, len(fixed))
        # Columns of zeros are left where they are: any positive number will do.
        squares = np.where(squares > 0, squares, 1.0)
        _kernels.solve_rows(
            self.indptr,
            self.indices,
            self.values,
            self.weights,
            fixed,
            offset,
            (alpha * self.ridge).astype(fixed.dtype, copy=False),
            squares.astype(fixed.dtype),
            x,
            figures,
            self.cuts,
            used,
            mode,
            eta,
            steps,
            threads,
        )
        return figures

    def adjoint(
        self,
        F: np.ndarray,
        *,
        shift: np.ndarray | None = None,
        offset: np.ndarray | None = None,
        values: np.ndarray | None = None,
        threads: int = 1,
    ) -> np.ndarray:
        """Return the weighted entries, less `shift` by row and `offset` by column, times F.

        With `values` these take the place of the weighted entries.
        """
        dtype = self.values.dtype
        none = np.empty(0, dtype)
        width = F.shape[1]
        F = pad(F.astype(dtype, copy=False))
        out = np.empty((len(self.indptr) - 1, F.shape[1]), dtype)
        _kernels.adjoint(
            self.indptr,
            self.indices,
            self.values if values is None else values,
            self.weights if values is None else none,
            none if shift is None else shift,
            none if offset is None else offset,
            F,
            out,
            threads,
        )
        return out[:, :width]
