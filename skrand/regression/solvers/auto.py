"""The cheapest solver that gives a verified answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skrand.base import (
    Monitor,
    Solution,
    Solver,
    default_parameters,
    same_value,
    solve_cheapest,
    solvers_of,
)
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import check_sketch_parameters, resolve_size
from skrand.regression.summary import RowSummary

__all__ = ["Auto"]


class Auto(Solver):
    """Try the registered solvers from the cheapest up until one reaches its tolerance.

    Every solver of the task that estimates its own cost for the problem at hand takes part,
    plugins included. An answer counts when the solver's own, computed backward error meets the
    tolerance; otherwise the next one is tried and, at the end, the best answer returned.

    Cost: that of the solvers tried; ``solver_path_`` of the estimator lists them. On dense data of
    moderate condition that is a single Cholesky factorisation.

    Parameters
    ----------
    sketch, sketch_size, sketch_nnz, guarantee, epsilon, delta, tol, max_iter, n_jobs
        Handed to the solvers that have them. A value of one of the first three other than its
        default leaves only the solvers that sketch. Solver "sketch" takes part if `guarantee` is
        "residual" or "linf".

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import Auto
    >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> solution = Auto().solve(LeastSquares(A=A, b=np.array([[1.0], [3.0], [5.0]])))
    >>> solution.solver, solution.x.ravel().round(12)
    ('chol', array([1., 2.]))
    """

    task = "least-squares"
    name = "auto"

    def __init__(
        self,
        *,
        sketch: str = "auto",
        sketch_size: Any = None,
        sketch_nnz: Any = None,
        guarantee: Any = None,
        epsilon: Any = None,
        delta: float = 0.01,
        tol: Any = None,
        max_iter: int = 100,
        n_jobs: int | None = None,
    ) -> None:
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.sketch_nnz = sketch_nnz
        self.guarantee = guarantee
        self.epsilon = epsilon
        self.delta = delta
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @property
    def max_steps(self) -> None:
        """Not known before the solvers have been chosen."""
        return None

    def summary(
        self, n_features: int, n_targets: int, intercept: bool, rng: np.random.Generator
    ) -> RowSummary:
        """Return an empty summary, for rows that come in chunks."""
        seed = int(rng.integers(1 << 63))
        return self._streamer().summary(
            n_features, n_targets, intercept, np.random.default_rng(seed)
        )

    def _streamer(self) -> Any:
        """Return the first solver that can learn from a stream; exact ones come first."""
        for _, solver in solvers_of(self.task, can=["partial-fit"]):
            if not isinstance(solver, Auto) and self._hand_down(solver):
                return solver
        raise AssertionError("'chol' takes no sketch and 'sketch' takes any")

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        check_sketch_parameters(self)
        if self.sketch_size is not None:
            resolve_size(self, problem.shape[1], 1.0)
        if not isinstance(problem, LeastSquares):
            seed = int(rng.integers(1 << 63))
            return self._streamer().solve(problem, rng=seed, callback=monitor)
        return solve_cheapest(problem, self._candidates(), rng, monitor)

    def _candidates(self) -> Iterator[tuple[str, Solver]]:
        """Yield the task's other solvers that need not ignore a sketch, with our parameters."""
        for entry, solver in solvers_of(self.task):
            if not isinstance(solver, Auto) and self._hand_down(solver):
                yield entry.name, solver

    def _hand_down(self, solver: Solver) -> bool:
        """Give `solver` the shared parameters; false if it would have to ignore a sketch."""
        accepted, defaults = default_parameters(type(solver)), default_parameters(type(self))
        for name in ("sketch", "sketch_size", "sketch_nnz"):
            if name not in accepted and not same_value(getattr(self, name), defaults[name]):
                return False
        for name in defaults.keys() & accepted.keys():
            setattr(solver, name, getattr(self, name))
        return True
