"""K-subspaces."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.subspaces import Rows, Subspaces, choose_dimension, principal_directions
from skrand.linalg.threads import single_threaded_blas

__all__ = ["KSS", "descend", "neighbourhood_start"]


class KSS(Solver):
    """Give each row to the nearest subspace and refit the subspaces, in turn, until nothing moves.

    A start takes rows far from the subspaces so far, each with its nearest neighbours; the best of
    several counts. Given labels are the one start, and their subspaces' dimensions stay. Without a
    given dimension the first runs use the rank of all rows over the number of clusters.

    Cost: for each iteration ``2 n D sum(d_k)`` flops to assign and ``n D^2`` to refit, so linear in
    n. Memory: some blocks of rows, and the largest cluster in float64.

    Parameters
    ----------
    n_init : int, default=10
        Starts, if there are no labels to start from.
    max_iter : int, default=100
        Most iterations from each start.

    References
    ----------
    P. S. Bradley, O. L. Mangasarian, "k-Plane Clustering", J. Global Optimization 16, 2000.
    doi:10.1023/A:1008324625522

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import KSS
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> labels = KSS().solve(SubspaceClustering(X=X, n_clusters=2, subspace_dim=2), rng=0).x
    >>> np.bincount(labels)
    array([9, 9])
    """

    task = "subspace-clustering"
    name = "kss"

    def __init__(self, *, n_init: int = 10, max_iter: int = 100) -> None:
        self.n_init = n_init
        self.max_iter = max_iter

    @property
    def max_steps(self) -> int | None:
        """Iterations of all starts."""
        return self.n_init * self.max_iter

    def supports(self, problem: SubspaceClustering) -> str | None:
        """Say so if the number of clusters is not known."""
        if problem.n_clusters is None:
            return "it needs the number of clusters"
        return None

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        starts = check_integer(self, "n_init", self.n_init, 1)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        K = int(problem.n_clusters)
        best, best_cost, stopped, longest, all_converged = None, np.inf, False, 0, False
        with single_threaded_blas():
            if problem.initial is not None:
                first = [problem.subspaces(problem.initial, K)]
            else:
                first = [neighbourhood_start(problem, K, rng) for _ in range(starts)]
            for subspaces in first:
                run = descend(problem, subspaces, max_iter, monitor)
                labels, subspaces, cost, n_iter, converged, stopped = run
                longest = max(longest, n_iter)
                if cost < best_cost:
                    best, best_cost, all_converged = (labels, subspaces), cost, converged
                if stopped:
                    break
            labels, subspaces = best
            if problem.subspace_dim is None and problem.initial is None and not stopped:
                # Now that there are groups, their own dimensions show.
                run = descend(problem, problem.subspaces(labels, K), max_iter, monitor)
                labels, subspaces, best_cost, n_iter, all_converged, stopped = run
                longest = max(longest, n_iter)
            return finish(
                problem,
                labels,
                subspaces=subspaces,
                converged=all_converged,
                n_iter=longest,
                message="" if all_converged else "Raise max_iter: rows still change groups.",
            )


def descend(
    problem: SubspaceClustering, subspaces: Subspaces, max_iter: int, monitor: Monitor
) -> tuple[np.ndarray, Subspaces, float, int, bool, bool]:
    """Assign and refit until no label changes; the dimensions stay."""
    X = problem.rows
    # A group without rows has no dimension yet.
    dims = tuple(int(d) or int(subspaces.dims.max()) for d in subspaces.dims)
    labels, distances = subspaces.nearest(X)
    problem.oracles["passes"] += 1
    converged = stopped = False
    n_iter = 0
    while n_iter < max_iter and not converged and not stopped:
        labels = _fill_empty(labels, distances, len(dims))
        subspaces = Subspaces.fit(X, labels, len(dims), dims, affine=problem.affine)
        new, distances = subspaces.nearest(X)
        problem.oracles["passes"] += 2
        moved = float(np.mean(new != labels))
        labels, converged = new, moved == 0
        n_iter += 1
        stopped = monitor({"iteration": len(monitor.history) + 1, "residual": moved})
    return labels, subspaces, float(distances.sum(dtype=np.float64)), n_iter, converged, stopped


def _fill_empty(labels: np.ndarray, distances: np.ndarray, K: int) -> np.ndarray:
    """Give each subspace without rows the row farthest from its own, if it has company."""
    counts = np.bincount(labels, minlength=K)
    if counts.all():
        return labels
    labels = labels.copy()
    far = iter(np.argsort(-distances, kind="stable"))
    for k in np.flatnonzero(counts == 0):
        for row in far:
            if counts[labels[row]] > 1:
                counts[labels[row]] -= 1
                labels[row] = k
                break
    return labels


def neighbourhood_start(problem: SubspaceClustering, K: int, rng: np.random.Generator) -> Subspaces:
    """Span subspaces by K rows and their neighbours, each far from the subspaces before."""
    X, rows = problem.rows, problem.directions
    dims = problem.subspace_dim
    if dims is None:
        dims = max(1, _rank(X) // K)
    dims = (dims,) * K if isinstance(dims, int) else dims
    bases, means = [], []
    weight = np.ones(len(X))
    for d in dims:
        total = weight.sum()
        seed = rng.choice(len(X), p=weight / total) if total > 0 else rng.integers(len(X))
        near = np.argsort(-np.abs(rows @ rows[seed]), kind="stable")[: d + 2]
        group = X[near]
        means.append(group.mean(axis=0))
        if problem.affine:
            group = group - means[-1]
        bases.append(principal_directions(group, d)[0])
        chosen = Subspaces(bases, np.array(means) if problem.affine else None)
        weight = np.minimum(weight, chosen.residuals(X)[:, -1].astype(np.float64))
    problem.oracles["passes"] += 2 * K
    return chosen


def _rank(X: Rows) -> int:
    """Return how many directions the rows have above the noise, seen on at most 5000 of them."""
    part = X[:: max(1, len(X) // 5000)].astype(np.float64)
    s = np.linalg.svd(part, compute_uv=False)
    return choose_dimension(s, *part.shape, float(np.finfo(X.dtype).eps))
