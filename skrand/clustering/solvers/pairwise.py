"""Manifold linearizing and clustering as published: a doubly stochastic membership of all pairs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.coding_rate import code_lengths, coding_rate_reduction, membership_of
from skrand.clustering.linearization import (
    ManifoldLinearization,
    batches,
    pull_back,
    random_map,
    unit_rows_and_norms,
)
from skrand.clustering.pairwise_rate import (
    kernel_membership,
    pairwise_rate,
    rate_and_gradient,
    through_kernel,
)
from skrand.clustering.problem import numbered
from skrand.clustering.spectral import spectral_clustering
from skrand.linalg.ascent import Adam
from skrand.linalg.products import largest_products
from skrand.linalg.threads import single_threaded_blas

__all__ = ["Pairwise"]

#: Iterations over which the objective is averaged to see whether it still grows.
_WINDOW = 20
#: Pairs a row of the graph that is cut into clusters at the end.
_NEIGHBORS = 50


class Pairwise(Solver):
    """Climb in two maps on batches: one gives the points, the other their doubly stochastic kernel.

    Each point is the centre of a cluster of its own, with the weights of its column of the
    membership ``P``, the scaling of ``exp(|C C^T| / temperature)`` to sums of one. It needs no
    labels to start: both maps first maximise the coding rate of all points together, and the
    second starts as a copy of the first (one-shot initialisation). At the end the graph of the
    second map is cut into clusters.

    The maps are linear in the features. If these have a backbone, it is trained at each step too,
    as the deep network of the paper.

    Cost: ``3 b^2 q^2 + 2 b q^3 + 8 b m q`` flops a step for batches of b rows, m features and q
    components, whatever the number of clusters. Memory: ``4 b q^2 + 4 b^2`` numbers on top of
    ``n q``.

    Parameters
    ----------
    temperature : float, default=0.15
        Width of the kernel, in units of the cosine.
    batch_size : int, default=500
        Rows in a batch.
    learning_rate : float, default=0.05
        Size of a step, relative to the entries of the maps.
    warmup : int, default=50
        Steps of the one-shot initialisation.
    tol : float, default=1e-2
        Relative growth of the objective's mean, from 20 steps to the next, at which to stop.
    max_iter : int, default=300
        Most steps.

    References
    ----------
    T. Ding, S. Tong, K. H. R. Chan, X. Dai, Y. Ma, B. D. Haeffele, "Unsupervised Manifold
    Linearizing and Clustering", ICCV 2023, arXiv:2301.01805.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering.linearization import ManifoldLinearization
    >>> from skrand.clustering.solvers import Pairwise
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> problem = ManifoldLinearization(F=X, X=X, n_clusters=2, n_components=4, eps2=0.1)
    >>> Pairwise(max_iter=60).solve(problem, rng=0).x[1].sum(axis=0)
    array([9., 9.])
    """

    task = "manifold-linearization"
    name = "pairwise"

    def __init__(
        self,
        *,
        temperature: float = 0.15,
        batch_size: int = 500,
        learning_rate: float = 0.05,
        warmup: int = 50,
        tol: float = 1e-2,
        max_iter: int = 300,
    ) -> None:
        self.temperature = temperature
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.tol = tol
        self.max_iter = max_iter

    def supports(self, problem: ManifoldLinearization) -> str | None:
        """Refuse labels and shares: it has no columns of clusters to put them in."""
        if problem.initial is not None:
            return "it does not start from given labels"
        if problem.balance is not None:
            return "the sizes of its clusters cannot be prescribed"
        return None

    def _solve(
        self, problem: ManifoldLinearization, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        temperature = check_real(self, "temperature", self.temperature, 0, closed="neither")
        batch_size = check_integer(self, "batch_size", self.batch_size, 2)
        rate = check_real(self, "learning_rate", self.learning_rate, 0, closed="neither")
        warmup = check_integer(self, "warmup", self.warmup, 0)
        tol = check_real(self, "tol", self.tol, 0)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        eps2, n = problem.eps2, len(problem.F)
        with single_threaded_blas():
            if problem.backbone is not None:
                problem.backbone.start(int(rng.integers(2**32)))
            rows = batches(n, batch_size, rng)
            W = random_map(problem, rng)
            if problem.backbone is None:
                W = _spread_out(problem, W, warmup)
            else:
                W = _spread_out_on_batches(problem, W, warmup, rows, rate)
            V = W.copy()
            climbers = Adam(rate), Adam(rate)
            path: list[float] = []
            residual, converged = 1.0, False
            while len(path) < max_iter and not converged:
                F = problem.batch(next(rows))
                value, by_points, by_kernel = _gradients(F, W, V, eps2, temperature)
                problem.train(np.hstack([by_points, by_kernel]), np.hstack([W, V]))
                W = W + climbers[0].step(F.T @ by_points)
                V = V + climbers[1].step(F.T @ by_kernel)
                path.append(value)
                problem.oracles["gradients"] += 1
                if len(path) % _WINDOW == 0 and len(path) > _WINDOW:
                    late = np.mean(path[-_WINDOW:])
                    residual = float(late - np.mean(path[-2 * _WINDOW : -_WINDOW])) / abs(late)
                    converged = residual <= tol
                state = {"iteration": len(path), "residual": residual, "objective": value}
                if monitor({**state, "x": lambda W=W, V=V: (W, self._cut(problem, W, V, rng)[0])}):
                    break
            P, graph = self._cut(problem, W, V, rng)
            reduction = coding_rate_reduction(problem.now().representation(W), P, eps2)
        return Solution(
            x=(W, P),
            converged=converged,
            n_iter=len(path),
            residual=residual,
            message="" if converged else "Raise max_iter or tol: the coding rate still changes.",
            extra={
                "coding_rate_reduction": reduction,
                "objective_path": path,
                "potential": np.zeros(problem.n_clusters),
                "affinity": graph,
            },
        )

    def _cut(
        self,
        problem: ManifoldLinearization,
        W: np.ndarray,
        V: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, sp.csr_array]:
        """Cut the kernel of the second map into clusters; stray points go where they cost least."""
        problem = problem.now()
        C = problem.representation(V)
        graph = abs(largest_products(C, C, _NEIGHBORS))
        graph.data = np.exp((graph.data - 1.0) / self.temperature)
        graph = sp.csr_array(graph + graph.T)
        labels = spectral_clustering(graph, problem.n_clusters, rng=rng).labels
        stray = labels < 0
        if stray.any():
            Z = problem.representation(W)
            P = membership_of(labels[~stray], problem.n_clusters)
            lengths = code_lengths(Z[~stray], P, problem.eps2, at=Z[stray])
            labels[stray] = lengths.argmin(axis=1)
        # Spectral clustering may find the same groups in an order that rounding decides.
        labels, _ = numbered(labels, problem.n_clusters)
        return membership_of(labels, problem.n_clusters), graph


def _spread_out(problem: ManifoldLinearization, W: np.ndarray, n_steps: int) -> np.ndarray:
    """Maximise the coding rate of all points together, by L-BFGS; entries of size one."""

    def negative(flat: np.ndarray) -> tuple[float, np.ndarray]:
        Z, norms = unit_rows_and_norms(problem.F @ flat.reshape(W.shape))
        value, gradient = rate_and_gradient(Z, problem.eps2)
        return -value, -(problem.F.T @ pull_back(gradient, Z, norms)).ravel()

    if n_steps:
        options = {"maxiter": n_steps}
        W = minimize(negative, W.ravel(), jac=True, method="L-BFGS-B", options=options).x.reshape(
            W.shape
        )
        problem.oracles["gradients"] += n_steps
    return W / np.abs(W).mean()


def _spread_out_on_batches(
    problem: ManifoldLinearization,
    W: np.ndarray,
    n_steps: int,
    rows: Iterator[np.ndarray],
    rate: float,
) -> np.ndarray:
    """Maximise the coding rate of batches by Adam, in the backbone too."""
    adam = Adam(rate)
    for _ in range(n_steps):
        F = problem.batch(next(rows))
        Z, norms = unit_rows_and_norms(F @ W)
        gradient = pull_back(rate_and_gradient(Z, problem.eps2)[1], Z, norms)
        problem.train(gradient, W)
        W = W + adam.step(F.T @ gradient)
        problem.oracles["gradients"] += 1
    return W


def _gradients(
    F: np.ndarray, W: np.ndarray, V: np.ndarray, eps2: float, temperature: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the coding rate reduction of a batch, and its gradients by ``F W`` and ``F V``."""
    Z, Z_norms = unit_rows_and_norms(F @ W)
    C, C_norms = unit_rows_and_norms(F @ V)
    P, cosines = kernel_membership(C, temperature)
    rate, together = rate_and_gradient(Z, eps2)
    conditional, apart, by_membership = pairwise_rate(Z, P, eps2)
    by_rows = through_kernel(-by_membership, P, cosines, C, temperature)
    return (
        rate - conditional,
        pull_back(together - apart, Z, Z_norms),
        pull_back(by_rows, C, C_norms),
    )
