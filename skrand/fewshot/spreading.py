"""Labels spread from the support to rows that resemble it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skrand.fewshot.graph import DENSE, relative_distances
from skrand.linalg.threads import single_threaded_blas

if TYPE_CHECKING:
    from skrand.fewshot.problem import TransductiveLabelling

__all__ = ["affinity", "affinity_scale", "spread_labels"]

#: How much of its label a row takes from others: where all pairs are edges, and in a sparse graph,
#: in which labels have farther to go.
DENSE_SHARE, SPARSE_SHARE = 0.8, 0.95

#: Chebyshev iterations in a sparse graph, which leave 3e-4 of the start.
STEPS = 25


def affinity_scale(X: np.ndarray) -> float:
    """Return 8 over the mean square of centred rows: the factor on squared distances.

    It is LabelSpreading's `gamma` for rows of unit length, and follows the units of other rows.
    """
    scatter = float(np.var(X, axis=0, dtype=np.float64).sum())
    return 8.0 / scatter if scatter > 0 else 1.0


def affinity(rows: np.ndarray, X: np.ndarray, scale: float) -> np.ndarray:
    """Return ``exp(-scale |row - x|^2)``, (len(rows), len(X))."""
    norms = np.einsum("ij,ij->i", rows, rows)
    D = np.maximum(relative_distances(rows, X) + norms[:, None], 0.0)
    return np.exp(-rows.dtype.type(scale) * D)


def spread_labels(problem: TransductiveLabelling, k: int) -> np.ndarray:
    """Return the limit of ``F = a W F + (1 - a) Y`` for the support's labels Y, rows of sum one.

    W is the symmetrically normalised affinity of all pairs of rows, up to 1500 rows; beyond, the
    graph of `k` nearest neighbours.

    Cost: up to 1500 rows ``2 n^2 d + n^3 / 3`` flops; beyond, 25 products of the graph and a
    labelling. Memory: two n x n matrices; three labellings.

    References
    ----------
    D. Zhou, O. Bousquet, T. N. Lal, J. Weston, B. Schoelkopf, "Learning with Local and Global
    Consistency", NIPS 2003.
    """
    Y = problem.one_hot()
    n = len(Y)
    if n <= DENSE:
        X = problem.features
        with single_threaded_blas():
            W = affinity(X, X, affinity_scale(X))
            np.fill_diagonal(W, 0.0)
            # A row that is far from all others keeps a sum above zero.
            root = 1.0 / np.sqrt(np.maximum(W.sum(axis=1), np.finfo(W.dtype).tiny))
            W *= (-DENSE_SHARE * root)[:, None] * root
            W[np.diag_indices(n)] = 1.0
            F = np.linalg.solve(W, Y)
    else:
        F = _spread_in_graph(problem, problem.graph(k).matrix(), Y)
    # A row that no label reaches knows nothing of its class.
    np.maximum(F, 1e-12, out=F)
    F /= F.sum(axis=1, keepdims=True)
    return F


def _spread_in_graph(problem: TransductiveLabelling, W: Any, Y: np.ndarray) -> np.ndarray:
    """Return the limit by Chebyshev iteration, for W with eigenvalues between -1 and 1."""
    share = Y.dtype.type(SPARSE_SHARE)
    F, last, omega = Y, Y, 2.0
    for step in range(STEPS):
        new = W @ F
        new *= share
        new[problem.support, problem.y[problem.support]] += 1 - share
        if step > 0:
            omega = 1.0 / (1.0 - SPARSE_SHARE**2 * omega / 4.0)
            new -= last
            new *= Y.dtype.type(omega)
            new += last
        F, last = new, F
    return F
