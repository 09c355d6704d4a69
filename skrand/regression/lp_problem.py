"""The task ``lp-regression``: what it asks, instances to try, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.optimize
import scipy.sparse as sp

from skrand.base import Instance, Problem, Solution, Task

__all__ = ["LpRegression", "LpRegressionTask"]


@dataclass(frozen=True, eq=False, kw_only=True)
class LpRegression(Problem):
    """Minimise ``sum_i w_i |a_i x + c - b_i|^p`` over x, and over c if asked.

    Parameters
    ----------
    A : ndarray or CSR matrix of shape (n, d)
        float32 or float64, C or Fortran order, all finite.
    b : ndarray of shape (n, k)
        One column a target; each is a problem of its own.
    p : float
        Power of the loss, at least 1: 1 is least absolute deviations.
    weights : ndarray of shape (n,), optional
        Non-negative, not all zero; ones if None.
    intercept : bool, default=False
        Whether c is free; it is 0 otherwise.

    Notes
    -----
    The unknown has shape ``(d + intercept, k)``: its last row is the intercept, which no centring
    can take out of the problem when p is not 2.
    """

    task = "lp-regression"

    A: Any
    b: np.ndarray
    p: float
    weights: np.ndarray | None = None
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
    def unknowns(self) -> int:
        """Number of coefficients a target, the intercept included."""
        return self.A.shape[1] + self.intercept

    def offset(self, x: np.ndarray) -> np.ndarray:
        """Return the intercepts, (k,)."""
        return x[-1] if self.intercept else np.zeros(self.b.shape[1])

    def residual(self, x: np.ndarray) -> np.ndarray:
        """Return the residuals, (n, k), without weights."""
        self.oracles["passes"] += 1
        return self.b - self.A @ x[: self.A.shape[1]] - self.offset(x)

    def objective(self, x: np.ndarray) -> np.ndarray:
        """Return the objective of every target, (k,)."""
        weights = np.ones(len(self.b)) if self.weights is None else self.weights
        return weights @ np.abs(self.residual(x)) ** self.p


class LpRegressionTask(Task):
    """Linear regression in the p-norm, weighted, with several targets and an intercept."""

    name = "lp-regression"
    problem = LpRegression

    _SHAPES = {
        "tiny": (80, 4),
        # The reference takes seconds on the second and minutes on the third.
        "small": (4_000, 10),
        "medium": (20_000, 10),
        "large": (50_000, 20),
    }

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield problems for p = 1 and others: dense, weighted, several targets, sparse."""
        n, d = self._SHAPES[size]
        rng = np.random.default_rng(seed)
        A = rng.standard_t(2, (n, d))
        noise = rng.standard_t(1.5, (n, 3))
        b = A @ rng.standard_normal((d, 3)) + noise
        weights = rng.integers(0, 3, n).astype(np.float64)
        keep = rng.random((n, d)) < 0.3
        for p, loss in ((1.0, "l1-loss"), (1.5, "lp-loss"), (3.0, "lp-loss")):
            dense = LpRegression(A=A, b=b[:, :1], p=p, intercept=True)
            needs = {loss}
            yield Instance(f"p={p:g}", dense, frozenset(needs))
            moved = replace(dense, A=A * np.logspace(0, 6, d) + 1e3)
            yield Instance(f"p={p:g}-badly-scaled", moved, frozenset(needs))
            weighted = replace(dense, weights=weights, intercept=False)
            yield Instance(f"p={p:g}-weighted", weighted, frozenset({*needs, "sample-weight"}))
            several = replace(dense, b=b)
            yield Instance(f"p={p:g}-targets", several, frozenset({*needs, "multi-output"}))
            single = replace(dense, A=A.astype(np.float32), b=b[:, :1].astype(np.float32))
            yield Instance(f"p={p:g}-float32", single, frozenset({*needs, "float32"}))
            sparse = replace(dense, A=sp.csr_array(A * keep))
            yield Instance(f"p={p:g}-sparse", sparse, frozenset({*needs, "sparse"}))

    def reference(self, problem: LpRegression) -> Solution:
        """Solve by SciPy: HiGHS on the linear program for p = 1, else BFGS and Newton's method."""
        A, scale = _explicit(problem)
        solve = _highs if problem.p == 1 else _minimize
        columns = [solve(A / scale, *_weighted(problem, target)) for target in problem.b.T]
        x = np.column_stack(columns) / scale[:, None]
        return Solution(x=x, converged=True, solver="highs" if problem.p == 1 else "minimize")

    def measure(
        self, problem: LpRegression, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure the excess objective over the reference's, relative to it."""
        best = problem.objective(reference.x)
        excess = problem.objective(solution.x) - best
        scale = np.maximum(best, np.finfo(np.float64).tiny)
        return {"excess_objective": float(np.max(np.maximum(excess, 0.0) / scale))}

    def objection(
        self, problem: LpRegression, solution: Solution, reference: Solution
    ) -> str | None:
        """Hold the objective against the reference's and the duality gap that was reported."""
        excess = self.measure(problem, solution, reference)["excess_objective"]
        gap = float(np.max(solution.extra.get("dual_gap", 0.0)))
        # What the reference itself reaches.
        allowed = gap + (1e-9 if problem.p == 1 else 1e-8)
        if excess <= allowed:
            return None
        return f"the objective is {excess:.2g} above the reference's, the reported gap {gap:.2g}"

    def peers(self) -> dict[str, Callable[[LpRegression], np.ndarray | None]]:
        """scikit-learn's QuantileRegressor and statsmodels' QuantReg, for p = 1."""
        return {"scikit-learn": _quantile_regressor, "statsmodels": _quant_reg}


def _explicit(problem: LpRegression) -> tuple[np.ndarray, np.ndarray]:
    """Return the design matrix with its column of ones, and the norms of its columns."""
    A = problem.A.toarray() if problem.issparse else problem.A
    A = A.astype(np.float64)
    if problem.intercept:
        A = np.hstack([A, np.ones((len(A), 1))])
    norms = np.linalg.norm(A, axis=0) / np.sqrt(max(1, len(A)))
    return A, np.where(norms > 0, norms, 1.0)


def _weighted(problem: LpRegression, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    weights = np.ones(len(target)) if problem.weights is None else problem.weights
    return target.astype(np.float64), weights, problem.p


def _highs(A: np.ndarray, b: np.ndarray, weights: np.ndarray, p: float) -> np.ndarray:
    n, d = A.shape
    cost = np.concatenate([np.zeros(d), weights, weights])
    rows = sp.hstack([sp.csr_array(A), sp.eye_array(n), -sp.eye_array(n)])
    bounds = [(None, None)] * d + [(0, None)] * (2 * n)
    answer = scipy.optimize.linprog(cost, A_eq=rows, b_eq=b, bounds=bounds, method="highs")
    return answer.x[:d]


def _minimize(A: np.ndarray, b: np.ndarray, weights: np.ndarray, p: float) -> np.ndarray:
    size = np.abs(b).max() or 1.0
    root = np.sqrt(weights)
    start = np.linalg.lstsq(A * root[:, None], b / size * root, rcond=None)[0]

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        r = A @ x - b / size
        power = weights * np.abs(r) ** (p - 1)
        return float(power @ np.abs(r)), p * (A.T @ (power * np.sign(r)))

    answer = scipy.optimize.minimize(
        value, start, jac=True, method="BFGS", options={"gtol": 1e-13, "maxiter": 10_000}
    )
    return answer.x * size


def _quantile_regressor(problem: LpRegression) -> np.ndarray | None:
    if problem.p != 1 or problem.b.shape[1] != 1:
        return None
    from sklearn.linear_model import QuantileRegressor

    model = QuantileRegressor(quantile=0.5, alpha=0.0, fit_intercept=problem.intercept)
    model.fit(problem.A, problem.b[:, 0], sample_weight=problem.weights)
    tail = [model.intercept_] if problem.intercept else []
    return np.append(model.coef_, tail)[:, None]


def _quant_reg(problem: LpRegression) -> np.ndarray | None:
    if problem.p != 1 or problem.b.shape[1] != 1 or problem.weights is not None or problem.issparse:
        return None
    from statsmodels.regression.quantile_regression import QuantReg

    A, _ = _explicit(problem)
    return QuantReg(problem.b[:, 0], A).fit(0.5).params[:, None]
