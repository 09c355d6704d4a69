"""What the paper on alternating minimisation promises, and what we add, measured again."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import scipy.sparse as sp

from skrand.completion.alternation import CONJUGATE, start
from skrand.completion.problem import MatrixCompletion
from skrand.completion.solvers import AlternatingLeastSquares, AlternatingMinimisation
from skrand.testing import ClaimResult

__all__ = ["alternating_minimisation"]

_SEEDS = tuple(range(10))


def _entries(seed: int) -> tuple[np.ndarray, sp.csr_array]:
    """Return a 300 x 350 matrix of rank 5 and 1.2 entries a degree of freedom, 6 or more a line."""
    m, n, k = 300, 350, 5
    rng = np.random.default_rng(seed)
    P, Q = (np.linalg.qr(rng.standard_normal((size, k)))[0] for size in (m, n))
    M = P @ Q.T * np.sqrt(m * n / k)
    mask = np.zeros(m * n, dtype=bool)
    mask[rng.choice(m * n, round(1.2 * k * (m + n - k)), replace=False)] = True
    mask = mask.reshape(m, n)
    for lines in (mask, mask.T):
        for line in lines:
            empty = np.flatnonzero(~line)
            line[rng.permutation(empty)[: max(0, k + 1 - line.sum())]] = True
    rows, columns = np.nonzero(mask)
    return M, sp.csr_array((M[rows, columns], (rows, columns)), shape=(m, n))


def _recovered(solver: Any) -> tuple[int, float]:
    """Count recoveries to a root mean squared error of 1e-6; return the worst CPU time, too."""
    done, worst = 0, 0.0
    for seed in _SEEDS:
        M, X = _entries(seed)
        start = time.process_time()
        answer = solver.solve(MatrixCompletion(X=X, rank=5), rng=0).x.dense()
        worst = max(worst, time.process_time() - start)
        done += bool(np.sqrt(np.mean((answer - M) ** 2)) <= 1e-6)
    return done, worst


def _sweep_time(k: int) -> float:
    """Return the median CPU time of a sweep, three steps of CG a row, on 4e5 random entries."""
    rng = np.random.default_rng(0)
    n = 4000
    rows, columns = np.divmod(np.unique(rng.integers(n * n, size=400_000)), n)
    values = rng.standard_normal(len(rows)).astype(np.float32)
    X = sp.csr_array((values, (rows, columns)), shape=(n, n))
    state, _ = start(MatrixCompletion(X=X, rank=k, alpha=1.0, init="random"), rng)
    times = []
    for _ in range(4):
        begin = time.process_time()
        for side in (0, 1):
            state.half(side, 1.0, mode=CONJUGATE, eta=1e-9, steps=3)
        times.append(time.process_time() - begin)
    return float(np.median(times))


def alternating_minimisation() -> list[ClaimResult]:
    """Recover from few entries, and time sweeps by rank; 20 seconds."""
    ours, worst = _recovered(AlternatingMinimisation(tol=1e-10, n_jobs=1))
    plain, _ = _recovered(AlternatingLeastSquares(n_jobs=1, max_iter=300))
    ratio = _sweep_time(128) / _sweep_time(32)
    return [
        ClaimResult(
            paper="A falling penalty recovers where a fixed one fails (ours, not the paper's)",
            metric="recoveries to 1e-6, 300 x 350, rank 5, 1.2 entries a degree of freedom",
            promised=">= 9 of 10",
            measured=float(ours),
            baseline=float(plain),
            baseline_name="alternating least squares, penalty 0, 300 sweeps",
            holds=bool(ours >= 9 and plain == 0),
            seeds=_SEEDS,
            note=f"The slowest of the ten took {worst:.2f} CPU seconds.",
        ),
        ClaimResult(
            paper="Alternating minimisation in time nearly linear in entries times rank",
            metric="CPU time of a sweep, 3 steps a row, at rank 128 over 32, 4e5 entries",
            promised="<= 4.5",
            measured=round(ratio, 2),
            baseline=16.0,
            baseline_name="normal equations: rank squared",
            holds=bool(ratio <= 4.5),
            seeds=(0,),
            note=(
                "With conjugate gradients instead of the published sketch, which needs rows of "
                "more entries than four times the rank."
            ),
        ),
    ]
