"""Rank and penalty by the error on entries that are held out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from skrand.base import Solver
from skrand.completion.alternation import start
from skrand.completion.problem import MatrixCompletion

__all__ = ["select"]

#: Share of the entries that is held out.
_SHARE = 0.05
#: Penalties tried, relative to the one at which the factors are zero.
_PENALTIES = tuple(10.0 ** np.arange(-0.25, -3.1, -0.25))
#: Errors below this share of the spread of the entries count as none.
_NOTHING = 1e-3
#: Tolerance and iterations that do for a comparison.
_LOOSE = (("tol", 1e-4, max), ("max_iter", 200, min))
#: Rank at which penalties are compared when the rank is to be found, too.
_WIDE = 20


def select(
    problem: MatrixCompletion, solver: Solver, seed: int, *, rank: bool, alpha: bool
) -> MatrixCompletion:
    """Return the problem with rank and/or penalty chosen on a hold-out of 5 % of the entries.

    Ranks 1, 2, 4 ... are tried until the error has risen twice, then those between. Penalties
    fall from the one at which the factors are zero until the error has risen twice; with the rank
    given, penalty 0 is tried as well. No rank has more degrees of freedom than there are entries.
    A problem of fewer than 20 entries gets rank 1 and no penalty.
    """
    if problem.X.nnz < 20:
        return problem
    limit = _determined(problem)
    solver = _quick(solver)
    rng = np.random.default_rng(seed)
    hidden = rng.uniform(size=problem.X.nnz) < _SHARE
    hidden[rng.integers(problem.X.nnz)] = True
    train, places, truth, weights = _split(problem, hidden)

    nothing = _NOTHING * float(np.sqrt(problem.square / problem.total))

    def error(candidate: MatrixCompletion) -> float:
        x = solver.solve(candidate, rng=seed).x
        error = float(np.sqrt(np.average((x.at(*places) - truth) ** 2, weights=weights)))
        return max(error, nothing)

    if alpha:
        wide = min(limit, _WIDE) if rank else problem.rank
        base = replace(train, rank=wide)
        _, norm = start(base, np.random.default_rng(seed))
        top = norm / max(1.0, float(np.mean(base.sides[0].ridge)))
        chosen = _descend(lambda share: error(replace(base, alpha=top * share)))
        if not rank and error(replace(base, alpha=0.0)) < chosen[1]:
            chosen = (0.0, 0.0)
        train = replace(train, alpha=top * chosen[0])
    best = _search(lambda k: error(replace(train, rank=k)), limit) if rank else problem.rank
    return replace(problem, rank=best, alpha=train.alpha)


def _quick(solver: Solver) -> Solver:
    """Return a copy that is no more accurate than a comparison needs."""
    own = solver.get_params(deep=False)
    loose = {name: limit(own[name], value) for name, value, limit in _LOOSE if name in own}
    return clone(solver).set_params(**loose)


def _determined(problem: MatrixCompletion) -> int:
    """Return the highest rank with no more degrees of freedom than entries, at least 1."""
    low, high = 1, min(problem.shape)
    while low < high:
        middle = (low + high + 1) // 2
        if replace(problem, rank=middle).oversampling >= 1:
            low = middle
        else:
            high = middle - 1
    return low


def _split(problem: MatrixCompletion, hidden: np.ndarray) -> Any:
    """Return the problem without some entries, their places, values and weights."""
    entries = problem.X.tocoo()
    i, j = entries.coords
    X = sp.csr_array((entries.data[~hidden], (i[~hidden], j[~hidden])), shape=problem.shape)
    weights = problem.weights
    left = None if weights is None else weights[~hidden]
    init = problem.init if isinstance(problem.init, str) else "spectral"
    train = replace(problem, X=X, weights=left, init=init)
    held = None if weights is None else weights[hidden]
    return train, (i[hidden], j[hidden]), entries.data[hidden].astype(np.float64), held


def _descend(error: Any) -> tuple[float, float]:
    """Return the best relative penalty and its error."""
    best, worse = (_PENALTIES[0], np.inf), 0
    for share in _PENALTIES:
        value = error(share)
        worse = 0 if value < best[1] else worse + 1
        best = min(best, (share, value), key=lambda pair: pair[1])
        if worse == 2:
            break
    return best


def _search(error: Any, limit: int) -> int:
    """Return the rank of least error: by doubling, then between, each rank tried once.

    A larger rank must pay: its error must be a hundredth less.
    """
    seen: dict[int, float] = {}

    def better(rank: int, than: int) -> bool:
        for k in (rank, than):
            if k not in seen:
                seen[k] = error(k)
        return seen[rank] < seen[than] * (0.99 if rank > than else 1.01)

    best, worse, rank = 1, 0, 2
    while rank <= limit and worse < 2:
        if better(rank, best):
            best, worse = rank, 0
        else:
            worse += 1
        rank *= 2
    step = best // 2
    while step >= 1:
        for candidate in (best - step, best + step):
            if 1 <= candidate <= limit and better(candidate, best):
                best = candidate
                break
        step //= 2
    return best
