"""Transport between measures of different mass: marginals held by a penalty, not exactly."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from skrand._ext import transport as _kernels
from skrand._validation import check_integer, check_n_jobs, check_real, fail_parameter
from skrand.linalg.threads import effective_n_jobs
from skrand.transport.functions import check_costs
from skrand.transport.problem import EntropicTransport, row_potentials
from skrand.transport.semidual import SemiDual

__all__ = ["UnbalancedResult", "solve_unbalanced"]


@dataclass(frozen=True, eq=False)
class UnbalancedResult:
    """A solved unbalanced problem.

    Attributes
    ----------
    potentials : tuple of ndarray
        (f, g), with ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg)``.
    plan : ndarray of shape (n, m)
        The plan; its marginals are not a and b.
    cost : float
        Transport cost, ``<P, C>``.
    residual : float
        Violation of the optimality of g, in L1, relative to the mass of the plan.
    converged : bool
        Whether `residual` met the tolerance.
    n_iter : int
        Newton and Sinkhorn steps.
    """

    potentials: tuple[np.ndarray, np.ndarray]
    plan: np.ndarray
    cost: float
    residual: float
    converged: bool
    n_iter: int


def solve_unbalanced(C, a, b, reg=0.05, reg_marginal=1.0, *, tol=1e-10, max_iter=500, n_jobs=None):
    """Minimise ``<P, C> + reg KL(P | a b^T) + rho_a KL(P 1 | a) + rho_b KL(P^T 1 | b)``.

    Newton on the semi-dual as for balanced problems: the penalties change the weights of the rows
    and add a diagonal to the Hessian, no more.

    Parameters
    ----------
    C : array-like of shape (n, m)
        Costs; ``+inf`` forbids a pair.
    a, b : array-like of shape (n,) and (m,)
        Non-negative masses, of any sum. A point without mass gets the potential that it would have
        with a very small one.
    reg : float, default=0.05
        Positive, in units of the costs.
    reg_marginal : float or tuple of two floats, default=1.0
        Penalties (rho_a, rho_b), positive; one of the two may be ``inf``, which makes that marginal
        exact (semi-relaxed transport). Use :func:`skrand.transport.solve` if both are.
    tol : float, default=1e-10
        Violation to reach, relative to the mass of the plan.
    max_iter : int, default=500
        Most steps.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    Returns
    -------
    UnbalancedResult

    Notes
    -----
    Cost: two sweeps over the costs a step, ``O(n m)`` flops and one exponential a pair each.
    Memory: the plan, and a fraction of its size.

    References
    ----------
    L. Chizat, G. Peyré, B. Schmitzer, F.-X. Vialard, "Scaling algorithms for unbalanced optimal
    transport problems", Mathematics of Computation 87, 2018, arXiv:1607.05816 (its Sinkhorn step).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import solve_unbalanced
    >>> C = np.array([[0.0, 4.0], [4.0, 0.0]])
    >>> result = solve_unbalanced(C, [1.0, 1.0], [1.0, 3.0], reg=0.1, reg_marginal=1.0)
    >>> result.converged, bool(2.0 < result.plan.sum() < 4.0)
    (True, True)
    """
    owner = "solve_unbalanced"
    C = check_costs(C)
    a, b = (
        check_array(w, ensure_2d=False, dtype=np.float64, input_name=name)
        for w, name in ((a, "a"), (b, "b"))
    )
    if a.shape != (C.shape[0],) or b.shape != (C.shape[1],):
        raise ValueError(f"a and b must have the shapes of C, {C.shape}. Got {a.shape}, {b.shape}.")
    if min(a.min(), b.min()) < 0 or min(a.max(), b.max()) == 0:
        raise ValueError("a and b must be non-negative, with a positive entry each.")
    rows, columns = a > 0, b > 0
    if not (rows.all() and columns.all()):
        part = solve_unbalanced(
            C[np.ix_(rows, columns)],
            a[rows],
            b[columns],
            reg,
            reg_marginal,
            tol=tol,
            max_iter=max_iter,
            n_jobs=n_jobs,
        )
        return _with_empty(part, C, a, b, reg, reg_marginal)
    finite = np.isfinite(C)
    if not (finite.any(axis=0).all() and finite.any(axis=1).all()):
        raise ValueError("There is no finite-cost plan for a row or column of infinite costs.")
    reg = check_real(owner, "reg", reg, 0, closed="neither")
    pair = (reg_marginal, reg_marginal) if np.ndim(reg_marginal) == 0 else tuple(reg_marginal)
    if len(pair) != 2:
        fail_parameter(owner, "reg_marginal", "a float or a pair of floats", reg_marginal)
    rho = [check_real(owner, "reg_marginal", r, 0, np.inf, "right") for r in pair]
    if min(rho) <= 0 or min(rho) == np.inf:
        fail_parameter(owner, "reg_marginal", "positive, and finite on one side", reg_marginal)
    tol = check_real(owner, "tol", tol, 0, closed="neither")
    max_iter = check_integer(owner, "max_iter", max_iter, 1)
    threads = effective_n_jobs(check_n_jobs(owner, n_jobs))
    problem = EntropicTransport(C=C, a=a, b=b, reg=reg)
    model = _Model(problem, rho, threads)
    stages = [reg]
    while stages[-1] * 4 < model.dual.spread / 5:
        stages.append(stages[-1] * 4)
    g, n_iter = np.zeros(len(b)), 0
    for eps in reversed(stages):
        goal = tol if eps == reg else max(1e-2, tol)
        point, used = model.run(g, eps, goal, max_iter - n_iter)
        g, n_iter = point.g, n_iter + used
    converged = point.error <= tol
    if not converged:
        warnings.warn(
            f"solve_unbalanced did not converge in {n_iter} steps: the violation is "
            f"{point.error:.1e}. Raise max_iter or reg.",
            ConvergenceWarning,
            stacklevel=2,
        )
    # The softmin potential gives rows of mass a; the true one differs by the rows' own factor.
    plan = a[:, None] * b * np.exp(np.minimum(((point.g - C) + point.f[:, None]) / reg, 700.0))
    cost = float((plan * np.where(finite, C, 0.0)).sum())
    return UnbalancedResult((point.f, point.g), plan, cost, point.error, converged, n_iter)


def _with_empty(
    part: UnbalancedResult,
    C: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    reg: float,
    reg_marginal: float | tuple[float, float],
) -> UnbalancedResult:
    """Put the points without mass back."""
    rows, columns = a > 0, b > 0
    rho_a, rho_b = np.broadcast_to(reg_marginal, 2)
    f, g = np.empty(len(a)), np.empty(len(b))
    f[rows], g[columns] = part.potentials
    C = C.astype(np.float64)
    soft = row_potentials(C[np.ix_(~rows, columns)], np.log(b[columns]), g[columns], reg)
    f[~rows] = soft / (1.0 + reg / rho_a)
    soft = row_potentials(C[np.ix_(rows, ~columns)].T, np.log(a[rows]), f[rows], reg)
    g[~columns] = soft / (1.0 + reg / rho_b)
    plan = np.zeros(C.shape)
    plan[np.ix_(rows, columns)] = part.plan
    return replace(part, potentials=(f, g), plan=plan)


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
    """The semi-dual at one g, and Newton's method on it."""

    def __init__(self, problem: EntropicTransport, rho: list[float], threads: int) -> None:
        self.dual = SemiDual(problem, threads)
        self.a, self.b, self.rho = problem.a, problem.b, rho

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
        value = _penalty(self.a, f, rho_a) + _penalty(self.b, g, rho_b) - eps * float(rows.sum())
        return _Point(g, softmin, f, rows, state.c, target, error, value, state.entries)

    def run(self, g: np.ndarray, eps: float, tol: float, max_iter: int) -> tuple[_Point, int]:
        """Bring the violation to `tol`; return the point and the number of steps."""
        point = self.at(g, eps, np.zeros(len(self.a)), 1e-3)
        n_iter, reach, damping = 0, 5.0, 1e-2
        while point.error > tol and n_iter < max_iter:
            n_iter += 1
            tau = float(np.clip(0.002 * point.error, 1e-14, 1e-3))
            new = None
            if point.error < 0.5:
                new = self._newton(point, eps, tau, reach, damping)
            if new is None:
                ratio = np.log(self.b) - np.log(np.maximum(point.c, 1e-300))
                g = (point.g + eps * ratio) / (1.0 + eps / self.rho[1])
                new, reach = self.at(g, eps, point.softmin, tau), 5.0
                damping = min(10 * damping, 10.0)
            else:
                reach, damping = 2 * reach, max(0.1 * damping, 1e-2)
            point = new
        return point, n_iter

    def _newton(
        self, point: _Point, eps: float, tau: float, reach: float, damping: float
    ) -> _Point | None:
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
        _kernels.conjugate_gradients(
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


def _penalty(weights: np.ndarray, potential: np.ndarray, rho: float) -> float:
    """Minus the conjugate of the penalty: ``rho sum w (1 - exp(-p / rho))``, or ``w.p`` at inf."""
    if rho == np.inf:
        return float((weights * potential).sum())
    return float(-rho * (weights * np.expm1(np.clip(-potential / rho, -600.0, 600.0))).sum())
