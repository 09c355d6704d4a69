"""What the solvers share that precondition, then refine: parameters, checks and the last steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.factor import TOLERANCE, Factor, refine
from skrand.regression.inner import InnerSolver
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import check_sketch_parameters, objection_to_size

__all__ = ["PreconditionedSolver"]


class PreconditionedSolver(Solver):
    """Find a factor by a sketch, then refine with it; subclasses say how they find it."""

    task = "least-squares"

    def __init__(
        self,
        *,
        sketch: str = "auto",
        sketch_size: Any = None,
        sketch_nnz: Any = None,
        tol: Any = None,
        max_iter: int = 100,
        n_jobs: int | None = None,
    ) -> None:
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.sketch_nnz = sketch_nnz
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: LeastSquares) -> str | None:
        """Refuse sparse data whose sketch would be huge."""
        n, d, _ = problem.shape
        return objection_to_size(problem, min(n, 6 * d))

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        check_sketch_parameters(self)
        tol = check_real(self, "tol", self.tol, 0, closed="neither", options=(None,))
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        seed = int(rng.integers(1 << 63))
        with single_threaded_blas():
            factor, x = self._precondition(problem, seed, threads)
            return refine(
                problem,
                factor,
                x,
                monitor,
                tol=TOLERANCE if tol is None else tol,
                max_iter=max_iter,
                threads=threads,
                step=self._step(problem, factor, threads),
            )

    @abstractmethod
    def _precondition(
        self, problem: LeastSquares, seed: int, threads: int
    ) -> tuple[Factor, np.ndarray]:
        """Return a factor of the problem, and a first answer."""

    def _step(
        self, problem: LeastSquares, factor: Factor, threads: int
    ) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
        """Return what solves the normal equations in a refinement; None is `factor` alone."""
        return InnerSolver(problem, factor, threads).conjugate_gradients
