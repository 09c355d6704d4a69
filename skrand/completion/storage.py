"""Observed entries, a block at a time: what is made of memory maps is put into files, too."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = [
    "blocks",
    "by_column",
    "column_counts",
    "cut",
    "is_missing",
    "observed_entries",
    "refuse_duplicates",
    "renumbered",
    "sums_of_powers",
]

#: Entries that are looked at together where a look needs a copy.
_BLOCK = 2**18


def cut(indptr: np.ndarray, size: int) -> np.ndarray:
    """Return rows at which entries are cut into parts of about `size`."""
    starts = np.searchsorted(indptr, np.arange(0, int(indptr[-1]), size))
    return np.unique(np.concatenate([[0], starts, [len(indptr) - 1]])).astype(np.int64)


def blocks(X: Any, size: int = _BLOCK) -> Iterator[tuple[int, Any]]:
    """Yield blocks of the rows of a CSR array, as CSR arrays on the same memory, and their row."""
    cuts = cut(X.indptr, size)
    for first, last in itertools.pairwise(cuts):
        indptr = X.indptr[first : last + 1]
        part = slice(int(indptr[0]), int(indptr[-1]))
        shape = (last - first, X.shape[1])
        content = (X.data[part], X.indices[part], indptr - indptr[0])
        yield int(first), sp.csr_array(content, shape=shape)


def column_counts(X: Any) -> np.ndarray:
    """Return the number of entries of each column of a CSR array."""
    counts = np.zeros(X.shape[1], dtype=np.int64)
    for start in range(0, X.nnz, _BLOCK):
        counts += np.bincount(X.indices[start : start + _BLOCK], minlength=X.shape[1])
    return counts


def refuse_duplicates(X: Any) -> None:
    """Raise if sparse data store a place twice: nobody can tell which of the two is meant."""
    if not sp.issparse(X) or getattr(X, "format", "") not in ("csr", "csc", "coo"):
        return
    if X.format != "coo" and X.has_canonical_format:
        return
    rows, columns = X.tocoo().coords
    places = np.sort(rows.astype(np.int64) * X.shape[1] + columns)
    twice = np.flatnonzero(places[1:] == places[:-1])
    if len(twice):
        i, j = divmod(int(places[twice[0]]), X.shape[1])
        raise ValueError(
            f"X stores {len(twice)} places more than once, the first at row {i}, column {j}. "
            "Entries are never summed or averaged: keep one of each."
        )


def is_missing(values: Any, marker: float) -> Any:
    """Whether numbers are the one that marks missing entries."""
    return np.isnan(values) if np.isnan(marker) else values == marker


def observed_entries(X: Any, marker: float) -> Any:
    """Return the entries that are not missing as a CSR array with sorted columns.

    That is X itself if it is one without a stored marker.
    """
    if not sp.issparse(X):
        seen = ~is_missing(X, marker)
        columns = np.broadcast_to(np.arange(X.shape[1], dtype=np.int32), X.shape)[seen]
        indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(seen, axis=1))])
        indptr = indptr.astype(sp.get_index_dtype(maxval=len(columns)))
        return sp.csr_array((X[seen], columns, indptr), shape=X.shape)
    X = sp.csr_array(X, copy=False)
    if any(is_missing(block.data, marker).any() for _, block in blocks(X)):
        seen = ~is_missing(X.data, marker)
        indptr = np.concatenate([[0], np.cumsum(seen)])[X.indptr]
        X = sp.csr_array((X.data[seen], X.indices[seen], indptr), shape=X.shape)
    return X if X.has_sorted_indices else X.sorted_indices()


def renumbered(X: Any, kept: np.ndarray) -> Any:
    """Return a CSR array without its other columns, which are empty; the values are shared."""
    if len(kept) == X.shape[1]:
        return X
    number = np.zeros(X.shape[1], dtype=np.int32)
    number[kept] = np.arange(len(kept), dtype=np.int32)
    indices = _like(X.data, X.nnz, np.int32)
    for start in range(0, X.nnz, _BLOCK):
        part = slice(start, start + _BLOCK)
        indices[part] = number[X.indices[part]]
    indptr = X.indptr.astype(sp.get_index_dtype(maxval=X.nnz), copy=False)
    return sp.csr_array((X.data, indices, indptr), shape=(X.shape[0], len(kept)))


def sums_of_powers(X: Any, weights: np.ndarray | None, power: int, centre: float) -> np.ndarray:
    """Return each row's weighted sum of powers of the entries less a number, in float64.

    A row's sum depends on the row alone: it does not matter how rows are partitioned.
    """
    out = np.zeros(X.shape[0])
    begin = 0
    for row, block in blocks(X):
        values = (block.data.astype(np.float64) - centre) ** power
        if weights is not None:
            values *= weights[begin : begin + block.nnz]
        begin += block.nnz
        seen = np.flatnonzero(np.diff(block.indptr))
        if len(seen):
            out[row + seen] = np.add.reduceat(values, block.indptr[seen])
    return out


def _like(array: np.ndarray, size: int, dtype: Any) -> np.ndarray:
    """Return a new array that lies where another does: in memory, or in a nameless temporary file.

    The file is in the folder for such files (`tempfile.gettempdir`) and goes with the array.
    """
    if not _is_mapped(array) or size == 0:
        return np.empty(size, dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, "w+", shape=(size,))


def _is_mapped(array: Any) -> bool:
    """Whether an array's numbers are in a file."""
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)


def by_column(X: Any) -> Any:
    """Return a CSR array as a CSC array that lies where it does."""
    if not _is_mapped(X.data):
        return X.tocsc()
    indptr = np.concatenate([[0], np.cumsum(column_counts(X))])
    indptr = indptr.astype(sp.get_index_dtype(maxval=X.nnz))
    values = _like(X.data, X.nnz, X.data.dtype)
    rows = _like(X.data, X.nnz, np.int32)
    ends = indptr[:-1].copy()
    # Long enough that a column has more than a few of a block's entries, on average.
    for first, block in blocks(X, max(_BLOCK, 32 * X.shape[1])):
        turned = block.tocsc()
        counts = np.diff(turned.indptr)
        places = np.repeat(ends - turned.indptr[:-1], counts) + np.arange(block.nnz)
        values[places], rows[places] = turned.data, turned.indices + first
        ends += counts
    return sp.csc_array((values, rows, indptr), shape=X.shape)
