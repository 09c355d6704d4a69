"""Least squares on dask collections: every chunk is summarised where it is, and summaries travel.

dask is optional, and imported here only: this module is loaded when a dask collection is given.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import dask
import dask.array
import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skrand.base import Problem, Solution
from skrand.linalg.chunks import common_dtype, row_chunks
from skrand.regression.factor import TOLERANCE
from skrand.regression.summary import GramProblem, GramSummary, RowSummary

__all__ = ["ClusterData", "ClusterProblem"]

# Summaries or gradients that one task adds up.
_FAN_IN = 8


class ClusterData:
    """Rows that are spread over a cluster: a dask array or dataframe, with targets and weights.

    Parameters
    ----------
    X : dask array or dataframe of shape (n_samples, n_features)
        Its columns are brought together in each chunk of rows.
    y : dask array, series or dataframe, or array-like
        Targets.
    weights : the same, optional
        Non-negative weights.

    Attributes
    ----------
    dtype : dtype
        float32 if all of X is, otherwise float64.
    y_shape : tuple of int
        Shape of the targets of one row.
    """

    def __init__(self, X: Any, y: Any, weights: Any = None) -> None:
        self.n_features = X.shape[1]
        self.columns = getattr(X, "columns", None)
        self.dtype = common_dtype(X)
        self.y_shape = tuple(np.shape(y)[1:]) if not hasattr(y, "ndim") else tuple(y.shape[1:])
        X, lengths = row_chunks(X)
        parts = [X, _like(y, lengths, "y")]
        parts.append(
            [None] * len(X) if weights is None else _like(weights, lengths, "sample_weight")
        )
        starts = np.concatenate([[0], np.cumsum(lengths)])
        self._chunks = [(*chunk, int(row)) for *chunk, row in zip(*parts, starts[:-1], strict=True)]

    def summarise(self, empty: RowSummary) -> RowSummary:
        """Return the summary of all rows, merged along a tree on the cluster."""
        task = dask.delayed(_summarise, pure=False)
        return _reduced([task(empty, *chunk) for chunk in self._chunks], _merged)

    def look(self, x: np.ndarray, mean: np.ndarray) -> list[np.ndarray]:
        """Return the sums of squares of the residuals and half the negative gradient at `x`.

        Parameters
        ----------
        x : ndarray of shape (d, k)
            Coefficients.
        mean : ndarray of shape (d + k,)
            What is taken from each row and its targets.
        """
        task = dask.delayed(_look, pure=False)
        return _reduced([task(*chunk, x, mean) for chunk in self._chunks], _added)

    def problem(self, empty: RowSummary, ridge: float) -> Problem:
        """State the least-squares problem of all rows."""
        summary = self.summarise(empty)
        if summary.weight == 0:
            raise ValueError("sample_weight must have a positive entry. Got all zeros.")
        if isinstance(summary, GramSummary):
            return ClusterProblem(summary=summary, ridge=ridge, dtype=self.dtype, data=self)
        return summary.problem(ridge, self.dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class ClusterProblem(GramProblem):
    """Least squares of which the Gram matrix is here and the rows are on a cluster.

    Parameters
    ----------
    summary, ridge, dtype
        See `GramProblem`.
    data : ClusterData
        The rows, of which gradients can be had.
    """

    data: ClusterData

    def residual(self, x: np.ndarray, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return the norms of the residuals (1, k) and half the negative gradient, in one pass."""
        self.oracles["passes"] += 1
        squares, gradient = self.data.look(x, self.summary.mean)
        return np.sqrt(squares)[None], gradient - self.ridge * x

    def assess(self, answer: Solution, tol: float | None, singular: bool) -> Solution:
        """Return the answer as it is: its backward error was computed from the rows."""
        if not singular:
            return answer
        return replace(
            answer, converged=False, message=self.lost(TOLERANCE if tol is None else tol)
        )


def _like(y: Any, lengths: list[int], name: str) -> list[Any]:
    """Return the chunks of `y` that belong to chunks of these lengths."""
    if hasattr(y, "to_dask_array"):
        y = y.to_dask_array(lengths=True)
    elif not hasattr(y, "__dask_graph__"):
        y = dask.array.from_array(np.asarray(y), chunks=-1)
    elif np.isnan(y.chunks[0]).any():
        y = y.compute_chunk_sizes()
    if y.shape[0] != sum(lengths):
        raise ValueError(
            f"{name} must have as many rows as X. Got {y.shape[0]} for {sum(lengths)} rows."
        )
    chunks: tuple[Any, ...] = (tuple(lengths), *((n,) for n in y.shape[1:]))
    return list(y.rechunk(chunks, method="tasks").to_delayed().ravel())


def _reduced(parts: list[Any], combine: Callable[[list[Any]], Any]) -> Any:
    """Combine delayed objects along a tree whose shape depends on their number alone."""
    task = dask.delayed(combine, pure=False)
    while True:
        parts = [task(parts[i : i + _FAN_IN]) for i in range(0, len(parts), _FAN_IN)]
        if len(parts) == 1:
            return parts[0].compute()


def _checked(X: Any, y: Any, weights: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
    """Return a chunk as arrays; run where the chunk is."""
    kinds = [np.float64, np.float32]
    X = check_array(X, accept_sparse="csr", dtype=kinds, ensure_min_samples=0, input_name="X")
    y = check_array(y, ensure_2d=False, dtype=kinds, ensure_min_samples=0, input_name="y")
    y = y.reshape(len(y), -1)
    if weights is not None:
        weights = check_array(
            weights, ensure_2d=False, dtype=np.float64, ensure_min_samples=0, input_name="weights"
        ).ravel()
        if weights.min(initial=0.0) < 0:
            raise ValueError(f"sample_weight must be non-negative. Got {weights.min()}.")
    return X, y, weights


def _summarise(empty: RowSummary, X: Any, y: Any, weights: Any, row: int) -> RowSummary:
    # dask may run a task again after a worker was lost: its arguments must stay as they are.
    summary = copy.deepcopy(empty)
    X, y, weights = _checked(X, y, weights)
    return summary.update(X, y, weights, row).finished()


def _merged(parts: list[RowSummary]) -> RowSummary:
    total = copy.deepcopy(parts[0])
    for part in parts[1:]:
        total.merge(part)
    return total


def _look(
    X: Any, y: Any, weights: Any, row: int, x: np.ndarray, mean: np.ndarray
) -> list[np.ndarray]:
    X, y, weights = _checked(X, y, weights)
    center, target_mean = mean[: len(x)], mean[len(x) :]
    if sp.issparse(X):
        residual = (y - target_mean) - (X @ x - center @ x)
    else:
        X = X - center
        residual = (y - target_mean) - X @ x
    weighted = residual if weights is None else residual * weights[:, None]
    gradient = X.T @ weighted
    if sp.issparse(X):
        gradient = gradient - np.outer(center, weighted.sum(axis=0))
    return [(weighted * residual).sum(axis=0), gradient]


def _added(parts: list[list[np.ndarray]]) -> list[np.ndarray]:
    return [sum(terms) for terms in zip(*parts, strict=True)]
