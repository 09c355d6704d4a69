"""Unregularised optimal transport by a proximal loop of entropic problems."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs
from skrand.transport.problem import EntropicTransport, balanced_only
from skrand.transport.semidual import SemiDual, State
from skrand.transport.solvers.auto import annealed, monitored_newton

__all__ = ["Exact", "feasible_plan"]


class Exact(Solver):
    """Transport without regularisation, to a certified gap, through entropic proximal steps.

    A proximal step with the entropy as its distance is an entropic problem whose cost is shifted
    by the potentials found so far; after steps of sizes t_1 .. t_k the plan is the entropic one at
    the regularisation ``1 / (t_1 + ... + t_k)``. The steps here double that sum. After each, the
    plan is rounded to exact marginals (an upper bound on the optimal cost) and the potentials are
    made feasible for the linear program's dual (a lower bound); the difference is the gap.

    The problem's own `reg` is only where the steps begin. Potentials are those of the last
    entropic problem. Network simplex codes are faster on small problems.

    Cost: a few sweeps over the costs and sparse Newton systems for each step, and two sweeps for
    each certificate; some 10 to 20 steps. Memory: the kept entries of the plan.

    Parameters
    ----------
    tol : float, default=1e-6
        Gap to reach, relative to the range of the costs.
    max_iter : int, default=500
        Most Newton and Sinkhorn steps in all.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    D. Wu, L. Liang, H. Yang, "PINS: Proximal Iterations with Sparse Newton and Sinkhorn for
    Optimal Transport", 2025, arXiv:2502.03749. Rounding: J. Altschuler, J. Weed, P. Rigollet,
    "Near-linear time approximation algorithms for optimal transport via Sinkhorn iteration", NIPS
    2017, arXiv:1705.09634, with a corner rule in place of its rank-one term, to stay sparse.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import EntropicTransport
    >>> from skrand.transport.solvers import Exact
    >>> C = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> half = np.full(2, 0.5)
    >>> solution = Exact().solve(EntropicTransport(C=C, a=half, b=half, reg=0.5))
    >>> solution.converged, solution.extra["cost"] < 1e-6
    (True, True)
    """

    task = "entropic-transport"
    name = "exact"

    def __init__(
        self, *, tol: float = 1e-6, max_iter: int = 500, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: EntropicTransport) -> str | None:
        """Refuse marginals that are held by a penalty."""
        return balanced_only(problem)

    def _solve(
        self, problem: EntropicTransport, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        dual = SemiDual(problem.positive(), threads)
        newton = monitored_newton(problem, dual, max_iter, monitor)
        # What rounding cannot place on allowed pairs stays missing, so let there be little of it.
        inner = 1e-13 if problem.forbids() else 1e-6
        state = annealed(newton, dual, problem.reg, inner)
        best = self._certify(dual, state)
        while (
            best["gap"] > tol * dual.spread
            and not newton.stopped
            and newton.n_iter < max_iter
            and state.eps > 1e-9 * dual.spread
        ):
            newton.stalled = False
            state = newton.run(dual, state.g, state.f, state.eps / 2, inner)
            new = self._certify(dual, state)
            # Both bounds are valid whichever step they come from.
            bound = max(best["dual_value"], new["dual_value"])
            best = min(best, new, key=lambda answer: answer["cost"])
            best["dual_value"], best["gap"] = bound, max(0.0, best["cost"] - bound)
        plan = _expand(best.pop("plan"), problem)
        row = np.abs(np.asarray(plan.sum(axis=1)).ravel() - problem.a).sum()
        column = np.abs(np.asarray(plan.sum(axis=0)).ravel() - problem.b).sum()
        converged = best["gap"] <= tol * dual.spread
        message = "" if converged else f"The gap is {best['gap']:.1e}. Raise max_iter or tol."
        return Solution(
            x=problem.potentials(dual, state),
            converged=converged,
            n_iter=newton.n_iter,
            residual=float(row + column),
            message=message,
            extra={
                **best,
                "value": best["cost"],
                "plan": plan,
                "reg": state.eps,
                "n_newton": newton.n_newton,
                "n_sinkhorn": newton.n_sinkhorn,
                "n_cg": newton.n_cg,
            },
        )

    def _certify(self, dual: SemiDual, state: State) -> dict:
        """Return a feasible plan with its cost, a feasible dual value, and their difference."""
        state = dual.state(state.g, state.eps, state.f, tau=1e-9)
        indptr, columns, values, _ = state.entries
        shape = dual.problem.shape
        P = sp.csr_array((values.astype(np.float64), columns, indptr), shape=shape)
        P = sp.csr_array(P.multiply(dual.a[:, None]))
        P = feasible_plan(P, dual.a, dual.b)
        coo = P.tocoo()
        costs = _entry_costs(dual.problem, coo.row, coo.col)
        if np.isinf(costs).any():
            allowed = np.isfinite(costs)
            where = (coo.row[allowed], coo.col[allowed])
            P = sp.csr_array((coo.data[allowed], where), shape=shape)
            coo = P.tocoo()
            costs = _entry_costs(dual.problem, coo.row, coo.col)
        cost = float((coo.data * costs).sum())
        lower = 0.0
        for rows in dual.problem.blocks():
            hard = (dual.problem.costs(rows) - state.g).min(axis=1)
            lower += float((dual.a[rows] * hard).sum())
        dual.problem.oracles["passes"] += 1
        lower += float((dual.b * state.g).sum())
        return {"plan": P, "cost": cost, "dual_value": lower, "gap": max(0.0, cost - lower)}


def _entry_costs(problem: EntropicTransport, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    if problem.C is not None:
        return problem.C[rows, columns].astype(np.float64)
    return problem.scale * ((problem.X[rows] - problem.Y[columns]) ** 2).sum(axis=1)


def _expand(P: sp.csr_array, problem: EntropicTransport) -> sp.csr_array:
    """Put the rows and columns of weight zero back."""
    coo = P.tocoo()
    rows, columns = np.flatnonzero(problem.a > 0), np.flatnonzero(problem.b > 0)
    where = (rows[coo.row], columns[coo.col])
    return sp.csr_array((coo.data, where), shape=problem.shape)


def feasible_plan(P: sp.csr_array, a: np.ndarray, b: np.ndarray) -> sp.csr_array:
    """Scale a sparse plan down to its marginals and fill what is missing by the corner rule."""

    def ratio(wanted: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return np.minimum(1.0, np.divide(wanted, seen, out=np.ones_like(wanted), where=seen > 0))

    P = sp.csr_array(P.multiply(ratio(a, np.asarray(P.sum(axis=1)).ravel())[:, None]))
    P = sp.csr_array(P.multiply(ratio(b, np.asarray(P.sum(axis=0)).ravel())[None, :]))
    u = np.maximum(a - np.asarray(P.sum(axis=1)).ravel(), 0.0)
    v = np.maximum(b - np.asarray(P.sum(axis=0)).ravel(), 0.0)
    total = min(u.sum(), v.sum())
    if not total > 0:
        return P
    # Both rests as intervals on one line: a pair gets the length on which its two overlap.
    left, right = np.cumsum(u) * (total / u.sum()), np.cumsum(v) * (total / v.sum())
    cuts = np.union1d(left, right)
    widths = np.diff(cuts, prepend=0.0)
    middle = cuts - 0.5 * widths
    rows = np.minimum(np.searchsorted(left, middle), len(a) - 1)
    columns = np.minimum(np.searchsorted(right, middle), len(b) - 1)
    return sp.csr_array(P + sp.csr_array((widths, (rows, columns)), shape=P.shape))
