"""The task ``matrix-sensing``: what it asks, instances to try, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.optimize import least_squares

from skrand.base import Instance, Problem, Solution, Task
from skrand.completion.sensing.measurements import RankOneMeasurements

__all__ = ["MatrixSensing", "MatrixSensingTask"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixSensing(Problem):
    """Minimise ``sum_i w_i (<A_i, M> + c - y_i)^2`` over matrices M of a rank, and over c if asked.

    The answer is M alone, an array of shape (d1, d2).

    Parameters
    ----------
    A : ndarray, CSR matrix or LinearOperator of shape (n, d1 * d2)
        Row i is the measurement matrix ``A_i`` in row order. float32 or float64.
    y : ndarray of shape (n,)
        What was measured, in the precision of `A`.
    matrix_shape : tuple of int
        The shape ``(d1, d2)`` of M.
    rank : int
        The largest rank allowed, at most ``min(d1, d2)``.
    symmetric : bool, default=False
        Whether M must be symmetric positive semi-definite.
    weights : ndarray of shape (n,), optional
        Non-negative, not all zero; ones if None.
    intercept : bool, default=False
        Whether c is free; it is 0 otherwise.

    Notes
    -----
    Solvers see weights of sum 1, and the intercept eliminated: `image` and `target` are weighted by
    the roots and projected, so that the objective is ``|image(F, G) - target|^2`` with ``M = F
    G^T`` in factors of `rank` columns.
    """

    task = "matrix-sensing"

    A: Any
    y: np.ndarray
    matrix_shape: tuple[int, int]
    rank: int
    symmetric: bool = False
    weights: np.ndarray | None = None
    intercept: bool = False

    @property
    def dtype(self) -> np.dtype:
        """Precision of the data and of the answer."""
        return self.y.dtype

    @property
    def work(self) -> float:
        """Flops of one look at the data."""
        n, (d1, d2) = len(self.y), self.matrix_shape
        if isinstance(self.A, RankOneMeasurements):
            return 2.0 * n * (d1 + d2) * self.rank
        return 2.0 * (self.A.nnz if sp.issparse(self.A) else n * d1 * d2)

    @cached_property
    def _root(self) -> np.ndarray:
        """Roots of the weights, of norm 1."""
        weights = np.ones(len(self.y)) if self.weights is None else self.weights
        return np.sqrt(weights / weights.sum()).astype(self.dtype)

    def _centre(self, values: np.ndarray) -> np.ndarray:
        """Remove from weighted values the part that an intercept explains."""
        return values - self._root * (self._root @ values) if self.intercept else values

    def project(self, values: np.ndarray) -> np.ndarray:
        """Weight and centre values, one a measurement."""
        return self._centre(self._root * values)

    def project_columns(self, values: np.ndarray) -> np.ndarray:
        """Weight and centre columns of values in place."""
        values *= self._root[:, None]
        if self.intercept:
            values -= np.outer(self._root, self._root @ values)
        return values

    @cached_property
    def target(self) -> np.ndarray:
        """What `image` should be."""
        return self.project(self.y)

    def image(self, F: np.ndarray, G: np.ndarray) -> np.ndarray:
        """Return the weighted, centred measurements of ``F G^T``."""
        self.oracles["passes"] += 1
        if isinstance(self.A, RankOneMeasurements):
            return self.project(self.A.products(F, G))
        return self.project(self.A @ (F @ G.T).ravel())

    def adjoint(self, values: np.ndarray) -> np.ndarray:
        """Return the matrix S that the transpose of `image` makes of values; symmetric if M is.

        With values ``image(F, G) - target`` it is the gradient of half the objective in M.
        """
        self.oracles["passes"] += 1
        S = np.asarray(self.A.T @ (self._root * self._centre(values))).reshape(self.matrix_shape)
        return (S + S.T) / 2 if self.symmetric else S

    def adjoint_products(
        self, values: np.ndarray, F: np.ndarray, G: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ``S G`` and ``S^T F`` for the S of `adjoint`, which need not be formed."""
        if not isinstance(self.A, RankOneMeasurements) or self.symmetric:
            S = self.adjoint(values)
            return S @ G, S.T @ F
        self.oracles["passes"] += 1
        values = (self._root * self._centre(values))[:, None]
        left, right = self.A.left, self.A.right
        return left.T @ (values * (right @ G)), right.T @ (values * (left @ F))

    def offset(self, M: np.ndarray) -> float:
        """Return the best intercept for M."""
        if not self.intercept:
            return 0.0
        self.oracles["passes"] += 1
        return float(self._root**2 @ (self.y - self.A @ M.ravel()))


class MatrixSensingTask(Task):
    """A matrix of low rank from linear measurements of it."""

    name = "matrix-sensing"
    problem = MatrixSensing

    _SIZES = {
        "tiny": (8, 6, 2, 150),
        "small": (30, 30, 3, 500),
        "medium": (60, 50, 4, 1500),
        "large": (100, 100, 5, 4000),
    }

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield Gaussian measurements, exact and noisy, and every form that A can take."""
        d1, d2, rank, n = self._SIZES[size]
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((n, d1 * d2))
        M = _planted(d1, d2, rank, rng)
        y = A @ M.ravel()
        noise = 0.1 * rng.standard_normal(n)
        exact = MatrixSensing(A=A, y=y, matrix_shape=(d1, d2), rank=rank)
        yield Instance("gaussian", exact)
        yield Instance("over-parameterized", replace(exact, rank=rank + 1))
        noisy = replace(exact, y=y + noise + 3.0, intercept=True)
        yield Instance("noisy", noisy)
        square = np.ascontiguousarray(A.reshape(n, d1, d2)[:, :d2]).reshape(n, -1)
        X = rng.standard_normal((d2, rank))
        symmetric = MatrixSensing(
            A=square,
            y=square @ (X @ X.T).ravel(),
            matrix_shape=(d2, d2),
            rank=rank,
            symmetric=True,
        )
        yield Instance("symmetric", symmetric)
        weights = rng.integers(0, 3, n).astype(np.float64)
        yield Instance("weighted", replace(noisy, weights=weights), frozenset({"sample-weight"}))
        single = replace(exact, A=A.astype(np.float32), y=y.astype(np.float32))
        yield Instance("float32", single, frozenset({"float32"}))
        kept = rng.uniform(size=A.shape) < 0.3
        sparse = sp.csr_array(np.where(kept, A, 0.0))
        problem = replace(exact, A=sparse, y=sparse @ M.ravel())
        yield Instance("sparse", problem, frozenset({"sparse"}))
        pairs = RankOneMeasurements(rng.standard_normal((n, d1)), rng.standard_normal((n, d2)))
        problem = replace(exact, A=pairs, y=pairs @ M.ravel())
        yield Instance("rank-one", problem, frozenset({"lazy"}))

    def reference(self, problem: MatrixSensing) -> Solution:
        """Solve by SciPy's trust region on the entries of both factors, with exact Jacobians.

        It starts from the truncated matrix of least squares without a rank.
        """
        n, (d1, d2), k = len(problem.y), problem.matrix_shape, problem.rank
        A = np.asarray(problem.A @ np.eye(d1 * d2, dtype=problem.dtype), dtype=np.float64)
        root = np.ones(n) if problem.weights is None else np.sqrt(problem.weights)
        B, b = root[:, None] * A, root * problem.y.astype(np.float64)
        if problem.intercept:
            unit = root / np.linalg.norm(root)
            B, b = B - np.outer(unit, unit @ B), b - unit * (unit @ b)
        M = scipy.linalg.lstsq(B, b)[0].reshape(d1, d2)
        B = B.reshape(n, d1, d2)
        if problem.symmetric:
            values, vectors = scipy.linalg.eigh((M + M.T) / 2)
            start = vectors[:, -k:] * np.sqrt(np.maximum(values[-k:], 0.0))
        else:
            U, s, Vt = scipy.linalg.svd(M)
            start = np.vstack([U[:, :k] * np.sqrt(s[:k]), Vt[:k].T * np.sqrt(s[:k])])

        def split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            factors = x.reshape(-1, k)
            return (factors, factors) if problem.symmetric else (factors[:d1], factors[d1:])

        def residual(x: np.ndarray) -> np.ndarray:
            F, G = split(x)
            return np.einsum("nij,ik,jk->n", B, F, G, optimize=True) - b

        def jacobian(x: np.ndarray) -> np.ndarray:
            F, G = split(x)
            by_left, by_right = B @ G, B.transpose(0, 2, 1) @ F
            if problem.symmetric:
                return (by_left + by_right).reshape(n, -1)
            return np.hstack([by_left.reshape(n, -1), by_right.reshape(n, -1)])

        found = least_squares(
            residual, start.ravel(), jacobian, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=200
        )
        F, G = split(found.x)
        M = (F @ G.T).astype(problem.dtype)
        return Solution(x=M, converged=True, residual=0.0, solver="scipy-least-squares")

    def measure(
        self, problem: MatrixSensing, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure the distance from the reference, and the excess of the objective over its.

        Relative to the reference and to the size of the target.
        """
        size = float(np.linalg.norm(reference.x)) or 1.0
        error = float(np.linalg.norm(solution.x - reference.x)) / size
        mine, theirs = (_misfit(problem, answer.x) for answer in (solution, reference))
        return {"matrix_error": error, "excess_objective": max(0.0, mine - theirs)}

    def objection(
        self, problem: MatrixSensing, solution: Solution, reference: Solution
    ) -> str | None:
        """Hold the matrix, its rank and its symmetry against the reference."""
        figures = self.measure(problem, solution, reference)
        single = problem.dtype == np.float32
        allowed = 1e-3 if single else 1e-7
        if figures["matrix_error"] > allowed:
            return f"the matrix is {figures['matrix_error']:.1e} away from the reference"
        s = scipy.linalg.svdvals(solution.x.astype(np.float64))
        if s[problem.rank :].max(initial=0.0) > (1e-5 if single else 1e-12) * s[0]:
            return f"the matrix is not of rank {problem.rank}"
        if problem.symmetric and not np.array_equal(solution.x, solution.x.T):
            return "the matrix is not symmetric"
        return None

    def peers(self) -> dict[str, Callable[[MatrixSensing], np.ndarray | None]]:
        """scikit-learn's Ridge, which knows nothing of rank."""
        return {"scikit-learn-ridge": _ridge}


def _planted(d1: int, d2: int, rank: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random matrix with the singular values 1 .. 1/2, times the root of its size."""
    U, V = (np.linalg.qr(rng.standard_normal((d, rank)))[0] for d in (d1, d2))
    return np.sqrt(d1 * d2) * (U * np.linspace(1.0, 0.5, rank)) @ V.T


def _misfit(problem: MatrixSensing, M: np.ndarray) -> float:
    """Return the objective relative to its value at zero."""
    image = problem.project(problem.A @ M.ravel())
    size = float(np.sum(problem.target**2)) or 1.0
    return float(np.sum((image - problem.target) ** 2)) / size


def _ridge(problem: MatrixSensing) -> np.ndarray | None:
    from sklearn.linear_model import Ridge

    if not isinstance(problem.A, np.ndarray) and not sp.issparse(problem.A):
        return None
    model = Ridge(alpha=1e-3, fit_intercept=problem.intercept)
    model.fit(problem.A, problem.y, sample_weight=problem.weights)
    return model.coef_.reshape(problem.matrix_shape)
