"""Solvers of the plugin."""

import numpy as np

from skrand.base import Solution, Solver


class NormalEquations(Solver):
    """Solve ``A'A x = A'b`` as it stands.

    Cost: one product and one factorisation.
    """

    task = "least-squares"
    name = "normal-equations"

    def __init__(self, *, shift=0.0):
        self.shift = shift

    def supports(self, problem):
        """Refuse what the formula does not cover."""
        if problem.issparse:
            return "sparse data would become dense"
        if problem.weights is not None:
            return "weights are not used"
        return None

    def _solve(self, problem, rng, monitor):
        A, b = problem.matrix().toarray(), problem.target
        gram = A.T @ A + (problem.ridge + self.shift) * np.eye(A.shape[1])
        x = np.linalg.solve(gram, A.T @ b)
        return Solution(x=x, converged=True, residual=float(np.linalg.norm(A @ x - b)))


class OldEquations(NormalEquations):
    """The former name of NormalEquations.

    Cost: the same.
    """

    name = "old-equations"
