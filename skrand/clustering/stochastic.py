"""The doubly stochastic matrix nearest to a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from skrand._ext import graph as _kernels

__all__ = ["StochasticResult", "doubly_stochastic_projection"]

#: Newton steps on one support, and enlargements of the support.
_STEPS, _ROUNDS = 100, 30

#: Distance of the row sums from 1 at which the support is looked at, while it still grows; pairs
#: that a row may gain at first, twice as many each time; and pairs that a row may gain on average.
_ROUGH, _GAIN, _ADDED = 0.01, 16, 960


@dataclass(frozen=True, eq=False)
class StochasticResult:
    """A doubly stochastic matrix and how nearly it is the one asked for.

    Parameters
    ----------
    matrix : csr_array of shape (n, n)
        Symmetric, non-negative, rows of sum 1 to within `error`.
    dual : ndarray of shape (n,)
        ``matrix_ij = max(0, dual_i + dual_j + C_ij) / eta`` for all pairs, stored or not.
    error : float
        Largest distance of a row sum from 1.
    gap : float
        Primal minus dual objective, relative to the primal.
    n_iter : int
        Newton steps.
    converged : bool
        Whether the row sums are within the tolerance and no pair outside the support is positive.
    """

    matrix: sp.csr_array
    dual: np.ndarray
    error: float
    gap: float
    n_iter: int
    converged: bool


def doubly_stochastic_projection(
    C: sp.csr_array,
    eta: float,
    *,
    tol: float = 1e-8,
    max_iter: int = 200,
    threads: int = 1,
    start: np.ndarray | None = None,
    step: Callable[[int, float], bool] | None = None,
) -> StochasticResult:
    """Maximise ``<C, A> - eta / 2 |A|^2`` over symmetric doubly stochastic matrices A.

    The dual in one number a row is convex and piecewise quadratic; Newton's method with conjugate
    gradients minimises it, on the pairs that C stores and the diagonal. Pairs outside that ought to
    be positive are then found by sorting the dual variable, added, and the dual is minimised again,
    until there are none: the answer is that of all n^2 pairs. As long as there are some, the
    minimum is found roughly only.

    Cost: some thirty Newton steps, each of some ten sweeps over the stored pairs. Memory: 16 bytes
    a stored pair. No more than 960 pairs a row are added, which is too few for an eta far above
    the entries of C; `converged` then is false.

    Parameters
    ----------
    C : csr_array of shape (n, n)
        Symmetric and non-negative; what is not stored is zero.
    eta : float
        Positive. The larger, the more pairs A links.
    tol : float, default=1e-8
        Largest distance of a row sum from 1.
    max_iter : int, default=200
        Most Newton steps in all.
    threads : int, default=1
        Threads; the result does not depend on it.
    start : ndarray of shape (n,), optional
        Dual variable to start from, such as that of the projection for another `eta`.
    step : callable, optional
        ``step(iteration, error) -> bool``, called after each Newton step; true stops.

    Returns
    -------
    StochasticResult

    References
    ----------
    D. Lim, R. Vidal, B. D. Haeffele, "Doubly Stochastic Subspace Clustering", 2020,
    arXiv:2011.14859.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> from skrand.clustering import doubly_stochastic_projection
    >>> C = sp.csr_array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.2], [0.0, 0.2, 0.0]])
    >>> A = doubly_stochastic_projection(C, eta=0.5).matrix.toarray()
    >>> np.allclose(A.sum(axis=1), 1), np.allclose(A, A.T)
    (True, True)
    """
    support = _with_diagonal(C)
    n = support.shape[0]
    a = start
    if a is None:
        peak = np.zeros(n)
        np.maximum.at(peak, np.repeat(np.arange(n), np.diff(support.indptr)), support.data)
        a = -peak / 2 + eta / 2
    n_iter, accuracy, gain = 0, max(tol, _ROUGH), _GAIN
    for _ in range(_ROUNDS):
        dual = _Dual(support, eta, threads)
        a, error, n_iter, stopped = _newton(dual, a, accuracy, n_iter, max_iter, step)
        missing = _missing_pairs(support, a, gain)
        if stopped or n_iter >= max_iter or (missing is None and accuracy == tol):
            break
        if missing is None:
            accuracy = tol
            continue
        if support.nnz + missing.nnz > C.nnz + _ADDED * n:
            break
        gain *= 2
        support = sp.csr_array(support + missing)
        support.sort_indices()
    matrix = _matrix(support, a, eta)
    sums = matrix.sum(axis=1)
    value = float(support.multiply(matrix).sum()) - eta / 2 * float((matrix.data**2).sum())
    bound = float(eta / 2 * (matrix.data**2).sum() - 2 * a.sum())
    return StochasticResult(
        matrix=matrix,
        dual=a,
        error=float(np.abs(sums - 1).max(initial=0.0)),
        gap=abs(bound - value) / max(abs(bound), np.finfo(float).tiny),
        n_iter=n_iter,
        converged=bool(error <= tol and missing is None),
    )


class _Dual:
    """The dual objective on a fixed support."""

    def __init__(self, support: sp.csr_array, eta: float, threads: int) -> None:
        self.indptr = support.indptr.astype(np.int64)
        self.indices = support.indices.astype(np.int32)
        self.data = np.asarray(support.data, dtype=np.float64)
        self.eta = eta
        self.threads = threads
        n = support.shape[0]
        self.sums, self.squares = np.empty(n), np.empty(n)
        self.counts = np.empty(n, dtype=np.int32)

    def value(self, a: np.ndarray) -> float:
        """Return the objective; `sums` and `counts` are then those of a."""
        _kernels.dual_pass(
            self.indptr,
            self.indices,
            self.data,
            a,
            self.sums,
            self.squares,
            self.counts,
            self.threads,
        )
        return float(self.squares.sum() / (2 * self.eta) - 2 * a.sum())

    def direction(self, a: np.ndarray, residual: np.ndarray, accuracy: float) -> np.ndarray:
        """Solve the Newton system at the a that `value` was last asked for."""
        starts = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])
        active = np.empty(int(starts[-1]), dtype=np.int32)
        _kernels.active_columns(
            self.indptr, self.indices, self.data, a, starts, active, self.threads
        )
        # Rows without a positive pair have no curvature; a small one lets them move up.
        shift = 1e-8 + (self.counts == 0)
        diagonal = self.counts + shift
        target = residual * self.eta
        x, r = np.zeros_like(a), target.copy()
        z = r / diagonal
        p, rz = z.copy(), float(r @ z)
        enough = accuracy * float(np.sqrt(rz))
        product = np.empty_like(a)
        for _ in range(200):
            _kernels.pattern_product(starts, active, p, product, self.threads)
            product += shift * p
            alpha = rz / float(p @ product)
            x += alpha * p
            r -= alpha * product
            z = r / diagonal
            new = float(r @ z)
            if np.sqrt(new) <= enough:
                break
            p *= new / rz
            p += z
            rz = new
        return x


def _newton(
    dual: _Dual,
    a: np.ndarray,
    tol: float,
    n_iter: int,
    max_iter: int,
    step: Callable[[int, float], bool] | None,
) -> tuple[np.ndarray, float, int, bool]:
    """Minimise the dual from a; return the minimum, its error, the steps so far, and if stopped."""
    value = dual.value(a)
    residual = 1.0 - dual.sums / dual.eta
    error = float(np.abs(residual).max())
    for _ in range(_STEPS):
        if error <= tol or n_iter >= max_iter:
            break
        p = dual.direction(a, residual, min(0.1, error))
        slope = -2.0 * float(residual @ p)
        length = 1.0
        while True:
            trial = a + length * p
            new = dual.value(trial)
            # The last steps change the value by less than rounding does.
            if new <= value + 1e-4 * length * slope + 1e-12 * abs(value) or length < 1e-8:
                break
            length /= 2
        a, value = trial, new
        residual = 1.0 - dual.sums / dual.eta
        error = float(np.abs(residual).max())
        n_iter += 1
        if step is not None and step(n_iter, error):
            return a, error, n_iter, True
    return a, error, n_iter, False


def _with_diagonal(C: sp.csr_array) -> sp.csr_array:
    """Return C in float64 with every diagonal entry stored."""
    C = sp.coo_array(C, dtype=np.float64)
    n = C.shape[0]
    every = np.arange(n)
    # Duplicates are summed, and zeros kept.
    rows, columns = np.concatenate([C.row, every]), np.concatenate([C.col, every])
    out = sp.coo_array((np.concatenate([C.data, np.zeros(n)]), (rows, columns)), shape=(n, n))
    out = sp.csr_array(out)
    out.sort_indices()
    return out


def _missing_pairs(support: sp.csr_array, a: np.ndarray, most: int) -> sp.csr_array | None:
    """Return the pairs outside the support with ``a_i + a_j > 0``, with value 0; None if none.

    At most so many a row, those with the largest a_j: they move a_i the most.
    """
    n = len(a)
    order = np.argsort(-a, kind="stable")
    falling = a[order]
    suspects = np.flatnonzero(a + falling[0] > 1e-12)
    # No more partners can be stored already than the row has.
    count = np.searchsorted(-falling, a[suspects] - 1e-12, side="left")
    count = np.minimum(count, most + np.diff(support.indptr)[suspects])
    row = np.repeat(suspects, count)
    first = np.repeat(np.cumsum(count) - count, count)
    column = order[np.arange(len(row)) - first]
    stored = np.repeat(np.arange(n), np.diff(support.indptr)) * n + support.indices
    wanted = row * n + column
    at = np.minimum(np.searchsorted(stored, wanted), len(stored) - 1)
    new = stored[at] != wanted
    before = np.concatenate([[0], np.cumsum(new)])
    new &= before[:-1] - before[first] < most
    row, column = row[new], column[new]
    if not len(row):
        return None
    row, column = np.concatenate([row, column]), np.concatenate([column, row])
    pairs = np.unique(row * n + column)
    # Of value zero, which a sum of sparse matrices would drop: as small as makes no difference.
    data = np.full(len(pairs), np.finfo(np.float64).tiny)
    return sp.csr_array((data, (pairs // n, pairs % n)), shape=(n, n))


def _matrix(support: sp.csr_array, a: np.ndarray, eta: float) -> sp.csr_array:
    rows = np.repeat(np.arange(len(a)), np.diff(support.indptr))
    data = np.maximum(a[rows] + a[support.indices] + support.data, 0.0) / eta
    out = sp.csr_array((data, support.indices.copy(), support.indptr.copy()), shape=support.shape)
    out.eliminate_zeros()
    return out
