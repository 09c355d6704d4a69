"""Least squares by Cholesky factorisation of the column-scaled Gram matrix, then refinement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.factor import TOLERANCE, pass_cost, refine
from skrand.regression.gram import gram_cost, is_singular, needs_rows, normal_equations
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import objection_to_size
from skrand.regression.summary import GramProblem, GramSummary

__all__ = ["Cholesky"]

SINGULAR = (
    "The Gram matrix of the scaled columns is numerically singular, so directions of the data were "
    "left out. Solver 'sap' works at any condition number."
)


class Cholesky(Solver):
    """Centred, column-scaled Gram matrix, Cholesky, and refinement on the true residual.

    The fastest dense method while the column-scaled condition number is below about 3e6; above
    that the factorisation means nothing, which is reported, never hidden. Scaling the columns
    first makes it indifferent to their units; centring blocks of rows before they are squared
    makes it indifferent to offsets.

    Cost: ``n d^2 + d^3 / 3`` flops and one pass over the data, ``4 n d k`` flops and one more pass
    for each refinement; ``O(d^2)`` memory for dense data. For sparse data the Gram matrix is
    formed by a sparse product.

    Parameters
    ----------
    tol : float, default=None
        Relative backward error to reach, as estimated; None is 5 unit roundoffs, ``5.6e-16``, which
        keeps the true one below 10.
    max_iter : int, default=100
        Most refinement passes. One or two are the rule; it stops as soon as they no longer help.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    Å. Björck, "Numerical Methods for Least Squares Problems", SIAM, 1996, sections 2.2 and 2.9
    (normal equations, and iterative refinement with them).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import Cholesky
    >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> solution = Cholesky().solve(LeastSquares(A=A, b=np.array([[1.0], [3.0], [5.0]])))
    >>> solution.x.ravel().round(12)
    array([1., 2.])
    """

    task = "least-squares"
    name = "chol"

    def __init__(
        self, *, tol: float | None = None, max_iter: int = 100, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: LeastSquares) -> str | None:
        """Refuse a Gram matrix that is singular by its shape, or huge beside sparse data."""
        n, d, _ = problem.shape
        if needs_rows(problem):
            return f"its Gram matrix is singular with {n} rows for {d} columns and no ridge"
        return objection_to_size(problem, d)

    def cost(self, problem: LeastSquares) -> float:
        """Estimate flops; see ``skrand.regression.factor`` for what a pass counts."""
        return gram_cost(problem) + 2 * pass_cost(problem)

    def declines(self, problem: LeastSquares) -> str | None:
        """Look whether the Gram matrix is numerically singular."""
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        return SINGULAR if is_singular(problem, threads) else None

    def summary(
        self, n_features: int, n_targets: int, intercept: bool, rng: np.random.Generator
    ) -> GramSummary:
        """Return an empty summary, for rows that come in chunks."""
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        return GramSummary(n_features, n_targets, intercept, threads)

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither", options=(None,))
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        factor, right = normal_equations(problem, threads)
        with single_threaded_blas():
            answer = refine(
                problem,
                factor,
                factor.solve(right),
                monitor,
                tol=TOLERANCE if tol is None else tol,
                max_iter=max_iter,
                threads=threads,
            )
        singular = factor.rank < np.count_nonzero(factor.scale)
        if isinstance(problem, GramProblem):
            return problem.assess(answer, tol, singular)
        if not singular:
            return answer
        # The Gram matrix cannot tell rank deficiency from a condition number above 1e7.
        return replace(answer, converged=False, message=SINGULAR)
