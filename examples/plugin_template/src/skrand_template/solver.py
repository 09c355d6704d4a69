"""A solver for the task "least-squares"."""

import numpy as np

from skrand.base import Solution, Solver


class ConjugateGradient(Solver):
    """Conjugate gradients on the normal equations of the column-scaled problem.

    Cost: ``4 n d`` flops and one pass over the data an iteration and target; ``O(d)`` memory.

    Parameters
    ----------
    tol : float, default=1e-14
        Size of the scaled gradient to reach, relative to that at zero.
    max_iter : int, default=1000
        Most iterations.

    References
    ----------
    M. R. Hestenes and E. Stiefel, "Methods of Conjugate Gradients for Solving Linear Systems",
    J. Res. Natl. Bur. Stand. 49, 1952, doi:10.6028/jres.049.044, section 10.
    """

    task = "least-squares"
    name = "conjugate-gradient"

    def __init__(self, *, tol=1e-14, max_iter=1000):
        self.tol = tol
        self.max_iter = max_iter

    def supports(self, problem):
        """Refuse what has no unique answer: say why in one sentence, or return None."""
        n, d, _ = problem.shape
        if n < d and problem.ridge == 0:
            return f"it needs as many rows as columns or a ridge, and has {n} rows for {d} columns"
        return None

    def _solve(self, problem, rng, monitor):
        matrix = problem.matrix()
        # Columns that are nothing but rounding get coefficient 0.
        norms = matrix.column_norms()
        usable = norms > problem.negligible_norms()
        scale = np.where(usable, 1 / np.where(usable, np.hypot(norms, problem.ridge**0.5), 1), 0)
        scale = scale[:, None]

        def normal(v):
            problem.oracles["passes"] += 1
            u = scale * v
            return scale * (matrix.rmatmul(matrix.matmul(u)) + problem.ridge * u)

        problem.oracles["passes"] += 1
        gradient = scale * matrix.rmatmul(problem.target)
        start = np.maximum(np.linalg.norm(gradient, axis=0), np.finfo(float).tiny)
        y, direction = np.zeros_like(gradient), gradient.copy()
        energy = (gradient**2).sum(axis=0)
        residual, n_iter = 1.0, 0
        for n_iter in range(1, self.max_iter + 1):
            image = normal(direction)
            curvature = (direction * image).sum(axis=0)
            length = np.divide(energy, curvature, out=np.zeros_like(energy), where=curvature > 0)
            y = y + length * direction
            gradient = gradient - length * image
            previous, energy = energy, (gradient**2).sum(axis=0)
            ratio = np.divide(energy, previous, out=np.zeros_like(energy), where=previous > 0)
            direction = gradient + ratio * direction
            residual = float(np.max(np.sqrt(energy) / start))
            # Once an iteration: it keeps the history, and returns true if the caller wants to stop.
            stop = monitor({"iteration": n_iter, "residual": residual, "x": lambda y=y: scale * y})
            if residual <= self.tol or stop:
                break
        x = scale * y
        # What is reported is computed from the answer, not taken from the recursion.
        _, gradient = problem.residual(x)
        residual = float(np.max(np.linalg.norm(scale * gradient, axis=0) / start))
        converged = residual <= 10 * self.tol
        return Solution(
            x=x,
            converged=converged,
            n_iter=n_iter,
            residual=residual,
            message="" if converged else "Raise max_iter, or use solver 'sap'.",
        )
