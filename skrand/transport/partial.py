"""Transport of a part of the mass: what to leave behind is part of the question."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skrand._validation import check_n_jobs, check_real, fail_parameter
from skrand.transport.functions import check_costs, check_feasible, check_masses
from skrand.transport.problem import EntropicTransport, ratio
from skrand.transport.solvers import AnnealedNewton

__all__ = ["PartialResult", "solve_partial"]


@dataclass(frozen=True, eq=False)
class PartialResult:
    """A solved partial problem.

    Attributes
    ----------
    plan : ndarray of shape (n, m)
        The plan; its marginals are nowhere above a and b, and its mass is the one asked for.
    cost : float
        Transport cost, ``<P, C>``.
    marginal_error : float
        Violation of the marginals of the extended problem, in L1, relative to its mass.
    converged : bool
        Whether `marginal_error` met the tolerance.
    n_iter : int
        Newton and Sinkhorn steps.
    """

    plan: np.ndarray
    cost: float
    marginal_error: float
    converged: bool
    n_iter: int


def solve_partial(
    C: Any,
    a: Any,
    b: Any,
    mass: float,
    reg: float = 0.05,
    *,
    tol: float = 1e-10,
    max_iter: int = 500,
    n_jobs: int | None = None,
) -> Any:
    """Transport `mass` of what there is, where it costs least, and leave the rest behind.

    One row and one column are added that take what stays, at no cost; the pair of the two is
    forbidden. Regularisation is that of the extended plan, so it spreads the mass that stays, too.

    Parameters
    ----------
    C : array-like of shape (n, m)
        Costs; ``+inf`` forbids a pair.
    a, b : array-like of shape (n,) and (m,)
        Non-negative masses, of any sum.
    mass : float
        How much to transport: positive, and less than both sums.
    reg : float, default=0.05
        Positive, in units of the costs.
    tol : float, default=1e-10
        Violation of the marginals to reach, in L1, relative to the mass of the extended plan.
    max_iter : int, default=500
        Most steps.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    Returns
    -------
    PartialResult

    Notes
    -----
    Costs below zero are allowed. Cost and memory: those of a balanced problem of one more row and
    column, and the plan.

    References
    ----------
    L. Chapel, M. Z. Alaya, G. Gasso, "Partial Optimal Transport with Applications on
    Positive-Unlabeled Learning", NeurIPS 2020, arXiv:2002.08276 (the added points).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import solve_partial
    >>> C = np.array([[0.0, 9.0], [9.0, 9.0]])
    >>> result = solve_partial(C, [1.0, 1.0], [1.0, 1.0], 1.0, reg=0.1)
    >>> result.plan.round(6)
    array([[1., 0.],
           [0., 0.]])
    """
    owner = "solve_partial"
    C = check_costs(C).astype(np.float64)
    a, b = check_masses(a, b, C.shape)
    mass = check_mass(owner, mass, a, b)
    reg = check_real(owner, "reg", reg, 0, closed="neither")
    problem = EntropicTransport(C=C, a=a, b=b, reg=reg)
    posed, total = extended(problem, mass)
    solver = AnnealedNewton(tol=tol, max_iter=max_iter, n_jobs=check_n_jobs(owner, n_jobs))
    solution = solver.solve(posed)
    if not solution.converged:
        warnings.warn(
            f"solve_partial did not converge in {solution.n_iter} steps. {solution.message}",
            ConvergenceWarning,
            stacklevel=2,
        )
    plan = problem.plan(*own_potentials(solution.x, total, reg))
    cost = total * solution.extra["cost"]
    return PartialResult(plan, cost, solution.residual, solution.converged, solution.n_iter)


def check_mass(owner: object, mass: float, a: np.ndarray, b: np.ndarray) -> float:
    """Return `mass` if it is positive and less than both sums, or raise."""
    mass = check_real(owner, "mass", mass, 0, closed="neither")
    if mass >= min(a.sum(), b.sum()):
        fail_parameter(owner, "mass", f"less than both sums, {a.sum():.6g}, {b.sum():.6g}", mass)
    return mass


def extended(problem: EntropicTransport, mass: float) -> tuple[EntropicTransport, float]:
    """Return the balanced problem with a row and a column for what stays, and its mass."""
    a, b, (n, m) = problem.a, problem.b, problem.shape
    C = np.zeros((n + 1, m + 1), dtype=problem.C.dtype)
    C[:n, :m] = problem.C
    C[n, m] = np.inf
    total = float(a.sum() + b.sum() - mass)
    rows, columns = np.append(a, b.sum() - mass) / total, np.append(b, a.sum() - mass) / total
    if problem.forbids():
        # With finite costs there always is a plan.
        check_feasible(C, rows, columns)
    return EntropicTransport(C=C, a=rows, b=columns, reg=problem.reg), total


def own_potentials(
    x: tuple[np.ndarray, np.ndarray], total: float, reg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the potentials of the problem that was extended, whose masses are not normalised."""
    shift = 0.5 * reg * np.log(total)
    return x[0][:-1] - shift, x[1][:-1] - shift


def partial_gap(posed: EntropicTransport, x: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the gap of an extended problem, from a plan that leaves its forbidden pair empty.

    The plan between the points is scaled down to the masses, and what it then lacks of the mass to
    transport is spread over what is left of both sides. Needs the whole plan.
    """
    P = posed.plan(*x)
    own, a, b = P[:-1, :-1], posed.a[:-1], posed.b[:-1]
    mass = 1.0 - posed.a[-1] - posed.b[-1]
    own *= np.minimum(1.0, ratio(a, own.sum(axis=1)))[:, None]
    own *= np.minimum(1.0, ratio(b, own.sum(axis=0)))
    own *= min(1.0, mass / own.sum())
    left, right = (np.maximum(w - own.sum(axis=k), 0.0) for w, k in ((a, 1), (b, 0)))
    own += np.outer(left, right) * ((mass - own.sum()) / (left.sum() * right.sum()))
    P[:-1, -1], P[-1, :-1] = (np.maximum(w - own.sum(axis=k), 0.0) for w, k in ((a, 1), (b, 0)))
    P[-1, -1] = 0.0
    return posed.objective(P) - float((posed.a * x[0]).sum() + (posed.b * x[1]).sum())
