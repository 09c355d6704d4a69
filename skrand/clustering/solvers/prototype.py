"""Maximal coding rate reduction with one column of the membership a cluster."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import entr

from skrand import registry
from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.coding_rate import (
    coding_rate_reduction,
    membership_of,
    reduction_and_gradient,
    refine_membership,
)
from skrand.clustering.linearization import (
    ManifoldLinearization,
    batches,
    pull_back,
    random_map,
    unit_rows_and_norms,
)
from skrand.clustering.problem import SubspaceClustering
from skrand.clustering.subspaces import unit_rows
from skrand.linalg.ascent import Adam
from skrand.linalg.threads import single_threaded_blas

__all__ = ["Prototype"]


class Prototype(Solver):
    """Climb in the map with the membership fixed, then in the membership with the map fixed.

    The first by L-BFGS, or by Adam on batches of rows; the second by the concave-convex procedure
    of :func:`skrand.clustering.refine_membership`. Neither lowers the objective: the
    coding rate reduction, plus the entropy of the membership if that is balanced. A pass over
    batches that does is taken back. If the features have a backbone, it is trained by steps of its
    own before each climb but the first, and taken back with it.

    Cost: ``4 n m q + (2 + 2 c) n q^2`` flops a step for m features and q components, c = 1 for
    memberships of zeros and ones and up to the number of clusters for others; and once, unless
    labels are given, that of `start`. Memory: three arrays of n q numbers.

    Parameters
    ----------
    start : str or Solver, default="auto"
        A solver of the task "subspace-clustering", which finds labels to start from if none are
        given.
    temperature : float, default=1.0
        Of balanced memberships, in nats; free ones are hard.
    n_steps : int, default=30
        Steps in the map before each step in the membership.
    batch_size : int, default=None
        Rows in a batch; None takes all rows at each step.
    learning_rate : float, default=0.05
        Size of the first steps on batches, relative to the entries of the map.
    tol : float, default=1e-2
        Relative gain of the objective by an iteration at which to stop.
    max_iter : int, default=20
        Most iterations.

    References
    ----------
    T. Ding, S. Tong, K. H. R. Chan, X. Dai, Y. Ma, B. D. Haeffele, "Unsupervised Manifold
    Linearizing and Clustering", ICCV 2023, arXiv:2301.01805 (the problem).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering.linearization import ManifoldLinearization
    >>> from skrand.clustering.solvers import Prototype
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2))) @ (
    ...     np.eye(4) + 1.0
    ... )
    >>> problem = ManifoldLinearization(F=X, X=X, n_clusters=2, n_components=4, eps2=0.1)
    >>> Prototype().solve(problem, rng=0).x[1].sum(axis=0)
    array([9., 9.])
    """

    task = "manifold-linearization"
    name = "prototype"

    def __init__(
        self,
        *,
        start: Any = "auto",
        temperature: float = 1.0,
        n_steps: int = 30,
        batch_size: int | None = None,
        learning_rate: float = 0.05,
        tol: float = 1e-2,
        max_iter: int = 20,
    ) -> None:
        self.start = start
        self.temperature = temperature
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.tol = tol
        self.max_iter = max_iter

    def _solve(
        self, problem: ManifoldLinearization, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        temperature = check_real(self, "temperature", self.temperature, 0, closed="neither")
        n_steps = check_integer(self, "n_steps", self.n_steps, 1)
        batch_size = check_integer(self, "batch_size", self.batch_size, 2, options=(None,))
        batch_size = min(batch_size or len(problem.F), len(problem.F))
        rate = check_real(self, "learning_rate", self.learning_rate, 0, closed="neither")
        tol = check_real(self, "tol", self.tol, 0)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        labels = problem.initial
        if labels is None:
            start = registry.resolve_solver(self.start, SubspaceClustering.task)
            rows = unit_rows(problem.X)
            labels = start.solve(
                SubspaceClustering(X=rows, n_clusters=problem.n_clusters), rng=rng
            ).x
        W = random_map(problem, rng)
        P = membership_of(labels, problem.n_clusters)
        potential = np.zeros(problem.n_clusters)
        path, n_iter, converged = [-np.inf], 0, False
        backbone, now = problem.backbone, problem
        with single_threaded_blas():
            if backbone is not None:
                backbone.start(int(rng.integers(2**32)))
            while n_iter < max_iter and not converged:
                n_iter += 1
                moved = now
                # The first map is random: nothing to train a network for.
                if backbone is not None and n_iter > 1:
                    before = backbone.state()
                    _train(problem, W, P, n_steps, batch_size, rng)
                    problem.oracles["gradients"] += n_steps
                    moved = problem.now()
                if batch_size == len(problem.F):
                    W_new = _climb(moved, W, P, n_steps)
                else:
                    step = rate / np.sqrt(n_iter)
                    W_new = _climb_on_batches(moved, W, P, n_steps, batch_size, step, rng)
                problem.oracles["gradients"] += n_steps
                refined = refine_membership(
                    moved.representation(W_new),
                    P,
                    eps2=problem.eps2,
                    mode="free" if problem.balance is None else "balanced",
                    temperature=temperature,
                    balance=problem.balance,
                )
                value = _objective(moved, W_new, refined.membership, temperature)
                gain = value - path[-1]
                if gain > 0:
                    now, W, P, potential = moved, W_new, refined.membership, refined.potential
                    path.append(value)
                elif backbone is not None:
                    backbone.restore(before)
                size = max(abs(value), np.finfo(float).tiny)
                residual = max(gain, 0.0) / size if np.isfinite(gain) else 1.0
                converged = residual <= tol
                state = {"iteration": n_iter, "residual": residual, "objective": path[-1]}
                if monitor({**state, "x": lambda W=W, P=P: (W, P)}):
                    break
            reduction = coding_rate_reduction(now.representation(W), P, problem.eps2)
        return Solution(
            x=(W, P),
            converged=converged,
            n_iter=n_iter,
            residual=residual,
            message="" if converged else "Raise max_iter or tol: the coding rate still changes.",
            extra={
                "coding_rate_reduction": reduction,
                "objective_path": path[1:],
                "potential": potential,
            },
        )


def _objective(
    problem: ManifoldLinearization, W: np.ndarray, P: np.ndarray, temperature: float
) -> float:
    value = coding_rate_reduction(problem.representation(W), P, problem.eps2)
    if problem.balance is not None:
        value += temperature * float(entr(P).sum()) / len(P)
    return value


def _value_and_gradient(
    F: np.ndarray, W: np.ndarray, P: np.ndarray, eps2: float
) -> tuple[float, np.ndarray]:
    """Return the coding rate reduction, and its gradient by ``F W``."""
    Z, norms = unit_rows_and_norms(F @ W)
    value, gradient = reduction_and_gradient(Z, P, eps2)
    return value, pull_back(gradient, Z, norms)


def _climb(
    problem: ManifoldLinearization, W: np.ndarray, P: np.ndarray, n_steps: int
) -> np.ndarray:
    """Take steps of L-BFGS on all rows."""

    def negative(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _value_and_gradient(problem.F, flat.reshape(W.shape), P, problem.eps2)
        return -value, -(problem.F.T @ gradient).ravel()

    answer = minimize(
        negative, W.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": n_steps}
    )
    return answer.x.reshape(W.shape)


def _climb_on_batches(
    problem: ManifoldLinearization,
    W: np.ndarray,
    P: np.ndarray,
    n_steps: int,
    batch_size: int,
    rate: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Take steps of Adam."""
    # The objective does not depend on the size of W, and the rate is relative to it.
    W = W / np.abs(W).mean()
    adam = Adam(rate)
    for step, batch in enumerate(islice(batches(len(problem.F), batch_size, rng), n_steps)):
        F = problem.F[batch]
        _, gradient = _value_and_gradient(F, W, P[batch], problem.eps2)
        W = W + adam.step(F.T @ gradient) * (1.0 - step / n_steps)
    return W


def _train(
    problem: ManifoldLinearization,
    W: np.ndarray,
    P: np.ndarray,
    n_steps: int,
    batch_size: int,
    rng: np.random.Generator,
) -> None:
    """Take steps in the backbone alone."""
    for batch in islice(batches(len(problem.F), batch_size, rng), n_steps):
        F = problem.batch(batch)
        _, gradient = _value_and_gradient(F, W, P[batch], problem.eps2)
        problem.train(gradient, W)
