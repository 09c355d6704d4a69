"""Labels that agree with the subspaces and with the neighbours, by a bound on both."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import entr, softmax

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.coding_rate import membership_of
from skrand.clustering.low_rank_gaussians import leading_directions
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.subspaces import Subspaces
from skrand.clustering.warm import given_or_found
from skrand.linalg.products import largest_products
from skrand.linalg.threads import single_threaded_blas

__all__ = ["LaplacianBound"]


class LaplacianBound(Solver):
    """K-subspaces with soft memberships that also agree with those of neighbouring rows.

    Minimises ``sum_ik s_ik a_ik / temperature - pairwise / 2 sum_ij w_ij s_i.s_j - H(s)`` over
    memberships s and subspaces, with a the squared distances to the subspaces and W a normalised
    graph. W has its own rows as neighbours, which makes it positive semi-definite, so that the
    memberships of all rows can be updated at once and the energy still never rises.

    Cost: ``2 n D sum(d_k)`` flops for the distances, up to ``K n D min(n, D)`` for the subspaces
    and ``n q K`` for each update of the memberships; ``2 n^2 D`` once for the graph. Memory: the
    graph, ``12 n q`` bytes, and three arrays of n K numbers.

    Parameters
    ----------
    pairwise : float, default=5.0
        How much neighbours count; 0 is soft K-subspaces.
    temperature : float, default=0.05
        Squared distance, in units of a row's length, that counts one nat.
    n_neighbors : int, default=10
        Neighbours in angle; not read if the problem has a graph.
    start : str or Solver, default="kss"
        What finds labels if none are given.
    tol : float, default=1e-6
        Relative decrease of the energy at which to stop.
    max_iter : int, default=100
        Most refits of the subspaces.

    References
    ----------
    I. M. Ziko, J. Dolz, E. Granger, I. Ben Ayed, "Laplacian Regularized Few-Shot Learning", ICML
    2020, arXiv:2006.15486 (the bound, with class means in the place of subspaces).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import LaplacianBound
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> rough = np.repeat([0, 1], 9)
    >>> rough[[0, 9]] = [1, 0]
    >>> problem = SubspaceClustering(X=X, n_clusters=2, subspace_dim=2, initial=rough)
    >>> LaplacianBound().solve(problem).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    task = "subspace-clustering"
    name = "laplacian"

    def __init__(
        self,
        *,
        pairwise: float = 5.0,
        temperature: float = 0.05,
        n_neighbors: int = 10,
        start: Any = "kss",
        tol: float = 1e-6,
        max_iter: int = 100,
    ) -> None:
        self.pairwise = pairwise
        self.temperature = temperature
        self.n_neighbors = n_neighbors
        self.start = start
        self.tol = tol
        self.max_iter = max_iter

    def supports(self, problem: SubspaceClustering) -> str | None:
        """Say so if there are neither labels nor a number of clusters."""
        if problem.n_clusters is None and problem.initial is None:
            return "it needs the number of clusters"
        return None

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        pairwise = check_real(self, "pairwise", self.pairwise, 0)
        temperature = check_real(self, "temperature", self.temperature, 0, closed="neither")
        n_neighbors = check_integer(self, "n_neighbors", self.n_neighbors, 1)
        tol = check_real(self, "tol", self.tol, 0)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        labels, K, _ = given_or_found(problem, self.start, rng)
        rows = problem.directions.astype(np.float64)
        lift = 1 if problem.affine else 0
        dims = [int(d) + lift for d in problem.subspaces(labels, K).dims]
        with single_threaded_blas():
            W = pairwise * _lazy_graph(problem, n_neighbors)
            S = membership_of(labels, K)
            cost = _costs(rows, S, dims) / temperature
            path = [_energy(S, cost, W)]
            n_iter, converged = 0, False
            while n_iter < max_iter and not converged:
                S = _memberships(S, cost, W, tol)
                cost = _costs(rows, S, dims) / temperature
                path.append(_energy(S, cost, W))
                problem.oracles["passes"] += 2
                n_iter += 1
                decrease = (path[-2] - path[-1]) / max(abs(path[-1]), np.finfo(float).tiny)
                converged = decrease <= tol
                state = {"iteration": n_iter, "residual": decrease, "energy": path[-1]}
                if monitor({**state, "x": lambda S=S: S.argmax(axis=1)}):
                    break
        return finish(
            problem,
            S.argmax(axis=1),
            converged=converged,
            n_iter=n_iter,
            message="" if converged else "Raise max_iter: the energy still falls.",
            extra={"membership": S, "energy_path": path},
        )


def _lazy_graph(problem: SubspaceClustering, n_neighbors: int) -> sp.csr_array:
    """Return half the identity plus half the normalised graph: positive semi-definite."""
    if problem.affinity is not None:
        A = sp.csr_array(problem.affinity, dtype=np.float64)
    else:
        rows = problem.directions
        A = abs(largest_products(rows, rows, n_neighbors)).astype(np.float64)
        A = A + A.T
    degrees = A.sum(axis=1)
    scale = sp.diags_array(1.0 / np.sqrt(np.where(degrees > 0, degrees, 1.0)))
    return sp.csr_array(0.5 * (sp.eye_array(A.shape[0]) + scale @ A @ scale))


def _costs(rows: np.ndarray, S: np.ndarray, dims: list[int]) -> np.ndarray:
    """Return squared distances of the rows to the subspaces that fit the memberships best."""
    bases = [
        leading_directions(rows, weights, min(d, rows.shape[1]))[0]
        for weights, d in zip(S.T, dims, strict=True)
    ]
    return Subspaces(bases).residuals(rows)


def _energy(S: np.ndarray, cost: np.ndarray, W: sp.csr_array) -> float:
    return float((S * cost).sum() - 0.5 * (S * (W @ S)).sum() - entr(S).sum()) / len(S)


def _memberships(
    S: np.ndarray, cost: np.ndarray, W: sp.csr_array, tol: float, max_iter: int = 50
) -> np.ndarray:
    """Update all memberships at once, by the tangent of the concave part, until they settle."""
    energy = _energy(S, cost, W)
    for _ in range(max_iter):
        S = softmax(W @ S - cost, axis=1)
        before, energy = energy, _energy(S, cost, W)
        if before - energy <= tol * abs(energy):
            break
    return S
