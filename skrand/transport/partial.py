"""Transport of a part of the mass: what to leave behind is part of the question."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from skrand._validation import check_n_jobs, check_real, fail_parameter
from skrand.transport.functions import check_costs, check_feasible
from skrand.transport.problem import EntropicTransport
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


def solve_partial(C, a, b, mass, reg=0.05, *, tol=1e-10, max_iter=500, n_jobs=None):
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
    a, b = (
        check_array(w, ensure_2d=False, dtype=np.float64, input_name=name)
        for w, name in ((a, "a"), (b, "b"))
    )
    if a.shape != (C.shape[0],) or b.shape != (C.shape[1],):
        raise ValueError(f"a and b must have the shapes of C, {C.shape}. Got {a.shape}, {b.shape}.")
    if min(a.min(), b.min()) < 0:
        raise ValueError("a and b must be non-negative.")
    mass = check_real(owner, "mass", mass, 0, closed="neither")
    if mass >= min(a.sum(), b.sum()):
        fail_parameter(owner, "mass", f"less than both sums, {a.sum():.6g}, {b.sum():.6g}", mass)
    reg = check_real(owner, "reg", reg, 0, closed="neither")
    n, m = C.shape
    extended = np.zeros((n + 1, m + 1))
    extended[:n, :m] = C
    extended[n, m] = np.inf
    total = a.sum() + b.sum() - mass
    rows, columns = np.append(a, b.sum() - mass) / total, np.append(b, a.sum() - mass) / total
    if not np.isfinite(C).all():
        # With finite costs there always is a plan.
        check_feasible(extended, rows, columns)
    problem = EntropicTransport(C=extended, a=rows, b=columns, reg=reg)
    solver = AnnealedNewton(tol=tol, max_iter=max_iter, n_jobs=check_n_jobs(owner, n_jobs))
    solution = solver.solve(problem)
    if not solution.converged:
        warnings.warn(
            f"solve_partial did not converge in {solution.n_iter} steps. {solution.message}",
            ConvergenceWarning,
            stacklevel=2,
        )
    plan = total * problem.plan(*solution.x)[:n, :m]
    cost = float((plan * np.where(np.isfinite(C), C, 0.0)).sum())
    return PartialResult(plan, cost, solution.residual, solution.converged, solution.n_iter)
