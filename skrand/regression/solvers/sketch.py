"""Sketch-and-solve: an approximate answer from one pass, with an estimate of its error."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from skrand._validation import check_n_jobs, fail_parameter
from skrand.base import Monitor, Solution, Solver
from skrand.exceptions import SketchQualityWarning
from skrand.linalg import Sketch
from skrand.linalg.random import split_seed
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.factor import UNIT, Factor, column_scale, solution, solve_rows, unscale
from skrand.regression.guarantee import (
    check_guarantee,
    coefficient_error,
    error_limit,
    objection_to_sketch,
    realised_error,
    rows_for_linf,
    rows_for_residual,
)
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import (
    SketchedRows,
    check_sketch_parameters,
    resolve_size,
    sketch_operator,
    sketch_problem,
)
from skrand.regression.summary import SketchProblem, SketchSummary

__all__ = ["SketchAndSolve"]

# Flops for an entry of the data: what sketching it takes, in the time of a matrix product.
_COST = {"auto": 100.0, "sparse-sign": 100.0, "countsketch": 30.0, "srht": 165.0}

# A realised error that a sketch which embeds the data makes less often than this has not.
_RARE = 1e-9


class SketchAndSolve(Solver):
    """Solve the sketched problem ``min |S (A x - b)|`` in place of the whole one.

    The objective is larger than the optimum by about the factor ``1 + d / (m - d - 1)`` for a
    sketch of m rows. A look at the true gradient tells how far the fit is from the optimal one:
    ``error_estimate`` is within some tens of per cent of ``|A (x - x*)|``. If it is far larger than
    a sketch of m rows ever makes, the sketch has lost directions of the data, and another of 2 m
    rows is tried. Where the rows are gone, in a stream, the residual of the small problem tells
    how large the error usually is.

    Cost: one pass over the data, whatever the sketch takes for it (``sketch_nnz`` additions an
    entry for the sparse sign sketch), one for the gradient, and ``2 m d^2`` flops; ``m d`` numbers
    of memory.

    Parameters
    ----------
    sketch : {"auto", "gaussian", "rademacher", "srht", "countsketch", "sparse-sign"} or operator, \
            default="auto"
        The family of sketches; "auto" is sparse sign.
    sketch_size : int or float, default=None
        Number of rows of the sketch, or, as a float above 1, a multiple of the number of columns.
        None is 8 times the number of columns, which makes the objective about 14 % too large, or
        what `guarantee` takes.
    sketch_nnz : int, default=None
        Entries in each column of a sparse sign sketch; None is 8.
    guarantee : {"residual", "linf"}, default=None
        What holds with probability ``1 - delta``. "residual": the objective is at most
        ``1 + epsilon`` times its minimum. "linf": no coefficient is off by more than
        ``epsilon / sqrt(d)`` times the norms of the residual and of the pseudo-inverse. It
        chooses, or checks, the size of the sketch, and the answer is checked against the gradient.
    epsilon : float, default=None
        Accuracy of the guarantee.
    delta : float, default=0.01
        Probability that it fails.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    D. P. Woodruff, "Sketching as a Tool for Numerical Linear Algebra", 2014, arXiv:1411.4357,
    section 2.

    Z. Song, M. Ye, J. Yin and L. Zhang, "A nearly-optimal bound for fast regression with l_inf
    guarantee", ICML 2023, arXiv:2302.00248.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import SketchAndSolve
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((5000, 3))
    >>> problem = LeastSquares(A=A, b=A @ np.ones((3, 1)) + rng.standard_normal((5000, 1)))
    >>> bool(abs(SketchAndSolve(sketch_size=500).solve(problem, rng=0).x - 1).max() < 0.3)
    True
    """

    task = "least-squares"
    name = "sketch"

    def __init__(
        self,
        *,
        sketch: Any = "auto",
        sketch_size: float | None = None,
        sketch_nnz: int | None = None,
        guarantee: str | None = None,
        epsilon: float | None = None,
        delta: float = 0.01,
        n_jobs: int | None = None,
    ) -> None:
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.sketch_nnz = sketch_nnz
        self.guarantee = guarantee
        self.epsilon = epsilon
        self.delta = delta
        self.n_jobs = n_jobs

    def supports(self, problem: LeastSquares) -> str | None:
        """Refuse what this kind of sketch cannot guarantee, and fewer rows than columns."""
        n, d, _ = problem.shape
        if n <= d:
            return f"it needs more rows than columns, and has {n} for {d}"
        return objection_to_sketch(self.guarantee, self.sketch)

    def cost(self, problem: LeastSquares) -> float | None:
        """Estimate flops, if a guarantee is asked for; without one "auto" does not approximate."""
        if self.guarantee is None:
            return None
        n, d, k = problem.shape
        sized = self._sized(d, k)
        m = min(resolve_size(sized, d, 8.0), n)
        entry = _COST.get(sized.sketch, 2000.0 + 2 * m) if isinstance(sized.sketch, str) else 100.0
        return (entry + 35 * k) * problem.nnz + 9 * m * d * d + 20 * d**3

    def summary(
        self, n_features: int, n_targets: int, intercept: bool, rng: np.random.Generator
    ) -> SketchSummary:
        """Return an empty summary, for rows that come in chunks."""
        check_sketch_parameters(self)
        check_guarantee(self)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        sized = self._sized(n_features, n_targets)
        size = resolve_size(sized, n_features, 8.0)
        operator = sketch_operator(sized, size, 8, int(rng.integers(1 << 63)), threads)
        if not isinstance(operator, Sketch):
            allowed = "a name or an operator of skrand.linalg, to follow a stream"
            fail_parameter(self, "sketch", allowed, operator)
        return SketchSummary(n_features, n_targets, intercept, operator)

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        check_sketch_parameters(self)
        check_guarantee(self)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        seed = int(rng.integers(1 << 63))
        with single_threaded_blas():
            if isinstance(problem, SketchProblem):
                return self._from_stream(problem)
            sized = self._sized(*problem.shape[1:])
            small = sketch_problem(sized, problem, 8.0, 8, seed, threads)
            answer = self._from_data(problem, small, threads)
            if answer is not None:
                return answer
            size, outcome = small.sketch_size, "It was given, so no other was tried."
            if isinstance(sized.sketch, str):
                sized.set_params(sketch_size=2 * size)
                small = sketch_problem(sized, problem, 8.0, 8, split_seed(seed, 1), threads)
                answer = self._from_data(problem, small, threads)
                did = "lost some too" if answer is None else "did not, and gave the answer"
                outcome = f"Another of {2 * size} rows {did}."
            warnings.warn(
                f"A sketch of {size} rows lost directions of the data. {outcome} Sketches with "
                "many entries a column ('srht', or 'sparse-sign' with sketch_nnz=8) keep them.",
                SketchQualityWarning,
                stacklevel=6,
            )
            if answer is not None:
                return answer
            answer = self._from_data(problem, small, threads, anyway=True)
        return replace(answer, converged=False, message="The sketch lost directions of the data.")

    def _sized(self, d: int, k: int) -> SketchAndSolve:
        """Return a copy with the kind and the size of sketch that the guarantee takes."""
        sized = clone(self)
        if self.guarantee in (None, "exact"):
            return sized
        rule = rows_for_linf if self.guarantee == "linf" else rows_for_residual
        least = rule(d, k, self.epsilon, self.delta)
        if self.guarantee == "linf" and isinstance(self.sketch, str) and self.sketch == "auto":
            sized.set_params(sketch="srht")
        if self.sketch_size is None and isinstance(self.sketch, str):
            return sized.set_params(sketch_size=least)
        size = resolve_size(self, d, 8.0)
        if size < least:
            allowed = (
                f"None or at least {least} with guarantee={self.guarantee!r}, "
                f"epsilon={self.epsilon} and delta={self.delta}"
            )
            fail_parameter(self, "sketch_size", allowed, size)
        return sized

    def _from_stream(self, problem: SketchProblem) -> Solution:
        """Solve the small problem. The rows are gone: its residual tells the usual error."""
        small = problem.sketched()
        fit = _Fit(small)
        residual = np.hypot(fit.least, fit.usual)[None]
        return fit.solution(problem, residual, fit.usual, "", self.guarantee)

    def _from_data(
        self, problem: LeastSquares, small: SketchedRows, threads: int, anyway: bool = False
    ) -> Solution | None:
        """Solve the small problem and look at the gradient; None if directions were lost."""
        fit = _Fit(small)
        residual, gradient = problem.residual(fit.x, threads)
        if small.exact:
            exact = np.zeros_like(fit.usual)
            return fit.solution(problem, residual, exact, "", self.guarantee)
        estimate = realised_error(fit.factor, gradient, small.sketch_size)
        slack = _rounding(fit.factor, problem, residual)
        if not anyway and (
            (estimate > 2 * fit.limit(_RARE) + slack).any()
            or _lost(problem, fit.factor, gradient, threads)
        ):
            return None
        message = self._shortfall(fit, residual, gradient, np.maximum(estimate - slack, 0.0))
        return fit.solution(problem, residual, estimate, message, self.guarantee)

    def _shortfall(
        self, fit: _Fit, residual: np.ndarray, gradient: np.ndarray, estimate: np.ndarray
    ) -> str:
        """Say by how much the guarantee is missed, by the estimates of the errors made."""
        norms = np.linalg.norm(residual, axis=0)
        least = np.sqrt(np.maximum(norms**2 - estimate**2, np.finfo(np.float64).tiny))
        if self.guarantee == "residual":
            achieved = float(np.max((estimate / least) ** 2, initial=0.0))
        elif self.guarantee == "linf":
            unit = least * np.linalg.norm(fit.inverse, 2) / np.sqrt(len(fit.x))
            # A step of Newton's method is the error, as far as the sketch can tell.
            achieved = float(np.max(np.abs(fit.factor.solve(gradient)) / unit, initial=0.0))
        else:
            return ""
        if achieved <= self.epsilon or not estimate.any():
            return ""
        return (
            f"guarantee={self.guarantee!r} could not be verified: epsilon is about {achieved:.2g} "
            f"where {self.epsilon} was asked for. Another random_state or a smaller delta helps."
        )


class _Fit:
    """The solution of a sketched problem, and what the theory says of its error."""

    def __init__(self, small: SketchedRows) -> None:
        self.factor, self.x = solve_rows(small.rows, small.target, small.scale)
        self.size, self.exact = small.sketch_size, small.exact
        rest = small.target - small.rows @ unscale(self.x, small.scale)
        # The rows after those of the sketch are the ridge's.
        self.sketched = np.linalg.norm(rest[: self.size], axis=0)
        # The fit took `rank` of the degrees of freedom of the sketch.
        free = max(self.size - self.factor.rank, 1)
        self.least = self.sketched * np.sqrt(self.size / free)
        self.usual = self.least * np.sqrt(self.factor.rank / free)
        self.inverse = self.factor.scale[:, None] * self.factor.right(np.eye(self.factor.rank))

    def limit(self, delta: float) -> np.ndarray:
        """Return what the error stays below but for a probability of `delta`."""
        return error_limit(self.factor.rank, self.size, self.least, delta)

    def solution(
        self,
        problem: Any,
        residual: np.ndarray,
        estimate: np.ndarray,
        message: str,
        guarantee: str | None,
    ) -> Solution:
        """Collect what the solver reports."""
        intervals = coefficient_error(self.size, self.factor.rank, self.sketched, self.inverse)
        size = np.maximum(np.linalg.norm(residual, axis=0), np.finfo(np.float64).tiny)
        return solution(
            problem,
            self.factor,
            self.x,
            residual,
            not message,
            0,
            float(np.max(estimate / size)),
            message,
            error_estimate=estimate,
            coef_error=np.zeros_like(intervals) if self.exact else intervals,
            sketch_size=self.size,
            guarantee=guarantee,
        )


def _rounding(factor: Factor, problem: LeastSquares, residual: np.ndarray) -> np.ndarray:
    """Return what rounding can make of the error, for each target, overestimated."""
    target, left = (np.linalg.norm(part, axis=0) for part in (problem.target, residual))
    # A condition that is infinite makes nothing of no residual.
    return 1e3 * UNIT * (target + np.multiply(factor.condition, left, where=left > 0, out=left))


def _lost(problem: LeastSquares, factor: Factor, gradient: np.ndarray, threads: int) -> bool:
    """Whether the gradient has a part in directions where the sketch of the matrix is zero.

    There are none if the data themselves have none in these directions.
    """
    if factor.rank == len(factor.scale):
        return False
    # Columns that the sketch cancelled have no scale of their own.
    norms = problem.matrix(threads).column_norms()
    scale = column_scale(norms, problem)[:, None]
    N = factor.scale[:, None] * factor.right(np.eye(factor.rank))
    kept = np.linalg.qr(np.divide(N, scale, out=np.zeros_like(N), where=scale > 0))[0]
    scaled = scale * gradient
    outside = np.linalg.norm(scaled - kept @ (kept.T @ scaled), axis=0)
    return bool((outside > 1e-8 * np.linalg.norm(problem.target, axis=0)).any())
