"""What the least-squares drivers share: a factor of the scaled matrix, and refinement with it.

Solvers estimate their cost in flops of a matrix product. Everything slower counts by what it takes:
on one core of a current processor an entry of the data costs about 100 of these flops to sketch by
a sparse sign matrix; :func:`pass_cost` says what it costs to pass over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from skrand._validation import refuse_overflow
from skrand.base import Monitor, Solution
from skrand.linalg.centred import CentredMatrix
from skrand.regression.problem import LeastSquares

__all__ = [
    "TOLERANCE",
    "UNIT",
    "Factor",
    "backward_error",
    "cholesky",
    "column_scale",
    "orthonormalise",
    "pass_cost",
    "qr_cost",
    "refine",
    "row_scale",
    "solution",
    "solve_rows",
    "unscale",
    "with_ridge_rows",
]

UNIT = np.finfo(np.float64).eps / 2

#: Relative backward error that an exact solver aims at. The estimate of it may be too small by half
#: where a sketch stands in for the data: the truth stays below 10 unit roundoffs.
TOLERANCE = 5 * UNIT

# Reciprocal condition number of a Gram matrix known to 1e-6 that still gains two digits a step.
_ORTHONORMAL_ENOUGH = 1e-4

# Up to so many targets a factorisation for each costs less than singular values for all.
_FEW = 8


def column_scale(norms: np.ndarray, problem: LeastSquares) -> np.ndarray:
    """Return what makes all columns, with their ridge rows, unit.

    It is 0 for columns that are nothing but rounding: their coefficients are then 0.
    """
    refuse_overflow(norms)
    # The reciprocal of a subnormal norm would not be finite.
    negligible = norms <= np.maximum(problem.negligible_norms(), np.finfo(np.float64).tiny)
    norms = np.hypot(norms, np.sqrt(problem.ridge))
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=~negligible)


def row_scale(rows: np.ndarray, problem: LeastSquares, growth: float = 1.0) -> np.ndarray:
    """Return `column_scale` for rows that stand for all, each for ``growth**2`` of them."""
    with np.errstate(over="ignore"):
        return column_scale(growth * np.linalg.norm(rows, axis=0), problem)


@dataclass(frozen=True, eq=False)
class Factor:
    """An N with nearly orthonormal ``M N``: preconditioner and pseudo-inverse in one.

    ``M`` is the problem's matrix with its ridge rows and with its columns scaled by ``scale``. The
    normal equations of the problem are then solved by ``scale N N^T scale``.

    Parameters
    ----------
    scale : ndarray of shape (d,)
        Inverse column norms, 0 where a column is left out.
    condition : float or None
        Condition number of M, without what was cut; None if it is not known.
    rank : int or None
        Number of columns of N.
    right : callable
        ``right(y)`` is ``N y``.
    left : callable
        ``left(g)`` is ``N^T g``.
    dual_norm : callable
        ``dual_norm(g, mu)`` is ``|(M^T M + mu I)^{-1/2} g|`` for each column of g and entry of mu.
    triangle : ndarray of shape (rank, rank), optional
        The inverse of N, if that is triangular.
    """

    scale: np.ndarray
    condition: float | None
    rank: int | None
    right: Callable[[np.ndarray], np.ndarray]
    left: Callable[[np.ndarray], np.ndarray]
    dual_norm: Callable[[np.ndarray, np.ndarray], np.ndarray]
    triangle: np.ndarray | None = None

    @classmethod
    def from_svd(cls, scale: np.ndarray, values: np.ndarray, Vt: np.ndarray, cut: float) -> Factor:
        """Take singular values and right vectors of M; those below `cut` of the largest go."""
        rank = int(np.count_nonzero(values > cut * values[:1]))
        N = Vt[:rank].T / values[:rank]
        condition = float(values[0] / values[rank - 1]) if rank else np.inf

        def dual_norm(g: np.ndarray, mu: np.ndarray) -> np.ndarray:
            return _dual_norm(values, Vt, g, mu)

        return cls(scale, condition, rank, lambda y: N @ y, lambda g: N.T @ g, dual_norm)

    @classmethod
    def from_triangle(cls, scale: np.ndarray, R: np.ndarray, condition: float) -> Factor:
        """Take an upper triangular R with ``R^T R = M^T M`` for the columns with a nonzero scale.

        It may come from QR or from Cholesky.
        """
        used = np.flatnonzero(scale)

        def right(y: np.ndarray) -> np.ndarray:
            x = np.zeros((len(scale), y.shape[1]))
            x[used] = scipy.linalg.solve_triangular(R, y, check_finite=False)
            return x

        def left(g: np.ndarray) -> np.ndarray:
            return scipy.linalg.solve_triangular(R, g[used], trans=1, check_finite=False)

        def dual_norm(g: np.ndarray, mu: np.ndarray) -> np.ndarray:
            if len(mu) > _FEW:
                return _dual_norm(*scipy.linalg.svd(R, check_finite=False)[1:], g[used], mu)
            return np.array([_shifted_norm(R, *pair) for pair in zip(g[used].T, mu, strict=True)])

        return cls(scale, condition, len(used), right, left, dual_norm, R)

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Solve the normal equations approximately for the right-hand side `gradient`."""
        scale = self.scale[:, None]
        return scale * self.right(self.left(scale * gradient))


def _dual_norm(values: np.ndarray, Vt: np.ndarray, g: np.ndarray, mu: np.ndarray) -> np.ndarray:
    size = np.sqrt(values[:, None] ** 2 + np.maximum(mu, np.finfo(np.float64).tiny))
    return np.linalg.norm((Vt @ g) / size, axis=0)


def _shifted_norm(R: np.ndarray, g: np.ndarray, mu: float) -> float:
    """Return ``|(R^T R + mu I)^{-1/2} g|`` by QR of R above ``sqrt(mu) I``, both triangular."""
    d = len(R)
    shift = np.sqrt(max(mu, np.finfo(np.float64).tiny)) * np.eye(d, order="F")
    root, _, _, _ = scipy.linalg.lapack.dtpqrt(d, min(32, d), R, shift, overwrite_b=True)
    return float(np.linalg.norm(scipy.linalg.solve_triangular(root, g, trans=1)))


def solve_rows(
    rows: np.ndarray, target: np.ndarray, scale: np.ndarray
) -> tuple[Factor, np.ndarray]:
    """Solve explicit least-squares rows (a sketch of M, or M itself) whose columns are scaled.

    QR and, if R is so ill-conditioned that directions may have to be left out, its singular values:
    those below 30 unit roundoffs of the largest are cut, and the answer is then the one of minimum
    norm in the scaled variables. Costs ``2 m d^2`` flops for m rows, and ``O(d^3)`` if it is cut.

    Returns
    -------
    factor : Factor
        Of the rows given.
    x : ndarray of shape (d, k)
        Their solution.
    """
    used = np.flatnonzero(scale)
    R = rows if len(used) == len(scale) else rows[:, used]
    if R.shape[0] >= R.shape[1] > 0:
        projected, R = scipy.linalg.qr_multiply(R, target.T, mode="right")
        target = projected.T
        rcond, _ = scipy.linalg.lapack.dtrcon(R)
        if rcond > 300 * UNIT:
            factor = Factor.from_triangle(scale, R, condition=1 / rcond)
            return factor, scale[:, None] * factor.right(target)
    U, values, vectors = scipy.linalg.svd(R, full_matrices=False, check_finite=False)
    Vt = np.zeros((len(values), len(scale)))
    Vt[:, used] = vectors
    factor = Factor.from_svd(scale, values, Vt, cut=30 * UNIT)
    coordinates = U[:, : factor.rank].T @ target
    return factor, scale[:, None] * factor.right(coordinates)


def cholesky(gram: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the upper factor and the reciprocal condition number, 0 if it is not definite."""
    R, info = scipy.linalg.lapack.dpotrf(gram, lower=0, clean=1)
    if info != 0 or len(gram) == 0:
        return R, 0.0
    return R, scipy.linalg.lapack.dpocon(R, np.abs(gram).sum(axis=0).max())[0]


def orthonormalise(
    factor: Factor, x: np.ndarray, matrix: CentredMatrix, target: np.ndarray, ridge: float
) -> tuple[Factor, np.ndarray] | None:
    """Replace N by ``N R^-1`` with R the Cholesky factor of the Gram matrix of ``M N``.

    Costs ``1.5 n d^2`` flops and one pass over `matrix`, which is M before its columns are scaled.
    The pass gives the gradient at `x` as well, and so a better answer.

    Returns
    -------
    (Factor, ndarray) or None
        None if the columns of ``M N`` are too far from orthonormal for a Gram matrix in single
        precision.
    """
    N = factor.scale[:, None] * factor.right(np.eye(factor.rank))
    gram, step = matrix.preconditioned_gram(N, target, x)
    # The root first: squares of coefficients as large as 1e160 would overflow.
    ridge_rows = np.sqrt(ridge) * N
    gram += ridge_rows.T @ ridge_rows
    step -= ridge_rows.T @ (np.sqrt(ridge) * x)
    R, rcond = cholesky(gram)
    if not rcond > _ORTHONORMAL_ENOUGH:
        return None
    x = x + N @ scipy.linalg.cho_solve((R, False), step, check_finite=False)
    if factor.triangle is not None:
        return Factor.from_triangle(factor.scale, R @ factor.triangle, factor.condition), x

    def solve(y: np.ndarray, trans: int) -> np.ndarray:
        return scipy.linalg.solve_triangular(R, y, trans=trans, check_finite=False)

    finished = replace(
        factor,
        right=lambda y: factor.right(solve(y, 0)),
        left=lambda g: solve(factor.left(g), 1),
    )
    return finished, x


def with_ridge_rows(
    rows: np.ndarray, target: np.ndarray, scale: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Append the ridge to scaled rows: ``sqrt(ridge) diag(scale)``, with target 0."""
    if ridge == 0:
        return rows, target
    zeros = np.zeros((len(scale), target.shape[1]))
    return np.vstack([rows, np.sqrt(ridge) * np.diag(scale)]), np.vstack([target, zeros])


def unscale(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return coefficients of the scaled columns from those of the data's; 0 where scale is 0."""
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    return inverse[:, None] * x


def backward_error(
    factor: Factor,
    problem: LeastSquares,
    x: np.ndarray,
    residual: np.ndarray,
    gradient: np.ndarray,
) -> float:
    """Return the smallest relative change of the scaled matrix and the target that makes x exact.

    The Karlson-Walden estimate, which is within a factor of two of the truth, with the factor in
    place of the exact singular values. It is relative to the Frobenius norm; the worst target
    counts.
    """
    # The ridge is a block of rows sqrt(ridge) I with target 0, so it has residuals too.
    r_norm = np.linalg.norm(residual, axis=0)
    if problem.ridge > 0:
        with np.errstate(over="ignore"):
            r_norm = np.hypot(r_norm, np.sqrt(problem.ridge) * np.linalg.norm(x, axis=0))
    size = _size(factor, problem, x)
    # With theta = |M| / |b| the weight of changes of b: theta^2 r^2 / (1 + theta^2 x^2).
    mu = (_matrix_norm(factor) * r_norm / size) ** 2
    distance = factor.dual_norm(factor.scale[:, None] * gradient, mu)
    # It cannot be more than the residual, all of which could be a change of the target.
    return float(np.max(np.minimum(distance, r_norm) / size, initial=0.0))


def _matrix_norm(factor: Factor) -> float:
    """Return the Frobenius norm of M, whose columns are unit."""
    return np.sqrt(max(1, np.count_nonzero(factor.scale)))


def _size(factor: Factor, problem: LeastSquares, x: np.ndarray) -> np.ndarray:
    """Return for each target what a backward error is relative to."""
    b_norm = np.linalg.norm(problem.target, axis=0)
    x_norm = np.linalg.norm(unscale(x, factor.scale), axis=0)
    size = np.hypot(b_norm, _matrix_norm(factor) * x_norm)
    return np.maximum(size, np.finfo(np.float64).tiny)


def pass_cost(problem: LeastSquares) -> float:
    """Estimate what a pass over the data for a residual and its gradient costs, in flops.

    One dense target is fused into one reading at the speed of memory.
    """
    fused = problem.shape[2] == 1 and not problem.issparse and problem.A.flags.c_contiguous
    return 12.0 * problem.nnz if fused else 35.0 * problem.nnz * problem.shape[2]


def qr_cost(problem: LeastSquares) -> float:
    """Estimate what :func:`solve_rows` takes for all rows; an entry costs some 700 flops more."""
    n, d, _ = problem.shape
    values = 8 * n * n * d if n < d else 0
    return n * d * (2 * min(n, d) + 700) + values


def refine(
    problem: LeastSquares,
    factor: Factor,
    x: np.ndarray,
    monitor: Monitor,
    *,
    tol: float,
    max_iter: int,
    threads: int,
    step: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Solution:
    """Refine `x` on the true residual until its backward error is at most `tol`.

    Each iteration reads the data once, plus what `step` reads. It ends early when the error no
    longer falls: that is the floor that rounding allows.

    Parameters
    ----------
    step : callable, optional
        ``step(gradient, goal)`` solves the normal equations better than ``factor.solve`` alone: in
        the coordinates of ``M N`` an error of at most `goal`, one number a target, will do.
    """
    best, best_error, best_residual = x, np.inf, None
    idle = 0
    for n_iter in range(1, max_iter + 1):
        residual, gradient = problem.residual(x, threads)
        error = backward_error(factor, problem, x, residual, gradient)
        idle = 0 if error <= 0.5 * best_error else idle + 1
        if error < best_error:
            best, best_error, best_residual = x, error, residual
        current = x
        stopped = monitor({"iteration": n_iter, "residual": error, "x": lambda c=current: c})
        # The first answer may owe a small relative error to its size: one idle step proves nothing.
        if error <= tol or stopped or idle > 1 or not np.isfinite(error):
            break
        if n_iter < max_iter:
            goal = 0.1 * tol * _size(factor, problem, x)
            x = x + (factor.solve(gradient) if step is None else step(gradient, goal))
    converged = best_error <= tol
    message = "" if converged else _shortfall(best_error, tol, n_iter == max_iter)
    if best_residual is None:
        best_residual = residual
    return solution(problem, factor, best, best_residual, converged, n_iter, best_error, message)


def solution(
    problem: LeastSquares,
    factor: Factor,
    x: np.ndarray,
    residual: np.ndarray,
    converged: bool,
    n_iter: int,
    error: float,
    message: str = "",
    **extra: object,
) -> Solution:
    """Collect what every least-squares solver reports."""
    squares = (residual**2).sum(axis=0)
    return Solution(
        x=x,
        converged=converged,
        n_iter=n_iter,
        residual=error,
        message=message,
        extra={
            "rank": factor.rank,
            "condition": factor.condition,
            "residual_norm": np.sqrt(squares),
            "objective": squares + ((np.sqrt(problem.ridge) * x) ** 2).sum(axis=0),
            **extra,
        },
    )


def _shortfall(error: float, tol: float, exhausted: bool) -> str:
    cause = "max_iter was reached" if exhausted else "rounding allows no better"
    return f"The backward error is {error:.1e} where {tol:.1e} was asked for: {cause}."
