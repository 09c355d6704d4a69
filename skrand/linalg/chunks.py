"""Chunks of rows of dask collections; dask is imported by whoever has one."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["common_dtype", "row_chunks"]


def row_chunks(X: Any) -> tuple[list[Any], list[int]]:
    """Return the chunks of rows of a dask array or dataframe as delayed objects, and their lengths.

    Columns are brought together; lengths that are unknown are counted.
    """
    if hasattr(X, "to_dask_array"):
        return list(X.to_delayed()), [int(n) for n in X.map_partitions(len).compute()]
    X = X.rechunk({1: -1}, method="tasks")
    if np.isnan(X.chunks[0]).any():
        X = X.compute_chunk_sizes()
    return list(X.to_delayed().ravel()), [int(n) for n in X.chunks[0]]


def common_dtype(X: Any) -> np.dtype:
    """Return float32 if all of a dask array or dataframe is of that type, otherwise float64."""
    kinds = set(X.dtypes) if hasattr(X, "dtypes") else {X.dtype}
    return np.dtype(np.float32 if kinds == {np.dtype(np.float32)} else np.float64)
