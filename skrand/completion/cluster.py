"""Matrix completion on dask collections: entries stay where they are, and factors travel.

dask is optional, and imported here only: this module is loaded when a dask collection is given.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import dask
import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skrand._validation import check_magnitude
from skrand.completion.problem import MatrixCompletion
from skrand.completion.side import Side
from skrand.completion.storage import (
    column_counts,
    cut,
    observed_entries,
    refuse_duplicates,
    renumbered,
    sums_of_powers,
)
from skrand.linalg.chunks import common_dtype, row_chunks

__all__ = ["ClusterCompletion", "ClusterEntries"]


@dataclass(frozen=True, eq=False)
class ClusterEntries:
    """Observed entries in chunks of rows on a cluster, in the place of a CSR array.

    Parameters
    ----------
    chunks : tuple of delayed CSR arrays
        The entries, held by the cluster.
    shape : tuple of int
        Number of rows and columns.
    dtype : dtype
        float32 or float64.
    row_counts, column_counts : ndarray
        Number of entries of each row and column.
    lengths : list of int
        Number of rows of each chunk.
    """

    chunks: tuple[Any, ...]
    shape: tuple[int, int]
    dtype: np.dtype
    row_counts: np.ndarray
    column_counts: np.ndarray
    lengths: list[int]

    @classmethod
    def of(cls, X: Any, marker: float) -> ClusterEntries:
        """Find the observed entries of a dask array or dataframe, where each chunk is."""
        dtype, n_features = common_dtype(X), X.shape[1]
        chunks, lengths = row_chunks(X)
        chunks = dask.persist(*_tasks(_observed, chunks, dtype, marker))
        counts = _computed(_tasks(_counts, chunks))
        return cls(
            chunks=chunks,
            shape=(sum(lengths), n_features),
            dtype=dtype,
            row_counts=np.concatenate([rows for rows, _ in counts]),
            column_counts=np.sum([columns for _, columns in counts], axis=0),
            lengths=lengths,
        )

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return int(self.row_counts.sum())

    def min(self) -> float:
        """Return the least entry."""
        return float(min(_computed(_tasks(_least, self.chunks))))

    def renumbered(self, kept: np.ndarray) -> ClusterEntries:
        """Return the entries without the other columns, which are empty."""
        return replace(
            self,
            chunks=dask.persist(*_tasks(renumbered, self.chunks, kept)),
            shape=(self.shape[0], len(kept)),
            column_counts=self.column_counts[kept],
        )

    def by_column(self) -> tuple[np.ndarray, tuple[Any, ...]]:
        """Exchange entries, once: return columns at which they are cut, and delayed CSC arrays."""
        size = max(1, -(-self.nnz // len(self.chunks)))
        cuts = cut(np.concatenate([[0], np.cumsum(self.column_counts)]), size)
        split = dask.delayed(_split, pure=False, nout=len(cuts) - 1)
        pieces = [split(chunk, cuts) for chunk in self.chunks]
        stacked = dask.delayed(_stacked, pure=False)
        parts = [stacked([piece[c] for piece in pieces]) for c in range(len(cuts) - 1)]
        return cuts, dask.persist(*parts)


@dataclass(frozen=True, eq=False)
class ClusterSide:
    """The observed entries by row, or by column, of which each part is somewhere on a cluster.

    It does what a `Side` does, by one, and to the same bits: a row's entries are in one place.

    Parameters
    ----------
    parts : sequence of delayed CSR or CSC arrays
        The entries.
    cuts : ndarray of int
        Rows (columns) at which the parts begin, and their number.
    counts : ndarray of int
        Number of entries of each.
    by_count : bool
        Whether the penalty is multiplied by it.
    dtype : dtype
        float32 or float64.
    """

    parts: Sequence[Any]
    cuts: np.ndarray
    counts: np.ndarray
    by_count: bool
    dtype: np.dtype

    @cached_property
    def ridge(self) -> np.ndarray:
        """What multiplies ``alpha`` for each row."""
        return (self.counts if self.by_count else np.ones(len(self.counts))).astype(self.dtype)

    def solve(
        self,
        fixed: np.ndarray,
        offset: np.ndarray,
        used: int,
        alpha: float,
        x: np.ndarray,
        *,
        threads: int = 1,
        **options: Any,
    ) -> np.ndarray:
        """Solve all rows in place; return misfit, gradient and its size, by row.

        The number of threads is for the cluster to say.
        """
        task = dask.delayed(_solve, pure=False)
        known = (self.by_count, _shared(fixed), _shared(offset), used, alpha, options)
        starts = zip(self.parts, self._sliced(x), strict=True)
        found = _computed([task(part, start, *known) for part, start in starts])
        figures = np.zeros((3, len(x)))
        np.concatenate([rows for rows, _ in found], out=x)
        np.concatenate([seen for _, seen in found], axis=1, out=figures)
        return figures

    def adjoint(
        self, F: np.ndarray, *, shift: np.ndarray, offset: np.ndarray, threads: int = 1
    ) -> np.ndarray:
        """Return the entries, less `shift` by row and `offset` by column, times F."""
        task = dask.delayed(_adjoint, pure=False)
        known = _shared(F), _shared(offset)
        shifts = zip(self.parts, self._sliced(shift), strict=True)
        return np.concatenate(_computed([task(part, less, *known) for part, less in shifts]))

    def _sliced(self, array: np.ndarray) -> list[Any]:
        return np.split(array, self.cuts[1:-1])


@dataclass(frozen=True, eq=False, kw_only=True)
class ClusterCompletion(MatrixCompletion):
    """A matrix completion of which `X` is `ClusterEntries`."""

    scattered: ClassVar[bool] = True

    @cached_property
    def sides(self) -> Any:
        """The observed entries by row and by column."""
        by_count = self.alpha_scaling == "count"
        X: ClusterEntries = self.X
        cuts, parts = X.by_column()
        starts = np.concatenate([[0], np.cumsum(X.lengths)])
        return (
            ClusterSide(X.chunks, starts, X.row_counts, by_count, X.dtype),
            ClusterSide(parts, cuts, X.column_counts, by_count, X.dtype),
        )

    def _row_sums(self, power: int, centre: float) -> np.ndarray:
        sums = _tasks(sums_of_powers, self.X.chunks, None, power, centre)
        return np.concatenate(_computed(sums))


def _tasks(function: Callable[..., Any], parts: Sequence[Any], *arguments: Any) -> list[Any]:
    task = dask.delayed(function, pure=False)
    return [task(part, *arguments) for part in parts]


def _computed(tasks: Sequence[Any]) -> tuple[Any, ...]:
    # Factors are sent with the tasks, so that they outlive a worker, and are not small.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        return dask.compute(*tasks)


def _shared(array: np.ndarray) -> Any:
    """Return an array for many tasks, as a task of its own."""
    return dask.delayed(array, pure=False, traverse=False)


def _observed(chunk: Any, dtype: np.dtype, marker: float) -> Any:
    """Return a chunk's observed entries; run where the chunk is, as all that follow."""
    refuse_duplicates(chunk)
    chunk = check_array(
        chunk,
        accept_sparse="csr",
        dtype=dtype,
        ensure_all_finite="allow-nan" if np.isnan(marker) else True,
        ensure_min_samples=0,
        input_name="X",
    )
    return observed_entries(check_magnitude(chunk, power=4), marker)


def _counts(X: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.diff(X.indptr), column_counts(X)


def _least(X: Any) -> float:
    return X.data.min(initial=np.inf)


def _split(X: Any, cuts: np.ndarray) -> list[Any]:
    turned = X.tocsc()
    return [turned[:, first:last].tocsr() for first, last in itertools.pairwise(cuts)]


def _stacked(pieces: list[Any]) -> Any:
    return sp.vstack(pieces, format="csr").tocsc()


def _solve(
    part: Any,
    start: np.ndarray,
    by_count: bool,
    fixed: np.ndarray,
    offset: np.ndarray,
    used: int,
    alpha: float,
    options: dict[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    # dask may run a task again after a worker was lost: its arguments must stay as they are.
    x = start.copy()
    return x, Side.of(part, None, by_count).solve(fixed, offset, used, alpha, x, **options)


def _adjoint(part: Any, shift: np.ndarray, F: np.ndarray, offset: np.ndarray) -> np.ndarray:
    return Side.of(part, None, False).adjoint(F, shift=shift, offset=offset)
