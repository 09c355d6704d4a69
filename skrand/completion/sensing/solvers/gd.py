"""Gradient descent on the factors, with the one modified step that makes it fast."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_boolean, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.completion.sensing.descent import descend
from skrand.completion.sensing.point import Point, Start, check_stopping, finish, spectral_start
from skrand.completion.sensing.problem import MatrixSensing
from skrand.linalg.threads import single_threaded_blas

__all__ = ["GD"]


class GD(Solver):
    """Gradient descent on both factors from a small random start, rebalanced once.

    With more columns than the rank of the answer, descent on ``X X^T`` slows down to an error of
    order ``1/T`` after T steps. Descent on ``F G^T`` from factors of different sizes converges
    linearly, at a rate that is proportional to the square of the initial size. One modified step
    removes that dependence: when the residual is small, F is replaced by its orthonormal factor
    times the root of the largest singular value, and G takes up the rest, so that the product is
    unchanged and every column of F has the size of the answer from then on.

    Cost: two passes over the measurements an iteration, ``4 n d1 d2`` flops for dense ones, and
    some hundred to thousand iterations, in proportion to the condition number of the answer.
    Memory: the factors, and one matrix of the answer's shape unless measurements are of rank one.

    Parameters
    ----------
    init_scale : float, default=0.1
        Size of the random start relative to the root of the answer's norm, as the gradient at zero
        estimates it. Small starts find the signal before the noise of the start matters.
    imbalance : float, default=3.0
        How much larger F starts than G; with 1, and without rebalancing, convergence is sublinear.
        Not used for symmetric problems.
    rebalance : bool, default=True
        Whether to make the modified step. It has no counterpart in symmetric problems.
    rebalance_threshold : float, default=0.1
        Norm of the residual, relative to that of the target, below which it is made. Noise of more
        than this share keeps it from being made.
    step_size : float, default=None
        Length of the steps on half the weighted mean of the squared residuals. None is a quarter of
        the inverse of the Hessian's size. It is halved whenever the loss would rise.
    tol : float, default=None
        Norm of the gradient along matrices of the rank, relative to the gradient at zero. None is
        1e-10, and 1e-5 in single precision.
    max_iter : int, default=10000
        Most iterations.

    References
    ----------
    N. Xiong, L. Ding, S. S. Du, "How Over-Parameterization Slows Down Gradient Descent in Matrix
    Sensing: The Curses of Symmetry and Initialization", ICLR 2024, arXiv:2310.01769. The modified
    step here has the property they prove, by a construction and a threshold of our own.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.completion.sensing import MatrixSensing
    >>> from skrand.completion.sensing.solvers import GD
    >>> A = np.random.default_rng(0).standard_normal((100, 16))
    >>> problem = MatrixSensing(A=A, y=A.sum(axis=1), matrix_shape=(4, 4), rank=2)
    >>> solution = GD().solve(problem, rng=0)
    >>> solution.converged, bool(np.allclose(solution.x, 1))
    (True, True)
    """

    task = "matrix-sensing"
    name = "gd"

    def __init__(
        self,
        *,
        init_scale: float = 0.1,
        imbalance: float = 3.0,
        rebalance: bool = True,
        rebalance_threshold: float = 0.1,
        step_size: float | None = None,
        tol: float | None = None,
        max_iter: int = 10_000,
    ) -> None:
        self.init_scale = init_scale
        self.imbalance = imbalance
        self.rebalance = rebalance
        self.rebalance_threshold = rebalance_threshold
        self.step_size = step_size
        self.tol = tol
        self.max_iter = max_iter

    def _solve(
        self, problem: MatrixSensing, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        step = check_real(self, "step_size", self.step_size, 0, closed="neither", options=(None,))
        rebalance = check_boolean(self, "rebalance", self.rebalance) and not problem.symmetric
        threshold = check_real(self, "rebalance_threshold", self.rebalance_threshold, 0, 1, "right")
        init_scale = check_real(self, "init_scale", self.init_scale, 0, closed="neither")
        imbalance = check_real(self, "imbalance", self.imbalance, 0, closed="neither")
        tol, max_iter = check_stopping(self, problem)
        with single_threaded_blas():
            start = spectral_start(problem)
            if start.s[0] == 0:
                return finish(start.point(problem), start.scale, tol, 0, rebalance_iter=None)
            if step is None:
                step = 0.25 / (float(start.s[0]) * start.curvature)
            point = _random_point(problem, start, init_scale, imbalance, rng)
            made: list[int] = []
            enough = 0.5 * threshold**2 * float(np.sum(problem.target**2))

            def rewrite(point: Point, iteration: int) -> Point:
                if made or point.loss > enough:
                    return point
                made.append(iteration)
                return _rebalanced(point, float(np.sqrt(start.s[0])))

            point, n_iter, reason = descend(
                point,
                step,
                lambda point: point.gradient,
                monitor,
                scale=start.scale,
                tol=tol,
                max_iter=max_iter,
                rewrite=rewrite if rebalance else None,
            )
            rebalance_iter = made[0] if made else None
            return finish(point, start.scale, tol, n_iter, reason, rebalance_iter=rebalance_iter)


def _random_point(
    problem: MatrixSensing,
    start: Start,
    init_scale: float,
    imbalance: float,
    rng: np.random.Generator,
) -> Point:
    """Return Gaussian factors, F of the size asked for and G smaller by the imbalance."""
    (d1, d2), k = problem.matrix_shape, problem.rank
    size = init_scale * np.sqrt(float(start.s[0]))
    F = (size / np.sqrt(d1) * rng.standard_normal((d1, k))).astype(problem.dtype)
    if problem.symmetric:
        return Point(problem, F, F)
    G = size / imbalance / np.sqrt(d2) * rng.standard_normal((d2, k))
    return Point(problem, F, G.astype(problem.dtype))


def _rebalanced(point: Point, size: float) -> Point:
    """Return other factors of the same matrix: all singular values of the left one are `size`."""
    P, s, Qt = np.linalg.svd(point.F, full_matrices=False)
    return Point(point.problem, P @ Qt * size, point.G @ (Qt.T * s) @ Qt / size)
