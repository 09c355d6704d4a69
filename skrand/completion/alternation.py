"""Alternating minimisation's state and half steps, its start, and its end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skrand._ext import completion as _kernels
from skrand.base import Solution
from skrand.completion.problem import Factors, MatrixCompletion, Side
from skrand.linalg.threads import single_threaded_blas

__all__ = ["Alternation", "Progress", "finish", "pad", "reachable", "solve_side", "start"]

#: Subspace iterations of the spectral start.
_ITERATIONS = 5

MEASURE, EXACT, CONJUGATE = _kernels.MEASURE, _kernels.EXACT, _kernels.CONJUGATE


def pad(A: np.ndarray, columns: int = 0) -> np.ndarray:
    """Copy A with zero columns added: `columns` of them, then up to what the kernels want."""
    lanes = _kernels.lanes(A.dtype.itemsize)
    width = A.shape[1] + columns
    out = np.zeros((len(A), max(lanes, -(-width // lanes) * lanes)), dtype=A.dtype)
    out[:, : A.shape[1]] = A
    return out


def solve_side(
    side: Side,
    fixed: np.ndarray,
    offset: np.ndarray,
    used: int,
    alpha: float,
    x: np.ndarray,
    *,
    mode: int = EXACT,
    eta: float = 0.1,
    steps: int = 1,
    threads: int = 1,
) -> np.ndarray:
    """Solve all rows of a side in place; return misfit, gradient and its size, by row."""
    figures = np.zeros((3, len(x)))
    squares = np.einsum("jk,jk->k", fixed, fixed, dtype=np.float64) / max(1, len(fixed))
    # Columns of zeros are left where they are: any positive number will do.
    squares = np.where(squares > 0, squares, 1.0)
    _kernels.solve_rows(
        side.indptr,
        side.indices,
        side.values,
        side.weights,
        fixed,
        offset,
        (alpha * side.ridge).astype(fixed.dtype, copy=False),
        squares.astype(fixed.dtype),
        x,
        figures,
        side.cuts,
        used,
        mode,
        eta,
        steps,
        threads,
    )
    return figures


class Progress(NamedTuple):
    """What one half step saw before it changed anything: squared misfit and gradients."""

    misfit: float
    gradient: float
    size: float


class Alternation:
    """Factors of both sides, padded, each with its bias in column `rank`.

    Parameters
    ----------
    problem : MatrixCompletion
        What is solved.
    threads : int
        Threads of the half steps.
    rank : int, optional
        Rank to work at; that of the problem by default, 0 for biases alone.
    """

    def __init__(self, problem: MatrixCompletion, threads: int = 1, rank: int | None = None):
        self.problem = problem
        self.threads = threads
        self.rank = problem.rank if rank is None else rank
        self.factors = [
            pad(np.zeros((size, self.rank), problem.dtype), columns=1) for size in problem.shape
        ]

    def half(
        self, side: int, alpha: float, *, mode: int = EXACT, eta: float = 0.1, steps: int = 1
    ) -> Progress:
        """Improve one side (0: rows, 1: columns) with the other fixed."""
        k, other = self.rank, self.factors[1 - side]
        biased = self.problem.biased[side]
        fixed = other.copy()
        fixed[:, k] = biased
        figures = solve_side(
            self.problem.sides[side],
            fixed,
            (other[:, k] + self.problem.intercept).astype(fixed.dtype, copy=False),
            k + biased,
            alpha,
            self.factors[side],
            mode=mode,
            eta=eta,
            steps=steps,
            threads=self.threads,
        )
        self.problem.oracles["passes"] += 1
        return Progress(*map(float, figures.sum(axis=1)))

    def penalty(self, alpha: float) -> float:
        """Value of the penalty."""
        return alpha * sum(
            float(side.ridge @ np.einsum("ik,ik->i", factor, factor, dtype=np.float64))
            for side, factor in zip(self.problem.sides, self.factors, strict=True)
        )

    def copy(self) -> list[np.ndarray]:
        """Return a copy of the factors, to come back to."""
        return [factor.copy() for factor in self.factors]

    def restore(self, factors: list[np.ndarray]) -> None:
        """Come back to a copy of the factors."""
        for factor, copy in zip(self.factors, factors, strict=True):
            factor[:] = copy

    def residual_entries(self) -> np.ndarray:
        """Return the entries, by row, less the present answer."""
        U, V = (factor.copy() for factor in self.factors)
        k, X = self.rank, self.problem.X
        rows = U[:, k] + self.problem.intercept
        columns, V[:, k], U[:, k] = V[:, k].copy(), 0, 0
        out = np.empty_like(X.data)
        side = self.problem.sides[0]
        _kernels.products(side.indptr, side.indices, U, V, out, self.threads)
        out += np.repeat(rows.astype(out.dtype), np.diff(X.indptr)) + columns[X.indices]
        return np.subtract(X.data, out, out=out)

    def order_factors(self) -> np.ndarray:
        """Make the columns of V orthogonal, longest first; return the singular values of U V^T.

        Both factors get singular vectors times the roots of singular values. Where the penalty
        weighs rows unequally that would change it, and the factors are rotated instead.
        """
        k = self.rank
        U, V = (factor[:, :k].astype(np.float64) for factor in self.factors)
        with single_threaded_blas():
            (Q0, R0), (Q1, R1) = np.linalg.qr(U), np.linalg.qr(V)
            P, s, Qt = np.linalg.svd(R0 @ R1.T)
            if self.problem.alpha > 0 and self.problem.alpha_scaling == "count":
                rotation = np.linalg.svd(R1)[2].T
                U, V = U @ rotation, V @ rotation
            else:
                U, V = (Q0 @ P) * np.sqrt(s), (Q1 @ Qt.T) * np.sqrt(s)
        top = np.abs(V).argmax(axis=0)
        sign = np.where(V[top, np.arange(k)] < 0, -1.0, 1.0)
        self.factors[0][:, :k], self.factors[1][:, :k] = U * sign, V * sign
        return s

    def answer(self) -> Factors:
        """Return the factors without their padding."""
        k, (U, V) = self.rank, self.factors
        return Factors(
            U=np.ascontiguousarray(U[:, :k]),
            V=np.ascontiguousarray(V[:, :k]),
            row_bias=U[:, k].copy(),
            col_bias=V[:, k].copy(),
            intercept=self.problem.intercept,
        )


def reachable(tol: float, problem: MatrixCompletion) -> float:
    """Return the tolerance, or what rounding in the problem's precision allows if that is more."""
    return max(tol, 32 * float(np.finfo(problem.dtype).eps))


def start(problem: MatrixCompletion, rng: np.random.Generator, threads: int = 1):
    """Return the state to start from, and the spectral norm of the entries filled with zeros.

    Biases are fitted first. Of the rest, filled with zeros, the leading singular vectors are found
    by subspace iteration on a random block; rows of the factors more than three times as long as
    the median one are set to zero, which keeps rows with many entries from ruling the start.
    """
    state = Alternation(problem, threads)
    k, (m, n) = problem.rank, problem.shape
    entries = _centred(problem, state, threads)
    side = problem.sides[0]
    values = entries if problem.weights is None else entries * side.weights
    other, transposed = problem.sides[1], values[problem.order]
    width = min(k + 8, m, n)
    block = pad(rng.standard_normal((n, width)).astype(problem.dtype))
    with single_threaded_blas():
        for _ in range(_ITERATIONS):
            block[:, :width] = np.linalg.qr(block[:, :width])[0]
            Q = np.zeros((m, block.shape[1]), problem.dtype)
            _kernels.adjoint(side.indptr, side.indices, values, block, Q, threads)
            Q[:, :width] = np.linalg.qr(Q[:, :width])[0]
            block = np.zeros((n, block.shape[1]), problem.dtype)
            _kernels.adjoint(other.indptr, other.indices, transposed, Q, block, threads)
        W, R = np.linalg.qr(block[:, :width])
        P, s, Zt = np.linalg.svd(R)
        left, right = Q[:, :width] @ Zt.T, W @ P
    problem.oracles["passes"] += _ITERATIONS
    norm = float(s[0])
    if isinstance(problem.init, str):
        if problem.init == "random":
            U, V = (rng.standard_normal((size, k)) for size in (m, n))
            scale = np.sqrt(np.linalg.norm(entries) / np.sqrt(max(1, problem.X.nnz) * k))
            U, V = U * scale, V * scale
        else:
            share = problem.X.nnz / (m * n)
            U, V = (_without_spikes(F[:, :k] * np.sqrt(s[:k] / share)) for F in (left, right))
    else:
        U, V = problem.init
    state.factors[0][:, :k], state.factors[1][:, :k] = U, V
    return state, norm


def _centred(problem: MatrixCompletion, state: Alternation, threads: int) -> np.ndarray:
    """Fit the biases alone, put them into `state`, and return what they leave of the entries."""
    plain = Alternation(problem, threads, rank=0)
    for _ in range(2):
        for side in (1, 0):
            if problem.biased[side]:
                plain.half(side, problem.alpha)
    for mine, theirs in zip(state.factors, plain.factors, strict=True):
        mine[:, problem.rank] = theirs[:, 0]
    return plain.residual_entries()


def _without_spikes(F: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(F, axis=1)
    positive = length[length > 0]
    limit = 3 * np.median(positive) if len(positive) else 0.0
    return np.where((length > limit)[:, None], 0, F)


def finish(
    problem: MatrixCompletion,
    state: Alternation,
    tol: float,
    n_iter: int,
    *,
    message: str = "",
    extra: dict | None = None,
) -> Solution:
    """Order the factors, solve the rows once more, exactly and from zero, and measure.

    That is how rows that come later are folded in, so that those of the fit do not differ.
    """
    singular_values = state.order_factors()
    state.factors[0][:] = 0
    state.half(0, problem.alpha, steps=3)
    # Rows are solved, so what is left of their gradient is rounding.
    seen = [state.half(side, problem.alpha, mode=MEASURE) for side in (0, 1)]
    gradient, size = (sum(getattr(p, name) for p in seen) for name in ("gradient", "size"))
    residual = float(np.sqrt(gradient / size)) if size > 0 else float(gradient > 0)
    converged = residual <= tol
    return Solution(
        x=state.answer(),
        converged=converged,
        n_iter=n_iter,
        residual=residual,
        message="" if converged else message,
        extra={
            "singular_values": singular_values,
            "rmse": float(np.sqrt(seen[0].misfit / problem.total)),
            "objective": seen[0].misfit + state.penalty(problem.alpha),
            **(extra or {}),
        },
    )
