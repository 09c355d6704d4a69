"""The task ``matrix-completion``: what it asks, instances to try, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.optimize import OptimizeResult, minimize

from skrand.base import Instance, Problem, Solution, Task
from skrand.completion.side import Side
from skrand.completion.storage import sums_of_powers

__all__ = ["Factors", "MatrixCompletion", "MatrixCompletionTask"]


class Factors(NamedTuple):
    """A matrix ``intercept + row_bias_i + col_bias_j + U_i^T V_j``.

    Parameters
    ----------
    U, V : ndarray of shape (m, k) and (n, k)
        Factors.
    row_bias, col_bias : ndarray of shape (m,) and (n,)
        What is added to each row and to each column.
    intercept : float
        What is added to every entry.
    """

    U: np.ndarray
    V: np.ndarray
    row_bias: np.ndarray
    col_bias: np.ndarray
    intercept: float

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the entries at some places, a million at a time."""
        out = np.empty(len(rows), dtype=self.U.dtype)
        for start in range(0, len(rows), 2**20):
            part = slice(start, start + 2**20)
            i, j = rows[part], columns[part]
            out[part] = np.einsum("ek,ek->e", self.U[i], self.V[j])
            out[part] += self.row_bias[i] + self.col_bias[j] + self.intercept
        return out

    def dense(self) -> np.ndarray:
        """Return the whole matrix."""
        bias = self.row_bias[:, None] + self.col_bias + self.intercept
        return self.U @ self.V.T + bias.astype(self.U.dtype, copy=False)

    def singular_values(self) -> np.ndarray:
        """Return the singular values of ``U V^T``, the largest first."""
        R, S = (np.linalg.qr(factor, mode="r") for factor in (self.U, self.V))
        return np.linalg.svd(R @ S.T, compute_uv=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixCompletion(Problem):
    """Find a matrix of low rank, plus biases, that agrees with the observed entries.

    Minimise ``sum_ij w_ij (x_ij - c - b_i - d_j - U_i . V_j)^2 + alpha (|U|^2 + |V|^2 + |b|^2 +
    |d|^2)`` over the observed (i, j), where c is the weighted mean of the entries.
    The answer is a :class:`Factors` of U, V, b, d and c.

    Parameters
    ----------
    X : scipy.sparse.csr_array of shape (m, n)
        The observed entries: what is stored, zeros too, is observed. Columns are sorted and no
        place is stored twice; float32 or float64.
    weights : ndarray of shape (nnz,), default=None
        Positive weights, in the order of ``X.data``.
    rank : int
        Rank k, at most ``min(m, n)``.
    alpha : float, default=0.0
        Penalty. 0 is the limit of small ones: of all minimisers, one of small norm.
    alpha_scaling : {"constant", "count"}, default="constant"
        Whether the penalty of each row and column is multiplied by its number of entries.
    biases : {"none", "global", "row", "col", "both"}, default="none"
        Which of c, b and d there are; all but "none" have c.
    nonneg : bool, default=False
        Whether the factors must not have negative numbers.
    init : "spectral", "random" or (U, V), default="spectral"
        Where to start.
    """

    task = "matrix-completion"
    #: Whether the entries are in several places, where only half sweeps can be done to them.
    scattered: ClassVar[bool] = False

    X: Any
    weights: np.ndarray | None = None
    rank: int
    alpha: float = 0.0
    alpha_scaling: str = "constant"
    biases: str = "none"
    nonneg: bool = False
    init: Any = "spectral"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.X.shape

    @property
    def dtype(self) -> np.dtype:
        """What the entries are stored in: float32 or float64."""
        return self.X.dtype

    @property
    def biased(self) -> tuple[bool, bool]:
        """Whether rows and whether columns have a bias."""
        return self.biases in ("row", "both"), self.biases in ("col", "both")

    @cached_property
    def intercept(self) -> float:
        """Weighted mean of the observed entries, or 0 without biases."""
        if self.biases == "none" or not self.X.nnz:
            return 0.0
        return float(self._row_sums(1, 0.0).sum()) / self.total

    @cached_property
    def total(self) -> float:
        """Sum of the weights."""
        return float(self.X.nnz if self.weights is None else self.weights.sum())

    @cached_property
    def square(self) -> float:
        """Weighted sum of squares of the entries less their mean."""
        return float(self._row_sums(2, self.intercept).sum())

    @property
    def oversampling(self) -> float:
        """Number of observed entries for each degree of freedom."""
        (m, n), k = self.shape, self.rank
        biases = m * self.biased[0] + n * self.biased[1]
        return self.X.nnz / max(1, k * (m + n - k) + biases)

    @cached_property
    def row_of_entry(self) -> np.ndarray:
        """Row of each entry."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.X.indptr))

    @cached_property
    def order(self) -> np.ndarray:
        """For each entry by column, its place among the entries by row."""
        places = sp.csr_array(
            (np.arange(self.X.nnz), self.X.indices, self.X.indptr), shape=self.shape
        )
        return places.tocsc().data

    @cached_property
    def sides(self) -> tuple[Side, Side]:
        """The observed entries by row and by column."""
        return Side.pair(self.X, self.weights, self.alpha_scaling == "count")

    def _row_sums(self, power: int, centre: float) -> np.ndarray:
        return sums_of_powers(self.X, self.weights, power, centre)

    def misfit(self, x: Factors) -> float:
        """Weighted sum of squared differences from the observed entries, in float64."""
        entries = self.X.tocoo()
        E = entries.data.astype(np.float64) - x.at(*entries.coords)
        return float(np.sum(E**2 if self.weights is None else self.weights * E**2))

    def objective(self, x: Factors) -> float:
        """Value of the objective, computed in float64 from its definition."""
        loss = self.misfit(x)
        for side, factor, bias in zip(
            self.sides, (x.U, x.V), (x.row_bias, x.col_bias), strict=True
        ):
            squares = np.sum(factor.astype(np.float64) ** 2, axis=1) + bias.astype(np.float64) ** 2
            loss += self.alpha * float(side.ridge @ squares)
        return loss


class MatrixCompletionTask(Task):
    """Fill in a matrix of low rank from some of its entries."""

    name = "matrix-completion"
    problem = MatrixCompletion

    _SIZES = {"tiny": (24, 18, 2), "small": (200, 150, 4), "medium": (1000, 800, 8)}
    _SIZES["large"] = (5000, 4000, 16)

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield entries without noise, with noise, with biases, with weights, in float32."""
        m, n, k = self._SIZES[size]
        rng = np.random.default_rng(seed)
        M = rng.standard_normal((m, k)) @ rng.standard_normal((k, n)) / np.sqrt(k)
        share = min(0.7, 6.0 * k * (m + n - k) / (m * n))
        rows, columns = np.nonzero(rng.uniform(size=M.shape) < share)
        noise = 0.1 * rng.standard_normal(len(rows))

        def entries(values: np.ndarray) -> sp.csr_array:
            return sp.csr_array((values, (rows, columns)), shape=M.shape)

        exact, noisy = M[rows, columns], M[rows, columns] + noise
        yield Instance("exact", MatrixCompletion(X=entries(exact), rank=k))
        yield Instance("noisy", MatrixCompletion(X=entries(noisy), rank=k, alpha=0.5))
        offset = rng.standard_normal(m)[rows] + rng.standard_normal(n)[columns] + 3.0
        biased = MatrixCompletion(X=entries(noisy + offset), rank=k, alpha=0.5, biases="both")
        yield Instance("biased", biased)
        weights = rng.uniform(0.5, 2.0, size=len(rows))
        weighted = MatrixCompletion(X=entries(noisy), weights=weights, rank=k, alpha=0.5)
        yield Instance("weighted", weighted, frozenset({"sample-weight"}))
        single = MatrixCompletion(X=entries(noisy.astype(np.float32)), rank=k, alpha=0.5)
        yield Instance("float32", single, frozenset({"float32"}))

    def reference(self, problem: MatrixCompletion) -> Solution:
        """Minimise the objective by L-BFGS in float64 from several random starts."""
        rng = np.random.default_rng(0)
        best = None
        for _ in range(4):
            found = _lbfgs(problem, rng)
            best = found if best is None or found.fun < best.fun else best
        x = unpack(problem, best.x)
        return Solution(
            x=x,
            converged=True,
            n_iter=int(best.nit),
            residual=stationarity(problem, x),
            solver="scipy-lbfgs",
            extra={"objective": problem.objective(x)},
        )

    def measure(
        self, problem: MatrixCompletion, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure the misfit, the gradient, and the objective above the reference's."""
        excess = problem.objective(solution.x) - reference.extra["objective"]
        return {
            "gradient": stationarity(problem, solution.x),
            "excess": max(0.0, excess / max(problem.square, 1e-300)),
        }

    def objection(
        self, problem: MatrixCompletion, solution: Solution, reference: Solution
    ) -> str | None:
        """Recompute the gradient, and hold the objective against the reference's."""
        figures = self.measure(problem, solution, reference)
        rounding = 100 * float(np.finfo(problem.dtype).eps)
        if figures["gradient"] > 2 * solution.residual + rounding:
            return (
                f"the relative gradient is {figures['gradient']:.1e}, "
                f"{solution.residual:.1e} was claimed"
            )
        if figures["excess"] > 1e-6:
            return f"the objective is {figures['excess']:.1e} of the entries' squares too high"
        return None

    def peers(self) -> dict[str, Callable[[MatrixCompletion], Factors]]:
        """SciPy's L-BFGS on the same objective, from one random start."""
        return {"scipy-lbfgs": _peer}


def _peer(problem: MatrixCompletion) -> Factors:
    return unpack(problem, _lbfgs(problem, np.random.default_rng(0)).x)


def _lbfgs(problem: MatrixCompletion, rng: np.random.Generator) -> OptimizeResult:
    """Minimise the objective from a random start of the entries' size."""
    (m, n), k = problem.shape, problem.rank
    scale = (problem.square / problem.total) ** 0.25
    return minimize(
        lambda x: value_and_gradient(problem, x),
        scale * rng.standard_normal((m + n) * (k + 1)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 5000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-10},
    )


def unpack(problem: MatrixCompletion, x: np.ndarray) -> Factors:
    """Cut a vector into factors and biases; those that the problem lacks are zero."""
    (m, n), k = problem.shape, problem.rank
    U, V = x[: m * (k + 1)].reshape(m, k + 1), x[m * (k + 1) :].reshape(n, k + 1)
    rows, columns = problem.biased
    return Factors(
        U=U[:, :k],
        V=V[:, :k],
        row_bias=U[:, k] * rows,
        col_bias=V[:, k] * columns,
        intercept=problem.intercept,
    )


def value_and_gradient(problem: MatrixCompletion, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Objective and its gradient for a vector, in plain NumPy and SciPy."""
    at = unpack(problem, x)
    gU, gV, _ = gradients(problem, at)
    return problem.objective(at), 2 * np.concatenate([gU.ravel(), gV.ravel()])


def gradients(problem: MatrixCompletion, x: Factors) -> tuple[np.ndarray, np.ndarray, float]:
    """Half the gradients by rows and columns (bias last), and the size to compare them with."""
    entries = problem.X.tocoo()
    w = 1.0 if problem.weights is None else problem.weights
    target = entries.data.astype(np.float64) - problem.intercept
    misfit = target - (x.at(*entries.coords) - problem.intercept)
    halves, size = [], 0.0
    for side, transposed in enumerate((False, True)):
        mine, other = (x.V, x.U) if transposed else (x.U, x.V)
        bias, offset = (x.col_bias, x.row_bias) if transposed else (x.row_bias, x.col_bias)
        i, j = entries.coords[::-1] if transposed else entries.coords
        biased = float(problem.biased[side])
        fixed = np.column_stack([other, np.full(len(other), biased)]).astype(np.float64)
        shape = (len(mine), len(other))
        ridge = problem.alpha * problem.sides[side].ridge[:, None].astype(np.float64)
        pull = sp.csr_array((w * misfit, (i, j)), shape=shape) @ fixed
        halves.append(ridge * np.column_stack([mine, bias * biased]) - pull)
        whole = sp.csr_array((w * (target - offset[j]), (i, j)), shape=shape) @ fixed
        size += float(np.sum(whole**2))
    return halves[0], halves[1], float(np.sqrt(size))


def stationarity(problem: MatrixCompletion, x: Factors) -> float:
    """Norm of the gradient relative to the one that each side has at zero."""
    gU, gV, size = gradients(problem, x)
    if problem.nonneg:
        # At zero only a downward slope counts.
        for gradient, factor in ((gU, x.U), (gV, x.V)):
            g = gradient[:, :-1]
            g[(factor <= 0) & (g > 0)] = 0.0
    norm = float(np.sqrt(np.sum(gU**2) + np.sum(gV**2)))
    return norm / size if size > 0 else float(norm > 0)
