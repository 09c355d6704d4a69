"""The cheapest solver of an l_p regression problem that gives a verified answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skrand.base import Monitor, Solution, Solver, solve_cheapest, solvers_of
from skrand.regression.lp_problem import LpRegression

__all__ = ["LpAuto"]


class LpAuto(Solver):
    """Try the registered solvers from the cheapest up until one reaches its tolerance.

    As for least squares: every solver of the task that supports the problem and estimates its cost
    takes part, and an answer counts when its computed duality gap meets the tolerance.

    Cost: that of the solvers tried; ``solver_path_`` of the estimator lists them.

    Parameters
    ----------
    guarantee, epsilon, delta, tol, max_iter, n_jobs
        Handed to the solvers that have them. Solver "coreset" takes part if `guarantee` is
        "residual"; the exact solvers keep any guarantee.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LpRegression
    >>> from skrand.regression.solvers import LpAuto
    >>> b = np.array([[1.0], [2.0], [30.0]])
    >>> solution = LpAuto().solve(LpRegression(A=np.ones((3, 1)), b=b, p=1.0))
    >>> solution.solver, solution.x.round(6)
    ('ipm', array([[2.]]))
    """

    task = "lp-regression"
    name = "auto"

    def __init__(
        self,
        *,
        guarantee: Any = None,
        epsilon: Any = None,
        delta: float = 0.01,
        tol: Any = None,
        max_iter: int = 100,
        n_jobs: int | None = None,
    ) -> None:
        self.guarantee = guarantee
        self.epsilon = epsilon
        self.delta = delta
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: LpRegression) -> str | None:
        """Refuse what no other solver takes."""
        able = any(
            solver.supports(problem) is None and solver.cost(problem) is not None
            for _, solver in self._others()
        )
        shape = f"p={problem.p:g} and {problem.unknowns} columns"
        return None if able else f"no solver takes {shape}"

    @property
    def max_steps(self) -> None:
        """Not known before the solvers have been chosen."""
        return None

    def _solve(self, problem: LpRegression, rng: np.random.Generator, monitor: Monitor) -> Solution:
        return solve_cheapest(problem, self._candidates(), rng, monitor)

    def _candidates(self) -> Iterator[tuple[str, Solver]]:
        """Yield the task's other solvers, with our parameters."""
        values = self.get_params(deep=False)
        for name, solver in self._others():
            accepted = solver.get_params(deep=False)
            solver.set_params(**{key: values[key] for key in values if key in accepted})
            yield name, solver

    def _others(self) -> Iterator[tuple[str, Solver]]:
        """Yield the names and instances of the task's other solvers."""
        for entry, solver in solvers_of(self.task):
            if not isinstance(solver, LpAuto):
                yield entry.name, solver
