"""Coordinate descent, for factors that must not be negative."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.completion.alternation import COORDINATE, POSITIVE, finish, reachable, start
from skrand.completion.problem import MatrixCompletion
from skrand.completion.solvers.am import Sweeps
from skrand.linalg.threads import effective_n_jobs

__all__ = ["CoordinateDescent"]


class CoordinateDescent(Solver):
    """Rounds of coordinate descent on each row, then on each column.

    The one solver that keeps factors non-negative: a coordinate that would fall below zero is set
    to zero. Sweeps are extrapolated as in "am". Without that constraint "am" is faster.

    Cost: ``O(r nnz k)`` flops a sweep with r rounds. Memory: the entries by row and by column, and
    the factors.

    Parameters
    ----------
    tol : float, default=1e-5
        Norm of the (projected) gradient to reach, relative to that at zero; at least 4e-6 in
        float32. Coordinate descent is slow to get further.
    max_iter : int, default=5000
        Most sweeps.
    rounds : int, default=10
        Most rounds of coordinate descent on a row before it is left; it is left earlier when a
        round moves it by less than a thousandth. With fewer there are more sweeps, to the same
        gradient.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    H.-F. Yu, C.-J. Hsieh, S. Si, I. Dhillon, "Scalable Coordinate Descent Approaches to Parallel
    Matrix Factorization for Recommender Systems", ICDM 2012, doi:10.1109/ICDM.2012.168.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.completion import MatrixCompletion
    >>> from skrand.completion.solvers import CoordinateDescent
    >>> rng = np.random.default_rng(0)
    >>> M = rng.uniform(size=(60, 2)) @ rng.uniform(size=(2, 50))
    >>> X = sp.csr_array(np.where(rng.uniform(size=M.shape) < 0.5, M, 0.0))
    >>> problem = MatrixCompletion(X=X, rank=2, nonneg=True)
    >>> solution = CoordinateDescent().solve(problem, rng=0)
    >>> bool(solution.x.U.min() >= 0), bool(np.abs(solution.x.dense() - M).max() < 0.02)
    (True, True)
    """

    task = "matrix-completion"
    name = "ccd"

    def __init__(
        self,
        *,
        tol: float = 1e-5,
        max_iter: int = 5000,
        rounds: int = 10,
        n_jobs: int | None = None,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.rounds = rounds
        self.n_jobs = n_jobs

    def _solve(
        self, problem: MatrixCompletion, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = reachable(check_real(self, "tol", self.tol, 0, closed="neither"), problem)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        rounds = check_integer(self, "rounds", self.rounds, 1)
        state, _ = start(problem, rng, effective_n_jobs(check_n_jobs(self, self.n_jobs)))
        mode = POSITIVE if problem.nonneg else COORDINATE
        sweeps = Sweeps(state, monitor, max_iter, mode)
        sweeps.polish(problem.alpha, 0.5 * tol, 1e-3, rounds)
        return finish(problem, state, tol, sweeps.count, message=sweeps.advice())
