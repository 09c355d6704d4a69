"""Transport between measures of different mass: marginals held by a penalty, not exactly."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skrand._validation import check_n_jobs, check_real
from skrand.transport.functions import check_costs, check_masses, check_open, check_penalties
from skrand.transport.problem import EntropicTransport
from skrand.transport.solvers import AnnealedNewton

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


def solve_unbalanced(
    C: Any,
    a: Any,
    b: Any,
    reg: float = 0.05,
    reg_marginal: Any = 1.0,
    *,
    tol: float = 1e-10,
    max_iter: int = 500,
    n_jobs: int | None = None,
) -> Any:
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
    a, b = check_masses(a, b, C.shape)
    check_open(C, a, b)
    reg = check_real(owner, "reg", reg, 0, closed="neither")
    pair = check_penalties(owner, reg_marginal)
    problem = EntropicTransport(C=C, a=a, b=b, reg=reg, reg_marginal=pair)
    solver = AnnealedNewton(tol=tol, max_iter=max_iter, n_jobs=check_n_jobs(owner, n_jobs))
    solution = solver.solve(problem)
    if not solution.converged:
        warnings.warn(
            f"solve_unbalanced did not converge in {solution.n_iter} steps. {solution.message}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return UnbalancedResult(
        solution.x,
        problem.plan(*solution.x),
        solution.extra["cost"],
        solution.residual,
        solution.converged,
        solution.n_iter,
    )
