"""Column factors from rows that come in batches."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ColumnSums"]


class ColumnSums:
    """For each column, the normal equations of its ridge regression on the rows' factors.

    Parameters
    ----------
    n : int
        Number of columns.
    rank : int
        Rank of the factors.
    biased : bool
        Whether columns have a bias: one more unknown, last.
    by_count : bool
        Whether the penalty is multiplied by the number of entries.
    """

    def __init__(self, n: int, rank: int, biased: bool, by_count: bool) -> None:
        self.biased = biased
        self.by_count = by_count
        self.gram = np.zeros((n, rank + biased, rank + biased))
        self.pull = np.zeros((n, rank + biased))
        self.counts = np.zeros(n)

    def assume(self, U: np.ndarray, counts: np.ndarray, V: np.ndarray, bias: np.ndarray) -> None:
        """Stand in for rows that are gone: each column saw `counts` of them, at random.

        The normal equations are made such that the present factors solve them at penalty 0.
        """
        A = self._unknowns(U)
        share = counts / max(1, len(U))
        self.gram += share[:, None, None] * (A.T @ A)
        present = np.column_stack([V, bias]) if self.biased else V
        self.pull += np.einsum("jkl,jl->jk", self.gram, present)
        self.counts += counts

    def add(self, observed: Any, U: np.ndarray, offset: np.ndarray) -> None:
        """Add rows: a CSR array of their entries, their factors, what entries are lessened by."""
        A = self._unknowns(U)
        columns = observed.tocsc()
        for j in np.flatnonzero(np.diff(columns.indptr)):
            part = slice(columns.indptr[j], columns.indptr[j + 1])
            rows = columns.indices[part]
            self.gram[j] += A[rows].T @ A[rows]
            self.pull[j] += A[rows].T @ (columns.data[part] - offset[rows])
        self.counts += np.diff(columns.indptr)

    def solve(self, alpha: float, V: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns' factors and biases; those without entries stay as they are."""
        seen = self.counts > 0
        gram = self.gram[seen]
        ridge = alpha * (self.counts[seen] if self.by_count else np.ones(len(gram)))
        # With alpha=0 a column may have fewer entries than unknowns.
        trace = np.trace(gram, axis1=1, axis2=2)
        ridge = ridge + 1e-12 * trace
        # Rows without factors say nothing of a column: any positive number gives it zeros.
        gram += np.multiply.outer(np.where(ridge > 0, ridge, 1.0), np.eye(gram.shape[1]))
        x = np.linalg.solve(gram, self.pull[seen][..., None])[..., 0]
        V, bias = V.copy(), bias.copy()
        V[seen] = x[:, : V.shape[1]]
        if self.biased:
            bias[seen] = x[:, -1]
        return V, bias

    def _unknowns(self, U: np.ndarray) -> np.ndarray:
        U = U.astype(np.float64)
        return np.column_stack([U, np.ones(len(U))]) if self.biased else U
