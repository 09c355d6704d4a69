"""The standardised design matrix that the drivers of ``lp-regression`` share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg

from skrand._ext.lp import Rows
from skrand.base import Solution
from skrand.linalg import CountSketch, SparseSign
from skrand.linalg.random import normal_matrix
from skrand.regression.lp_problem import LpRegression

__all__ = [
    "Design",
    "collect",
    "definite_solver",
    "draw",
    "is_rounding",
    "nothing_to_fit",
    "solve_definite",
    "too_wide",
]

_UNIT = np.finfo(np.float64).eps / 2

# Weighted Gram matrices of columns with a condition number beyond this lose too many digits: the
# rows are then turned into coordinates in which the columns are nearly orthonormal.
_MODEST_CONDITION = 1e4

_MOST_COLUMNS = 10_000

# Data of up to this many rows, or 16 times the columns, are factored themselves, not a sketch.
_EXACT_ROWS = 4096


class Design:
    """Weighted, centred, scaled rows of a problem, in coordinates that are safe to square.

    The matrix M has rows ``w_i^(1/p) [(a_i - center) * scale, 1]``, times a `transform` if these
    columns are dependent or ill-conditioned; it is never formed.

    Parameters
    ----------
    problem : LpRegression
        Its data are read once.
    seed : int
        Determines the sketch of large data.
    threads : int
        Does not change the result.

    Attributes
    ----------
    rows : Rows
        M, padded with zero columns.
    orthonormalizer : ndarray of shape (width, rank)
        N such that M N has orthonormal columns, or nearly, if it comes from a sketch.
    rank : int
        Numerical rank of M.
    condition : float
        Condition number of the standardised columns.
    """

    def __init__(self, problem: LpRegression, seed: int, threads: int) -> None:
        self.problem = problem
        self.seed = seed
        self.threads = threads
        n, d, _ = problem.shape
        weights = problem.weights
        self.row_scale = None if weights is None else weights.astype(np.float64) ** (1 / problem.p)
        self.center = self._sample_mean() if problem.intercept else np.zeros(d)
        ones = np.ones(d)
        raw = Rows(problem.A, self.center, ones, self.row_scale, problem.intercept, None)
        problem.oracles["passes"] += 1
        triangle = self._triangle(raw)
        total = float(n) if self.row_scale is None else float(self.row_scale @ self.row_scale)
        norms = np.linalg.norm(triangle[:, :d], axis=0)
        negligible = norms <= 64 * _UNIT * np.abs(self.center) * np.sqrt(total)
        # Like the column of ones, so that all are alike.
        self.scale = np.divide(np.sqrt(total), norms, out=np.zeros(d), where=~negligible)
        triangle[:, :d] *= self.scale
        _, values, Vt = scipy.linalg.svd(triangle, full_matrices=False, check_finite=False)
        self.rank = int(np.count_nonzero(values > 30 * _UNIT * values[:1]))
        used = values[: self.rank]
        self.condition = float(used[0] / used[-1]) if self.rank else np.inf
        basis = Vt[: self.rank].T
        self.transform = None
        if self.rank < problem.unknowns or self.condition > _MODEST_CONDITION:
            self.transform = basis * (np.sqrt(total) / used)
            orthonormalizer = np.eye(self.rank) / np.sqrt(total)
        else:
            orthonormalizer = basis / used
        self.rows = Rows(
            problem.A, self.center, self.scale, self.row_scale, problem.intercept, self.transform
        )
        self.orthonormalizer = np.zeros((self.rows.width, self.rank))
        self.orthonormalizer[: len(orthonormalizer)] = orthonormalizer

    def _sample_mean(self) -> np.ndarray:
        """Return the mean of some rows: near enough to the centre to keep the digits."""
        A, weights = self.problem.A, self.problem.weights
        chosen = np.arange(A.shape[0]) if weights is None else np.flatnonzero(weights)
        some = A[chosen[:: max(1, len(chosen) // 1024)]]
        return np.asarray(some.mean(axis=0, dtype=np.float64)).ravel()

    def _triangle(self, raw: Rows) -> np.ndarray:
        """Return R, (any, unknowns), with R^T R the Gram matrix of the rows, or nearly."""
        problem = self.problem
        n, d, _ = problem.shape
        count = problem.unknowns
        if n <= max(_EXACT_ROWS, 16 * count):
            R = np.empty((0, count))
            step = max(_EXACT_ROWS, 2 * count)
            for start in range(0, n, step):
                block = raw.take(np.arange(start, min(start + step, n)))[:, :count]
                R = scipy.linalg.qr(np.vstack([R, block]), mode="r", check_finite=False)[0][:count]
            return R
        if count <= 64:
            # One entry a row of the data; in the worst case that needs the square of the columns.
            operator: Any = CountSketch(
                max(512, 2 * count**2), random_state=self.seed, n_jobs=self.threads
            )
        else:
            operator = SparseSign(8 * count, nnz=4, random_state=self.seed, n_jobs=self.threads)
        sketched = np.empty((operator.sketch_size, count))
        sketched[:, :d] = operator.apply(problem.A, scale=self.row_scale)
        if problem.intercept:
            ones = np.ones(n) if self.row_scale is None else self.row_scale
            sketched[:, d] = operator.apply(ones)
            sketched[:, :d] -= np.outer(sketched[:, d], self.center)
        return scipy.linalg.qr(sketched, mode="r", check_finite=False)[0][:count]

    def target(self, j: int) -> tuple[np.ndarray, float]:
        """Return target j, weighted, less a shift that goes into the intercept; and the shift."""
        target = self.problem.b[:, j].astype(np.float64)
        shift = 0.0
        if self.problem.intercept:
            some = target[:: max(1, len(target) // 1024)]
            shift = float(np.median(some))
            target -= shift
        if self.row_scale is not None:
            target *= self.row_scale
        return target, shift

    def coefficients(self, y: np.ndarray, shift: float) -> np.ndarray:
        """Return the unknowns of the problem for coordinates `y` of M and a target's shift."""
        problem = self.problem
        y = y[: problem.unknowns] if self.transform is None else self.transform @ y[: self.rank]
        d = problem.A.shape[1]
        x = self.scale * y[:d]
        if not problem.intercept:
            return x
        return np.append(x, y[d] + shift - self.center @ x)

    @cached_property
    def gram(self) -> np.ndarray:
        """Gram matrix of M, (width, width)."""
        self.problem.oracles["passes"] += 1
        return self.rows.moments(None, np.zeros(self.rows.n), self.threads)[0]

    def least_squares(self, c: np.ndarray) -> np.ndarray:
        """Return the least-squares coordinates for a target."""
        zeros = np.zeros(self.rows.width)
        self.problem.oracles["passes"] += 1
        right = self.rows.absolute(c, zeros, c, np.empty(self.rows.n), self.threads)[2]
        return self.embed(solve_definite(self.restrict(self.gram), right[: self.used]))

    @cached_property
    def used(self) -> int:
        """How many coordinates there are, without the padding."""
        return self.rank if self.transform is not None else self.problem.unknowns

    def restrict(self, matrix: np.ndarray) -> np.ndarray:
        """Return a matrix over the coordinates without its padding."""
        return matrix[: self.used, : self.used]

    def embed(self, y: np.ndarray) -> np.ndarray:
        """Return coordinates with their padding."""
        out = np.zeros(self.rows.width)
        out[: self.used] = y
        return out

    @cached_property
    def row_norms(self) -> np.ndarray:
        """Norms of the rows of ``M N``, the roots of their leverage scores; see `_norms`."""
        return self._norms(self.orthonormalizer)

    def _norms(self, N: np.ndarray) -> np.ndarray:
        """Return the norms of the rows of ``M N``.

        With more than eight columns they are estimated by eight random directions, to within a
        factor of two mostly: only the size of samples depends on them.
        """
        self.problem.oracles["passes"] += 1
        if N.shape[1] > 8:
            N = N @ (normal_matrix((N.shape[1], 8), self.seed) / np.sqrt(8.0))
        padded = np.zeros((self.rows.width, (N.shape[1] + 3) // 4 * 4))
        padded[:, : N.shape[1]] = N
        return self.rows.norms(padded, self.threads)

    def lewis_weights(self, p: float, rounds: int = 5) -> np.ndarray:
        """Return the l_p Lewis weights of the rows of M, after some rounds from uniform ones.

        Sampling needs them within a constant factor only; a round costs two passes. The steps are
        those of :func:`skrand.regression.row_scores`.
        """
        weights = np.ones(self.rows.n)
        for _ in range(rounds):
            scale = np.power(weights, 1 - 2 / p, out=np.zeros_like(weights), where=weights > 0)
            self.problem.oracles["passes"] += 1
            gram = self.restrict(self.rows.moments(scale, scale, self.threads)[0])
            values, vectors = scipy.linalg.eigh(gram, check_finite=False)
            keep = values > 1e-12 * values[-1:]
            N = np.zeros((self.rows.width, np.count_nonzero(keep)))
            N[: self.used] = vectors[:, keep] / np.sqrt(values[keep])
            squares = self._norms(N) ** 2
            weights = squares ** (p / 2) if p < 4 else scale * squares
        return weights

    def slack(self, infeasibility: np.ndarray, size: float) -> float:
        """Bound how much ``M^T z = infeasibility`` in place of 0 can falsify a dual bound.

        The bound is ``z . r(y)`` for one y, and at the optimum it differs by
        ``infeasibility . (y - y*)``. `size` bounds the 2-norm of ``M (y - y*)``; a factor of two
        allows for the sketch behind `orthonormalizer`.
        """
        return 2.0 * float(np.linalg.norm(self.orthonormalizer.T @ infeasibility)) * size


def too_wide(problem: LpRegression) -> str | None:
    """Say in one sentence that a problem has too many columns for its Gram matrix, or None."""
    if problem.unknowns <= _MOST_COLUMNS:
        return None
    return (
        f"it forms a Gram matrix, and {problem.unknowns} columns are more than the "
        f"{_MOST_COLUMNS} for which that fits in memory"
    )


def is_rounding(residual: np.ndarray, c: np.ndarray, d: int) -> bool:
    """Whether the residual of a target c, fitted by d columns, is nothing but rounding."""
    return bool(np.abs(residual).sum() <= 16 * _UNIT * (d + 1) * np.abs(c).sum())


def nothing_to_fit(design: Design) -> list[Solution]:
    """Return the answers, which are zeros, if the rows are; otherwise none."""
    if design.rank > 0:
        return []
    problem = design.problem
    zeros = np.zeros((problem.unknowns, problem.shape[2]))
    return [
        Solution(x=x, converged=True, residual=0.0, extra={"objective": float(value)})
        for x, value in zip(zeros.T, problem.objective(zeros), strict=True)
    ]


def solve_definite(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve with a positive definite matrix; see `definite_solver`."""
    return definite_solver(matrix)(right)


def definite_solver(matrix: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Factor a positive definite matrix, regularised if it is singular to rounding.

    The unknown of a row of zeros is 0.
    """
    root = np.sqrt(np.maximum(matrix.diagonal(), 0.0))
    root[root < np.sqrt(np.finfo(np.float64).tiny)] = np.inf
    scaled = matrix / root / root[:, None]
    for ridge in (0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6):
        np.fill_diagonal(scaled, 1.0 + ridge)
        factor, info = scipy.linalg.lapack.dpotrf(scaled, lower=0)
        if info == 0:
            break
    else:
        return lambda right: np.linalg.lstsq(scaled, right / root, rcond=None)[0] / root
    return lambda right: scipy.linalg.lapack.dpotrs(factor, right / root, lower=0)[0] / root


def draw(scores: np.ndarray, m: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw about m rows, each on its own, with probability proportional to its score.

    Returns the rows, at least one, and their probabilities, of which none exceeds 1; all rows if
    m is as large.
    """
    n = len(scores)
    if m >= n:
        return np.arange(n), np.ones(n)
    probability = np.minimum(scores * (m / scores.sum()), 1.0)
    chosen = np.flatnonzero(rng.random(n) < probability)
    if not len(chosen):
        chosen = np.array([np.argmax(probability)])
    return chosen, probability[chosen]


def collect(design: Design, solutions: list[Solution], **extra: object) -> Solution:
    """Join the answers for the single targets to the answer of the problem."""
    gaps = np.array([solution.residual for solution in solutions])
    x = np.column_stack([solution.x for solution in solutions])
    objective = np.array([solution.extra["objective"] for solution in solutions])
    messages = [solution.message for solution in solutions if not solution.converged]
    return Solution(
        x=x,
        converged=all(solution.converged for solution in solutions),
        n_iter=max(solution.n_iter for solution in solutions),
        residual=float(gaps.max()),
        message=messages[0] if messages else "",
        extra={
            # Of the features, which the intercept is none of.
            "rank": design.rank - design.problem.intercept,
            "condition": design.condition,
            "dual_gap": gaps,
            "objective": objective,
            "residual_norm": objective ** (1.0 / design.problem.p),
            **extra,
        },
    )
