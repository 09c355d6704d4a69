"""The task ``manifold-linearization``: what it asks, instances, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from skrand.base import Instance, Problem, Solution, Task
from skrand.clustering.coding_rate import coding_rate_reduction, membership_of
from skrand.clustering.metrics import clustering_accuracy
from skrand.clustering.problem import SubspaceClustering, SubspaceClusteringTask

__all__ = [
    "Backbone",
    "ManifoldLinearization",
    "ManifoldLinearizationTask",
    "batches",
    "pull_back",
    "random_map",
    "unit_rows_and_norms",
]


class Backbone(Protocol):
    """Features with parameters of their own, such as a neural network's, that solvers train.

    They are trained in place, batch by batch: `forward`, then `step`.
    """

    def start(self, seed: int) -> None:
        """Go to the first state, so that each solve begins alike; seed what training draws."""

    def forward(self, X: np.ndarray) -> np.ndarray:
        """Return the features of a batch of rows, float64."""

    def step(self, gradient: np.ndarray) -> None:
        """Raise an objective, given its gradient by the features that `forward` last returned."""

    def features(self, X: np.ndarray) -> np.ndarray:
        """Return the features of any rows, float64; nothing is remembered of them."""

    def state(self) -> Any:
        """Return all parameters as they are now, for `restore`."""

    def restore(self, state: Any) -> None:
        """Go back to a state."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ManifoldLinearization(Problem):
    """Maximise the coding rate reduction over a linear map of features and a membership.

    The answer is a pair: the map W of shape (m, n_components), and the membership P of shape
    (n, n_clusters). What is maximised is ``R(Z) - R_c(Z, P)``, with Z the rows of ``F W`` scaled to
    length one; see :mod:`skrand.clustering.coding_rate`. `extra` of a solution has to hold that as
    ``"coding_rate_reduction"``, its value at every iteration as ``"objective_path"``, and the
    ``"potential"`` by which points that come later get a membership.

    Parameters
    ----------
    F : ndarray of shape (n, m)
        Features, float64: the data, or a non-linear map of them.
    X : ndarray of shape (n, p)
        The data themselves, for solvers that cluster them to start from.
    n_clusters : int
        Number of clusters.
    n_components : int
        Dimension of the representation.
    eps2 : float
        Squared precision of the code.
    initial : ndarray of shape (n,), optional
        Labels to start from, 0 .. n_clusters - 1.
    balance : ndarray of shape (n_clusters,), optional
        Shares of the points that the clusters must have; None leaves them free.
    backbone : Backbone, optional
        What makes features of X and is trained along; `F` is what it made before it was.
    """

    task = "manifold-linearization"

    F: np.ndarray
    X: np.ndarray
    n_clusters: int
    n_components: int
    eps2: float
    initial: np.ndarray | None = None
    balance: np.ndarray | None = None
    backbone: Backbone | None = None

    def batch(self, rows: Any) -> np.ndarray:
        """Return the features of some rows, to be followed by :meth:`train`."""
        return self.F[rows] if self.backbone is None else self.backbone.forward(self.X[rows])

    def train(self, gradient: np.ndarray, W: np.ndarray) -> None:
        """Let the backbone, if any, follow a gradient by the last batch's ``F W``."""
        if self.backbone is not None:
            self.backbone.step(gradient @ W.T)

    def now(self) -> ManifoldLinearization:
        """Return the problem with the features that the backbone, if any, makes by now."""
        if self.backbone is None:
            return self
        return replace(self, F=self.backbone.features(self.X))

    def representation(self, W: np.ndarray) -> np.ndarray:
        """Return Z for a map W."""
        return unit_rows_and_norms(self.F @ W)[0]


def unit_rows_and_norms(Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows scaled to length one, and their lengths as a column; zero rows stay."""
    norms = np.sqrt(np.einsum("ij,ij->i", Y, Y))[:, None]
    norms[norms == 0] = 1.0
    return Y / norms, norms


def pull_back(gradient: np.ndarray, Z: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Turn a gradient by the unit rows Z into one by the rows before they were scaled."""
    inner = np.einsum("ij,ij->i", gradient, Z)[:, None]
    return (gradient - inner * Z) / norms


def random_map(problem: ManifoldLinearization, rng: np.random.Generator) -> np.ndarray:
    """Return a map with standard normal entries, as large as the features need no care for."""
    return rng.standard_normal((problem.F.shape[1], problem.n_components))


def batches(n: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield batches of rows for ever, drawn without replacement until too few are left."""
    order = np.empty(0, dtype=np.int64)
    size = min(size, n)
    while True:
        if len(order) < size:
            order = rng.permutation(n)
        yield order[:size]
        order = order[size:]


class ManifoldLinearizationTask(Task):
    """Points on manifolds, to be mapped to subspaces as nearly orthogonal as can be."""

    name = "manifold-linearization"
    problem = ManifoldLinearization

    # Clusters, points in each, features, dimension.
    _SIZES = {
        "tiny": (3, 24, 12, 2),
        "small": (5, 60, 30, 3),
        "medium": (10, 100, 60, 4),
        "large": (10, 400, 100, 5),
    }

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield subspaces at small angles: without labels, with some wrong, and balanced."""
        K, m, p, d = self._SIZES[size]
        rng = np.random.default_rng(seed)
        # A common direction makes every two subspaces nearly meet.
        common = rng.standard_normal(p)
        X = np.vstack([rng.standard_normal((m, d)) @ rng.standard_normal((d, p)) for _ in range(K)])
        X, _ = unit_rows_and_norms(X @ (np.eye(p) + np.outer(common, common) / p))
        labels = np.repeat(np.arange(K), m)
        rough = np.where(rng.uniform(size=len(X)) < 0.15, rng.integers(K, size=len(X)), labels)
        given = {"F": X, "X": X, "n_clusters": K, "n_components": p, "eps2": 0.1}
        yield Instance("blind", ManifoldLinearization(**given))
        start = ManifoldLinearization(**given, initial=rough)
        yield Instance("labels", start, frozenset({"warm-start"}))
        shares = np.full(K, 1.0 / K)
        balanced = ManifoldLinearization(**given, initial=rough, balance=shares)
        yield Instance("balanced", balanced, frozenset({"warm-start"}))

    def reference(self, problem: ManifoldLinearization) -> Solution:
        """Cluster by exact algebra, then climb from a whitening map by plain gradient steps."""
        blank = SubspaceClustering(X=problem.X, n_clusters=problem.n_clusters)
        labels = SubspaceClusteringTask().reference(blank).x
        P = membership_of(labels, problem.n_clusters)
        _, s, Vt = np.linalg.svd(problem.F, full_matrices=False)
        W = (Vt.T / np.maximum(s, 1e-3 * s[0]))[:, : problem.n_components]
        W = np.pad(W, [(0, 0), (0, problem.n_components - W.shape[1])])
        return Solution(
            x=(W, P),
            converged=True,
            residual=0.0,
            solver="whitening",
            extra={"coding_rate_reduction": _reduction(problem, W, P)},
        )

    def measure(
        self, problem: ManifoldLinearization, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure wrong labels, and how much less the rate is reduced than by whitening."""
        W, P = solution.x
        ours, theirs = _reduction(problem, W, P), _reduction(problem, *reference.x)
        return {
            "error": 1.0 - clustering_accuracy(reference.x[1].argmax(axis=1), P.argmax(axis=1)),
            "shortfall": max(0.0, 1.0 - ours / theirs),
        }

    def objection(
        self, problem: ManifoldLinearization, solution: Solution, reference: Solution
    ) -> str | None:
        """Recompute the reduction and the sums, and hold labels and reduction to the reference."""
        W, P = solution.x
        claimed, seen = solution.extra["coding_rate_reduction"], _reduction(problem, W, P)
        if abs(claimed - seen) > 1e-8 * abs(seen):
            return f"the rate is reduced by {seen:.6f}, {claimed:.6f} was claimed"
        if np.abs(P.sum(axis=1) - 1).max() > 1e-9 or P.min() < 0:
            return "the rows of the membership are no distributions"
        if problem.balance is not None:
            wanted = len(P) * problem.balance / problem.balance.sum()
            if np.abs(P.sum(axis=0) - wanted).max() > 1e-6:
                return "the membership is not balanced"
        figures = self.measure(problem, solution, reference)
        if figures["error"] > 0:
            return f"{figures['error']:.1%} of the labels are wrong"
        if figures["shortfall"] > 0.02:
            return f"the rate is reduced by {figures['shortfall']:.1%} less than by whitening"
        return None

    def peers(self) -> dict[str, Callable[[ManifoldLinearization], Any]]:
        """scikit-learn's principal components, with KMeans for the labels."""
        return {"PCA-KMeans": _pca_k_means}


def _pca_k_means(problem: ManifoldLinearization) -> tuple[np.ndarray, np.ndarray] | None:
    if problem.balance is not None:
        return None
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    kept = min(problem.n_components, *problem.F.shape)
    W = PCA(kept, random_state=0).fit(problem.F).components_.T
    W = np.pad(W, [(0, 0), (0, problem.n_components - kept)])
    labels = KMeans(problem.n_clusters, n_init=10, random_state=0).fit_predict(problem.X)
    return W, membership_of(labels, problem.n_clusters)


def _reduction(problem: ManifoldLinearization, W: np.ndarray, P: np.ndarray) -> float:
    return coding_rate_reduction(problem.representation(W), P, problem.eps2)
