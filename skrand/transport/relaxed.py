"""Transport with a penalty on a marginal: the semi-dual at one g, and Newton's method on it.

With f eliminated the row sums are ``a exp(-f / rho_a)``; the penalties change the weights of the
rows and add a diagonal to the Hessian.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skrand._ext import transport as _kernels
from skrand.base import Monitor, Solution
from skrand.transport.problem import EntropicTransport, penalty, row_potentials
from skrand.transport.semidual import NEAR, SemiDual, rounding_floor

__all__ = ["solve_relaxed"]


def solve_relaxed(
    problem: EntropicTransport,
    tol: float,
    max_iter: int,
    anneal: bool,
    threads: int,
    monitor: Monitor,
) -> Solution:
    """Solve along regularisations that fall geometrically, each from the one before."""
    reduced = problem.positive()
    reg = problem.reg
    model = _Model(reduced, threads)
    g, _ = model.dual.start()
    if anneal and problem.start is not None:
        anneal = model.at(g, reg, np.zeros(len(reduced.a)), 1e-3).error > NEAR
    stages = [reg]
    while anneal and stages[-1] * 4 < model.dual.spread / 5:
        stages.append(stages[-1] * 4)
    if len(stages) > 1:
        g = np.zeros(len(reduced.b))

    def step(point: _Point, eps: float, kind: str, n_cg: int) -> bool:
        return monitor(
            {
                "iteration": len(monitor.history) + 1,
                "residual": point.error,
                "reg": eps,
                "kind": kind,
                "passes": reduced.oracles["passes"],
                "n_cg": n_cg,
                "x": lambda: _potentials(problem, point),
            }
        )

    for eps in reversed(stages):
        goal = tol if eps == reg else max(1e-2, tol)
        point = model.run(g, eps, goal, max_iter, step)
        g = point.g
        if model.stopped or model.n_iter >= max_iter:
            break
    if eps != reg:
        point = model.at(g, reg, point.softmin, 1e-3)
    return _finish(problem, model, point, tol)


@dataclass(frozen=True, eq=False)
class _Point:
    g: np.ndarray
    softmin: np.ndarray
    f: np.ndarray
    rows: np.ndarray
    c: np.ndarray
    target: np.ndarray
    error: float
    value: float
    entries: tuple


class _Model:
    """The semi-dual of a problem with positive masses, and the work done on it."""

    def __init__(self, problem: EntropicTransport, threads: int) -> None:
        self.dual = SemiDual(problem, threads)
        self.a, self.b, self.rho = problem.a, problem.b, problem.reg_marginal
        self.n_newton = self.n_sinkhorn = self.n_cg = 0
        self.stopped = False

    @property
    def n_iter(self) -> int:
        return self.n_newton + self.n_sinkhorn

    def at(self, g: np.ndarray, eps: float, softmin: np.ndarray, tau: float) -> _Point:
        """Sweep twice: for the row potentials, then with the row masses that follow from them."""
        dual, (rho_a, rho_b) = self.dual, self.rho
        dual.a = self.a
        softmin = dual.state(g, eps, softmin).f
        f = softmin / (1.0 + eps / rho_a)
        rows = self.a * np.exp(np.clip(-f / rho_a, -600.0, 600.0))
        dual.a = rows
        state = dual.state(g, eps, softmin, tau=tau)
        target = self.b * np.exp(np.clip(-g / rho_b, -600.0, 600.0))
        error = float(np.abs(target - state.c).sum() / max(rows.sum(), 1e-300))
        value = penalty(self.a, f, rho_a) + penalty(self.b, g, rho_b) - eps * float(rows.sum())
        return _Point(g, softmin, f, rows, state.c, target, error, value, state.entries)

    def run(
        self,
        g: np.ndarray,
        eps: float,
        tol: float,
        max_iter: int,
        step: Callable[[_Point, float, str, int], bool],
    ) -> _Point:
        """Bring the violation to `tol`."""
        point = self.at(g, eps, np.zeros(len(self.a)), 1e-3)
        reach, damping = 5.0, 1e-2
        while point.error > tol and self.n_iter < max_iter and not self.stopped:
            tau = float(np.clip(0.002 * point.error, 1e-14, 1e-3))
            n_cg, new = self.n_cg, None
            if point.error < 0.5:
                new = self._newton(point, eps, tau, reach, damping)
            if new is None:
                kind = "sinkhorn"
                self.n_sinkhorn += 1
                ratio = np.log(self.b) - np.log(np.maximum(point.c, 1e-300))
                g = (point.g + eps * ratio) / (1.0 + eps / self.rho[1])
                new, reach = self.at(g, eps, point.softmin, tau), 5.0
                damping = min(10 * damping, 10.0)
            else:
                kind = "newton"
                self.n_newton += 1
                reach, damping = 2 * reach, max(0.1 * damping, 1e-2)
            point = new
            self.stopped = step(point, eps, kind, self.n_cg - n_cg)
        return point

    def _newton(
        self, point: _Point, eps: float, tau: float, reach: float, damping: float
    ) -> _Point | None:
        """Return the point after a damped step, or None if no step length was any good."""
        rho_a, rho_b = self.rho
        indptr, columns, values, sums = point.entries
        m = len(self.b)
        gram, sums = sums[:m], sums[m:]
        shrink = 1.0 / (1.0 + eps / rho_a)
        diagonal = sums + np.maximum(point.c - sums - 1e-6 * point.c, 0.0)
        diagonal += eps / rho_b * point.target + damping * min(point.error, 1.0) * point.c + 1e-300
        jacobi = np.maximum(diagonal - shrink * gram, 1e-8 * diagonal)
        gradient = point.target - point.c
        step = np.empty(m)
        self.n_cg += _kernels.conjugate_gradients(
            indptr,
            columns,
            values,
            shrink * point.rows,
            diagonal,
            1.0 / jacobi,
            gradient,
            step,
            min(0.1, max(point.error, 1e-10)),
            2000,
            self.dual.threads,
        )
        step = np.clip(step, -reach, reach) * eps
        slope = float((gradient * step).sum())
        if not (np.isfinite(step).all() and slope > 0):
            return None
        for length in (1.0, 0.5, 0.25, 0.0625, 0.015625):
            new = self.at(point.g + length * step, eps, point.softmin, tau)
            if new.value >= point.value + 1e-4 * length * slope or new.error <= 0.9 * point.error:
                return new
        return None


def _potentials(problem: EntropicTransport, point: _Point) -> tuple[np.ndarray, np.ndarray]:
    """Return both potentials; a point without mass gets that of a very small one."""
    rows, columns = problem.a > 0, problem.b > 0
    f, g = np.empty(len(rows)), np.empty(len(columns))
    f[rows], g[columns] = point.f, point.g
    (rho_a, rho_b), reg = problem.reg_marginal, problem.reg
    if not rows.all():
        soft = row_potentials(
            problem.costs(~rows, columns), np.log(problem.b[columns]), point.g, reg
        )
        f[~rows] = soft / (1.0 + reg / rho_a)
    if not columns.all():
        C = problem.costs(rows, ~columns).T
        g[~columns] = row_potentials(C, np.log(problem.a[rows]), point.f, reg) / (1.0 + reg / rho_b)
    return f, g


def _finish(problem: EntropicTransport, model: _Model, point: _Point, tol: float) -> Solution:
    dual, reduced = model.dual, model.dual.problem
    per_row = np.empty(len(point.f))
    _kernels.row_costs(
        dual.cost,
        dual.X,
        dual.Yt,
        reduced.scale,
        model.a,
        dual.logb,
        point.g,
        point.f,
        problem.reg,
        per_row,
        dual.threads,
    )
    converged = point.error <= tol
    floor = rounding_floor(dual.spread, problem.reg)
    message = (
        f"The optimality conditions are off by {point.error:.1e} of the plan's mass, and rounding "
        f"limits this problem to about {floor:.0e}. Raise max_iter or reg."
    )
    return Solution(
        x=_potentials(problem, point),
        converged=converged,
        n_iter=model.n_iter,
        residual=point.error,
        message="" if converged else message,
        extra={
            "cost": float(per_row.sum()),
            "value": reduced.relaxed_value(point.f, point.g, point.rows, point.c),
            "dual_value": reduced.relaxed_dual(point.f, point.g, float(point.rows.sum())),
            "floor": floor,
            "n_newton": model.n_newton,
            "n_sinkhorn": model.n_sinkhorn,
            "n_cg": model.n_cg,
        },
    )
