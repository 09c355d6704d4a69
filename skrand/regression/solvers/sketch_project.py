"""Least squares by projections on random blocks of the normal equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.centred import CentredMatrix
from skrand.linalg.threads import single_threaded_blas
from skrand.regression.factor import column_scale, unscale
from skrand.regression.problem import LeastSquares

__all__ = ["SketchProject"]

#: Sweeps without a better answer after which rounding is taken to allow none.
_IDLE = 30


class SketchProject(Solver):
    """Sketch-and-project: solve the normal equations for a random block of unknowns at a time.

    Of the system ``H x = c`` with ``H = A^T A + ridge I`` a random part ``S^T H x = S^T c`` is
    looked at, and x is projected on its solutions in the norm of H: ``x += S (S^T H S)^+ S^T (c - H
    x)``. With S a random block of columns of the identity that minimises the objective over a block
    of unknowns, so it never rises. One sweep takes every unknown once, in a new random order.

    A step looks at one block of columns only, and no memory of the size of the Gram matrix is
    needed: that is what it is for. It converges at a rate that depends on the condition number as
    that of descent does. On tall dense data it loses to every other solver, and on sparse data with
    a ridge, where conjugate gradients need few iterations, to ``scipy.sparse.linalg.lsqr`` by a
    factor of hundreds.

    Cost: a sweep takes ``n d (block_size + 4 k)`` flops for dense data, and for sparse data about
    ``block_size`` additions an entry or less; it reads the data twice. The number of sweeps grows
    like the square of the scaled condition number, and falls with the block size. Memory: a copy of
    the block's columns, and for sparse data a copy of them all by columns.

    Parameters
    ----------
    block_size : int, default=64
        Unknowns in a block.
    tol : float, default=2e-15
        Relative backward error to reach, as bounded from above by the norms of the residual and of
        the gradient, for unit columns: less than rounding reaches on some machines is no default.
    max_iter : int, default=100
        Most sweeps.

    References
    ----------
    R. M. Gower, P. Richtárik, "Randomized Iterative Methods for Linear Systems", SIAM J. Matrix
    Anal. Appl. 36, 2015, arXiv:1506.03296 (section 3.3 with B = H: randomized Newton).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import SketchProject
    >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> problem = LeastSquares(A=A, b=np.array([[1.0], [3.0], [5.0]]))
    >>> SketchProject(block_size=1).solve(problem, rng=0).x.ravel().round(12)
    array([1., 2.])
    """

    task = "least-squares"
    name = "sketch-project"

    def __init__(self, *, block_size: int = 64, tol: float = 2e-15, max_iter: int = 100) -> None:
        self.block_size = block_size
        self.tol = tol
        self.max_iter = max_iter

    def supports(self, problem: LeastSquares) -> str | None:
        """Refuse problems without a unique answer by their shape."""
        n, d, _ = problem.shape
        if n - problem.intercept < d and problem.ridge == 0:
            return f"it finds no answer of minimum norm, as {n} rows for {d} columns need"
        return None

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        block_size = check_integer(self, "block_size", self.block_size, 1)
        tol = check_real(self, "tol", self.tol, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        scale = column_scale(problem.matrix().column_norms(), problem)
        used = np.flatnonzero(scale)
        A = sp.csc_array(problem.A) if problem.issparse else problem.A
        x, residual = np.zeros((problem.shape[1], problem.shape[2])), problem.target.copy()
        best, best_error, best_residual, idle = x.copy(), np.inf, residual, 0
        with single_threaded_blas():
            for n_iter in range(1, max_iter + 1):
                problem.oracles["passes"] += 1
                order = rng.permutation(used)
                for start in range(0, len(order), block_size):
                    block = order[start : start + block_size]
                    _project(problem, A, scale, block, x, residual)
                # The residual anew: what is carried along gathers rounding.
                residual, gradient = problem.residual(x)
                error = _backward_error_bound(problem, scale, x, residual, gradient)
                idle = 0 if error < best_error else idle + 1
                if error < best_error:
                    best, best_error, best_residual = x.copy(), error, residual.copy()
                current = best
                stopped = monitor(
                    {"iteration": n_iter, "residual": error, "x": lambda c=current: c}
                )
                if error <= tol or stopped or idle > _IDLE or not np.isfinite(error):
                    break
        squares = (best_residual**2).sum(axis=0)
        converged = best_error <= tol
        return Solution(
            x=best,
            converged=converged,
            n_iter=n_iter,
            residual=best_error,
            message="" if converged else _shortfall(best_error, tol, idle),
            extra={
                "residual_norm": np.sqrt(squares),
                "objective": squares + problem.ridge * (best**2).sum(axis=0),
            },
        )


def _project(
    problem: LeastSquares,
    A: Any,
    scale: np.ndarray,
    block: np.ndarray,
    x: np.ndarray,
    residual: np.ndarray,
) -> None:
    """Minimise over the unknowns of a block; change x and the residual in place."""
    whole, columns = problem.matrix(), A[:, block]
    columns = columns.tocsr() if sp.issparse(columns) else columns
    center = None if whole.center is None else whole.center[block]
    part = CentredMatrix(columns, scale=whole.scale, center=center)
    gram, gradient = part.gram(residual)
    unit = scale[block][:, None]
    gram *= unit * unit.T
    gram.flat[:: len(gram) + 1] += problem.ridge * scale[block] ** 2
    step = unit * (scipy.linalg.pinvh(gram) @ (unit * (gradient - problem.ridge * x[block])))
    x[block] += step
    residual -= part.matmul(step)


def _backward_error_bound(
    problem: LeastSquares,
    scale: np.ndarray,
    x: np.ndarray,
    residual: np.ndarray,
    gradient: np.ndarray,
) -> float:
    """Return a relative change of the scaled matrix that makes x exact; the worst target counts.

    Taking ``r (M^T r)^T / |r|^2`` off makes the residual r orthogonal to the columns, and adding
    ``r y^T / |y|^2`` makes it vanish. Their norms are ``|M^T r| / |r|`` and ``|r| / |y|``.
    """
    r = np.hypot(
        np.linalg.norm(residual, axis=0), np.sqrt(problem.ridge) * np.linalg.norm(x, axis=0)
    )
    tiny = np.finfo(np.float64).tiny
    along = np.linalg.norm(scale[:, None] * gradient, axis=0) / np.maximum(r, tiny)
    # Far beyond any tolerance, where it overflows.
    with np.errstate(over="ignore"):
        away = r / np.maximum(np.linalg.norm(unscale(x, scale), axis=0), tiny)
    size = np.sqrt(max(1, np.count_nonzero(scale)))
    return float(np.max(np.minimum(along, away), initial=0.0) / size)


def _shortfall(error: float, tol: float, idle: int) -> str:
    # Below the unit roundoff rounding alone decides, whether or not a luckier sweep comes by.
    cause = (
        "rounding allows no better"
        if idle > _IDLE or error <= np.finfo(np.float64).eps
        else "max_iter was reached; a ridge, a larger block_size, or solver 'sap' would help"
    )
    return f"The backward error is at most {error:.1e} where {tol:.1e} was asked for: {cause}."
