"""The cheapest solver that converges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skrand.base import Monitor, Solution, Solver, solve_cheapest, solvers_of
from skrand.completion.sensing.problem import MatrixSensing

__all__ = ["Auto"]


class Auto(Solver):
    """Try the registered solvers from the cheapest up until one converges.

    Every solver of the task that estimates its own cost for the problem at hand takes part,
    plugins included; the best answer is returned if none converges.

    Cost: that of the solvers tried; as a rule that of ``rgn`` alone.

    Parameters
    ----------
    tol, max_iter : optional
        Handed to the solvers; None leaves it to them.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.completion.sensing import MatrixSensing
    >>> from skrand.completion.sensing.solvers import Auto
    >>> A = np.random.default_rng(0).standard_normal((100, 16))
    >>> problem = MatrixSensing(A=A, y=A.sum(axis=1), matrix_shape=(4, 4), rank=2)
    >>> Auto().solve(problem).solver
    'rgn'
    """

    task = "matrix-sensing"
    name = "auto"

    def __init__(self, *, tol: None = None, max_iter: None = None) -> None:
        self.tol = tol
        self.max_iter = max_iter

    @property
    def max_steps(self) -> None:
        """Not known before the solvers have been chosen."""
        return None

    def _solve(
        self, problem: MatrixSensing, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        return solve_cheapest(
            problem, self._candidates(), rng, monitor, lambda solution: solution.extra["loss"]
        )

    def _candidates(self) -> Iterator[tuple[str, Solver]]:
        """Yield the task's other solvers, with our parameters."""
        for entry, solver in solvers_of(self.task):
            if isinstance(solver, Auto):
                continue
            given = {k: v for k, v in self.get_params(deep=False).items() if v is not None}
            solver.set_params(**{k: v for k, v in given.items() if k in solver.get_params()})
            yield entry.name, solver
