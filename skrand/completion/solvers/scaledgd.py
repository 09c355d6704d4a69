"""Gradient steps in a metric that undoes the condition number."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.completion.alternation import Alternation, descend, finish, reachable, start
from skrand.completion.problem import MatrixCompletion
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas

__all__ = ["RiemannianCG", "ScaledGradientDescent"]


class _Descent(Solver):
    """What the two solvers share: the loop, and the step that minimises along a direction."""

    task = "matrix-completion"
    #: Whether directions are conjugate to the last one.
    _conjugate = False

    def __init__(
        self, *, tol: float = 1e-9, max_iter: int = 2000, n_jobs: int | None = None
    ) -> None:
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: MatrixCompletion) -> str | None:
        """Refuse non-negative factors, and entries on a cluster."""
        if problem.scattered:
            return "it needs the entries in one place"
        return "it does not keep factors non-negative" if problem.nonneg else None

    def _solve(
        self, problem: MatrixCompletion, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tol = reachable(check_real(self, "tol", self.tol, 0, closed="neither"), problem)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        state, _ = start(problem, rng, effective_n_jobs(check_n_jobs(self, self.n_jobs)))
        state.order_factors()
        walk = _Walk(state, self._conjugate)
        n_iter, residual = descend(state, walk.step, monitor, 0.5 * tol, max_iter)
        message = f"The relative gradient was {residual:.1e}. Raise max_iter or alpha."
        return finish(problem, state, tol, n_iter, message=message)


class _Walk:
    """Steps of (conjugate) gradients for both factors at once, in the scaled metric.

    The metric of one factor is the Gram matrix of the other, so that the length of a step does not
    depend on how a matrix is written as a product; biases have that of a column of ones.
    """

    def __init__(self, state: Alternation, conjugate: bool) -> None:
        self.state = state
        self.conjugate = conjugate
        self.direction: list[np.ndarray] | None = None
        self.last: tuple[list[np.ndarray], float] | None = None

    def step(self) -> None:
        """Move to the minimiser of the objective along the direction."""
        with single_threaded_blas():
            E = self.state.residual_entries()
            gradients = self._gradients(E)
            directions = self._directions(gradients)
            self._move(E, directions)

    def _with_bias(self, side: int) -> np.ndarray:
        """Return what the unknowns of a side are multiplied with: the other factor and ones."""
        state = self.state
        other = state.factors[1 - side][:, : state.rank + 1].astype(np.float64)
        other[:, state.rank] = state.problem.biased[side]
        return other

    def _unknowns(self) -> list[np.ndarray]:
        return [F[:, : self.state.rank + 1].astype(np.float64) for F in self.state.factors]

    def _gradients(self, E: np.ndarray) -> list[np.ndarray]:
        problem = self.state.problem
        weighted = E if problem.weights is None else (problem.weights * E).astype(E.dtype)
        return [
            problem.alpha * side.ridge[:, None] * unknown
            - self.state.pull(number, weighted, self._with_bias(number))
            for number, (side, unknown) in enumerate(
                zip(problem.sides, self._unknowns(), strict=True)
            )
        ]

    def _directions(self, gradients: list[np.ndarray]) -> list[np.ndarray]:
        problem = self.state.problem
        share = problem.total / np.prod(problem.shape)
        steepest = []
        for number, gradient in enumerate(gradients):
            other = self._with_bias(number)
            metric = share * (other.T @ other)
            ridge = problem.alpha * float(np.mean(problem.sides[number].ridge))
            # A bias that is not there, and columns that are zero, get a metric of their own.
            floor = 1e-10 * max(float(np.trace(metric)), 1e-300)
            metric[np.diag_indices(len(metric))] += ridge + floor
            steepest.append(-np.linalg.solve(metric, gradient.T).T)
        if not self.conjugate:
            return steepest
        inner = -sum(float(np.sum(g * d)) for g, d in zip(gradients, steepest, strict=True))
        directions = steepest
        if self.last is not None and self.direction is not None:
            before, size = self.last
            # Polak and Ribiere, restarted where it would be negative or lead uphill.
            change = inner + sum(
                float(np.sum(g * d)) for g, d in zip(before, steepest, strict=True)
            )
            beta = max(0.0, change / size) if size > 0 else 0.0
            mixed = [d + beta * old for d, old in zip(steepest, self.direction, strict=True)]
            if sum(float(np.sum(g * d)) for g, d in zip(gradients, mixed, strict=True)) < 0:
                directions = mixed
        self.last, self.direction = (gradients, inner), directions
        return directions

    def _move(self, E: np.ndarray, directions: list[np.ndarray]) -> None:
        """Go to the first minimiser of the objective, a polynomial of degree 4 in the step."""
        state, problem = self.state, self.state.problem
        k, (dU, dV) = state.rank, directions
        U, V = self._with_bias(1), self._with_bias(0)
        # Along the direction the residual is E - t first - t^2 second.
        first = state.products(dU, V) + state.products(U, dV)
        second = state.products(dU[:, :k], dV[:, :k])
        w = 1.0 if problem.weights is None else problem.weights
        E, first, second = (part.astype(np.float64) for part in (E, first, second))
        coefficients = [
            np.sum(w * second**2),
            2 * np.sum(w * first * second),
            np.sum(w * first**2) - 2 * np.sum(w * E * second),
            -2 * np.sum(w * E * first),
            np.sum(w * E**2),
        ]
        for side, unknown, direction in zip(
            problem.sides, self._unknowns(), directions, strict=True
        ):
            ridge = problem.alpha * side.ridge[:, None]
            coefficients[2] += np.sum(ridge * direction**2)
            coefficients[3] += 2 * np.sum(ridge * unknown * direction)
        quartic = np.array(coefficients)
        # Of data near the end of the range of numbers only some have not underflown, or none.
        largest = np.abs(quartic).max()
        if not np.finfo(np.float64).tiny < largest < np.inf:
            return
        quartic /= largest
        quartic[np.abs(quartic) < 1e-100] = 0.0
        roots = np.roots(np.polyder(quartic))
        steps = roots.real[(np.abs(roots.imag) < 1e-8 * np.abs(roots)) & (roots.real > 0)]
        if not len(steps):
            return
        t = steps[np.argmin(np.polyval(quartic, steps))]
        for factor, direction in zip(state.factors, directions, strict=True):
            factor[:, : k + 1] += (t * direction).astype(factor.dtype)


class ScaledGradientDescent(_Descent):
    """Gradient descent on both factors, each preconditioned by the other's Gram matrix.

    The rate does not depend on the condition of the matrix, from a spectral start. Each step goes
    to the minimiser along its direction, exactly: the objective is a polynomial there.

    Cost: about five passes over the entries, ``O(nnz k)`` flops, a step. Memory: the entries by row
    and by column, and the factors.

    Parameters
    ----------
    tol : float, default=1e-9
        Norm of the gradient to reach, relative to that at zero; at least 4e-6 in float32.
    max_iter : int, default=2000
        Most steps.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    T. Tong, C. Ma, Y. Chi, "Accelerating Ill-Conditioned Low-Rank Matrix Estimation via Scaled
    Gradient Descent", JMLR 22, 2021, arXiv:2005.08898.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.completion import MatrixCompletion
    >>> from skrand.completion.solvers import ScaledGradientDescent
    >>> rng = np.random.default_rng(0)
    >>> M = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 50))
    >>> X = sp.csr_array(np.where(rng.uniform(size=M.shape) < 0.5, M, 0.0))
    >>> solution = ScaledGradientDescent().solve(MatrixCompletion(X=X, rank=2), rng=0)
    >>> solution.converged, bool(np.abs(solution.x.dense() - M).max() < 1e-6)
    (True, True)
    """

    name = "scaledgd"


class RiemannianCG(_Descent):
    """Conjugate gradients on the manifold of matrices of fixed rank.

    Directions are those of "scaledgd", made conjugate (Polak and Ribiere, with restarts). The
    metric belongs to the factors up to an invertible matrix between them, the quotient geometry of
    the manifold; the published method uses the embedded one, with the same cost and a similar rate.

    Cost: about five passes over the entries, ``O(nnz k)`` flops, a step. Memory: the entries by row
    and by column, and the factors.

    Parameters
    ----------
    tol : float, default=1e-9
        Norm of the gradient to reach, relative to that at zero; at least 4e-6 in float32.
    max_iter : int, default=2000
        Most steps.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    B. Vandereycken, "Low-Rank Matrix Completion by Riemannian Optimization", SIAM J. Optim. 23,
    2013, arXiv:1209.3834.

    B. Mishra, G. Meyer, S. Bonnabel, R. Sepulchre, "Fixed-rank matrix factorizations and Riemannian
    low-rank optimization", Comput. Stat. 29, 2014, arXiv:1209.0430.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from skrand.completion import MatrixCompletion
    >>> from skrand.completion.solvers import RiemannianCG
    >>> rng = np.random.default_rng(0)
    >>> M = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 50))
    >>> X = sp.csr_array(np.where(rng.uniform(size=M.shape) < 0.5, M, 0.0))
    >>> solution = RiemannianCG().solve(MatrixCompletion(X=X, rank=2), rng=0)
    >>> solution.converged, bool(np.abs(solution.x.dense() - M).max() < 1e-6)
    (True, True)
    """

    name = "lrgeomcg"
    _conjugate = True
