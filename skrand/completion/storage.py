"""Observed entries, a block at a time: what is made of memory maps is put into files, too."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["blocks", "by_column", "column_counts", "cut", "renumbered", "sums_of_powers"]

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
