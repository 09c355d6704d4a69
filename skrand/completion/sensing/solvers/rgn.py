"""Gauss-Newton on the matrices of a rank."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg

from skrand._validation import check_integer
from skrand.base import Monitor, Solution, Solver
from skrand.completion.sensing.point import (
    ROUNDING,
    Point,
    Start,
    check_stopping,
    finish,
    record,
    relative,
    spectral_start,
)
from skrand.completion.sensing.problem import MatrixSensing
from skrand.linalg.threads import single_threaded_blas

__all__ = ["RGN"]

#: Least-squares problems of at most so many unknowns are solved by factorisation: right at any
#: condition, and their cost is then small beside that of one pass.
_DIRECT = 160
_HALVINGS = 30
#: A Gauss-Newton step that leaves more of the slope than this is the last: Newton takes over.
_SLOW = 0.5


class RGN(Solver):
    """Gauss-Newton along matrices of the rank: a handful of iterations, to full accuracy.

    Near a matrix ``U S V^T`` those of its rank are ``U D^T + E V^T`` to first order, in which the
    problem is one of linear least squares with ``(d1 + d2) rank`` unknowns. It is solved, by
    orthogonal factorisation or by conjugate gradients whose accuracy follows the convergence, and
    the result truncated to the rank. U and V are orthonormal, so neither the condition number of
    the answer nor a rank larger than its rank slows this down. It starts from the spectral
    estimate, and a step that would raise the loss is halved. Where the residual is not small, as
    with noise and too large a rank, Gauss-Newton is slow; from the first slow iteration on the
    curvature of the matrices of the rank is added, which makes it Newton's method.

    Cost: for dense measurements ``4 n d1 d2 rank`` flops an iteration to compress them to the
    unknowns, then ``4 n (d1 + d2) rank`` for each inner step; otherwise two passes for each inner
    step. Five to thirty iterations of ten to fifty inner steps. Memory: ``n (d1 + d2) rank``
    numbers for dense measurements, none otherwise.

    Parameters
    ----------
    tol : float, default=None
        Norm of the gradient along matrices of the rank, relative to the gradient at zero. None is
        1e-10, and 1e-5 in single precision.
    max_iter : int, default=100
        Most iterations.
    max_inner : int, default=500
        Most conjugate gradient steps in one iteration.

    References
    ----------
    Y. Luo, W. Huang, X. Li, A. R. Zhang, "Recursive Importance Sketching for Rank Constrained Least
    Squares: Algorithms and High-Order Convergence", Operations Research 2023, arXiv:2011.08360.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.completion.sensing import MatrixSensing
    >>> from skrand.completion.sensing.solvers import RGN
    >>> A = np.random.default_rng(0).standard_normal((100, 16))
    >>> problem = MatrixSensing(A=A, y=A.sum(axis=1), matrix_shape=(4, 4), rank=2)
    >>> solution = RGN().solve(problem)
    >>> solution.converged, bool(np.allclose(solution.x, 1, atol=1e-12))
    (True, True)
    """

    task = "matrix-sensing"
    name = "rgn"

    def __init__(
        self, *, tol: float | None = None, max_iter: int = 100, max_inner: int = 500
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.max_inner = max_inner

    def cost(self, problem: MatrixSensing) -> float:
        """Estimate flops: ten iterations, of a compression or of ten inner steps.

        A compression is a product of matrices, four times as fast as one with vectors.
        """
        return 10 * (problem.rank if isinstance(problem.A, np.ndarray) else 20) * problem.work

    def _solve(
        self, problem: MatrixSensing, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        max_inner = check_integer(self, "max_inner", self.max_inner, 1)
        tol, max_iter = check_stopping(self, problem)
        with single_threaded_blas():
            start = spectral_start(problem)
            point = _without_zeros(start.point(problem))
            accuracy, curved = relative(point, start.scale), False
            n_iter, n_inner, reason = 0, 0, ""
            while n_iter < max_iter:
                if accuracy <= tol:
                    wider = _with_a_column(point, start, tol) if problem.symmetric else None
                    if wider is None:
                        break
                    point = wider
                model = _Tangent(point, curved)
                (D, E), inner = model.step(max(min(0.1, accuracy), 1e-8), max_inner)
                n_inner += inner
                trial = _search(point, D, E)
                if trial is None and not curved:
                    curved = True
                    continue
                if trial is None:
                    reason = ROUNDING
                    break
                point, previous = trial, accuracy
                accuracy = relative(point, start.scale)
                curved = curved or accuracy > _SLOW * previous
                n_iter += 1
                if record(monitor, n_iter, point, start.scale, n_inner=inner):
                    break
            return finish(point, start.scale, tol, n_iter, reason, n_inner=n_inner)


class _Tangent:
    """The linear least-squares problem in the directions ``U D^T + E V^T``; E = D if symmetric.

    `curved` adds the second derivative of the matrices of the rank along these directions, ``(E -
    U U^T E) K^{-1} (D - V V^T D)^T`` for ``F G^T = U K V^T``, which turns Gauss-Newton into Newton.
    """

    def __init__(self, point: Point, curved: bool) -> None:
        self.point = point
        self.problem = point.problem
        (self.U, R), (self.V, T) = point.frames
        self.symmetric = point.problem.symmetric
        self.matrix = self._compress() if isinstance(self.problem.A, np.ndarray) else None
        self.gradient = None
        if curved:
            self.gradient = self.problem.adjoint(point.residual)
            self.inverse = scipy.linalg.pinv(R @ T.T)

    def _compress(self) -> np.ndarray:
        """Return the measurements of every direction, a column an entry of D and then of E."""
        problem, (d1, d2) = self.problem, self.problem.matrix_shape
        n, k = len(problem.y), self.U.shape[1]
        A = problem.A.reshape(n, d1, d2)
        problem.oracles["passes"] += 2
        by_left = np.matmul(self.U.T, A).transpose(0, 2, 1).reshape(n, d2 * k)
        by_right = (A @ self.V).reshape(n, d1 * k)
        columns = by_left + by_right if self.symmetric else np.hstack([by_left, by_right])
        return problem.project_columns(columns)

    def step(self, accuracy: float, max_inner: int) -> tuple[tuple[np.ndarray, np.ndarray], int]:
        """Return the best D and E, of least norm, and the inner steps that it took."""
        rows = len(self.V) if self.symmetric else len(self.U) + len(self.V)
        unknowns = rows * self.U.shape[1]
        if self.matrix is not None and self.gradient is None and unknowns <= _DIRECT:
            cond = np.finfo(self.matrix.dtype).eps * max(self.matrix.shape)
            x = scipy.linalg.lstsq(
                self.matrix, -self.point.residual, cond=cond, overwrite_a=True, check_finite=False
            )[0]
            return self._split(x), 0
        slope = self._without_gauge(-self._adjoint(self.point.residual))
        x, inner = _conjugate_gradients(self._normal, slope, accuracy, max_inner)
        return self._split(x), inner

    def _without_gauge(self, x: np.ndarray) -> np.ndarray:
        """Remove from a gradient what rounding adds to it along ``U D^T + E V^T = 0``.

        The Hessian is singular there. A small gradient is a difference of large numbers: without
        this its rounding would be more than what the inner accuracy leaves, and be blown up.
        """
        D, E = self._split(x)
        excess = (self.V.T @ D - E.T @ self.U) / 2
        D = D - self.V @ excess
        return D.ravel() if self.symmetric else np.vstack([D, E + self.U @ excess.T]).ravel()

    def _split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        factors = x.astype(self.problem.dtype, copy=False).reshape(-1, self.U.shape[1])
        d2 = len(self.V)
        return factors[:d2], factors[:d2] if self.symmetric else factors[d2:]

    def _normal(self, x: np.ndarray) -> np.ndarray:
        """Multiply by the Hessian of half the objective."""
        image = self._adjoint(self._forward(x))
        if self.gradient is None:
            return image
        D, E = self._split(x)
        D = D - self.V @ (self.V.T @ D)
        E = E - self.U @ (self.U.T @ E)
        left, right = self.gradient @ D @ self.inverse, self.gradient.T @ E @ self.inverse.T
        left -= self.U @ (self.U.T @ left)
        right -= self.V @ (self.V.T @ right)
        return image + (left + right if self.symmetric else np.vstack([right, left])).ravel()

    def _forward(self, x: np.ndarray) -> np.ndarray:
        if self.matrix is not None:
            return self.matrix @ x
        D, E = self._split(x)
        return self.problem.image(np.hstack([self.U, E]), np.hstack([D, self.V]))

    def _adjoint(self, values: np.ndarray) -> np.ndarray:
        if self.matrix is not None:
            return self.matrix.T @ values
        left, right = self.problem.adjoint_products(values, self.U, self.V)
        return (left + right).ravel() if self.symmetric else np.vstack([right, left]).ravel()


def _conjugate_gradients(
    product: Callable[[np.ndarray], np.ndarray], b: np.ndarray, rtol: float, max_iter: int
) -> tuple[np.ndarray, int]:
    """Solve by conjugate gradients from zero, up to the first direction of negative curvature."""
    x, residual = np.zeros_like(b), b
    direction, energy = residual, float(residual @ residual)
    enough = rtol**2 * energy
    for step in range(max_iter):
        if energy <= enough:
            return x, step
        image = product(direction)
        curvature = float(direction @ image)
        if curvature <= 0:
            return (x, step) if step else (b, 1)
        x = x + energy / curvature * direction
        residual = residual - energy / curvature * image
        previous, energy = energy, float(residual @ residual)
        direction = residual + energy / previous * direction
    return x, max_iter


def _search(point: Point, D: np.ndarray, E: np.ndarray) -> Point | None:
    """Return the truncated full step, or the first of its halves that is an improvement, or None.

    Where rounding hides how the loss changes, that is one that lowers the slope.
    """
    slack = 8 * np.finfo(point.F.dtype).eps * float(np.sum(point.problem.target**2))
    length = 1.0
    for _ in range(_HALVINGS):
        trial = _truncated(point, length * D, length * E)
        change = trial.loss - point.loss
        if change < -slack or (change <= slack and trial.slope < point.slope):
            return trial
        length /= 2
    return None


def _truncated(point: Point, D: np.ndarray, E: np.ndarray) -> Point:
    """Return the best approximation, of the problem's rank, of ``F G^T + U D^T + E V^T``."""
    (U, R), (V, T) = point.frames
    k = U.shape[1]
    Q, left = np.linalg.qr(np.hstack([U, E]))
    if point.problem.symmetric:
        # U (R R^T) U^T + U D^T + D U^T, and D = E.
        middle = np.zeros((2 * k, 2 * k), dtype=Q.dtype)
        middle[:k, :k] = R @ R.T
        middle[:k, k:] = middle[k:, :k] = np.eye(k)
        values, vectors = np.linalg.eigh(left @ middle @ left.T)
        F = Q @ (vectors[:, -k:] * np.sqrt(np.maximum(values[-k:], 0)))
        return _without_zeros(Point(point.problem, F, F))
    P, right = np.linalg.qr(np.hstack([V @ (T @ R.T) + D, V]))
    W, s, Zt = np.linalg.svd(left @ right.T)
    root = np.sqrt(s[:k])
    return Point(point.problem, Q @ (W[:, :k] * root), P @ (Zt[:k].T * root))


def _without_zeros(point: Point) -> Point:
    """Drop the columns of a symmetric problem's factor that are zero: they give no directions."""
    if not point.problem.symmetric:
        return point
    F = point.F[:, point.F.any(axis=0)]
    return Point(point.problem, F, F)


def _with_a_column(point: Point, start: Start, tol: float) -> Point | None:
    """Return the point with one more column, if it may have one and that lowers the loss."""
    if point.F.shape[1] == point.problem.rank:
        return None
    values, vectors = np.linalg.eigh(point.problem.adjoint(point.residual))
    if values[0] >= -tol * start.scale:
        return None
    F = np.column_stack([point.F, vectors[:, 0] * np.sqrt(-values[0] / start.curvature)])
    wider = Point(point.problem, F, F)
    return wider if wider.loss < point.loss else None
