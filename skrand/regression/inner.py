"""Inner iterations: the preconditioned normal equations of a least-squares problem."""

from __future__ import annotations

import numpy as np

from skrand.linalg.centred import CentredMatrix
from skrand.regression.factor import UNIT, Factor
from skrand.regression.problem import LeastSquares

__all__ = ["InnerSolver"]


class InnerSolver:
    """Solve ``N^T (M^T M) N y = N^T g`` where a sketch made ``M N`` nearly orthonormal.

    Every step reads the data once. All targets step together, each with its own lengths. An inner
    solution has no more correct digits than rounding leaves the products with M: more than those
    are not asked for.
    """

    def __init__(self, problem: LeastSquares, factor: Factor, threads: int) -> None:
        self._problem = problem
        self._factor = factor
        self._matrix: CentredMatrix = problem.matrix(threads)
        self._scale = factor.scale[:, None]
        self._accuracy = float(np.clip(4 * UNIT * factor.condition, 1e-8, 1e-2))

    def _normal(self, y: np.ndarray) -> np.ndarray:
        self._problem.oracles["passes"] += 1
        x = self._scale * self._factor.right(y)
        zeros = np.zeros((self._matrix.shape[0], x.shape[1]))
        _, product = self._matrix.residual(zeros, x)
        return self._factor.left(self._scale * (self._problem.ridge * x - product))

    def conjugate_gradients(self, gradient: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Return ``x`` with an error of at most `goal`, or relative to what rounding allows."""
        residual = self._factor.left(self._scale * gradient)
        solution = np.zeros_like(residual)
        direction = residual.copy()
        energy = (residual**2).sum(axis=0)
        enough = np.maximum(goal**2, self._accuracy**2 * energy)
        for _ in range(_MOST_STEPS):
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


# With a sketch that works 30 are plenty; without, no number would do.
_MOST_STEPS = 60
