"""Least squares by LAPACK: QR, then the singular value decomposition."""

from __future__ import annotations

import numpy as np

from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import single_threaded_blas
from skrand.regression.factor import (
    backward_error,
    column_scale,
    qr_cost,
    solution,
    solve_rows,
    with_ridge_rows,
)
from skrand.regression.problem import LeastSquares

__all__ = ["Lapack"]


class Lapack(Solver):
    """LAPACK's way (``gelsd``) with the column-scaled matrix: slow, and right at any condition.

    Unlike `numpy.linalg.lstsq` and scikit-learn's LinearRegression it scales the columns to unit
    norm first, so units do not decide which directions count as zero.

    Cost: about ``2 n d^2 + 20 d^3`` flops and three copies of the data in memory.

    References
    ----------
    Å. Björck, "Numerical Methods for Least Squares Problems", SIAM, 1996, section 2.7.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import Lapack
    >>> A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> Lapack().solve(LeastSquares(A=A, b=np.array([[1.0], [3.0], [5.0]]))).x.ravel().round(12)
    array([1., 2.])
    """

    task = "least-squares"
    name = "lapack"

    def supports(self, problem: LeastSquares) -> str | None:
        """Refuse sparse data, which would have to be made dense."""
        return "it needs dense data" if problem.issparse else None

    def cost(self, problem: LeastSquares) -> float:
        """Estimate flops of a matrix product."""
        return qr_cost(problem)

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        matrix = problem.matrix()
        problem.oracles["passes"] += 2
        with single_threaded_blas():
            scale = column_scale(matrix.column_norms(), problem)
            rows, target = with_ridge_rows(
                matrix.toarray() * scale, problem.target, scale, problem.ridge
            )
            factor, x = solve_rows(rows, target, scale)
            residual, gradient = problem.residual(x)
            error = backward_error(factor, problem, x, residual, gradient)
        # A direct method has nothing to iterate: what it reaches is what LAPACK can do.
        return solution(problem, factor, x, residual, True, 0, error)
