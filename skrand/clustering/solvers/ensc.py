"""Sparse and elastic net subspace clustering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skrand._ext import pursuit as _pursuit
from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.problem import SubspaceClustering
from skrand.clustering.solvers.lsr import representation_memory
from skrand.linalg.products import LargestEntries, largest_products
from skrand.linalg.threads import effective_n_jobs, ordered_map

__all__ = ["SSC", "EnSC", "elastic_net_representation"]

#: Rows that share products with all others.
_ROWS = 512

#: From this tolerance on, products in float32 are exact enough.
_SINGLE = 1e-4

#: Atoms a row starts with, and at most takes in at a time.
_START, _MORE = 30, 24

_SWEEPS = 5000

#: Tolerance, relative to the penalty, while atoms that violate the conditions wait.
_ROUGH = 1e-2


class EnSC(GraphSolver):
    """Each row as a combination of others with an elastic net penalty.

    Row x minimises ``tau |c|_1 + (1 - tau) / 2 |c|^2 + |x - c X|^2 / (2 alpha)``. The problem is
    solved over a few atoms by coordinate descent; atoms that violate the optimality conditions of
    all n come in, those with coefficient zero go out, until none violates: the answer is that of
    the whole problem. The conditions of a block of rows are one matrix product.

    Cost: ``2 n^2 D`` flops a round, some five rounds, and ``D s^2`` a row and round for s active
    atoms. Memory: 12 bytes a coefficient, of which there are some tens a row, three times.

    Parameters
    ----------
    tau : float, default=0.9
        Share of the l1 norm in the penalty, in (0, 1]; less links more rows.
    gamma : float, default=50.0
        How far the fit may push the penalty: ``alpha = max_j |x_j . x| / (tau gamma)``. Every row
        has some atom if it is above 1.
    tol : float, default=1e-4
        Largest violation of the optimality conditions, relative to tau.
    max_iter : int, default=50
        Most rounds.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    C. You, C.-G. Li, D. P. Robinson, R. Vidal, "Oracle Based Active Set Algorithm for Scalable
    Elastic Net Subspace Clustering", CVPR 2016, arXiv:1605.02633.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import EnSC
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> EnSC().solve(SubspaceClustering(X=X, n_clusters=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    name = "ensc"

    def __init__(
        self,
        *,
        tau: float = 0.9,
        gamma: float = 50.0,
        tol: float = 1e-4,
        max_iter: int = 50,
        n_jobs: int | None = None,
    ) -> None:
        self.tau = tau
        self.gamma = gamma
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def memory(self, problem: SubspaceClustering) -> int:
        """Bytes of some tens of coefficients a row and their graph."""
        return representation_memory(problem, 2 * _START)

    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Link each row to the atoms with a coefficient."""
        tau = check_real(self, "tau", self.tau, 0, 1, closed="right")
        return _sparse_graph(self, problem, tau, monitor)


class SSC(GraphSolver):
    """Each row as a combination of others with an l1 penalty: solver ``ensc`` with tau = 1.

    Cost: ``2 n^2 D`` flops a round, some five rounds, and ``D s^2`` a row and round for s active
    atoms. Memory: 12 bytes a coefficient, of which there are some tens a row, three times.

    Parameters
    ----------
    gamma : float, default=50.0
        The penalty is ``max_j |x_j . x| / gamma``; every row has some atom if it is above 1.
    tol : float, default=1e-4
        Largest violation of the optimality conditions, relative to the penalty.
    max_iter : int, default=50
        Most rounds.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    E. Elhamifar, R. Vidal, "Sparse Subspace Clustering: Algorithm, Theory, and Applications",
    IEEE Trans. Pattern Anal. Mach. Intell. 35, 2013, arXiv:1203.1005.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import SSC
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> SSC().solve(SubspaceClustering(X=X, n_clusters=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    name = "ssc"

    def __init__(
        self,
        *,
        gamma: float = 50.0,
        tol: float = 1e-4,
        max_iter: int = 50,
        n_jobs: int | None = None,
    ) -> None:
        self.gamma = gamma
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def memory(self, problem: SubspaceClustering) -> int:
        """Bytes of some tens of coefficients a row and their graph."""
        return representation_memory(problem, 2 * _START)

    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Link each row to the atoms with a coefficient."""
        return _sparse_graph(self, problem, 1.0, monitor)


def _sparse_graph(
    solver: EnSC | SSC, problem: SubspaceClustering, tau: float, monitor: Monitor
) -> Graph:
    gamma = check_real(solver, "gamma", solver.gamma, 1, closed="neither")
    tol = check_real(solver, "tol", solver.tol, 0, closed="neither")
    max_iter = check_integer(solver, "max_iter", solver.max_iter, 1)
    threads = effective_n_jobs(check_n_jobs(solver, solver.n_jobs))
    result = elastic_net_representation(
        problem.directions,
        tau,
        gamma,
        tol=tol,
        max_iter=max_iter,
        threads=threads,
        step=lambda i, violation: monitor({"iteration": i, "residual": violation}),
    )
    problem.oracles["passes"] += result.n_iter + 1
    return Graph(
        symmetric_affinity(result.coefficients, normalize=True),
        result.coefficients,
        converged=result.converged,
        message=""
        if result.converged
        else f"Raise max_iter: the optimality conditions are off by {result.violation:.1e}.",
        extra={"violation": result.violation},
    )


@dataclass(frozen=True, eq=False)
class ElasticNetResult:
    """Coefficients of all rows and how nearly optimal they are.

    Parameters
    ----------
    coefficients : csr_array of shape (n, n)
        With an empty diagonal.
    violation : float
        Largest excess over tau of a scaled correlation, relative to tau, over all pairs.
    n_iter : int
        Rounds.
    converged : bool
        Whether every row's conditions hold to the tolerance.
    """

    coefficients: sp.csr_array
    violation: float
    n_iter: int
    converged: bool


def elastic_net_representation(
    X: np.ndarray,
    tau: float,
    gamma: float,
    *,
    tol: float = 1e-4,
    max_iter: int = 50,
    threads: int = 1,
    step: Callable[[int, float], bool] | None = None,
) -> ElasticNetResult:
    """Represent each row of X by the others with an elastic net penalty, see :class:`EnSC`."""
    X = np.ascontiguousarray(X)
    n = len(X)
    atoms = X.astype(np.float32, copy=False) if tol >= _SINGLE else X
    near = largest_products(atoms, atoms, min(_START, n - 1), threads=threads)
    counts = np.diff(near.indptr).astype(np.int32)
    place = np.arange(counts.max(initial=1))
    active = np.full((n, len(place)), -1, dtype=np.int32)
    active[place < counts[:, None]] = near.indices
    nearest = np.asarray(abs(near).argmax(axis=1)).ravel()
    peak = np.abs(np.einsum("ij,ij->i", X, X[nearest], dtype=np.float64)) * (counts > 0)
    l1 = np.maximum(peak / gamma, np.finfo(np.float64).tiny)
    penalties = l1, l1 * (1 - tau) / tau
    coef = np.zeros(active.shape)
    going = np.flatnonzero(counts)
    worst = np.zeros(n)
    # Rows for which atoms wait are solved again in any case.
    rough = counts < n - 1
    n_iter = 0
    while len(going) and n_iter < max_iter:

        def block(
            rows: np.ndarray, active: Any = active, coef: Any = coef, counts: Any = counts
        ) -> tuple:
            tols = np.where(rough[rows], max(_ROUGH, 0.1 * tol), 0.1 * tol)
            return _round(atoms, rows, active[rows], coef[rows], counts[rows], penalties, tol, tols)

        pieces = [going[k : k + _ROWS] for k in range(0, len(going), _ROWS)]
        parts = list(ordered_map(block, pieces, threads))
        active, coef, counts = _merged(active, coef, counts, pieces, parts)
        worst[going] = np.concatenate([part[3] for part in parts])
        unfinished = (worst[going] > tol) | rough[going]
        rough[going] = np.concatenate([part[4] for part in parts])
        going = going[unfinished]
        n_iter += 1
        if step is not None and step(n_iter, float(worst.max())):
            break
    kept = coef != 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    C = sp.csr_array((coef[kept], active[kept], indptr), shape=(n, n))
    C.sort_indices()
    violation = float(worst.max(initial=0.0))
    return ElasticNetResult(C, violation, n_iter, len(going) == 0)


def _round(
    atoms: np.ndarray,
    rows: np.ndarray,
    active: np.ndarray,
    coef: np.ndarray,
    counts: np.ndarray,
    penalties: tuple[np.ndarray, np.ndarray],
    tol: float,
    tols: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Solve some rows on their active atoms and exchange atoms.

    Returns the atoms, with the supports in front, their coefficients and number, the largest
    relative violation of each row, and whether atoms wait that violate the conditions too.
    """
    l1, l2 = (np.ascontiguousarray(penalty[rows]) for penalty in penalties)
    residual = np.empty((len(rows), atoms.shape[1]), dtype=atoms.dtype)
    _pursuit.elastic_net(
        atoms, rows.astype(np.int32), active, counts, coef, l1, l2, tols, _SWEEPS, residual
    )
    support = coef != 0
    # Atoms of the support may exceed the bar; there is room for them and for new ones.
    q = min(len(atoms), _MORE + int(support.sum(axis=1).max(initial=0)))
    largest = LargestEntries(len(rows), q, atoms.dtype, l1)
    largest.scan(residual, atoms)
    values, columns, found = largest.finish()
    new = (np.arange(q) < found[:, None]) & (columns != rows[:, None])
    excess = np.abs(np.where(new, values, 0.0)) / l1[:, None] - 1.0
    known = np.where(support, active, -2)
    for k in range(known.shape[1]):
        new &= columns != known[:, k, None]
    violation = np.where(new, excess, 0.0).max(axis=1, initial=0.0)
    new &= excess > tol
    waiting = np.count_nonzero(new, axis=1) > _MORE
    if waiting.any():
        # Only the worst come in.
        least = np.partition(np.where(new, excess, 0.0), q - _MORE, axis=1)[:, q - _MORE]
        new &= excess >= least[:, None]
    # Supports first, then what comes in; the rest goes out.
    order = np.argsort(~np.hstack([support, new]), axis=1, kind="stable")
    counts = (support.sum(axis=1) + new.sum(axis=1)).astype(np.int32)
    order = order[:, : counts.max(initial=1)]
    chosen = np.take_along_axis(np.hstack([active, columns]), order, axis=1)
    start = np.hstack([np.where(support, coef, 0.0), np.zeros(columns.shape)])
    return chosen, np.take_along_axis(start, order, axis=1), counts, violation, waiting


def _merged(
    active: np.ndarray,
    coef: np.ndarray,
    counts: np.ndarray,
    pieces: list[np.ndarray],
    parts: list[tuple[np.ndarray, ...]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put the rows worked on back among the others."""
    width = max(active.shape[1], *(part[0].shape[1] for part in parts))
    wide_active = np.full((len(active), width), -1, dtype=np.int32)
    wide_coef = np.zeros((len(active), width))
    wide_active[:, : active.shape[1]], wide_coef[:, : active.shape[1]] = active, coef
    counts = counts.copy()
    for rows, (atoms, values, number, *_) in zip(pieces, parts, strict=True):
        wide_active[rows], wide_coef[rows] = -1, 0.0
        wide_active[rows, : atoms.shape[1]], wide_coef[rows, : atoms.shape[1]] = atoms, values
        counts[rows] = number
    return wide_active, wide_coef, counts
