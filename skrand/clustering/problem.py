"""The task ``subspace-clustering``: what it asks, instances to try, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from skrand.base import Instance, Problem, Solution, Task
from skrand.clustering.subspaces import Rows, Subspaces, UnitRows, unit_rows

__all__ = ["SubspaceClustering", "SubspaceClusteringTask", "finish", "numbered"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SubspaceClustering(Problem):
    """Part the rows of X into groups, each near a subspace of low dimension.

    The answer is an array of labels from 0 up. Solvers return it through :func:`finish`, which
    fits the subspaces and measures how far the rows are from their own.

    Parameters
    ----------
    X : ndarray of shape (n, D)
        Rows to cluster, float32 or float64; solvers read them as :attr:`rows` or `directions`.
    normalize : bool, default=False
        Whether only their directions count: `rows` are then of length one.
    n_clusters : int, optional
        Number of groups; None if the solver is to find it.
    subspace_dim : int or tuple of int, optional
        Dimension of every subspace, or of each, in any order; None if it is to be found.
    affine : bool, default=False
        Whether the subspaces need not contain the origin.
    initial : ndarray of shape (n,), optional
        Labels to start from, for solvers that improve on a partition.
    affinity : sparse matrix of shape (n, n), optional
        A known graph of the rows, symmetric and non-negative, for solvers that take one.
    min_component : float, default=0.05
        Groups smaller than this share of n / n_clusters are no clusters of their own: their rows
        go to the nearest subspace.
    max_clusters : int, default=30
        Most groups to find where `n_clusters` is None.
    memory_limit : int, optional
        Bytes that a solver may use on top of X.
    """

    task = "subspace-clustering"

    X: np.ndarray
    normalize: bool = False
    n_clusters: int | None = None
    subspace_dim: int | tuple[int, ...] | None = None
    affine: bool = False
    initial: np.ndarray | None = None
    affinity: sp.csr_array | None = None
    min_component: float = 0.05
    max_clusters: int = 30
    memory_limit: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of features."""
        return self.X.shape

    @cached_property
    def _unit_rows(self) -> UnitRows:
        return UnitRows(self.X)

    @property
    def rows(self) -> Rows:
        """The rows to cluster, to be read a block at a time: X may be a memory map."""
        return self._unit_rows if self.normalize else self.X

    @cached_property
    def directions(self) -> np.ndarray:
        """Rows of length one whose linear subspaces are to be found.

        Affine subspaces of X are linear ones of X with a constant column, as large as a row.
        """
        if not self.affine:
            return np.ascontiguousarray(self._unit_rows[:])
        X = self.rows[:]
        X = X - X.mean(axis=0, dtype=np.float64).astype(X.dtype)
        height = np.sqrt(np.mean((X.astype(np.float64) ** 2).sum(axis=1))) or 1.0
        X = np.column_stack([X, np.full(len(X), height, dtype=X.dtype)])
        return np.ascontiguousarray(unit_rows(X))

    def subspaces(self, labels: np.ndarray, n_clusters: int | None = None) -> Subspaces:
        """Fit a subspace to the rows of each label; negative labels take no part."""
        self.oracles["passes"] += 1
        count = n_clusters or int(labels.max()) + 1
        return Subspaces.fit(self.rows, labels, count, self.subspace_dim, affine=self.affine)


def finish(
    problem: SubspaceClustering,
    labels: np.ndarray,
    *,
    subspaces: Subspaces | None = None,
    converged: bool = True,
    n_iter: int = 0,
    message: str = "",
    extra: dict[str, Any] | None = None,
) -> Solution:
    """Make the solution from labels: the subspaces and how far the rows are from their own.

    Parameters
    ----------
    problem : SubspaceClustering
        What was solved.
    labels : ndarray of shape (n,)
        From 0 up; -1 for rows that are to go to the nearest subspace.
    subspaces : Subspaces, optional
        Fitted to the labels; made here if not given.
    converged, n_iter, message, extra
        As in :class:`skrand.base.Solution`. `extra` gains ``subspaces``, ``outliers`` (the mask of
        rows that came with label -1 or that no subspace explains better than chance) and
        ``distances`` (squared, of each row to its subspace).

    Returns
    -------
    Solution
        Groups are numbered by their first rows. The residual is the root of the share of the rows'
        energy outside their own subspaces.
    """
    labels = np.asarray(labels, dtype=np.int64)
    if subspaces is None:
        subspaces = problem.subspaces(labels, problem.n_clusters)
    outliers = labels < 0
    if outliers.any():
        labels = labels.copy()
        labels[outliers] = subspaces.assign(problem.rows[outliers])
    labels, order = numbered(labels, len(subspaces.bases))
    subspaces = subspaces.reordered(order)
    distances = subspaces.own_residuals(problem.rows, labels)
    outliers |= subspaces.unexplained(problem.rows, labels, distances)
    energy = subspaces.energy(problem.rows, labels)
    share = float(distances.sum(dtype=np.float64)) / energy if energy > 0 else 0.0
    return Solution(
        x=labels,
        converged=converged,
        n_iter=n_iter,
        residual=float(np.sqrt(share)),
        message=message,
        extra={
            "subspaces": subspaces,
            "outliers": outliers,
            "distances": distances,
            **(extra or {}),
        },
    )


def numbered(labels: np.ndarray, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Let groups be numbered by their first rows: equal partitions then have equal labels.

    Also returned are the groups in their new order, those without rows last.
    """
    seen, first = np.unique(labels, return_index=True)
    order = seen[np.argsort(first)]
    order = np.concatenate([order, np.setdiff1d(np.arange(n_groups), order)])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[labels], order


class SubspaceClusteringTask(Task):
    """Rows near a union of subspaces, to be parted by subspace."""

    name = "subspace-clustering"
    problem = SubspaceClustering

    # Clusters, points in each, features, dimension.
    _SIZES = {
        "tiny": (3, 24, 16, 2),
        "small": (5, 60, 40, 3),
        "medium": (10, 100, 100, 5),
        "large": (10, 400, 100, 5),
    }

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield independent subspaces without noise: linear, affine, float32, and a rough start."""
        K, m, D, d = self._SIZES[size]
        rng = np.random.default_rng(seed)
        X, labels = _independent(rng, K, m, D, d)
        truth = np.equal.outer(labels, labels) * rng.uniform(0.5, 1.0, (len(X), len(X)))
        graph = sp.csr_array(truth + truth.T)
        known = {"n_clusters": K, "subspace_dim": d, "affinity": graph}
        yield Instance("linear", SubspaceClustering(X=X, **known))
        shift = rng.standard_normal((K, D)) / np.sqrt(D)
        moved = SubspaceClustering(X=X + 2 * shift[labels], affine=True, **known)
        yield Instance("affine", moved)
        single = SubspaceClustering(X=X.astype(np.float32), **known)
        yield Instance("float32", single, frozenset({"float32"}))
        rough = np.where(rng.uniform(size=len(X)) < 0.2, rng.integers(0, K, len(X)), labels)
        start = SubspaceClustering(X=X, initial=rough, **known)
        yield Instance("rough-start", start, frozenset({"warm-start"}))

    def reference(self, problem: SubspaceClustering) -> Solution:
        """Label by the components of the shape interaction matrix: exact without noise.

        For independent subspaces ``V V^T``, V the left singular vectors of the rows, is zero
        between them (J. P. Costeira, T. Kanade, "A Multibody Factorization Method for Independently
        Moving Objects", IJCV 29, 1998).
        """
        X = problem.directions.astype(np.float64)
        V, s, _ = np.linalg.svd(X, full_matrices=False)
        V = V[:, s > (1e-4 if problem.X.dtype == np.float32 else 1e-9) * s[0]]
        linked = np.abs(V @ V.T) > 1e-3 / len(X)
        _, labels = connected_components(sp.csr_array(linked), directed=False)
        return finish(problem, labels.astype(np.int64))

    def measure(
        self, problem: SubspaceClustering, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure the share of rows in another group, and their distance to their subspaces."""
        return {
            "error": _disagreement(solution.x, reference.x),
            "residual": max(0.0, float(solution.residual)),
        }

    def objection(
        self, problem: SubspaceClustering, solution: Solution, reference: Solution
    ) -> str | None:
        """Hold the labels against the reference and recompute the claimed residual."""
        labels = np.asarray(solution.x)
        if labels.shape != (len(problem.X),) or labels.min() < 0:
            return "the labels are not one non-negative number a row"
        error = _disagreement(labels, reference.x)
        if error > 0:
            return f"{error:.1%} of the rows are in another group than the reference has them"
        claimed = finish(problem, labels).residual
        floor = 1e-3 if problem.X.dtype == np.float32 else 1e-6
        if abs(claimed - solution.residual) > floor:
            return f"the residual is {claimed:.1e}, {solution.residual:.1e} was claimed"
        return None

    def peers(self) -> dict[str, Callable[[SubspaceClustering], Solution]]:
        """scikit-learn's SpectralClustering on the angles between rows, and its KMeans."""
        return {"SpectralClustering": _spectral, "KMeans": _k_means}


def _spectral(problem: SubspaceClustering) -> Solution:
    from sklearn.cluster import SpectralClustering

    X = problem.directions
    model = SpectralClustering(problem.n_clusters, affinity="precomputed", random_state=0)
    return finish(problem, model.fit_predict(np.abs(X @ X.T)).astype(np.int64))


def _k_means(problem: SubspaceClustering) -> Solution:
    from sklearn.cluster import KMeans

    model = KMeans(problem.n_clusters, n_init=10, random_state=0)
    return finish(problem, model.fit_predict(problem.rows[:]).astype(np.int64))


def _disagreement(labels: np.ndarray, reference: np.ndarray) -> float:
    """Share of the rows that no matching of the two sets of labels puts together."""
    table = np.zeros((int(labels.max()) + 1, int(reference.max()) + 1))
    np.add.at(table, (labels, reference), 1)
    rows, columns = linear_sum_assignment(-table)
    return 1.0 - float(table[rows, columns].sum()) / len(labels)


def _independent(
    rng: np.random.Generator, K: int, m: int, D: int, d: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw m unit rows from each of K random subspaces of dimension d."""
    bases = [np.linalg.qr(rng.standard_normal((D, d)))[0] for _ in range(K)]
    X = np.vstack([rng.standard_normal((m, d)) @ U.T for U in bases])
    return unit_rows(X), np.repeat(np.arange(K), m)
