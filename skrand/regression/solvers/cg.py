"""Least squares by conjugate gradients: nothing of the size of the columns squared."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.factor import UNIT, Factor, column_scale, refine
from skrand.regression.gram import gram_cost, is_singular, needs_rows
from skrand.regression.inner import InnerSolver
from skrand.regression.problem import LeastSquares

__all__ = ["ConjugateGradients"]

_TOLERANCE = 100 * UNIT

# Of a round. More than so many are for a solver that preconditions.
_MOST_STEPS = 1000


class ConjugateGradients(Solver):
    """Conjugate gradients on the normal equations of the scaled columns, refined in rounds.

    The one for sparse data with so many columns that no square matrix of theirs can be kept. It
    takes about as many steps as the condition number, so everything else is better where it can be
    had.

    Cost: ``4 nnz k`` flops and one pass a step; the steps grow with the condition number, some
    hundred for 100. Memory: a few vectors of ``n + d`` numbers a target.

    Parameters
    ----------
    tol : float, default=None
        Relative backward error to reach, by an upper bound that is some ten times too large without
        a factor of the data; None is 100 unit roundoffs, ``1.1e-14``.
    max_iter : int, default=100
        Most rounds, of up to 1000 steps. It stops as soon as they no longer help.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    Å. Björck, "Numerical Methods for Least Squares Problems", SIAM, 1996, section 7.4.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import ConjugateGradients
    >>> A = sp.csr_array([[1.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
    >>> problem = LeastSquares(A=A, b=np.array([[2.0], [2.0]]))
    >>> ConjugateGradients().solve(problem).x.ravel().round(12)
    array([1., 1., 1.])
    """

    task = "least-squares"
    name = "cg"

    def __init__(
        self, *, tol: float | None = None, max_iter: int = 100, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def cost(self, problem: LeastSquares) -> float | None:
        """Estimate flops, for data of which nothing is known: 300 steps. None for dense data."""
        if not problem.issparse:
            return None
        n, d, k = problem.shape
        return 300 * k * (35.0 * problem.nnz + 20 * (n + d))

    def declines(self, problem: LeastSquares) -> str | None:
        """Look at the Gram matrix, if that costs less: is it singular, no steps will be enough."""
        if needs_rows(problem) or gram_cost(problem) > self.cost(problem):
            return None
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        return "the data are too ill-conditioned" if is_singular(problem, threads) else None

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        tol = check_real(self, "tol", self.tol, 0, closed="neither", options=(None,))
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        with single_threaded_blas():
            problem.oracles["passes"] += 1
            factor = _no_factor(column_scale(problem.matrix(threads).column_norms(), problem))
            inner = InnerSolver(problem, factor, threads, steps=_MOST_STEPS)
            return refine(
                problem,
                factor,
                np.zeros(problem.shape[1:]),
                monitor,
                tol=_TOLERANCE if tol is None else tol,
                max_iter=max_iter,
                threads=threads,
                # Without a factor the gradient does not tell how far the fit is from the best.
                step=lambda gradient, goal: inner.conjugate_gradients(gradient, 0 * goal),
            )


def _no_factor(scale: np.ndarray) -> Factor:
    """Return the factor that only scales; of rank and condition nothing is known."""

    def dual_norm(g: np.ndarray, mu: np.ndarray) -> np.ndarray:
        return np.linalg.norm(g, axis=0) / np.sqrt(np.maximum(mu, np.finfo(np.float64).tiny))

    def used(y: np.ndarray) -> np.ndarray:
        return np.where(scale[:, None] > 0, y, 0.0)

    return Factor(scale, None, None, used, used, dual_norm)
