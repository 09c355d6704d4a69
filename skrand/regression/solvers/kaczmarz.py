"""Linear systems by projections on random blocks of equations."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import single_threaded_blas
from skrand.regression.linear_system import LinearSystem

__all__ = ["BlockKaczmarz"]


class BlockKaczmarz(Solver):
    """Sketch-and-project by rows: project on the solutions of a random block of equations.

    With S a random block of columns of the identity, ``x += A^T S (S^T A A^T S)^+ S^T (b - A x)``,
    the nearest point that solves the equations of the block. A block of one is the randomized
    Kaczmarz method. One sweep takes every equation once, in a new random order; the distance from
    the solution nearest to the start never rises. Equations that contradict each other keep it
    from converging.

    A step looks at one block of rows only. Where the whole matrix can be factored, that is faster.

    Cost: a sweep takes ``4 n d (block_size + k)`` flops for dense data, less for sparse data, whose
    blocks are made dense in the columns that they use; the number of sweeps grows like the square
    of the condition number and falls with the block size. Memory: a block of rows.

    Parameters
    ----------
    block_size : int, default=64
        Equations in a block.
    tol : float, default=1e-10
        Norm of the residual to reach, relative to that of the right-hand side.
    max_iter : int, default=100
        Most sweeps.

    References
    ----------
    R. M. Gower, P. Richtárik, "Randomized Iterative Methods for Linear Systems", SIAM J. Matrix
    Anal. Appl. 36, 2015, arXiv:1506.03296 (section 3.4 for blocks of the identity).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LinearSystem
    >>> from skrand.regression.solvers import BlockKaczmarz
    >>> problem = LinearSystem(A=np.array([[1.0, 1.0, 0.0]]), b=np.array([[2.0]]))
    >>> BlockKaczmarz().solve(problem, rng=0).x.ravel().round(12)
    array([1., 1., 0.])
    """

    task = "linear-system"
    name = "sketch-project"

    def __init__(self, *, block_size: int = 64, tol: float = 1e-10, max_iter: int = 100) -> None:
        self.block_size = block_size
        self.tol = tol
        self.max_iter = max_iter

    def _solve(self, problem: LinearSystem, rng: np.random.Generator, monitor: Monitor) -> Solution:
        block_size = check_integer(self, "block_size", self.block_size, 1)
        tol = check_real(self, "tol", self.tol, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        x = problem.initial()
        with single_threaded_blas():
            for n_iter in range(1, max_iter + 1):
                problem.oracles["passes"] += 1
                order = rng.permutation(problem.shape[0])
                for start in range(0, len(order), block_size):
                    _project(problem, order[start : start + block_size], x)
                error = problem.relative_residual(problem.residual(x))
                stopped = monitor(
                    {"iteration": n_iter, "residual": error, "x": lambda c=x: c.copy()}
                )
                if error <= tol or stopped or not np.isfinite(error):
                    break
        converged = error <= tol
        message = "" if converged else _shortfall(error, tol)
        return Solution(x=x, converged=converged, n_iter=n_iter, residual=error, message=message)


def _project(problem: LinearSystem, block: np.ndarray, x: np.ndarray) -> None:
    """Move x, in place, to the nearest point that solves a block of the equations."""
    rows, used = problem.A[block], slice(None)
    if problem.issparse:
        used = np.unique(rows.indices)
        rows = rows[:, used].toarray()
    rows = rows.astype(np.float64, copy=False)
    right = problem.b[block] - rows @ x[used]
    # LAPACK's own cut, the unit roundoff, would let through what rounding makes of repeated rows.
    cut = max(rows.shape) * np.finfo(np.float64).eps
    x[used] += scipy.linalg.lstsq(rows, right, cond=cut, check_finite=False)[0]


def _shortfall(error: float, tol: float) -> str:
    return (
        f"The residual is {error:.1e} of the right-hand side where {tol:.1e} was asked for: "
        "max_iter was reached. The equations may be ill-conditioned (a larger block_size helps), "
        "or contradict each other (then see task 'least-squares')."
    )
