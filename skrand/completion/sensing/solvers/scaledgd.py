"""Gradient descent whose steps are scaled by the other factor's Gram matrix."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from skrand._validation import check_real
from skrand.base import Monitor, Solution, Solver
from skrand.completion.sensing.descent import descend
from skrand.completion.sensing.point import Point, check_stopping, finish, spectral_start
from skrand.completion.sensing.problem import MatrixSensing
from skrand.linalg.threads import single_threaded_blas

__all__ = ["ScaledGD"]


class ScaledGD(Solver):
    """Gradient descent, scaled: its rate does not depend on the condition number of the answer.

    The gradient in F is multiplied by the inverse of ``G^T G``, and the other way round. With more
    columns than the rank of the answer these Gram matrices become singular, so a multiple of the
    identity is added that shrinks with the distance to the answer.

    Cost: two passes over the measurements an iteration, ``4 n d1 d2`` flops for dense ones, and
    some dozens to hundreds of iterations. Memory: the factors, and one matrix of the answer's
    shape.

    Parameters
    ----------
    damping : float, default=1.0
        Multiple of the identity that is added, relative to the estimated distance to the answer.
        0 is the method for factors of exactly the right rank.
    step_size : float, default=0.7
        Length of the steps, in units of the inverse curvature of the measurements. It is halved
        whenever the loss would rise.
    tol : float, default=None
        Norm of the gradient along matrices of the rank, relative to the gradient at zero. None is
        1e-10, and 1e-5 in single precision.
    max_iter : int, default=1000
        Most iterations.

    References
    ----------
    T. Tong, C. Ma, Y. Chi, "Accelerating Ill-Conditioned Low-Rank Matrix Estimation via Scaled
    Gradient Descent", JMLR 22, 2021, arXiv:2005.08898.
    J. Zhang, S. Fattahi, R. Y. Zhang, "Preconditioned Gradient Descent for Over-Parameterized
    Nonconvex Matrix Factorization", NeurIPS 2021 (the damping).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.completion.sensing import MatrixSensing
    >>> from skrand.completion.sensing.solvers import ScaledGD
    >>> A = np.random.default_rng(0).standard_normal((100, 16))
    >>> problem = MatrixSensing(A=A, y=A.sum(axis=1), matrix_shape=(4, 4), rank=2)
    >>> solution = ScaledGD().solve(problem)
    >>> solution.converged, bool(np.allclose(solution.x, 1))
    (True, True)
    """

    task = "matrix-sensing"
    name = "scaledgd"

    def __init__(
        self,
        *,
        damping: float = 1.0,
        step_size: float = 0.7,
        tol: float | None = None,
        max_iter: int = 1000,
    ) -> None:
        self.damping = damping
        self.step_size = step_size
        self.tol = tol
        self.max_iter = max_iter

    def cost(self, problem: MatrixSensing) -> float:
        """Estimate flops: some two hundred iterations."""
        return 400 * problem.work

    def _solve(
        self, problem: MatrixSensing, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        damping = check_real(self, "damping", self.damping, 0)
        step_size = check_real(self, "step_size", self.step_size, 0, closed="neither")
        tol, max_iter = check_stopping(self, problem)
        with single_threaded_blas():
            start = spectral_start(problem)

            def direction(point: Point) -> tuple[np.ndarray, np.ndarray]:
                # The slope over the curvature estimates the distance to the answer.
                shift = damping * point.slope / start.curvature
                left, right = point.gradient
                return _divide(left, point.G, shift), _divide(right, point.F, shift)

            point, n_iter, reason = descend(
                start.point(problem),
                step_size / start.curvature,
                direction,
                monitor,
                scale=start.scale,
                tol=tol,
                max_iter=max_iter,
            )
            return finish(point, start.scale, tol, n_iter, reason)


def _divide(gradient: np.ndarray, factor: np.ndarray, shift: float) -> np.ndarray:
    """Multiply by the inverse of the factor's Gram matrix, shifted; by its pseudo-inverse if so."""
    gram = factor.T @ factor
    gram.flat[:: len(gram) + 1] += shift
    return gradient @ scipy.linalg.pinvh(gram)
