"""The solver that fits the problem."""

from __future__ import annotations

import numpy as np

from skrand.base import Monitor, Solution, Solver
from skrand.completion.problem import MatrixCompletion
from skrand.completion.solvers.am import AlternatingMinimisation
from skrand.completion.solvers.ccd import CoordinateDescent

__all__ = ["Auto"]


class Auto(Solver):
    """Alternating minimisation along a path of penalties; coordinate descent if non-negative.

    Cost: that of "am" or "ccd".

    Parameters
    ----------
    tol, max_iter, n_jobs
        Handed to the solver.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.completion import MatrixCompletion
    >>> from skrand.completion.solvers import Auto
    >>> X = sp.csr_array(np.array([[1.0, 2.0], [2.0, 0.0], [3.0, 6.0]]))
    >>> solution = Auto().solve(MatrixCompletion(X=X, rank=1), rng=0)
    >>> solution.solver, round(float(solution.x.dense()[1, 1]), 4)
    ('am', 4.0)
    """

    task = "matrix-completion"
    name = "auto"

    def __init__(
        self, *, tol: float = 1e-9, max_iter: int = 2000, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: MatrixCompletion) -> str | None:
        """Refuse what the solver that it would choose refuses."""
        return self._choose(problem).supports(problem)

    def _choose(self, problem: MatrixCompletion) -> Solver:
        chosen = CoordinateDescent if problem.nonneg else AlternatingMinimisation
        # Coordinate descent does not get as far: its own tolerance holds unless this one is larger.
        tol = max(self.tol, chosen().tol)
        return chosen(tol=tol, max_iter=self.max_iter, n_jobs=self.n_jobs)

    def _solve(
        self, problem: MatrixCompletion, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        return self._choose(problem).solve(problem, rng=rng, callback=monitor)
