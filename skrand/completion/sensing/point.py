"""A matrix of low rank in factors, with all that the solvers need to know about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils.extmath import randomized_svd

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution
from skrand.completion.sensing.problem import MatrixSensing

__all__ = [
    "ROUNDING",
    "Point",
    "Start",
    "check_stopping",
    "finish",
    "record",
    "spectral_start",
]

#: Why a solver may stop before its last iteration.
ROUNDING = "No step lowers the objective any more: tol is below what rounding allows"

#: Matrices with a shorter side than this get a full singular value decomposition.
_FULL_SVD = 300


@dataclass(frozen=True, eq=False)
class Point:
    """The matrix ``F G^T``; G is F itself if the problem is symmetric."""

    problem: MatrixSensing
    F: np.ndarray
    G: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        """The matrix itself."""
        return self.F @ self.G.T

    @cached_property
    def residual(self) -> np.ndarray:
        """The weighted, centred measurements minus what they should be."""
        return self.problem.image(self.F, self.G) - self.problem.target

    @cached_property
    def loss(self) -> float:
        """Half the weighted mean of the squared residuals."""
        return 0.5 * float(np.sum(np.square(self.residual), dtype=np.float64))

    @cached_property
    def frames(self) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """QR factorisations of F and G."""
        left = np.linalg.qr(self.F)
        return left, left if self.G is self.F else np.linalg.qr(self.G)

    @cached_property
    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """``S V`` and ``S^T U``: the gradient in M times the orthonormal frames."""
        (U, _), (V, _) = self.frames
        return self.problem.adjoint_products(self.residual, U, V)

    @property
    def gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """``S G`` and ``S^T F``: the gradients of the loss in F and in G.

        For a symmetric problem either is half of the gradient in its one factor, so that tied
        factors and free ones make the same steps.
        """
        (_, R), (_, T) = self.frames
        left, right = self._slopes
        return left @ T, right @ R

    @cached_property
    def slope(self) -> float:
        """Norm of the gradient's projection on the tangent space of matrices of this rank.

        A semi-definite matrix may be best with fewer columns than are allowed, where that space is
        only a cone. So for symmetric problems it is the gradient in F over the norm of F, which is
        the same but for the weight of the smaller columns.
        """
        if self.problem.symmetric:
            size = float(np.linalg.norm(self.frames[0][1], 2))
            return float(np.sqrt(2) * np.linalg.norm(self.gradient[0])) / size if size > 0 else 0.0
        left, right = self._slopes
        both = self.frames[0][0].T @ left
        square = np.sum(left**2) + np.sum(right**2) - np.sum(both**2)
        return float(np.sqrt(max(float(square), 0.0)))


@dataclass(frozen=True, eq=False)
class Start:
    """The best multiple of the truncated gradient at zero, ``U diag(s) V^T``.

    Attributes
    ----------
    U, s, V : ndarray
        Singular vectors and values, scaled to fit the measurements.
    scale : float
        Norm of the whole gradient at zero, by which slopes are judged.
    curvature : float
        Mean square measurement of this matrix over its squared norm: what the measurements
        multiply squared distances by.
    """

    U: np.ndarray
    s: np.ndarray
    V: np.ndarray
    scale: float
    curvature: float

    def point(self, problem: MatrixSensing) -> Point:
        """Return it as a point with balanced factors."""
        root = np.sqrt(self.s)
        F = self.U * root
        return Point(problem, F, F if problem.symmetric else self.V * root)


def spectral_start(problem: MatrixSensing) -> Start:
    """Return the spectral estimate: two passes over the data and a decomposition."""
    S = problem.adjoint(problem.target)
    U, s, V = _leading(S, problem.rank, problem.symmetric)
    image = problem.image(U * s, V)
    squares = float(np.sum(s**2)), float(np.sum(image**2))
    curvature = squares[1] / squares[0] if squares[0] > 0 else 1.0
    curvature = curvature if curvature > 0 else 1.0
    scaled = (s / curvature).astype(problem.dtype)
    return Start(U, scaled, V, float(np.linalg.norm(S)), curvature)


def _leading(
    S: np.ndarray, rank: int, symmetric: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the leading singular triplets, or the leading eigenpairs with negative values cut."""
    if symmetric:
        values, vectors = np.linalg.eigh(S)
        U = np.ascontiguousarray(vectors[:, ::-1][:, :rank])
        return U, np.maximum(values[::-1][:rank], 0), U
    if min(S.shape) <= _FULL_SVD:
        U, s, Vt = np.linalg.svd(S, full_matrices=False)
    else:
        # The seed only picks a test matrix: the result is the same for all but rounding.
        U, s, Vt = randomized_svd(S, rank, n_iter=6, random_state=0)
    return np.ascontiguousarray(U[:, :rank]), s[:rank], np.ascontiguousarray(Vt[:rank].T)


def check_stopping(solver: Any, problem: MatrixSensing) -> tuple[float, int]:
    """Return the tolerance and the most iterations of a solver."""
    tol = check_real(solver, "tol", solver.tol, 0, closed="neither", options=(None,))
    if tol is None:
        tol = 1e-10 if problem.dtype == np.float64 else 1e-5
    return tol, check_integer(solver, "max_iter", solver.max_iter, 1)


def record(monitor: Monitor, iteration: int, point: Point, scale: float, **more: Any) -> bool:
    """Report one iteration; true if the caller wants to stop."""
    state = {"iteration": iteration, "residual": relative(point, scale), "loss": point.loss}
    return monitor({**state, **more, "x": lambda: point.matrix})


def relative(point: Point, scale: float) -> float:
    """Return the slope at a point relative to the gradient at zero."""
    return point.slope / scale if scale > 0 else 0.0


def finish(
    point: Point, scale: float, tol: float, n_iter: int, reason: str = "", **extra: Any
) -> Solution:
    """Make the solution from the last point; `reason` says why it is the last, if not for max_iter.

    See `ROUNDING`.
    """
    residual = relative(point, scale)
    converged = residual <= tol
    message = ""
    if not converged:
        message = (
            f"{reason or 'Raise max_iter or tol'}. The gradient along matrices of this rank is "
            f"{residual:.1e} of the gradient at zero."
        )
    return Solution(
        x=point.matrix,
        converged=converged,
        n_iter=n_iter,
        residual=residual,
        message=message,
        extra={"loss": point.loss, **extra},
    )
