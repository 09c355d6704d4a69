"""Regression in the p-norm, p > 1, by Newton's method with a certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skrand._ext.lp import Rows, line
from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.design import (
    Design,
    collect,
    is_rounding,
    nothing_to_fit,
    solve_definite,
    too_wide,
)
from skrand.regression.lp_problem import LpRegression
from skrand.regression.solvers.ipm import GAP, shortfall

__all__ = ["Newton", "minimize_power", "power_gap"]

_UNIT = np.finfo(np.float64).eps / 2


class Newton(Solver):
    """Damped Newton's method on ``sum |r_i|^p``, for p > 1, until a duality gap certifies it.

    One pass over the data forms the residual, the gradient and the Hessian, which is a weighted
    Gram matrix, together with the value of the dual point that the step before has given. Below
    p = 2 the weights ``|r_i|^(p - 2)`` have no bound: they are capped at what the residuals could
    change in the next step, so that a row that is fitted by chance does not hold the others, and
    where progress is slow a nearly fitted row takes its weight from the dual point instead. A step
    that increases the objective is cut to the minimum along it.

    Cost: ``n d^2`` flops and one pass an iteration, 1 to 6 iterations for p between 1.25 and 6,
    more with heavy tails; ``8 n`` numbers of memory. Sparse data are read block by block, at the
    cost of dense ones.

    Parameters
    ----------
    tol : float, default=None
        Relative duality gap to reach; None is 1e-8.
    max_iter : int, default=100
        Most iterations.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    D. Adil, R. Peng and S. Sachdeva, "Fast, Provably Convergent IRLS Algorithm for p-norm Linear
    Regression", NeurIPS 2019, arXiv:1907.07167 (damping, and the duality gap as stopping rule).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LpRegression
    >>> from skrand.regression.solvers import Newton
    >>> A = np.ones((3, 1))
    >>> problem = LpRegression(A=A, b=np.array([[0.0], [0.0], [1.0]]), p=3.0)
    >>> Newton().solve(problem).x.round(4)       # 2 x^2 = (1 - x)^2
    array([[0.4142]])
    """

    task = "lp-regression"
    name = "newton"

    def __init__(
        self, *, tol: float | None = None, max_iter: int = 100, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: LpRegression) -> str | None:
        """Refuse p = 1, whose loss has no second derivative, and data that are too wide."""
        return "it is for p above 1, and here p=1" if problem.p == 1 else too_wide(problem)

    def cost(self, problem: LpRegression) -> float | None:
        """Estimate flops: ten iterations."""
        n, _, k = problem.shape
        d = problem.unknowns
        return 10.0 * n * k * (d * d + 60 * d + 400) + d**3 if problem.p > 1 else None

    def _solve(self, problem: LpRegression, rng: np.random.Generator, monitor: Monitor) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither", options=(None,))
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        with single_threaded_blas():
            design = Design(problem, int(rng.integers(1 << 63)), threads)
            columns = nothing_to_fit(design) or [
                _solve_target(design, j, GAP if tol is None else tol, max_iter, monitor)
                for j in range(problem.shape[2])
            ]
        return collect(design, columns)


def _solve_target(design: Design, j: int, tol: float, max_iter: int, monitor: Monitor) -> Solution:
    """Fit one target."""
    problem = design.problem
    c, shift = design.target(j)

    def report(iteration: int, gap: float, y: np.ndarray) -> bool:
        def current() -> np.ndarray:
            return design.coefficients(y, shift)[:, None]

        state = {"iteration": iteration, "residual": gap, "target": j, "x": current}
        return monitor(state)

    path = minimize_power(
        design.rows,
        c,
        design.least_squares(c),
        problem.p,
        used=design.used,
        gram=design.gram,
        slack=design.slack,
        tol=tol,
        max_iter=max_iter,
        threads=design.threads,
        report=report,
    )
    problem.oracles["passes"] += path.passes
    converged = path.gap <= tol
    return Solution(
        x=design.coefficients(path.y, shift),
        converged=converged,
        n_iter=path.n_iter,
        residual=path.gap,
        message="" if converged else shortfall(path.gap, tol, True),
        extra={"objective": path.value},
    )


@dataclass(frozen=True, eq=False)
class Path:
    """Where Newton's method ended.

    Parameters
    ----------
    y : ndarray of shape (width,)
        The point.
    value : float
        Its objective.
    gap : float
        Bound on the excess over the optimum, relative to that.
    n_iter, passes : int
        Iterations, and passes over the rows.
    """

    y: np.ndarray
    value: float
    gap: float
    n_iter: int
    passes: int


def minimize_power(
    rows: Rows,
    c: np.ndarray,
    y: np.ndarray,
    p: float,
    *,
    used: int,
    gram: np.ndarray,
    slack: Callable[[np.ndarray, float], float],
    tol: float,
    max_iter: int,
    threads: int,
    report: Callable[[int, float, np.ndarray], bool] | None = None,
) -> Path:
    """Minimise ``sum |c - M y|^p``.

    Parameters
    ----------
    rows : Rows
        M.
    c : ndarray of shape (n,)
        Target.
    y : ndarray of shape (width,)
        Where to start.
    p : float
        Power, above 1.
    used : int
        Number of columns that are not padding.
    gram : ndarray of shape (width, width)
        Gram matrix of M, to measure steps.
    slack : callable
        See :meth:`skrand.regression.design.Design.slack`.
    tol : float
        Relative gap to reach.
    max_iter : int
        Most iterations.
    threads : int
        Does not change the result.
    report : callable, optional
        Called once an iteration with its number, the gap and the point; true stops.
    """
    n = rows.n
    start = np.abs(c - rows.product(y, threads))
    if is_rounding(start, c, used):
        return Path(y, float(np.sum(start**p)), 0.0, 0, 1)
    # Powers of the residuals must neither overflow nor vanish.
    unit = float(start.max() if p > 2 else start.mean())
    c, y = c / unit, y / unit
    size = float(np.sqrt(np.mean((start / unit) ** 2)))
    smallest = float(np.sum((64 * _UNIT * np.abs(c)) ** p))
    state = np.empty((4, n))
    best, value, bound = y, np.inf, 0.0
    step, factor, floor, mix = None, 1.0, 1e-3 * size, False
    n_iter, passes, stopped, last_gap = 0, 1, False, np.inf
    while True:
        cap = (p - 1) * floor ** (p - 2) if p < 2 else np.inf
        passes += 1
        hessian, right, trial, norm, product, infeasible = rows.power(
            c, y, step, p, cap, mix, state, threads
        )
        if norm > 0:
            distance = 2 * value ** (1 / p) * n ** max(0.0, 0.5 - 1 / p)
            product -= slack(infeasible, distance)
            bound = max(bound, product / norm ** (1 - 1 / p))
        worse = step is not None and trial > value
        if trial < value:
            best, value = y, trial
        gap = 0.0 if value <= smallest else _relative_gap(value, bound, p)
        if n_iter and report is not None:
            stopped = report(n_iter, gap, best * unit)
        if gap <= tol or stopped or n_iter == max_iter:
            break
        n_iter += 1
        if worse:
            # Go back, and to the minimum along the step; its dual point has been made use of.
            passes += 1
            t = rows.product(step, threads)
            factor = _minimum(state[0] + factor * t, t, p)
            y = best + factor * step
            step, mix = None, False
        else:
            step = np.zeros(rows.width)
            step[:used] = solve_definite(hessian[:used, :used], right[:used])
            # Dual variables help where primal steps alone converge slowly: see the kernel.
            y, factor, mix = y + step, 1.0, p < 2 and gap > 0.1 * last_gap
            last_gap = gap
            moved = float(np.sqrt(max(step @ gram @ step, 0.0) / n))
            floor = max(1e-2 * moved, 1e-14 * size)
    return Path(best * unit, value * unit**p, gap, n_iter, passes)


def power_gap(design: Design, c: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the objective at `y` and a bound on its excess over the optimum, relative to that.

    The bound is that of the dual point to which one step of Newton's method leads.
    """
    p, rows, used = design.problem.p, design.rows, design.used
    size = np.abs(c - rows.product(y, design.threads))
    if is_rounding(size, c, used):
        return float(np.sum(size**p)), 0.0
    unit = float(size.max() if p > 2 else size.mean())
    cap = (p - 1) * 1e-3 ** (p - 2) if p < 2 else np.inf
    state = np.empty((4, rows.n))
    c, y = c / unit, y / unit
    hessian, right, value, *_ = rows.power(c, y, None, p, cap, False, state, design.threads)
    step = design.embed(solve_definite(hessian[:used, :used], right[:used]))
    *_, norm, product, infeasible = rows.power(
        c, y + step, step, p, cap, False, state, design.threads
    )
    product -= design.slack(infeasible, 2 * value ** (1 / p) * rows.n ** max(0.0, 0.5 - 1 / p))
    bound = product / norm ** (1 - 1 / p)
    return value * unit**p, _relative_gap(value, bound, p)


def _minimum(r: np.ndarray, t: np.ndarray, p: float) -> float:
    """Return where in [0, 1] ``sum |r - a t|^p`` is least, roughly; 0 if it does not fall."""
    low, high = 0.0, 1.0
    first = slope = line(r, t, low, p)[1]
    if first >= 0:
        return 0.0
    end = line(r, t, high, p)[1]
    for attempt in range(30):
        # The secant, and every third time the middle.
        a = 0.5 * (low + high) if attempt % 3 == 2 else low + (high - low) * slope / (slope - end)
        middle = line(r, t, a, p)[1]
        if abs(middle) <= 0.05 * abs(first):
            return a
        if middle < 0:
            low, slope = a, middle
        else:
            high, end = a, middle
    return low


def _relative_gap(value: float, bound: float, p: float) -> float:
    """Return ``value / bound^p - 1``."""
    if bound <= 0:
        return np.inf
    return max(0.0, float(np.expm1(np.log(value) - p * np.log(bound))))
