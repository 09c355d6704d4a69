"""The task ``entropic-transport``: what it asks, instances to try, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog
from scipy.special import logsumexp

from skrand._ext import transport as _kernels
from skrand.base import Instance, Problem, Solution, Task
from skrand.transport.semidual import SemiDual, State, rounding_floor

__all__ = ["EntropicTransport", "EntropicTransportTask", "finish"]


@dataclass(frozen=True, eq=False, kw_only=True)
class EntropicTransport(Problem):
    """Minimise ``<P, C> + reg KL(P | a b^T)`` over plans P with marginals a and b.

    The answer is a pair of potentials with ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg)``.
    `extra` of a solution has to hold its ``"cost"``, <P, C>, its ``"value"``, the objective, and
    the ``"dual_value"`` of the potentials.

    Parameters
    ----------
    C : ndarray of shape (n, m), optional
        Costs, float32 or float64; ``+inf`` forbids a pair. If None, costs are `scale` times the
        squared distances between the rows of `X` and `Y`, and never stored.
    a : ndarray of shape (n,)
        Weights of the rows, non-negative, of sum 1.
    b : ndarray of shape (m,)
        Weights of the columns, non-negative, of sum 1.
    reg : float
        Positive.
    X, Y : ndarray of shape (n, d) and (m, d), optional
        Points, if there is no `C`.
    scale : float, default=1.0
        Factor on the squared distances.
    reg_marginal : tuple of two floats, default=(inf, inf)
        Penalties (rho_a, rho_b) in ``rho_a KL(P 1 | a) + rho_b KL(P^T 1 | b)``, which is added to
        the objective; ``inf`` holds a marginal exactly. If one is finite, a and b are masses of
        any sum.
    start : ndarray of shape (m,), optional
        Column potentials near the answer's, from which to begin.
    """

    task = "entropic-transport"

    C: np.ndarray | None = None
    a: np.ndarray
    b: np.ndarray
    reg: float
    X: np.ndarray | None = None
    Y: np.ndarray | None = None
    scale: float = 1.0
    reg_marginal: tuple[float, float] = (np.inf, np.inf)
    start: np.ndarray | None = None

    @property
    def relaxed(self) -> bool:
        """Whether a marginal is held by a penalty only."""
        return min(self.reg_marginal) < np.inf

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.a), len(self.b)

    def costs(self, rows: Any = slice(None), columns: Any = slice(None)) -> np.ndarray:
        """Return some rows and columns of the costs, in float64."""
        if self.C is not None:
            return np.asarray(self.C[rows][:, columns], dtype=np.float64)
        X, Y = np.asarray(self.X[rows], np.float64), np.asarray(self.Y[columns], np.float64)
        C = np.zeros((len(X), len(Y)))
        for k in range(X.shape[1]):
            C += np.subtract.outer(X[:, k], Y[:, k]) ** 2
        return self.scale * C

    def spread(self) -> float:
        """Return the range of the finite costs, or a bound on it if they are not stored."""
        if self.C is not None:
            C = self.C
            low, high = float(C.min()), float(C.max())
            if np.isinf(high):
                high = float(C.max(where=np.isfinite(C), initial=low))
            spread = high - low
        else:
            both = np.vstack([self.X.max(axis=0), self.Y.max(axis=0)]).astype(np.float64)
            low = np.vstack([self.X.min(axis=0), self.Y.min(axis=0)]).astype(np.float64)
            reach = np.maximum(both[0] - low[1], both[1] - low[0])
            spread = self.scale * float((np.maximum(reach, 0.0) ** 2).sum())
        return max(spread, np.finfo(np.float64).tiny)

    def restrict(self, rows: Any, columns: Any) -> EntropicTransport:
        """Return the problem on some rows and columns; balanced weights are normalised again."""
        a, b = self.a[rows], self.b[columns]
        if not self.relaxed:
            a, b = a / a.sum(), b / b.sum()
        return EntropicTransport(
            C=None if self.C is None else np.ascontiguousarray(self.C[rows][:, columns]),
            a=a,
            b=b,
            reg=self.reg,
            X=None if self.X is None else self.X[rows],
            Y=None if self.Y is None else self.Y[columns],
            scale=self.scale,
            reg_marginal=self.reg_marginal,
            start=None if self.start is None else self.start[columns],
        )

    def transpose(self) -> EntropicTransport:
        """Return the problem with rows and columns exchanged, and no start."""
        return EntropicTransport(
            C=None if self.C is None else np.ascontiguousarray(self.C.T),
            a=self.b,
            b=self.a,
            reg=self.reg,
            X=self.Y,
            Y=self.X,
            scale=self.scale,
            reg_marginal=self.reg_marginal[::-1],
        )

    def forbids(self) -> bool:
        """Whether any cost is infinite."""
        return self.C is not None and bool(self.C.max() == np.inf)

    def positive(self) -> EntropicTransport:
        """Return the problem without the rows and columns of weight zero."""
        rows, columns = self.a > 0, self.b > 0
        if rows.all() and columns.all():
            return self
        reduced = self.restrict(rows, columns)
        object.__setattr__(reduced, "oracles", self.oracles)
        return reduced

    def potentials(self, dual: SemiDual, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Return both potentials in the gauge ``a.f = b.g``, also where weights are zero."""
        rows, columns = self.a > 0, self.b > 0
        f, g = np.empty(len(self.a)), np.empty(len(self.b))
        shift = 0.5 * ((dual.b * state.g).sum() - (dual.a * state.f).sum())
        f[rows], g[columns] = state.f + shift, state.g - shift
        if not rows.all():
            f[~rows] = row_potentials(self.costs(~rows, columns), dual.logb, g[columns], self.reg)
        if not columns.all():
            g[~columns] = row_potentials(
                self.costs(rows, ~columns).T, np.log(dual.a), f[rows], self.reg
            )
        return f, g

    def blocks(self, size: int = 2**21) -> Iterator[slice]:
        """Yield slices of rows of about `size` pairs each."""
        step = max(1, size // max(1, self.shape[1]))
        for start in range(0, self.shape[0], step):
            yield slice(start, min(start + step, self.shape[0]))

    def plan(self, f: np.ndarray, g: np.ndarray, rows: Any = slice(None)) -> np.ndarray:
        """Return rows of the plan that belongs to potentials; zero where weights are zero."""
        exponent = (g - self.costs(rows)) + f[rows][:, None]
        return self.a[rows][:, None] * self.b * np.exp(np.minimum(exponent / self.reg, 700.0))

    def sparse_plan(self, f: np.ndarray, g: np.ndarray, rows: Any, tol: float) -> sp.csr_array:
        """Return rows of the plan without the entries of at most `tol` times their row's weight."""
        index = np.arange(len(self.a))[rows]
        parts = []
        for block in self.blocks():
            if len(part := index[block]):
                P = self.plan(f, g, part)
                parts.append(sp.csr_array(np.where(self.a[part][:, None] * tol < P, P, 0.0)))
        return sp.csr_array(sp.vstack(parts)) if parts else sp.csr_array((0, len(self.b)))

    def gap(self, f: np.ndarray, g: np.ndarray) -> float:
        """Return the objective of the plan rounded to its marginals, minus the dual value.

        Rounding scales rows, then columns, down to their marginals and adds a rank-one rest
        (Altschuler, Weed, Rigollet, NIPS 2017, arXiv:1705.09634). The gap bounds how far either
        is from optimal; it is infinite if that rest falls on a forbidden pair. Costs three sweeps
        in NumPy.
        """
        if self.relaxed:
            return self._relaxed_gap(f, g)
        row_sum = np.concatenate([self.plan(f, g, rows).sum(axis=1) for rows in self.blocks()])
        x = np.minimum(1.0, ratio(self.a, row_sum))
        column_sum = np.zeros(len(self.b))
        for rows in self.blocks():
            column_sum += x[rows] @ self.plan(f, g, rows)
        y = np.minimum(1.0, ratio(self.b, column_sum))
        rest = np.maximum(self.b - y * column_sum, 0.0)
        primal = 0.0
        for rows in self.blocks():
            P = self.plan(f, g, rows) * x[rows][:, None] * y
            missing = np.maximum(self.a[rows] - P.sum(axis=1), 0.0)
            P += np.outer(missing, rest / max(rest.sum(), np.finfo(float).tiny))
            primal += self.objective(P, rows)
        return primal - float((self.a * f).sum() + (self.b * g).sum())

    def objective(self, P: np.ndarray, rows: Any = slice(None)) -> float:
        """Return what rows of a balanced plan add to the objective.

        The masses of the plan and of a b^T are both 1, so KL is the sum of ``P log(P / ab)``.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.log(P) - np.log(self.a[rows])[:, None] - np.log(self.b)
            terms = np.where(P > 0, P * (self.costs(rows) + self.reg * log), 0.0)
        return float(terms.sum())

    def _relaxed_gap(self, f: np.ndarray, g: np.ndarray) -> float:
        """Return the same where a penalty allows any row sums, or any column sums."""
        rho_a, rho_b = self.reg_marginal
        rows, columns = self._marginals(f, g)
        dual = self.relaxed_dual(f, g, float(rows.sum()))
        # Scaling one side makes the exact marginal exact, if there is one.
        if rho_a == np.inf:
            f = f + self.reg * np.log(ratio(self.a, rows))
        if rho_b == np.inf:
            g = g + self.reg * np.log(ratio(self.b, columns))
        if np.inf in (rho_a, rho_b):
            rows, columns = self._marginals(f, g)
        return self.relaxed_value(f, g, rows, columns) - dual

    def _marginals(self, f: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.empty(len(self.a)), np.zeros(len(self.b))
        for block in self.blocks():
            P = self.plan(f, g, block)
            rows[block] = P.sum(axis=1)
            columns += P.sum(axis=0)
        return rows, columns

    def relaxed_value(
        self, f: np.ndarray, g: np.ndarray, rows: np.ndarray, columns: np.ndarray
    ) -> float:
        """Return the objective of the plan of f and g, given its marginals."""
        entropy = self.reg * (float(rows.sum()) - float(self.a.sum() * self.b.sum()))
        value = float((rows * f).sum() + (columns * g).sum()) - entropy
        for rho, seen, wanted in zip(
            self.reg_marginal, (rows, columns), (self.a, self.b), strict=True
        ):
            if rho < np.inf:
                log = np.log(ratio(seen, wanted), out=np.zeros_like(seen), where=seen > 0)
                value += rho * float((seen * log - seen + wanted).sum())
        return value

    def relaxed_dual(self, f: np.ndarray, g: np.ndarray, mass: float) -> float:
        """Return the dual objective, given the mass of the plan of f and g."""
        value = self.reg * (float(self.a.sum() * self.b.sum()) - mass)
        for rho, potential, weights in zip(
            self.reg_marginal, (f, g), (self.a, self.b), strict=True
        ):
            value += penalty(weights, potential, rho)
        return value


def penalty(weights: np.ndarray, potential: np.ndarray, rho: float) -> float:
    """Minus the conjugate of the penalty: ``rho sum w (1 - exp(-p / rho))``, or ``w.p`` at inf."""
    if rho == np.inf:
        return float((weights * potential).sum())
    return float(-rho * (weights * np.expm1(np.clip(-potential / rho, -600.0, 600.0))).sum())


def ratio(wanted: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return `wanted` over `seen`, and 1 where nothing is seen."""
    return np.divide(wanted, seen, out=np.ones_like(wanted), where=seen > 0)


def balanced_only(problem: EntropicTransport) -> str | None:
    """Say why a solver for exact marginals cannot solve `problem`, or None if it can."""
    return "It holds both marginals exactly, and these have a penalty" if problem.relaxed else None


def row_potentials(C: np.ndarray, logb: np.ndarray, g: np.ndarray, reg: float) -> np.ndarray:
    """Return the soft minimum over columns, finite even where all costs are infinite."""
    with np.errstate(divide="ignore"):
        f = -reg * logsumexp((g - C) / reg + logb, axis=1)
    return np.where(np.isfinite(f), f, 0.0)


def finish(
    problem: EntropicTransport,
    dual: SemiDual,
    state: State,
    tol: float,
    n_iter: int,
    *,
    stalled: bool = False,
    extra: dict[str, Any],
) -> Solution:
    """Make the solution from the last state: potentials, value, cost, and what was achieved."""
    f, g = problem.potentials(dual, state)
    per_row = np.empty(len(dual.a))
    _kernels.row_costs(
        dual.cost,
        dual.X,
        dual.Yt,
        dual.problem.scale,
        dual.a,
        dual.logb,
        state.g,
        state.f,
        state.eps,
        per_row,
        dual.threads,
    )
    converged = state.error <= tol
    floor = rounding_floor(dual.spread, problem.reg)
    message = ""
    if not converged:
        reason = "Rounding allows no better" if stalled else "Raise max_iter or reg"
        message = (
            f"{reason}: the marginals are off by {state.error:.1e} in L1, and rounding limits "
            f"this problem to about {floor:.0e}."
        )
    # Rows are exact, so <P, f + g> needs the column sums only.
    value = float((dual.a * state.f).sum() + (state.c * state.g).sum())
    return Solution(
        x=(f, g),
        converged=converged,
        n_iter=n_iter,
        residual=state.error,
        message=message,
        extra={
            "cost": float(per_row.sum()),
            "value": value,
            "dual_value": state.value,
            "floor": floor,
            **extra,
        },
    )


class EntropicTransportTask(Task):
    """Optimal transport between two weighted sets, with an entropic penalty."""

    name = "entropic-transport"
    problem = EntropicTransport

    _SIZES = {"tiny": 12, "small": 300, "medium": 1000, "large": 3000}

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield points, random costs, weights with zeros, forbidden pairs, relaxed marginals ..."""
        n = self._SIZES[size]
        m = n + n // 4
        rng = np.random.default_rng(seed)
        X, Y = rng.uniform(size=(n, 2)), rng.uniform(size=(m, 2)) + 0.2
        C = ((X[:, None] - Y) ** 2).sum(axis=2)
        a, b = np.full(n, 1 / n), np.full(m, 1 / m)
        yield Instance("points", EntropicTransport(C=C, a=a, b=b, reg=0.1))
        yield Instance("small-reg", EntropicTransport(C=C, a=a, b=b, reg=0.01))
        costs = rng.uniform(size=(n, n))
        yield Instance("assignment", EntropicTransport(C=costs, a=a, b=a, reg=0.05))
        u, v = rng.uniform(size=n), rng.uniform(size=m)
        u[1], v[2:4] = 0.0, 0.0
        weighted = EntropicTransport(C=C, a=u / u.sum(), b=v / v.sum(), reg=0.1)
        yield Instance("weighted", weighted, frozenset({"sample-weight"}))
        forbidden = np.where(rng.uniform(size=C.shape) < 0.2, np.inf, C)
        yield Instance("forbidden", EntropicTransport(C=forbidden, a=a, b=b, reg=0.1))
        single = EntropicTransport(C=C.astype(np.float32), a=a, b=b, reg=0.1)
        yield Instance("float32", single, frozenset({"float32"}))
        lazy = EntropicTransport(X=X, Y=Y, a=a, b=b, reg=0.1)
        yield Instance("lazy", lazy, frozenset({"lazy"}))
        start = 0.1 * rng.standard_normal(m)
        started = EntropicTransport(C=C, a=a, b=b, reg=0.1, start=start)
        yield Instance("started", started, frozenset({"warm-start"}))
        for name, rho in (("unbalanced", (0.5, 1.0)), ("semi-relaxed", (0.5, np.inf))):
            relaxed = EntropicTransport(C=C, a=2 * u, b=v, reg=0.1, reg_marginal=rho)
            yield Instance(name, relaxed, frozenset({"unbalanced", "sample-weight"}))

    def reference(self, problem: EntropicTransport) -> Solution:
        """Solve in plain NumPy: Sinkhorn steps, then dense Newton if both marginals are exact."""
        if problem.relaxed:
            return _scaling(problem)
        reduced = problem.positive()
        C, eps, a, b = reduced.costs(), reduced.reg, reduced.a, reduced.b
        logb, g = np.log(b), np.zeros(len(b))
        for step in range(400):
            f = row_potentials(C, logb, g, eps)
            Q = np.exp(((g - C) + f[:, None]) / eps + logb)
            c = a @ Q
            if step < 300:
                g = g + eps * (logb - np.log(np.maximum(c, 1e-300)))
                continue
            if np.abs(b - c).sum() < 1e-14:
                break
            S = np.diag(c) - Q.T @ (a[:, None] * Q)
            g = g + eps * np.linalg.lstsq(S, b - c, rcond=1e-14)[0]
        error = float(np.abs(b - c).sum())
        dual = SemiDual(reduced)
        state = State(eps, f, g, c, error, float((a * f).sum() + (b * g).sum()))
        value = float((a * f).sum() + (c * g).sum())
        cost = float((a[:, None] * Q * np.where(Q > 0, C, 0.0)).sum())
        return Solution(
            x=problem.potentials(dual, state),
            converged=True,
            residual=error,
            solver="numpy-newton",
            extra={"cost": cost, "value": value, "dual_value": state.value},
        )

    def measure(
        self, problem: EntropicTransport, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure the marginals and how far the value is from the reference's."""
        size = abs(reference.extra["value"]) or 1.0
        if "plan" in solution.extra:
            P = solution.extra["plan"]
            error = (
                np.abs(P.sum(axis=1) - problem.a).sum() + np.abs(P.sum(axis=0) - problem.b).sum()
            )
            return {"marginal_error": float(error), "gap": max(0.0, float(solution.extra["gap"]))}
        P = problem.plan(*solution.x)
        error, sides = 0.0, (problem.a, problem.b)
        for axis, (weights, potential) in enumerate(zip(sides, solution.x, strict=True)):
            wanted = weights * np.exp(-potential / problem.reg_marginal[axis])
            error += np.abs(P.sum(axis=1 - axis) - wanted).sum()
        if problem.relaxed:
            error /= P.sum()
        return {
            "marginal_error": float(error),
            "value_error": abs(solution.extra["value"] - reference.extra["value"]) / size,
        }

    def objection(
        self, problem: EntropicTransport, solution: Solution, reference: Solution
    ) -> str | None:
        """Recompute the marginals from the potentials and hold the value against the reference.

        An unregularised answer is held against a linear program.
        """
        figures = self.measure(problem, solution, reference)
        allowed = 2 * solution.residual + 1e-12
        if figures["marginal_error"] > allowed:
            return (
                f"the marginals are off by {figures['marginal_error']:.1e}, "
                f"{solution.residual:.1e} was claimed"
            )
        if "plan" in solution.extra:
            best = _linear_program(problem)
            excess = solution.extra["cost"] - best
            if not -1e-9 <= excess <= solution.extra["gap"] + 1e-9:
                return f"the cost is {excess:.1e} above the linear program's, the gap says less"
            return None
        C = problem.costs()
        spread = np.abs(C[np.isfinite(C)]).max() + problem.reg
        error = abs(solution.extra["value"] - reference.extra["value"])
        if error > spread * (solution.residual + reference.residual + 1e-10):
            return f"the value is {error:.1e} away from the reference"
        return None

    def peers(self) -> dict[str, Callable[[EntropicTransport], Solution | None]]:
        """POT's Sinkhorn in the log domain."""
        return {"POT-sinkhorn-log": _pot}


def _pot(problem: EntropicTransport) -> Solution | None:
    import ot

    C = problem.costs()
    if min(problem.a.min(), problem.b.min()) <= 0 or not np.isfinite(C).all():
        return None
    P, log = ot.sinkhorn(
        problem.a,
        problem.b,
        C,
        problem.reg,
        method="sinkhorn_log",
        numItermax=10_000,
        stopThr=1e-9,
        log=True,
        warn=False,
    )
    f = problem.reg * (log["log_u"] - np.log(problem.a))
    g = problem.reg * (log["log_v"] - np.log(problem.b))
    value = float((P * (f[:, None] + g)).sum())
    return Solution(x=(f, g), converged=log["err"][-1] <= 1e-9, extra={"value": value})


def _scaling(problem: EntropicTransport) -> Solution:
    """Solve a relaxed problem by Sinkhorn's steps, each damped by its penalty."""
    C, reg = problem.costs(), problem.reg
    damping = [1.0 + reg / rho for rho in problem.reg_marginal]
    with np.errstate(divide="ignore"):
        loga, logb = np.log(problem.a), np.log(problem.b)
    f, g = np.zeros(len(loga)), np.zeros(len(logb))
    for _ in range(5000):
        old = g
        f = row_potentials(C, logb, g, reg) / damping[0]
        g = row_potentials(C.T, loga, f, reg) / damping[1]
        if np.abs(g - old).max() < 1e-15:
            break
    P = problem.plan(f, g)
    rows, columns = P.sum(axis=1), P.sum(axis=0)
    return Solution(
        x=(f, g),
        converged=True,
        residual=1e-13,
        solver="numpy-scaling",
        extra={
            "cost": float((P * C).sum()),
            "value": problem.relaxed_value(f, g, rows, columns),
            "dual_value": problem.relaxed_dual(f, g, float(P.sum())),
        },
    )


def _linear_program(problem: EntropicTransport) -> float:
    """Optimal unregularised cost, by SciPy's HiGHS; for small problems."""
    n, m = problem.shape
    C = problem.costs().ravel()
    A = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    use = np.isfinite(C)
    answer = linprog(
        C[use], A_eq=A[:-1, use], b_eq=np.concatenate([problem.a, problem.b])[:-1], method="highs"
    )
    return float(answer.fun)
