"""Soft-thresholded singular values: nuclear-norm regularisation."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.completion.alternation import Alternation, descend, finish, reachable, start
from skrand.completion.problem import MatrixCompletion
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas

__all__ = ["SoftImpute", "SoftImputeALS"]

#: Penalties on the way to the one asked for, and iterations at each.
_LEVELS, _STEPS = 10, 5
#: Where a path to alpha=0 ends, relative to its start.
_END = 1e-10


class _Svd:
    """Singular vectors and values of the low-rank part, kept beside an alternation's factors."""

    def __init__(self, state: Alternation) -> None:
        self.state = state
        weights = state.problem.weights
        #: Weights are at most 1 after division by this: then steps of 1 do not overshoot.
        self.top = 1.0 if weights is None else float(weights.max())
        U, V = (factor[:, : state.rank].astype(np.float64) for factor in state.factors)
        (Q0, R0), (Q1, R1) = np.linalg.qr(U), np.linalg.qr(V)
        P, s, Qt = np.linalg.svd(R0 @ R1.T)
        self.set(Q0 @ P, s, Q1 @ Qt.T)

    def set(self, U: np.ndarray, s: np.ndarray, V: np.ndarray) -> None:
        """Take singular vectors and values, and hand balanced factors to the alternation."""
        self.U, self.s, self.V = U, s, V
        k = self.state.rank
        self.state.factors[0][:, :k] = U * np.sqrt(s)
        self.state.factors[1][:, :k] = V * np.sqrt(s)

    def residual(self, penalty: float) -> np.ndarray:
        """Return the entries' weighted residual, after biases were set to their best."""
        state, problem = self.state, self.state.problem
        E = state.residual_entries()
        weights = np.float64(1.0) if problem.weights is None else problem.weights / self.top
        for side, index in enumerate((problem.row_of_entry, problem.X.indices)):
            if problem.biased[side]:
                bias = state.factors[side][:, state.rank]
                size = len(bias)
                total = np.bincount(index, weights=weights * E, minlength=size)
                weight = np.bincount(index, np.broadcast_to(weights, E.shape), minlength=size)
                change = total - penalty * bias
                change /= np.maximum(weight + penalty, np.finfo(np.float64).tiny)
                bias += change.astype(bias.dtype)
                E -= change[index].astype(E.dtype)
        return (weights * E).astype(problem.dtype, copy=False)


class _Thresholding(Solver):
    """What the two solvers share: a path of penalties and the loop along it."""

    task = "matrix-completion"

    def __init__(
        self, *, tol: float = 1e-9, max_iter: int = 5000, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: MatrixCompletion) -> str | None:
        """Refuse factors without signs, penalties that differ between rows, and clusters."""
        if problem.scattered:
            return "it needs the entries in one place"
        if problem.nonneg:
            return "it does not keep factors non-negative"
        if problem.alpha > 0 and problem.alpha_scaling == "count":
            return "the nuclear norm has one penalty, alpha_scaling='count' has many"
        return None

    def _solve(
        self, problem: MatrixCompletion, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = reachable(check_real(self, "tol", self.tol, 0, closed="neither"), problem)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        state, norm = start(problem, rng, effective_n_jobs(check_n_jobs(self, self.n_jobs)))
        svd = _Svd(state)
        last = max(problem.alpha, _END * norm)
        path = np.geomspace(norm, last, _LEVELS).repeat(_STEPS) if 0 < last < norm else np.empty(0)
        penalties = iter(path)

        def step() -> None:
            with single_threaded_blas():
                self._step(svd, next(penalties, problem.alpha) / svd.top)

        n_iter, residual = descend(state, step, monitor, 0.5 * tol, max_iter, free=len(path))
        message = f"The relative gradient was {residual:.1e}. Raise max_iter or alpha."
        return finish(problem, state, tol, n_iter, message=message)

    def _step(self, svd: _Svd, penalty: float) -> None:
        raise NotImplementedError


class SoftImpute(_Thresholding):
    """Fill in, take the singular value decomposition, shrink the singular values; repeat.

    Minimises ``|residual|^2 + 2 alpha |Z|_*`` over matrices Z of at most the rank given, which is
    the problem's objective (the penalty on balanced factors is the nuclear norm). The filled-in
    matrix is never made: it is sparse plus low-rank, and each step is one iteration of the block
    power method on it, started from the last singular vectors. Penalties fall along a path.

    Cost: ``O(nnz k + (m + n) k^2)`` flops a step. Memory: the entries by row and by column, and
    the factors.

    Parameters
    ----------
    tol : float, default=1e-9
        Norm of the gradient to reach, relative to that at zero; at least 4e-6 in float32.
    max_iter : int, default=5000
        Most steps.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    R. Mazumder, T. Hastie, R. Tibshirani, "Spectral Regularization Algorithms for Learning Large
    Incomplete Matrices", JMLR 11, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.completion import MatrixCompletion
    >>> from skrand.completion.solvers import SoftImpute
    >>> rng = np.random.default_rng(0)
    >>> M = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 50))
    >>> X = sp.csr_array(np.where(rng.uniform(size=M.shape) < 0.5, M, 0.0))
    >>> solution = SoftImpute().solve(MatrixCompletion(X=X, rank=20, alpha=4.0), rng=0)
    >>> solution.converged, int((solution.extra["singular_values"] > 1e-6).sum())
    (True, 2)
    """

    name = "softimpute"

    def _step(self, svd: _Svd, penalty: float) -> None:
        E = svd.residual(penalty)
        Q = np.linalg.qr(svd.U * svd.s + svd.state.pull(0, E, svd.V))[0]
        B = svd.V @ ((svd.U.T @ Q) * svd.s[:, None]) + svd.state.pull(1, E, Q)
        V, s, Pt = np.linalg.svd(B, full_matrices=False)
        svd.set(Q @ Pt.T, np.maximum(s - penalty, 0.0), V)


class SoftImputeALS(_Thresholding):
    """Alternating ridge regressions on the filled-in matrix.

    Each half step regresses the filled-in matrix, sparse plus low-rank, on one factor, for all rows
    at once: cheaper than solver "als", whose rows have each their own normal equations, and with
    smaller steps.

    Cost: ``O(nnz k + (m + n) k^2)`` flops a step. Memory: the entries by row and by column, and
    the factors.

    Parameters
    ----------
    tol : float, default=1e-9
        Norm of the gradient to reach, relative to that at zero; at least 4e-6 in float32.
    max_iter : int, default=5000
        Most steps.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    T. Hastie, R. Mazumder, J. Lee, R. Zadeh, "Matrix Completion and Low-Rank SVD via Fast
    Alternating Least Squares", JMLR 16, 2015, arXiv:1410.2596.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.completion import MatrixCompletion
    >>> from skrand.completion.solvers import SoftImputeALS
    >>> rng = np.random.default_rng(0)
    >>> M = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 50))
    >>> X = sp.csr_array(np.where(rng.uniform(size=M.shape) < 0.5, M, 0.0))
    >>> solution = SoftImputeALS().solve(MatrixCompletion(X=X, rank=2, alpha=4.0), rng=0)
    >>> solution.converged
    True
    """

    name = "softimpute-als"

    def _step(self, svd: _Svd, penalty: float) -> None:
        for side in (1, 0):
            E = svd.residual(penalty)
            fixed, moved = (svd.U, svd.V) if side else (svd.V, svd.U)
            root = np.sqrt(svd.s)
            # Regress the filled-in matrix on `fixed` times the root, with a ridge.
            filled = svd.state.pull(side, E, fixed) * root + moved * root**3
            filled /= np.maximum(svd.s + penalty, np.finfo(np.float64).tiny)
            moved, s, Rt = np.linalg.svd(filled * root, full_matrices=False)
            fixed = fixed @ Rt.T
            svd.set(*((fixed, s, moved) if side else (moved, s, fixed)))
