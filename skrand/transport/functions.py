"""Transport problems solved by one call, from a cost matrix or from points."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from skrand import registry
from skrand._validation import check_real, fail_parameter
from skrand.base import Solution
from skrand.transport.problem import EntropicTransport

__all__ = [
    "TransportResult",
    "check_costs",
    "check_feasible",
    "check_masses",
    "check_open",
    "check_penalties",
    "check_weights",
    "solve",
]


@dataclass(frozen=True, eq=False)
class TransportResult:
    """A solved transport problem.

    Attributes
    ----------
    problem : EntropicTransport
        What was solved, with its weights normalised.
    solution : Solution
        What the solver returned.
    """

    problem: EntropicTransport = field(repr=False)
    solution: Solution = field(repr=False)

    @property
    def potentials(self) -> tuple[np.ndarray, np.ndarray]:
        """Potentials (f, g), with ``a.f = b.g``."""
        return self.solution.x

    @property
    def cost(self) -> float:
        """Transport cost of the plan, ``<P, C>``."""
        return self.solution.extra["cost"]

    @property
    def value(self) -> float:
        """Objective, ``<P, C> + reg KL(P | a b^T)``; the cost for solver "exact"."""
        return self.solution.extra["value"]

    @property
    def marginal_error(self) -> float:
        """Violation of both marginals, in L1."""
        return self.solution.residual

    @property
    def converged(self) -> bool:
        """Whether the solver reached its tolerance."""
        return self.solution.converged

    @cached_property
    def gap(self) -> float:
        """Bound on the distance of the objective to its optimum, from a feasible plan."""
        if "gap" in self.solution.extra:
            return float(self.solution.extra["gap"])
        return self.problem.gap(*self.potentials)

    @cached_property
    def plan(self) -> Any:
        """The plan: an (n, m) array, or a sparse array for solver "exact"."""
        if "plan" in self.solution.extra:
            return self.solution.extra["plan"]
        return self.problem.plan(*self.potentials)


def solve(
    C: Any,
    a: Any = None,
    b: Any = None,
    reg: float = 0.05,
    *,
    solver: Any = "auto",
    tol: None = None,
    max_iter: None = None,
    n_jobs: int | None = None,
    random_state: int | None = None,
) -> Any:
    """Solve ``min <P, C> + reg KL(P | a b^T)`` over plans P with marginals a and b.

    Parameters
    ----------
    C : array-like of shape (n, m)
        Costs; ``+inf`` forbids a pair. float32 is not copied to float64.
    a, b : array-like of shape (n,) and (m,), default=None
        Non-negative weights of equal sum, normalised to 1; None is uniform. Zeros are allowed.
    reg : float, default=0.05
        Positive, in units of the costs.
    solver : str or Solver, default="auto"
        A solver registered for the task "entropic-transport", or a solver object.
    tol, max_iter, n_jobs : default=None
        Set on the solver, if not None.
    random_state : int, default=None
        Seed for solvers that draw.

    Returns
    -------
    TransportResult

    Warns
    -----
    ConvergenceWarning
        If the solver stopped short; the message holds the violation achieved and what rounding
        allows. The result is finite all the same.

    Notes
    -----
    Cost: some 20 sweeps over the costs for ``reg`` of a thousandth of the largest, one exponential
    a pair and sweep. Memory: a fraction of the costs.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import solve
    >>> result = solve(np.array([[0.0, 1.0], [1.0, 0.0]]), reg=0.5)
    >>> result.plan.round(4)
    array([[0.4404, 0.0596],
           [0.0596, 0.4404]])
    """
    C = check_costs(C)
    a, b = check_weights(a, b, C.shape)
    reg = check_real("solve", "reg", reg, 0, closed="neither")
    check_feasible(C, a, b)
    problem = EntropicTransport(C=C, a=a, b=b, reg=reg)
    chosen = registry.resolve_solver(solver, problem.task)
    wanted = {"tol": tol, "max_iter": max_iter, "n_jobs": n_jobs}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    if wanted:
        from sklearn.base import clone

        chosen = clone(chosen).set_params(**wanted)
    solution = chosen.solve(problem, rng=random_state)
    if not solution.converged:
        warnings.warn(
            f"solve: solver {solution.solver!r} did not converge in {solution.n_iter} iterations. "
            f"{solution.message}",
            ConvergenceWarning,
            stacklevel=2,
        )
    return TransportResult(problem, solution)


def check_costs(C: Any) -> np.ndarray:
    """Return costs as a 2-D float array without NaN or -inf; +inf is allowed."""
    C = check_array(
        C, dtype=[np.float64, np.float32], ensure_all_finite=False, input_name="the cost matrix"
    )
    low = C.min()
    if np.isnan(low):
        raise ValueError("The cost matrix contains NaN.")
    if low == -np.inf:
        raise ValueError("The cost matrix contains -infinity; only +infinity (forbidden) can be.")
    if low == np.inf:
        raise ValueError("There is no finite-cost plan: all costs are infinite.")
    return C


def check_masses(
    a: Any, b: Any, shape: tuple[int, int], names: tuple[str, str] = ("a", "b")
) -> tuple[np.ndarray, np.ndarray]:
    """Return both masses as they are, ``1 / n`` each where they are None, or raise."""
    first, second = (
        np.full(size, 1.0 / size) if masses is None else _check_side(masses, size, name)
        for masses, size, name in zip((a, b), shape, names, strict=True)
    )
    return first, second


def check_weights(
    a: Any,
    b: Any,
    shape: tuple[int, int],
    names: tuple[str, str] = ("a", "b"),
    remedy: str = "use skrand.transport.solve_unbalanced",
) -> tuple[np.ndarray, np.ndarray]:
    """Return both weights with sum 1, or raise; `remedy` is what to do about different sums."""
    first, second = check_masses(a, b, shape, names)
    difference = abs(first.sum() - second.sum())
    if a is not None and b is not None and difference > 1e-8 * first.sum():
        raise ValueError(
            f"The mass of {names[0]} ({first.sum():.6g}) is not that of {names[1]} "
            f"({second.sum():.6g}). Balanced transport needs equal masses: divide both by "
            f"their sums, or {remedy}."
        )
    return first / first.sum(), second / second.sum()


def _check_side(masses: Any, size: int, name: str) -> np.ndarray:
    masses = check_array(masses, ensure_2d=False, dtype=np.float64, input_name=name)
    if masses.shape != (size,):
        raise ValueError(f"{name} must have shape ({size},). Got {masses.shape}.")
    if masses.min() < 0:
        raise ValueError(f"{name} must be non-negative. Got {masses.min()}.")
    if not masses.max() > 0:
        raise ValueError(f"{name} must have a positive entry. Got all zeros.")
    return masses


def check_penalties(owner: object, reg_marginal: Any) -> tuple[float, float]:
    """Return the penalties on both marginals, or raise; at least one of them is finite."""
    pair = (reg_marginal, reg_marginal) if np.ndim(reg_marginal) == 0 else tuple(reg_marginal)
    if len(pair) != 2:
        fail_parameter(owner, "reg_marginal", "a float or a pair of floats", reg_marginal)
    first, second = (check_real(owner, "reg_marginal", r, 0, np.inf, "right") for r in pair)
    if min(first, second) == np.inf:
        fail_parameter(owner, "reg_marginal", "positive, and finite on one side", reg_marginal)
    return first, second


def check_open(C: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Raise if a row or column that has mass has no finite cost."""
    finite = np.isfinite(C[np.ix_(a > 0, b > 0)])
    if not (finite.any(axis=0).all() and finite.any(axis=1).all()):
        raise ValueError("There is no finite-cost plan for a row or column of infinite costs.")


def check_feasible(C: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Raise if forbidden pairs leave no plan: by maximum flow, on weights to nine digits."""
    finite = np.isfinite(C)
    if finite.all():
        return
    n, m = C.shape
    rows, columns = np.flatnonzero(a > 0), np.flatnonzero(b > 0)
    allowed = finite[np.ix_(rows, columns)]
    blocked = not (allowed.any(axis=1).all() and allowed.any(axis=0).all())
    if not blocked:
        units = 10**9
        left = np.floor(a[rows] * units).astype(np.int32)
        right = np.ceil(b[columns] * units).astype(np.int32)
        i, j = np.nonzero(allowed)
        n, m = len(rows), len(columns)
        source, sink = n + m, n + m + 1
        tails = np.concatenate([np.full(n, source), i, n + np.arange(m)])
        heads = np.concatenate([np.arange(n), n + j, np.full(m, sink)])
        room = np.concatenate([left, np.full(len(i), 2 * units, dtype=np.int32), right])
        graph = csr_array((room.astype(np.int32), (tails, heads)), shape=(n + m + 2, n + m + 2))
        flow = maximum_flow(graph, source, sink).flow_value
        blocked = flow < left.sum()
    if blocked:
        raise ValueError(
            "There is no finite-cost plan: the forbidden pairs (infinite costs) leave rows or "
            "columns that cannot be matched."
        )
