"""Inner iterations: the preconditioned normal equations of a least-squares problem."""

from __future__ import annotations

import numpy as np

from skrand.linalg.centred import CentredMatrix
from skrand.regression.factor import Factor
from skrand.regression.problem import LeastSquares

__all__ = ["InnerSolver"]

# What a round gains at most. More would be lost to rounding when the outer iteration starts again;
# less costs more rounds, since the directions that count least in this norm come last.
_ACCURACY = 1e-8

# With a sketch that works 30 are plenty; without one no number would do.
_MOST_STEPS = 60


class InnerSolver:
    """Solve ``N^T (M^T M) N y = N^T g`` where a sketch made ``M N`` nearly orthonormal.

    Every step reads the data once, for all targets. It ends when the residual of every target is
    at most its `goal`, or eight digits smaller than it was.
    """

    def __init__(
        self, problem: LeastSquares, factor: Factor, threads: int, steps: int = _MOST_STEPS
    ) -> None:
        self._problem = problem
        self._factor = factor
        self._matrix: CentredMatrix = problem.matrix(threads)
        self._scale = factor.scale[:, None]
        self._steps = steps

    def _normal(self, y: np.ndarray) -> np.ndarray:
        self._problem.oracles["passes"] += 1
        x = self._scale * self._factor.right(y)
        zeros = np.zeros((self._matrix.shape[0], x.shape[1]))
        _, product = self._matrix.residual(zeros, x)
        return self._factor.left(self._scale * (self._problem.ridge * x - product))

    def conjugate_gradients(self, gradient: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Solve by conjugate gradients: each target has step lengths of its own."""
        residual = self._factor.left(self._scale * gradient)
        solution = np.zeros_like(residual)
        direction = residual.copy()
        energy = (residual**2).sum(axis=0)
        enough = np.maximum(goal**2, _ACCURACY**2 * energy)
        for _ in range(self._steps):
            active = energy > enough
            if not active.any():
                break
            image = self._normal(direction)
            curvature = (direction * image).sum(axis=0)
            length = np.divide(energy, curvature, out=np.zeros_like(energy), where=active)
            solution += length * direction
            residual -= length * image
            previous, energy = energy, (residual**2).sum(axis=0)
            ratio = np.divide(energy, previous, out=np.zeros_like(energy), where=active)
            direction = residual + ratio * direction
        return self._scale * self._factor.right(solution)
