"""Summaries of rows that have gone by: what least squares needs to know of a stream or a cluster.

A summary has a size that does not depend on the number of rows, and two summaries of disjoint
rows can be merged. There are two: the Gram matrix, which determines the solution, and a sketch,
which determines it approximately and is much cheaper to keep up to date.

Rows are added in blocks that begin at multiples of ``block_rows``, counted from row 0 of the whole
data; the rows of an unfinished block wait. So the bits of a summary do not depend on how the rows
were cut into chunks.
"""

from __future__ import annotations

import copy
import itertools
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite

from skrand._validation import check_integer
from skrand.base import Problem, Solution
from skrand.linalg import Sketch
from skrand.linalg.rows import disjoint_union
from skrand.linalg.threads import ordered_map, single_threaded_blas
from skrand.regression.factor import UNIT, row_scale, with_ridge_rows
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import SketchedRows

__all__ = [
    "GramProblem",
    "GramSummary",
    "RowSummary",
    "SketchProblem",
    "SketchSummary",
    "Stream",
]

# A block is read several times, so it should stay in cache; smaller ones cost more calls.
_BLOCK_BYTES = 1 << 21

# A block is squared in this many parts, whatever the number of threads.
_PARTS = 4

#: Relative backward error that stands for ``tol=None`` when the rows are gone.
STREAM_TOLERANCE = 1e-10

# Relative error of the entries of a Gram matrix whose blocks were summed without error: that of
# the blocks, overestimated several times.
_ROUNDING = 4 * UNIT

# Rows of X with their targets and, perhaps, weights.
_Rows = tuple[Any, np.ndarray, np.ndarray | None]


def _block_rows(n_columns: int, least: int) -> int:
    """Return a power of two: rows that fit in cache, but at least `least`."""
    fit = max(1, _BLOCK_BYTES // (8 * n_columns))
    return max(1 << (fit.bit_length() - 1), 1 << (least - 1).bit_length())


class RowSummary(ABC):
    """What is kept of rows ``(x, y)`` with weights; picklable, mergeable, of bounded size.

    Parameters
    ----------
    n_features, n_targets : int
        Length of x and of y.
    intercept : bool
        Whether the model will have an intercept, so that means are needed.
    block_rows : int
        Rows that are added together.

    Attributes
    ----------
    rows_seen : list of (int, int)
        Disjoint ranges of rows that have been added.
    next_row : int
        The row that `update` continues with.
    """

    def __init__(self, n_features: int, n_targets: int, intercept: bool, block_rows: int) -> None:
        self.n_features = n_features
        self.n_targets = n_targets
        self.intercept = intercept
        self.block_rows = block_rows
        self.rows_seen: list[tuple[int, int]] = []
        self.next_row = 0
        self.weight = 0.0
        self._waiting: _Rows | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows that have been added."""
        return sum(stop - start for start, stop in self.rows_seen)

    @property
    def weight_so_far(self) -> float:
        """Sum of the weights of all rows, those that wait included."""
        if self._waiting is None:
            return self.weight
        _, y, weights = self._waiting
        return self.weight + (len(y) if weights is None else float(weights.sum()))

    def update(
        self,
        X: Any,
        y: np.ndarray,
        weights: np.ndarray | None = None,
        row_offset: int | None = None,
    ) -> RowSummary:
        """Add rows.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n, n_features)
            float32 or float64.
        y : ndarray of shape (n, n_targets)
            Targets.
        weights : ndarray of shape (n,), optional
            Non-negative.
        row_offset : int, optional
            Place of the first row in the whole data. None continues where the last update ended.

        Returns
        -------
        RowSummary
            Itself.

        Raises
        ------
        ValueError
            If X is not finite. Whole blocks before the one that is not have then been added.
        """
        start = self.next_row if row_offset is None else row_offset
        check_integer("partial_fit", "row_offset", start, 0)
        n = X.shape[0]
        disjoint_union("partial_fit", [*self.rows_seen, (start, start + n)])
        if start != self.next_row:
            self._release()
        y = np.ascontiguousarray(y)
        edges = [0, *range(-start % self.block_rows, n, self.block_rows), n]
        with single_threaded_blas():
            for i, j in itertools.pairwise(edges):
                if i < j:
                    part = None if weights is None else weights[i:j]
                    self._take((X[i:j], y[i:j], part), start + i)
        return self

    def merge(self, other: RowSummary) -> RowSummary:
        """Add the rows of another summary, which must be other rows; it is not changed."""
        seen = disjoint_union("partial_fit", [*self.rows_seen, *other.rows_seen])
        self._release()
        self._absorb(other.finished())
        self.rows_seen, self.next_row = seen, max(self.next_row, other.next_row)
        return self

    def problem(self, ridge: float, dtype: Any = np.float64) -> Problem:
        """Return the least-squares problem of the rows so far.

        As long as all rows still wait, that is an ordinary one, which any solver can solve.

        Parameters
        ----------
        ridge : float
            Penalty on the squared norm of x.
        dtype : dtype, default=float64
            That of the data, which the coefficients keep.
        """
        if self.weight == 0 and self._waiting is not None:
            X, y, weights = self._waiting
            return LeastSquares(A=X, b=y, weights=weights, ridge=ridge, intercept=self.intercept)
        return self.finished()._problem(ridge=ridge, dtype=dtype)

    def _take(self, rows: _Rows, start: int) -> None:
        stop = start + rows[0].shape[0]
        joined = rows if self._waiting is None else _stacked(self._waiting, rows)
        try:
            if stop % self.block_rows == 0:
                self._add(*joined, stop - joined[0].shape[0])
                self._waiting = None
            else:
                assert_all_finite(rows[0], input_name="X")
                self._waiting = _own(joined)
        except ValueError as error:
            raise ValueError(
                f"{error}\nThis is in rows {start} to {stop - 1} of the stream; those before row "
                f"{start} have been added."
            ) from None
        self.rows_seen = disjoint_union("partial_fit", [*self.rows_seen, (start, stop)])
        self.next_row = stop

    def _release(self) -> None:
        """Add the waiting rows as they are."""
        if self._waiting is not None:
            with single_threaded_blas():
                self._add(*self._waiting, self.next_row - len(self._waiting[1]))
            self._waiting = None

    def finished(self) -> RowSummary:
        """Return a summary of the same rows of which none wait for others."""
        if self._waiting is None:
            return self
        done = copy.deepcopy(self)
        done._release()
        return done

    @abstractmethod
    def _add(self, X: Any, y: np.ndarray, weights: np.ndarray | None, row: int) -> None:
        """Add rows, the first of which is row `row` of the whole data, or raise and change nothing.

        BLAS runs on one thread when this is called.
        Rows that are not finite raise ValueError. Their sums tell, which are needed anyway.
        """

    @abstractmethod
    def _absorb(self, other: Any) -> None:
        """Add what another summary of the same kind has added."""

    @abstractmethod
    def _problem(self, **options: Any) -> Problem:
        """State the problem of the rows that have been added."""


def _own(rows: _Rows) -> _Rows:
    X, y, weights = rows
    X = X.copy() if sp.issparse(X) else np.array(X, order="C")
    return X, y.copy(), None if weights is None else weights.copy()


def _stacked(first: _Rows, second: _Rows) -> _Rows:
    X = [first[0], second[0]]
    sparse = any(map(sp.issparse, X))
    joined = sp.vstack([sp.csr_array(part) for part in X], format="csr") if sparse else None
    weights = None
    if first[2] is not None or second[2] is not None:
        ones = (np.ones(len(y)) if w is None else w for _, y, w in (first, second))
        weights = np.concatenate(list(ones))
    return joined if sparse else np.concatenate(X), np.concatenate([first[1], second[1]]), weights


class GramSummary(RowSummary):
    """Weight, means and centred Gram matrix of the rows ``(x, y)``.

    Every block is centred by its own mean before it is squared, and two parts are combined by the
    pairwise formula of Chan, Golub and LeVeque [1]_. So neither an offset nor a mean that drifts
    along the stream costs digits, as long as the data are dense; sparse data are not centred
    before they are squared.

    Parameters
    ----------
    n_features, n_targets, intercept
        See `RowSummary`.
    threads : int, default=1
        Threads to use; the bits do not depend on it.

    Notes
    -----
    ``(d + k)^2`` numbers, and a block of rows; ``n (d + k)^2`` flops.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample
       variance: analysis and recommendations", The American Statistician 37 (1983).
    """

    def __init__(self, n_features: int, n_targets: int, intercept: bool, threads: int = 1) -> None:
        self.threads = threads
        width = n_features + n_targets
        # Some matrices of that size are touched for every block.
        super().__init__(n_features, n_targets, intercept, _block_rows(width, 4 * width))
        # Means are kept as differences from this, the mean of the first block, so that even those
        # of data with a large offset have all their digits. None as long as it is 0.
        self.origin: np.ndarray | None = None
        self.drift = np.zeros(width)
        self.has_sparse = False
        self._sum = np.zeros((width, width))
        self._lost = np.zeros((width, width))

    @property
    def mean(self) -> np.ndarray:
        """Means of the rows ``(x, y)``; zeros without an intercept."""
        return self.drift if self.origin is None else self.origin + self.drift

    @property
    def rounding(self) -> float:
        """Spread of a column, relative to its mean, that rounding alone can leave."""
        # Sparse rows are squared first, in plain sums of a block, and centred afterwards.
        return np.sqrt((64 + 2 * self.block_rows) * UNIT) if self.has_sparse else 64 * UNIT

    @property
    def scatter(self) -> np.ndarray:
        """The Gram matrix of the rows ``(x, y)``, centred if there is an intercept."""
        return self._sum + self._lost

    def _add(self, X: Any, y: np.ndarray, weights: np.ndarray | None, row: int) -> None:
        weight = float(len(y)) if weights is None else float(weights.sum())
        if weight == 0:
            assert_all_finite(X, input_name="X")
            return
        share = np.full(len(y), 1 / weight) if weights is None else weights / weight
        origin = self.origin
        with np.errstate(invalid="ignore", over="ignore"):
            if sp.issparse(X):
                mean, scatter = _sparse_moments(X, y, weight, share, self.intercept)
                mean = mean if origin is None else mean - origin
            else:
                if self.intercept and origin is None:
                    rows = np.hstack([np.ascontiguousarray(X), y], dtype=np.float64)
                    origin = np.zeros(len(self.drift)) if self.weight else share @ rows
                mean, scatter = _moments(X, y, weights, share, origin, self.threads)
            _require_finite(scatter, X)
            self.origin, self.has_sparse = origin, self.has_sparse or sp.issparse(X)
            self._combine(weight, mean, scatter)

    def _absorb(self, other: GramSummary) -> None:
        if other.weight == 0:
            return
        self.has_sparse |= other.has_sparse
        drift = other.drift
        if other.origin is not None:
            if self.origin is None:
                self.origin = np.zeros_like(drift) if self.weight else other.origin
            drift = drift + (other.origin - self.origin)
        self._combine(other.weight, drift, other.scatter)

    def _combine(self, weight: float, drift: np.ndarray, scatter: np.ndarray) -> None:
        """Add a part, of which `scatter` is overwritten."""
        total = self.weight + weight
        if self.intercept:
            distance = drift - self.drift
            scatter += np.outer(self.weight * (weight / total) * distance, distance)
            self.drift += (weight / total) * distance
        self.weight = total
        self._accumulate(scatter)

    def _accumulate(self, term: np.ndarray) -> None:
        """Add to the Gram matrix, and what the addition rounds off to `_lost` (Knuth, Møller)."""
        total = self._sum + term
        added = total - self._sum
        term -= added
        np.subtract(total, added, out=added)
        self._sum -= added
        self._sum += term
        self._lost += self._sum
        self._sum = total

    def _problem(self, **options: Any) -> GramProblem:
        return GramProblem(summary=self, **options)


def _require_finite(sums: np.ndarray, X: Any) -> None:
    """Raise if X is not finite, of which these are sums of squares or of entries."""
    if not np.isfinite(sums).all():
        assert_all_finite(X, input_name="X")


def _moments(
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    share: np.ndarray,
    origin: np.ndarray | None,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean, less `origin`, and the centred Gram matrix of dense rows.

    Without an origin they are not centred.
    """
    d = X.shape[1]
    rows = np.empty((len(y), d + y.shape[1]))
    mean = np.zeros(rows.shape[1])
    if origin is None:
        rows[:, :d], rows[:, d:] = X, y
    else:
        np.subtract(X, origin[:d], out=rows[:, :d])
        np.subtract(y, origin[d:], out=rows[:, d:])
        mean = share @ rows
        rows -= mean
    if weights is not None:
        rows *= np.sqrt(weights)[:, None]
    parts = np.array_split(rows, _PARTS)
    scatter, *others = ordered_map(lambda part: part.T @ part, parts, threads)
    for other in others:
        scatter += other
    return mean, scatter


def _sparse_moments(
    X: Any, y: np.ndarray, weight: float, share: np.ndarray, centred: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the Gram matrix of sparse rows, which stay sparse."""
    X = X.astype(np.float64, copy=False)
    y = y.astype(np.float64, copy=False)
    shared = sp.csr_array(X.multiply(share[:, None]))
    cross = shared.T @ y
    gram = np.block([[(shared.T @ X).toarray(), cross], [cross.T, (y.T * share) @ y]])
    mean = np.concatenate([X.T @ share, share @ y]) if centred else np.zeros(len(gram))
    return mean, weight * (gram - np.outer(mean, mean))


class SketchSummary(RowSummary):
    """A sketch of the rows ``(x, y, 1)``, and the means.

    Parameters
    ----------
    n_features, n_targets, intercept
        See `RowSummary`.
    operator : Sketch
        Column i of it belongs to row i of the whole data.

    Notes
    -----
    ``sketch_size (d + k + 1)`` numbers, and a block of rows.
    """

    def __init__(self, n_features: int, n_targets: int, intercept: bool, operator: Sketch) -> None:
        rows = _block_rows(n_features, max(operator.sketch_size, operator.block_rows))
        super().__init__(n_features, n_targets, intercept, rows)
        self.operator = operator
        self.sums = np.zeros(n_features + n_targets)
        self.rows = np.zeros((operator.sketch_size, n_features))
        self.targets = np.zeros((operator.sketch_size, n_targets + 1))

    def _add(self, X: Any, y: np.ndarray, weights: np.ndarray | None, row: int) -> None:
        scale = None if weights is None else np.sqrt(weights)
        targets = np.concatenate([y, np.ones((len(y), 1))], axis=1, dtype=np.float64)
        if not sp.issparse(X):
            X = np.ascontiguousarray(X)
        ones = np.ones(len(y)) if weights is None else weights
        with np.errstate(invalid="ignore", over="ignore"):
            sums = X.T @ ones
            _require_finite(sums, X)
            if self.intercept:
                self.sums += np.concatenate([sums, ones @ y])
        self.operator.apply(X, row, scale, out=self.rows)
        self.operator.apply(targets, row, scale, out=self.targets)
        self.weight += float(len(y)) if weights is None else float(weights.sum())

    def _absorb(self, other: SketchSummary) -> None:
        self.sums += other.sums
        self.rows += other.rows
        self.targets += other.targets
        self.weight += other.weight

    @property
    def mean(self) -> np.ndarray:
        """Means of the rows ``(x, y)``; zeros without an intercept."""
        return self.sums / self.weight

    @property
    def rounding(self) -> float:
        """Spread of a column, relative to its mean, that rounding alone can leave."""
        # The means come from plain sums of blocks of equal terms.
        return (64 + self.block_rows + self.n_rows / self.block_rows) * UNIT

    def _problem(self, **options: Any) -> SketchProblem:
        return SketchProblem(summary=self, **options)


@dataclass(frozen=True, eq=False, kw_only=True)
class _SummaryProblem(Problem):
    """What a problem that is known by a summary offers to solvers and to the estimator."""

    task = "least-squares"
    issparse = False
    row_sample = None

    summary: Any
    ridge: float = 0.0
    dtype: Any = np.float64

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of rows, columns and targets."""
        return self.summary.n_rows, self.summary.n_features, self.summary.n_targets

    @property
    def nnz(self) -> int:
        """Number of entries of the data."""
        return self.shape[0] * self.shape[1]

    @property
    def intercept(self) -> bool:
        """Whether there is an intercept."""
        return self.summary.intercept

    def _means(self) -> tuple[np.ndarray, np.ndarray]:
        d = self.summary.n_features
        return self.summary.mean[:d], self.summary.mean[d:]

    def offset(self, x: np.ndarray) -> np.ndarray:
        """Return the best intercept, (k,), for coefficients `x` of shape (d, k)."""
        mean, target_mean = self._means()
        return target_mean - mean @ x

    def negligible_norms(self) -> np.ndarray:
        """Return, for each column, the norm that rounding alone can leave after centring."""
        return self.summary.rounding * np.abs(self._means()[0]) * np.sqrt(self.summary.weight)


@dataclass(frozen=True, eq=False, kw_only=True)
class GramProblem(_SummaryProblem):
    """Least squares of which the Gram matrix is left.

    Only norms of its target and residual are known: they are given as if they were columns of
    one row.

    Parameters
    ----------
    summary : GramSummary
        None of its rows wait.
    ridge : float, default=0.0
        Penalty on the squared norm of x.
    dtype : dtype, default=float64
        That of the data, which the coefficients keep.
    """

    @property
    def target(self) -> np.ndarray:
        """Norms of the targets, as one row."""
        return np.sqrt(self._blocks()[2].diagonal())[None]

    def gram(self, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return the Gram matrix (d, d) and the product of the transpose with the target."""
        self.oracles["passes"] += 1
        return self._blocks()[:2]

    def residual(self, x: np.ndarray, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return the norms of the residuals (1, k) and half the negative gradient at `x`."""
        gram, cross, square = self._blocks()
        fit = gram @ x
        squares = square.diagonal() - (x * (2 * cross - fit)).sum(axis=0)
        return np.sqrt(np.maximum(squares, 0.0))[None], cross - fit - self.ridge * x

    def assess(self, answer: Solution, tol: float | None, singular: bool) -> Solution:
        """Add to an answer's backward error what rounding may have done to the Gram matrix.

        That part is proportional to the condition number, and without the data it cannot be
        refined away.

        Parameters
        ----------
        answer : Solution
            With the backward error that the Gram matrix tells.
        tol : float or None
            Backward error to reach.
        singular : bool
            Whether directions were left out that may be no more than ill-conditioned.
        """
        tol = STREAM_TOLERANCE if tol is None else tol
        error = answer.residual + _ROUNDING * answer.extra["condition"]
        if singular:
            error += np.sqrt(_ROUNDING)
        converged = error <= tol
        message = "" if converged else self.lost(tol)
        return replace(answer, residual=error, converged=converged, message=message)

    def lost(self, tol: float) -> str:
        """Say why a backward error of `tol` was not reached."""
        return (
            f"A backward error of {tol:.1e} was asked for. The Gram matrix of a stream or cluster "
            "keeps only half of the digits of ill-conditioned data."
        )

    def _blocks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        d, scatter = self.summary.n_features, self.summary.scatter
        return scatter[:d, :d], scatter[:d, d:], scatter[d:, d:]


@dataclass(frozen=True, eq=False, kw_only=True)
class SketchProblem(_SummaryProblem):
    """Least squares of which a sketch is left.

    Parameters
    ----------
    summary : SketchSummary
        None of its rows wait.
    ridge : float, default=0.0
        Penalty on the squared norm of x.
    dtype : dtype, default=float64
        That of the data, which the coefficients keep.
    """

    def sketched(self) -> SketchedRows:
        """Return the sketch of the centred rows, columns scaled, with the ridge."""
        mean, target_mean = self._means()
        ones = self.summary.targets[:, -1:]
        rows = self.summary.rows - ones * mean
        target = self.summary.targets[:, :-1] - ones * target_mean
        scale = row_scale(rows, self)
        rows, target = with_ridge_rows(rows * scale, target, scale, self.ridge)
        return SketchedRows(rows, target, scale, self.summary.operator.sketch_size, exact=False)


class Stream:
    """A summary, and what an estimator must remember of the data beside it.

    Parameters
    ----------
    summary : RowSummary
        Of the rows so far.
    solver : str
        Name of the solver that made it.
    dtype : dtype
        That of the first chunk.
    y_shape : tuple of int
        Shape of the targets of one row.
    """

    def __init__(
        self, summary: RowSummary, solver: str, dtype: np.dtype, y_shape: tuple[int, ...]
    ) -> None:
        self.solver = solver
        self.summary = summary
        self.dtype = dtype
        self.y_shape = y_shape

    def problem(self, solver: str, ridge: float) -> Problem:
        """State the problem of the rows so far, for the solver that the summary was made for."""
        if solver != self.solver:
            raise ValueError(
                f"The stream was begun with solver {self.solver!r} and keeps only what that needs. "
                f"Got solver {solver!r} now: begin a new stream with it."
            )
        if self.summary.weight_so_far == 0:
            raise ValueError("sample_weight must have a positive entry. Got all zeros so far.")
        return self.summary.problem(ridge, self.dtype)

    def merge(self, other: Stream) -> None:
        """Add the rows of another stream, which is not changed."""
        for what, mine, theirs in (
            ("solver", self.solver, other.solver),
            ("number of features", self.summary.n_features, other.summary.n_features),
            ("shape of y", self.y_shape, other.y_shape),
            ("fit_intercept", self.summary.intercept, other.summary.intercept),
            ("sketch", *(getattr(s.summary, "operator", None) for s in (self, other))),
        ):
            if mine != theirs:
                raise ValueError(
                    f"Two streams can be merged if they have the same {what}. Got {mine!r} and "
                    f"{theirs!r}."
                )
        self.summary.merge(other.summary)
