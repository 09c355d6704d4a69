"""Alternating minimisation's state and half steps, its start, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skrand._ext import completion as _kernels
from skrand.base import Monitor, Solution
from skrand.completion.problem import Factors, MatrixCompletion
from skrand.completion.side import pad
from skrand.linalg.threads import single_threaded_blas

__all__ = [
    "Alternation",
    "Progress",
    "descend",
    "finish",
    "fold_in_options",
    "reachable",
    "start",
]

#: Subspace iterations of the spectral start.
_ITERATIONS = 3
#: A penalty above this share of the spectral norm is one for noise: it decides about the start.
_NOISY = 1e-2

MEASURE, EXACT, CONJUGATE = _kernels.MEASURE, _kernels.EXACT, _kernels.CONJUGATE
COORDINATE, POSITIVE, SKETCHED = _kernels.COORDINATE, _kernels.POSITIVE, _kernels.SKETCHED
#: Rounds of coordinate descent for a row that must be right, and when they end.
_ROUNDS, _ROUND_TOL = 500, 1e-12


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

    def __init__(
        self, problem: MatrixCompletion, threads: int = 1, rank: int | None = None
    ) -> None:
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
        figures = self.problem.sides[side].solve(
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
            float(side.ridge @ np.sum(np.square(factor), axis=1, dtype=np.float64))
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

    def pull(self, side: int, values: np.ndarray, F: np.ndarray) -> np.ndarray:
        """Return the sparse matrix (or its transpose, for side 1) of some values, times F."""
        if side:
            values = values[self.problem.order]
        self.problem.oracles["passes"] += 1
        return self.problem.sides[side].adjoint(F, values=values, threads=self.threads)

    def products(self, U: np.ndarray, V: np.ndarray) -> np.ndarray:
        """Return ``U_i . V_j`` for each observed entry, by row."""
        side, dtype = self.problem.sides[0], self.problem.dtype
        out = np.empty_like(self.problem.X.data)
        U, V = (pad(F.astype(dtype, copy=False)) for F in (U, V))
        _kernels.products(side.indptr, side.indices, U, V, out, self.threads)
        self.problem.oracles["passes"] += 1
        return out

    def measure(self) -> tuple[float, float, float]:
        """Return squared misfit, objective, and norm of the gradient relative to that at zero."""
        mode = _kernels.MEASURE_POSITIVE if self.problem.nonneg else MEASURE
        seen = [self.half(side, self.problem.alpha, mode=mode) for side in (0, 1)]
        gradient, size = (sum(getattr(p, name) for p in seen) for name in ("gradient", "size"))
        residual = float(np.sqrt(gradient / size)) if size > 0 else float(gradient > 0)
        misfit = seen[0].misfit
        return misfit, misfit + self.penalty(self.problem.alpha), residual

    def order_factors(self) -> np.ndarray:
        """Make the columns of V orthogonal, longest first; return the singular values of U V^T.

        Both factors get singular vectors times the roots of singular values. Where the penalty
        weighs rows unequally that would change it, and the factors are rotated instead.
        Non-negative factors are sorted by the size of their products, and scaled.
        """
        k = self.rank
        if self.problem.nonneg:
            return self._sort_columns()
        U, V = (factor[:, :k].astype(np.float64) for factor in self.factors)
        with single_threaded_blas():
            R0, R1 = (np.linalg.qr(F, mode="r") for F in (U, V))
            P, s, Qt = np.linalg.svd(R0 @ R1.T)
            if self.problem.alpha > 0 and self.problem.alpha_scaling == "count":
                rotation = np.linalg.svd(R1)[2].T
                U, V = U @ rotation, V @ rotation
            else:
                # With U = Q R0, Q P s is U R1^T Q^T: the orthogonal factors need not be formed.
                used = s > np.finfo(np.float64).eps * s[0]
                root = np.divide(1.0, np.sqrt(s), out=np.zeros_like(s), where=used)
                U, V = U @ (R1.T @ Qt.T * root), V @ (R0.T @ P * root)
        top = np.abs(V).argmax(axis=0)
        sign = np.where(V[top, np.arange(k)] < 0, -1.0, 1.0)
        self.factors[0][:, :k], self.factors[1][:, :k] = U * sign, V * sign
        return s

    def _sort_columns(self) -> np.ndarray:
        k = self.rank
        U, V = (factor[:, :k].astype(np.float64) for factor in self.factors)
        lengths = [np.linalg.norm(F, axis=0) for F in (U, V)]
        order = np.argsort(-lengths[0] * lengths[1], kind="stable")
        if self.problem.alpha == 0 or self.problem.alpha_scaling == "constant":
            root = np.sqrt(lengths[0] * lengths[1])
            U, V = (
                F * np.divide(root, size, out=np.zeros(k), where=size > 0)
                for F, size in zip((U, V), lengths, strict=True)
            )
        self.factors[0][:, :k], self.factors[1][:, :k] = U[:, order], V[:, order]
        with single_threaded_blas():
            R = [np.linalg.qr(F, mode="r") for F in (U, V)]
            return np.linalg.svd(R[0] @ R[1].T, compute_uv=False)

    def solve_rows(self) -> None:
        """Solve the rows from zero, as rows that come later are."""
        self.factors[0][:] = 0
        self.half(0, self.problem.alpha, **fold_in_options(self.problem.nonneg))

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


def start(problem: MatrixCompletion, rng: np.random.Generator, threads: int = 1) -> Any:
    """Return the state to start from, and the spectral norm of the entries filled with zeros.

    Biases are fitted first. Of the rest, filled with zeros, the leading singular vectors are found.
    With a penalty of some size the start is the first step of singular value thresholding: singular
    values less the penalty. With less they are divided by the share of entries that is observed,
    and rows of the factors more than three times as long as the median one are set to zero, which
    keeps rows with many entries from ruling the start.
    """
    state = Alternation(problem, threads)
    k, (m, n) = problem.rank, problem.shape
    plain = _biases(problem, threads)
    for mine, theirs in zip(state.factors, plain.factors, strict=True):
        mine[:, k] = theirs[:, 0]
    left, s, right = _leading(problem, plain, rng)
    norm = float(s[0])
    if not isinstance(problem.init, str):
        U, V = problem.init
    elif problem.init == "random":
        U, V = (rng.standard_normal((size, k)) for size in (m, n))
        spread = np.sqrt(plain.half(0, 0.0, mode=MEASURE).misfit / max(1e-300, problem.total))
        scale = np.sqrt(spread / np.sqrt(k))
        U, V = U * scale, V * scale
    else:
        left, s, right = left[:, :k], s[:k], right[:, :k]
        penalty = problem.alpha * float(np.sqrt(np.prod([d.ridge.mean() for d in problem.sides])))
        if penalty > _NOISY * norm:
            # No singular value becomes zero: from there no sweep would bring it back.
            root = np.sqrt(np.maximum(s - penalty, 0.1 * s))
            U, V = left * root, right * root
        else:
            root = np.sqrt(s * (m * n / max(1, problem.X.nnz)))
            U, V = _without_spikes(left * root), _without_spikes(right * root)
    if problem.nonneg:
        U, V = np.abs(U), np.abs(V)
    state.factors[0][:, :k], state.factors[1][:, :k] = U, V
    return state, norm


def _leading(
    problem: MatrixCompletion, plain: Alternation, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return leading singular vectors and values of what biases leave, filled with zeros.

    By subspace iteration on a random block on the shorter side, the only one to be orthogonalised.
    """
    sides, offsets = list(problem.sides), [factor[:, 0].copy() for factor in plain.factors]
    offsets[0] += problem.dtype.type(problem.intercept)
    turned = problem.shape[0] > problem.shape[1]
    if turned:
        sides, offsets = sides[::-1], offsets[::-1]
    shorter = min(problem.shape)
    width = min(problem.rank + 8, shorter)

    def times(side: int, block: np.ndarray) -> np.ndarray:
        shift, offset = offsets[side], offsets[1 - side]
        return sides[side].adjoint(block, shift=shift, offset=offset, threads=plain.threads)

    with single_threaded_blas():
        Q = np.linalg.qr(rng.standard_normal((shorter, width)).astype(problem.dtype))[0]
        for _ in range(_ITERATIONS - 1):
            Q = np.linalg.qr(times(0, times(1, Q)))[0]
        block = times(1, Q)
        gram = block.astype(np.float64)
        squares, W = np.linalg.eigh(gram.T @ gram)
        s = np.sqrt(np.maximum(squares[::-1], 0.0))
        W = W[:, ::-1]
        inverse = W / np.where(s > 0, s, 1.0)
        near, far = (F @ R.astype(F.dtype) for F, R in ((Q, W), (block, inverse)))
    problem.oracles["passes"] += _ITERATIONS
    return (far, s, near) if turned else (near, s, far)


def _biases(problem: MatrixCompletion, threads: int) -> Alternation:
    """Fit the biases alone."""
    plain = Alternation(problem, threads, rank=0)
    for _ in range(2):
        for side in (1, 0):
            if problem.biased[side]:
                plain.half(side, problem.alpha)
    return plain


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
    state.solve_rows()
    misfit, objective, residual = state.measure()
    converged = residual <= tol
    return Solution(
        x=state.answer(),
        converged=converged,
        n_iter=n_iter,
        residual=residual,
        message="" if converged else message,
        extra={
            "singular_values": singular_values,
            "rmse": float(np.sqrt(misfit / problem.total)),
            "objective": objective,
            **(extra or {}),
        },
    )


def fold_in_options(nonneg: bool) -> dict:
    """Return the options of a half step that solves rows as well as rounding allows."""
    if nonneg:
        return {"mode": POSITIVE, "steps": _ROUNDS, "eta": _ROUND_TOL}
    return {"mode": EXACT, "steps": 3}


def descend(
    state: Alternation,
    step: Callable[[], None],
    monitor: Monitor,
    tol: float,
    max_iter: int,
    *,
    free: int = 0,
) -> tuple[int, float]:
    """Repeat a step until the gradient is small; return iterations and the relative gradient.

    The first `free` steps are taken without looking at it: a path is not left before its end.
    """
    residual = np.inf
    for n_iter in range(1, max_iter + 1):
        step()
        misfit, _, residual = state.measure()
        record = {
            "iteration": n_iter,
            "residual": residual,
            "rmse": float(np.sqrt(misfit / state.problem.total)),
            "x": state.answer,
        }
        if monitor(record) or (n_iter > free and residual <= tol):
            break
    return n_iter, residual
