"""Least absolute deviations by an interior-point method, with a certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skrand._ext.lp import Rows
from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.design import (
    Design,
    collect,
    definite_solver,
    is_rounding,
    nothing_to_fit,
    solve_definite,
    too_wide,
)
from skrand.regression.lp_problem import LpRegression

__all__ = ["GAP", "InteriorPoint", "certify", "interior_point"]

#: Relative duality gap that the exact solvers of the task aim at.
GAP = 1e-8

_UNIT = np.finfo(np.float64).eps / 2

# Part of the way to the boundary that a step may go, as is usual.
_BACK_OFF = 0.99995


class InteriorPoint(Solver):
    """Mehrotra's predictor-corrector method on the bounded dual, for p = 1.

    The dual of ``min |c - M y|_1`` is ``max c . z`` with ``M^T z = 0`` and ``|z_i| <= 1``. Each
    iteration solves two systems with one weighted Gram matrix of M; three passes over the data
    compute all it needs. It starts on the central path of the least-squares fit.

    Any dual point bounds the optimum from below. What is reported as the gap is computed after
    the last iteration, from the answer and a dual point, with a bound on what rounding does to the
    constraint ``M^T z = 0``.

    Cost: ``n d^2`` flops and three passes an iteration, 10 to 25 iterations; ``12 n`` numbers of
    memory. Sparse data are read block by block, at the cost of dense ones.

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
    S. Portnoy and R. Koenker, "The Gaussian hare and the Laplacian tortoise: computability of
    squared-error versus absolute-error estimators", Statistical Science 12, 1997,
    doi:10.1214/ss/1030037960, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LpRegression
    >>> from skrand.regression.solvers import InteriorPoint
    >>> A = np.array([[1.0], [1.0], [1.0]])
    >>> problem = LpRegression(A=A, b=np.array([[1.0], [2.0], [30.0]]), p=1.0)
    >>> InteriorPoint().solve(problem).x.round(6)
    array([[2.]])
    """

    task = "lp-regression"
    name = "ipm"

    def __init__(
        self, *, tol: float | None = None, max_iter: int = 100, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: LpRegression) -> str | None:
        """Refuse a loss other than p = 1, and data that are too wide."""
        if problem.p != 1:
            return f"it is for p=1, and here p={problem.p:g}"
        return too_wide(problem)

    def cost(self, problem: LpRegression) -> float | None:
        """Estimate flops: fifteen iterations."""
        n, _, k = problem.shape
        d = problem.unknowns
        return 15.0 * n * k * (d * d + 60 * d + 400) + d**3 if problem.p == 1 else None

    def _solve(self, problem: LpRegression, rng: np.random.Generator, monitor: Monitor) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither", options=(None,))
        tol = GAP if tol is None else tol
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        with single_threaded_blas():
            design = Design(problem, int(rng.integers(1 << 63)), threads)
            columns = nothing_to_fit(design) or [
                _solve_target(design, j, tol, max_iter, monitor) for j in range(problem.shape[2])
            ]
        return collect(design, columns)


def _solve_target(design: Design, j: int, tol: float, max_iter: int, monitor: Monitor) -> Solution:
    """Fit one target."""
    c, shift = design.target(j)
    y = design.least_squares(c)
    r = c - design.rows.product(y, design.threads)
    mu, fitted = float(np.abs(r).mean()), is_rounding(r, c, design.used)
    del r
    n_iter = 0
    if fitted:
        z = np.zeros(len(c))
    else:

        def report(iteration: int, residual: float, y: np.ndarray) -> bool:
            current = y.copy()
            x = lambda: design.coefficients(current, shift)[:, None]  # noqa: E731
            return monitor({"iteration": iteration, "residual": residual, "target": j, "x": x})

        path = interior_point(
            design.rows,
            c,
            y,
            mu,
            used=design.used,
            tol=0.5 * tol,
            max_iter=max_iter,
            threads=design.threads,
            report=report,
        )
        y, z, n_iter = path.y, path.z, path.n_iter
        design.problem.oracles["passes"] += 3 * n_iter + 1
    objective, gap = certify(design, c, y, z, tol)
    converged = gap <= tol
    return Solution(
        x=design.coefficients(y, shift),
        converged=converged,
        n_iter=n_iter,
        residual=gap,
        message="" if converged else shortfall(gap, tol, n_iter == max_iter),
        extra={"objective": objective},
    )


@dataclass(frozen=True, eq=False)
class Path:
    """Where an interior-point method ended.

    Parameters
    ----------
    y : ndarray of shape (width,)
        Primal point.
    z : ndarray of shape (n,)
        Dual point, inside the box.
    n_iter : int
        Iterations.
    converged : bool
        Whether the complementarity fell below the tolerance, at a feasible dual point.
    """

    y: np.ndarray
    z: np.ndarray
    n_iter: int
    converged: bool


def interior_point(
    rows: Rows,
    c: np.ndarray,
    y: np.ndarray,
    mu: float,
    *,
    used: int,
    tol: float,
    max_iter: int,
    threads: int,
    linear: np.ndarray | None = None,
    constant: float = 0.0,
    report: Callable[[int, float, np.ndarray], bool] | None = None,
) -> Path:
    """Minimise ``sum |c - M y| - linear . y``.

    Parameters
    ----------
    rows : Rows
        M.
    c : ndarray of shape (n,)
        Target.
    y : ndarray of shape (width,)
        Where to start.
    mu : float
        Barrier parameter to start with: the size of residuals that are still undecided.
    used : int
        Number of columns that are not padding.
    tol : float
        Complementarity to reach, relative to ``constant + sum |c - M y|``.
    max_iter : int
        Most iterations.
    threads : int
        Does not change the result.
    linear : ndarray of shape (width,), optional
        The sum of the rows whose sign has been decided, each with its sign: ``M^T z`` must be
        its negative. Zeros if None.
    constant : float
        What the objective has besides.
    report : callable, optional
        Called once an iteration with its number, the relative complementarity and y; true stops.
    """
    n = len(c)
    offset = np.zeros(rows.width) if linear is None else linear
    state = _central(c - rows.product(y, threads), mu)
    y = y.copy()
    primal = dual = 0.0
    converged = False
    n_iter = 0
    while True:
        gram, right, infeasible, total, size = rows.interior_update(state, primal, dual, threads)
        if not (np.isfinite(total) and np.isfinite(gram).all()):
            break
        infeasible = infeasible + offset
        residual = total / max(constant + size, np.finfo(np.float64).tiny)
        if n_iter and report is not None and report(n_iter, residual, y):
            break
        converged = residual <= tol and np.abs(infeasible).max() <= 1e-9 * n
        if converged or n_iter == max_iter:
            break
        n_iter += 1
        step = definite_solver(gram[:used, :used])
        right = right + infeasible
        affine = _embed(step(right[:used]), rows.width)
        first, second, sums = rows.interior_affine(state, affine, threads)
        if not np.isfinite(sums).all():
            break
        # The complementarity that the affine step would leave decides how far to recentre.
        p, d = (min(1.0, 1.0 / ratio) if ratio > 0 else 1.0 for ratio in sums[:2])
        left = total - p * (total + sums[2]) + d * sums[2] + p * d * sums[3]
        target = max(left / total, 0.0) ** 3 * total / (2 * n)
        move = _embed(step((right - target * first - second)[:used]), rows.width)
        ratios = rows.interior_direction(state, move, target, threads)
        primal, dual = (min(1.0, _BACK_OFF / r) if r > 0 else 1.0 for r in ratios)
        if not (np.isfinite(move).all() and primal > 1e-12 and dual > 1e-12):
            break
        y += primal * move
    z = 0.5 * (state[0] - state[1])
    del state
    if converged:
        z = _feasible(rows, z, infeasible, used, threads)
    return Path(y, z, n_iter, converged)


def _feasible(
    rows: Rows, z: np.ndarray, infeasible: np.ndarray, used: int, threads: int
) -> np.ndarray:
    """Take off z what violates its constraint, from the rows that are inside the box."""
    room = 1.0 - z * z
    gram, _ = rows.moments(room, z, threads)
    v = _embed(solve_definite(gram[:used, :used], infeasible[:used]), rows.width)
    change = rows.product(v, threads)
    # A change of 1/2 of the room stays inside.
    return z - room * change if np.abs(change).max() < 0.5 else z


def _central(r: np.ndarray, mu: float) -> np.ndarray:
    """Return the state on the central path of a residual: ``u (1 + z) = v (1 - z) = mu``.

    Rows: 1 + z, 1 - z, u, v with v - u = r, weights, and the steps of z, u, v.
    """
    state = np.empty((8, len(r)))
    # Steps are zero at first: until then their rows hold what is needed on the way.
    size = np.abs(r, out=state[5])
    root = np.hypot(size, mu, out=state[6])
    # mu (1 + mu / (root + size)) / (root + mu), which loses no digits where mu is small.
    near = np.add(root, size, out=state[7])
    np.divide(mu, near, out=near)
    near += 1.0
    near *= mu
    root += mu
    near /= root
    np.copyto(state[0], near)
    np.subtract(2.0, near, out=state[1])
    swap = r >= 0
    state[0][swap], state[1][swap] = state[1][swap], state[0][swap]
    np.divide(mu, state[0], out=state[2])
    np.divide(mu, state[1], out=state[3])
    state[4:] = 0.0
    return state


def _embed(y: np.ndarray, width: int) -> np.ndarray:
    out = np.zeros(width)
    out[: len(y)] = y
    return out


def certify(
    design: Design,
    c: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    tol: float,
    r: np.ndarray | None = None,
) -> tuple[float, float]:
    """Return the objective at `y` and a bound on its excess over the optimum, relative to that.

    The bound is that of the dual point z, which must be in the box; if ``M^T z`` is further from
    0 than the tolerance allows, z is moved there along the rows that are inside the box. The
    residual is written to r, if given.
    """
    rows, threads = design.rows, design.threads
    r = np.empty(len(c)) if r is None else r
    for attempt in range(2):
        design.problem.oracles["passes"] += 1
        objective, gap, infeasible = rows.absolute(c, y, z, r, threads)
        if is_rounding(r, c, design.used):
            return objective, 0.0
        slack = design.slack(infeasible, 2 * objective)
        if attempt or slack <= 0.1 * tol * objective:
            break
        design.problem.oracles["passes"] += 2
        z = _feasible(rows, z, infeasible, design.used, threads)
    bound = objective - gap - slack
    return objective, float((gap + slack) / bound) if bound > 0 else np.inf


def shortfall(gap: float, tol: float, exhausted: bool) -> str:
    """Say why the gap is above the tolerance."""
    cause = "max_iter was reached" if exhausted else "rounding allows no better"
    return f"The relative duality gap is {gap:.1e} where {tol:.1e} was asked for: {cause}."
