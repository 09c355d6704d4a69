"""The task ``least-squares``: what it asks, instances to try, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from skrand._validation import refuse_overflow
from skrand.base import Instance, Problem, Solution, Task
from skrand.linalg.centred import CentredMatrix

__all__ = ["LeastSquares", "LeastSquaresTask"]

_UNIT = np.finfo(np.float64).eps / 2


@dataclass(frozen=True, eq=False, kw_only=True)
class LeastSquares(Problem):
    """Minimise ``sum_i w_i |a_i x + c - b_i|^2 + ridge |x|^2`` over x, and over c if asked.

    The answer is x alone, an array of shape (d, k).

    Parameters
    ----------
    A : ndarray or CSR matrix of shape (n, d)
        float32 or float64, C or Fortran order, all finite.
    b : ndarray of shape (n, k)
        One column a target.
    weights : ndarray of shape (n,), optional
        Non-negative, not all zero; ones if None.
    ridge : float, default=0.0
        Penalty on the squared norm of x, never on c.
    intercept : bool, default=False
        Whether c is free; it is 0 otherwise.

    Notes
    -----
    Solvers look for x only. The intercept is eliminated by centring: they see `matrix` (weighted
    and centred, never formed) and `target`, and :meth:`offset` gives c afterwards.
    """

    task = "least-squares"

    A: Any
    b: np.ndarray
    weights: np.ndarray | None = None
    ridge: float = 0.0
    intercept: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of rows, columns and targets."""
        return (*self.A.shape, self.b.shape[1])

    @property
    def dtype(self) -> np.dtype:
        """Type of the entries of `A`, which the coefficients keep."""
        return self.A.dtype

    @property
    def issparse(self) -> bool:
        """Whether `A` is sparse."""
        return sp.issparse(self.A)

    @property
    def nnz(self) -> int:
        """Number of stored entries of `A`."""
        return self.A.nnz if self.issparse else self.A.size

    @cached_property
    def _means(self) -> tuple[np.ndarray | None, np.ndarray]:
        """Weighted means of the columns of `A` (None: not centred) and of `b`."""
        if not self.intercept:
            return None, np.zeros(self.b.shape[1])
        self.oracles["passes"] += 1
        # Divide before summing, so that sums of float32-sized data cannot overflow float64.
        share = np.ones(len(self.b)) if self.weights is None else self.weights
        share = (share / share.sum())[:, None]
        share = share.astype(np.float64)
        # What is not finite is found out by `has_finite_means`.
        with np.errstate(over="ignore", invalid="ignore"):
            target_mean = (self.b * share).sum(axis=0)
            if self.issparse:
                return CentredMatrix(self.A).rmatmul(share).ravel(), target_mean
            # Differences from the first row: a constant column has exactly its constant as mean.
            first = self.A[0].astype(np.float64)
            return first + CentredMatrix(self.A, center=first).rmatmul(share)[:, 0], target_mean

    def has_finite_means(self) -> bool:
        """Whether all means are finite, as they are only if all data are."""
        mean, target_mean = self._means
        return bool(np.isfinite(target_mean).all() and (mean is None or np.isfinite(mean).all()))

    @cached_property
    def target(self) -> np.ndarray:
        """Right-hand side that goes with `matrix`, (n, k) float64."""
        target = np.subtract(self.b, self._means[1], dtype=np.float64)
        if self.weights is not None:
            with np.errstate(over="ignore"):
                target *= np.sqrt(self.weights)[:, None]
        refuse_overflow(np.einsum("ij,ij->j", target, target), "y")
        return target

    @cached_property
    def _operator(self) -> CentredMatrix:
        scale = None if self.weights is None else np.sqrt(self.weights.astype(np.float64))
        return CentredMatrix(self.A, scale=scale, center=self._means[0])

    def matrix(self, threads: int = 1) -> CentredMatrix:
        """Return the weighted, centred `A` as an operator that works on `threads` threads."""
        return self._operator.on(threads)

    @cached_property
    def row_sample(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Some ``2 d`` rows of `matrix` and `target`, one from each of as many strata; None if few.

        They cost nothing to look at and show what most data are like: how ill-conditioned, for
        one. They are not a guarantee: a direction that few rows have may be missing.
        """
        n, d, _ = self.shape
        size = 2 * d + 16
        # Where the whole is small it is not worth the look.
        if n < 16 * size or n * d < 1 << 16:
            return None
        edges = np.linspace(0, n, size + 1).astype(int)
        rows = np.random.default_rng(0).integers(edges[:-1], edges[1:])
        return self.matrix().take(rows), self.target[rows]

    def offset(self, x: np.ndarray) -> np.ndarray:
        """Return the best intercept, (k,), for coefficients `x` of shape (d, k)."""
        mean, target_mean = self._means
        return target_mean if mean is None else target_mean - mean @ x

    def negligible_norms(self) -> np.ndarray | float:
        """Return, for each column, the norm that rounding alone can leave after centring."""
        mean = self._means[0]
        if mean is None:
            return 0.0
        total = len(self.b) if self.weights is None else self.weights.sum()
        # The mean of a sparse column is a plain sum of up to n equal terms.
        growth = max(64, len(self.b)) if self.issparse else 64
        return growth * _UNIT * np.abs(mean) * np.sqrt(total)

    def gram(self, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return the Gram matrix (d, d) and the product of the transpose with the target."""
        self.oracles["passes"] += 1
        return self.matrix(threads).gram(self.target)

    def residual(self, x: np.ndarray, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return the residual (n, k) and half the negative gradient (d, k) at `x`, in one pass."""
        self.oracles["passes"] += 1
        residual, gradient = self.matrix(threads).residual(self.target, x)
        return residual, gradient - self.ridge * x

    def objective(self, x: np.ndarray) -> np.ndarray:
        """Return the objective of every target, (k,)."""
        residual, _ = self.residual(x)
        return (residual**2).sum(axis=0) + self.ridge * (x**2).sum(axis=0)


class LeastSquaresTask(Task):
    """Linear least squares, weighted, with several targets, a ridge and an intercept."""

    name = "least-squares"
    problem = LeastSquares

    _SHAPES = {
        "tiny": (60, 5),
        "small": (20_000, 50),
        "medium": (100_000, 200),
        "large": (300_000, 300),
    }

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield dense, ill-conditioned, offset, ridge, weighted, float32 and sparse problems."""
        n, d = self._SHAPES[size]
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((n, d))
        b = A @ rng.standard_normal((d, 1)) + 0.1 * rng.standard_normal((n, 1))
        yield Instance("dense", LeastSquares(A=A, b=b))
        yield Instance("ridge", LeastSquares(A=A, b=b, ridge=0.1 * n))
        yield Instance("badly-scaled", LeastSquares(A=A * np.logspace(0, 8, d), b=b))
        if size != "tiny":
            yield Instance("condition-1e10", LeastSquares(A=_conditioned(A, 1e10, rng), b=b))
        offset = LeastSquares(A=A + 1e4, b=b + 1e3, intercept=True)
        yield Instance("offset", offset)
        many = A @ rng.standard_normal((d, 3)) + 0.1 * rng.standard_normal((n, 3))
        yield Instance("several-targets", replace(offset, b=many), frozenset({"multi-output"}))
        weights = rng.integers(0, 3, n).astype(np.float64)
        weighted = replace(offset, weights=weights)
        yield Instance("weighted", weighted, frozenset({"sample-weight"}))
        single = LeastSquares(A=A.astype(np.float32), b=b.astype(np.float32), intercept=True)
        yield Instance("float32", single, frozenset({"float32"}))
        entries = n * max(3, d // 20)
        where = rng.integers(n, size=entries), rng.integers(d, size=entries)
        sparse = sp.csr_array((rng.standard_normal(entries), where), shape=(n, d))
        b = sparse @ rng.standard_normal((d, 1)) + 0.1 * rng.standard_normal((n, 1))
        problem = LeastSquares(A=sparse, b=b, intercept=True)
        yield Instance("sparse", problem, frozenset({"sparse"}))

    def reference(self, problem: LeastSquares) -> Solution:
        """Solve by Householder QR with column pivoting of the whole scaled matrix."""
        A, b = problem.matrix().toarray(), problem.target
        scale = np.linalg.norm(A, axis=0)
        scale[scale <= problem.negligible_norms()] = np.inf
        if problem.ridge > 0:
            d = A.shape[1]
            A = np.vstack([A, np.sqrt(problem.ridge) * np.eye(d)])
            b = np.vstack([b, np.zeros((d, b.shape[1]))])
            scale = np.linalg.norm(A, axis=0)
        scaled = A / scale
        x = scipy.linalg.lstsq(scaled, b, lapack_driver="gelsy")[0] / scale[:, None]
        return Solution(x=x, converged=True, solver="gelsy")

    def measure(
        self, problem: LeastSquares, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure the excess objective, and the distance of the fit and of x from the reference.

        All relative: to the optimal objective, to the reference's fit, to the reference.
        """
        best = problem.objective(reference.x)
        excess = (problem.objective(solution.x) - best) / np.maximum(best, np.finfo(float).tiny)
        matrix = problem.matrix()
        fit = matrix.matmul(reference.x)
        fit_error = _relative(matrix.matmul(solution.x - reference.x), fit)
        return {
            "excess_objective": float(np.max(np.maximum(excess, 0.0))),
            "fit_error": fit_error,
            "coefficient_error": _relative(solution.x - reference.x, reference.x),
        }

    def objection(
        self, problem: LeastSquares, solution: Solution, reference: Solution
    ) -> str | None:
        """Hold an exact answer against the reference, a sketched one against its own estimate."""
        difference = problem.matrix().matmul(solution.x - reference.x)
        error = np.linalg.norm(difference, axis=0)
        if "error_estimate" in solution.extra:
            allowed = 3 * np.asarray(solution.extra["error_estimate"])
            claim = "three times its own error estimate"
        else:
            # |A (x - x*)| of a backward stable method is of the order of u |b|, times a modest
            # function of the dimensions; the reference itself is no better than that.
            allowed = 1e4 * _UNIT * np.linalg.norm(problem.target, axis=0) * _growth(problem)
            claim = "what rounding explains"
        worst = float(np.max(error / np.maximum(allowed, np.finfo(float).tiny)))
        if worst <= 1:
            return None
        return f"the fit is {worst:.2g} times {claim} away from the reference"

    def peers(self) -> dict[str, Callable[[LeastSquares], np.ndarray | None]]:
        """scikit-learn's LinearRegression or Ridge, and SciPy's lstsq."""
        return {"scikit-learn": _scikit_learn, "scipy-lstsq": _scipy_lstsq}


def _growth(problem: LeastSquares) -> float:
    """How much larger the data are than their centred part, which is what rounding acts on."""
    mean = problem._means[0]
    if mean is None:
        return 1.0
    norms = problem.matrix().column_norms() / np.sqrt(len(problem.b))
    return 1.0 + float(np.max(np.abs(mean) / np.maximum(norms, np.finfo(float).tiny)))


def _relative(difference: np.ndarray, value: np.ndarray) -> float:
    size = np.linalg.norm(value)
    return float(np.linalg.norm(difference) / (size if size > 0 else 1.0))


def _conditioned(A: np.ndarray, condition: float, rng: np.random.Generator) -> np.ndarray:
    """Give A the singular values ``1 .. 1/condition`` (its own are near each other)."""
    V = scipy.linalg.qr(rng.standard_normal((A.shape[1], A.shape[1])))[0]
    return (A * np.logspace(0, -np.log10(condition), A.shape[1])) @ V


def _scikit_learn(problem: LeastSquares) -> np.ndarray:
    from sklearn.linear_model import LinearRegression, Ridge

    if problem.ridge > 0:
        model = Ridge(alpha=problem.ridge, fit_intercept=problem.intercept)
    else:
        model = LinearRegression(fit_intercept=problem.intercept)
    model.fit(problem.A, problem.b, sample_weight=problem.weights)
    return model.coef_.reshape(problem.shape[2], -1).T


def _scipy_lstsq(problem: LeastSquares) -> np.ndarray | None:
    if problem.issparse or problem.ridge > 0:
        return None
    return scipy.linalg.lstsq(problem.matrix().toarray(), problem.target)[0]
