"""Maximal coding rate reduction as a clusterer: a partition whose parts are short to encode."""

from __future__ import annotations

from typing import Any

import numpy as np

from skrand._validation import check_integer, check_real, fail_parameter
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.coding_rate import membership_of, refine_membership
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.warm import given_or_found

__all__ = ["MCR2", "check_balance"]


class MCR2(Solver):
    """Lower the number of nats that the rows take when their clusters are known, monotonically.

    The concave-convex procedure on the conditional coding rate: each row goes where its code is
    shortest, and the codes follow. It needs no dimensions, and so repairs what K-subspaces cannot:
    clusters of unequal dimension and size. It refines labels; those of `start` if none are given.

    Cost: ``n D r + r^2 (n + D)`` flops a cluster and iteration, r the smaller of D and the number
    of rows in it. Memory: ``n (D + K)`` numbers.

    Parameters
    ----------
    eps2 : float, default=0.1
        Squared precision of the code: 0.1 for clean rows, up to 0.5 for noisy ones.
    balance : "uniform" or array-like of shape (n_clusters,), default=None
        Shares of the clusters. None leaves them free.
    temperature : float, default=None
        In nats, of soft memberships. None is hard ones where they are free, and 1, the posterior
        of Gaussians with these codes, where they are balanced.
    start : str or Solver, default="kss"
        What finds labels if none are given.
    tol : float, default=1e-7
        Relative decrease of the objective at which to stop.
    max_iter : int, default=100
        Most iterations.

    References
    ----------
    Y. Yu, K. H. R. Chan, C. You, C. Song, Y. Ma, "Learning Diverse and Discriminative
    Representations via the Principle of Maximal Coding Rate Reduction", NeurIPS 2020,
    arXiv:2006.08558.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import MCR2
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> rough = np.repeat([0, 1], 9)
    >>> rough[[0, 9]] = [1, 0]
    >>> MCR2().solve(SubspaceClustering(X=X, n_clusters=2, initial=rough)).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    task = "subspace-clustering"
    name = "mcr2"

    def __init__(
        self,
        *,
        eps2: float = 0.1,
        balance: Any = None,
        temperature: float | None = None,
        start: Any = "kss",
        tol: float = 1e-7,
        max_iter: int = 100,
    ) -> None:
        self.eps2 = eps2
        self.balance = balance
        self.temperature = temperature
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
        eps2 = check_real(self, "eps2", self.eps2, 0, closed="neither")
        temperature = check_real(
            self, "temperature", self.temperature, 0, closed="neither", options=(None,)
        )
        tol = check_real(self, "tol", self.tol, 0)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        labels, K, found = given_or_found(problem, self.start, rng)
        balance = check_balance(self, self.balance, K)
        if balance is not None:
            mode = "balanced"
        else:
            mode = "free" if temperature is None else "soft"

        def report(iteration: int, objective: float, decrease: float, P: np.ndarray) -> bool:
            problem.oracles["passes"] += 1
            residual = decrease / max(abs(objective), np.finfo(float).tiny)
            state = {"iteration": iteration, "residual": residual, "objective": objective}
            return monitor({**state, "x": lambda: P.argmax(axis=1)})

        refined = refine_membership(
            problem.directions,
            membership_of(labels, K),
            eps2=eps2,
            mode=mode,
            temperature=1.0 if temperature is None else temperature,
            balance=balance,
            tol=tol,
            max_iter=max_iter,
            callback=report,
        )
        earlier = {} if found is None else {"outliers": found.extra["outliers"]}
        return finish(
            problem,
            refined.labels,
            converged=refined.converged,
            n_iter=refined.n_iter,
            message="" if refined.converged else "Raise max_iter: the rate still falls.",
            extra={
                "membership": refined.membership,
                "objective_path": refined.objective_path,
                **earlier,
            },
        )


def check_balance(owner: object, balance: object, n_clusters: int) -> np.ndarray | None:
    """Return the shares of the clusters, of sum one; None if they are free."""
    if balance is None:
        return None
    if isinstance(balance, str) and balance == "uniform":
        return np.full(n_clusters, 1.0 / n_clusters)
    allowed = f"None, 'uniform' or {n_clusters} positive numbers"
    try:
        shares = np.asarray(balance, dtype=np.float64)
    except (TypeError, ValueError):
        fail_parameter(owner, "balance", allowed, balance)
    if shares.shape != (n_clusters,) or not np.isfinite(shares).all() or shares.min() <= 0:
        fail_parameter(owner, "balance", allowed, balance)
    return shares / shares.sum()
