"""Alternating least squares at a fixed penalty."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_option, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.completion.alternation import CONJUGATE, EXACT, reachable, start
from skrand.completion.problem import MatrixCompletion
from skrand.completion.solvers.am import Sweeps
from skrand.linalg.threads import effective_n_jobs

__all__ = ["AlternatingLeastSquares"]


class AlternatingLeastSquares(Solver):
    """Solve rows and columns in turn, exactly, at the penalty asked for from the start.

    The plain method that solver "am" improves on: with ``alpha`` near 0 it needs some three
    entries a degree of freedom, or more if the matrix is badly conditioned.

    Cost: ``O(nnz k^2 + (m + n) k^3)`` flops a sweep with Cholesky, ``O(s nnz k)`` with s steps of
    conjugate gradients. Memory: the entries by row and by column, and the factors.

    Parameters
    ----------
    tol : float, default=1e-9
        Norm of the gradient to reach, relative to that at zero; at least 4e-6 in float32.
    max_iter : int, default=2000
        Most sweeps.
    inner : {"cholesky", "cg"}, default="cholesky"
        How rows are solved.
    inner_tol : float, default=0.01
        Conjugate gradients stop at this fraction of the gradient that a row starts from, or after
        20 steps.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-scale Parallel Collaborative Filtering for
    the Netflix Prize", AAIM 2008, doi:10.1007/978-3-540-68880-8_32.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.completion import MatrixCompletion
    >>> from skrand.completion.solvers import AlternatingLeastSquares
    >>> rng = np.random.default_rng(0)
    >>> M = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 50))
    >>> X = sp.csr_array(np.where(rng.uniform(size=M.shape) < 0.5, M, 0.0))
    >>> solution = AlternatingLeastSquares().solve(MatrixCompletion(X=X, rank=2), rng=0)
    >>> solution.converged, bool(np.abs(solution.x.dense() - M).max() < 1e-6)
    (True, True)
    """

    task = "matrix-completion"
    name = "als"

    def __init__(
        self,
        *,
        tol: float = 1e-9,
        max_iter: int = 2000,
        inner: str = "cholesky",
        inner_tol: float = 0.01,
        n_jobs: int | None = None,
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.inner = inner
        self.inner_tol = inner_tol
        self.n_jobs = n_jobs

    def supports(self, problem: MatrixCompletion) -> str | None:
        """Refuse non-negative factors."""
        return "it does not keep factors non-negative" if problem.nonneg else None

    def _solve(
        self, problem: MatrixCompletion, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = reachable(check_real(self, "tol", self.tol, 0, closed="neither"), problem)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        inner = check_option(self, "inner", self.inner, ("cholesky", "cg"))
        eta = check_real(self, "inner_tol", self.inner_tol, 0, 1, closed="neither")
        state, _ = start(problem, rng, effective_n_jobs(check_n_jobs(self, self.n_jobs)))
        sweeps = Sweeps(state, monitor, max_iter, EXACT if inner == "cholesky" else CONJUGATE)
        return sweeps.complete(tol, eta, 20, extrapolate=False)
