"""Subspace clustering by the likelihood of a mixture of low-rank Gaussians."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.low_rank_gaussians import LowRankGaussians, fit_low_rank_gaussians
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.solvers.kss import KSS
from skrand.clustering.subspaces import Subspaces

__all__ = ["MoLRG"]


class MoLRG(Solver):
    """Fit a mixture of low-rank Gaussians of mean zero by expectation-maximisation.

    The noise variance is fitted too: memberships start soft and harden as the subspaces explain
    more. ``Solution.extra["model"]`` is the density, with ``denoise`` and ``sample``;
    :class:`skrand.LowRankGaussianMixture` is the same as an estimator.

    Without given dimensions those that solver ``kss`` finds are used. Affine subspaces are fitted
    as linear ones of the rows with a constant column.

    Cost: ``2 n D sum(d_k)`` flops for the expectations and up to ``K n D min(n, D)`` for the
    covariances, an iteration and start. Memory: the rows in float64 and ``n K`` numbers.

    Parameters
    ----------
    n_init : int, default=10
        Starts, if there are no labels to start from.
    tol : float, default=1e-7
        Gain of the mean log-likelihood, per feature, at which to stop.
    max_iter : int, default=300
        Most iterations from each start.

    References
    ----------
    P. Wang, H. Zhang, Z. Zhang, S. Chen, Y. Ma, Q. Qu, "Diffusion Models Learn Low-Dimensional
    Distributions via Subspace Clustering", 2024, arXiv:2409.02426.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import MoLRG
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> problem = SubspaceClustering(X=X, n_clusters=2, subspace_dim=1)
    >>> solution = MoLRG().solve(problem, rng=0)
    >>> solution.extra["model"].weights
    array([0.5, 0.5])
    """

    task = "subspace-clustering"
    name = "molrg"

    def __init__(self, *, n_init: int = 10, tol: float = 1e-7, max_iter: int = 300) -> None:
        self.n_init = n_init
        self.tol = tol
        self.max_iter = max_iter

    @property
    def max_steps(self) -> int | None:
        """Iterations of all starts."""
        return self.n_init * self.max_iter

    def supports(self, problem: SubspaceClustering) -> str | None:
        """Say so if there are neither labels nor a number of clusters, or no room for noise."""
        if problem.n_clusters is None and problem.initial is None:
            return "it needs the number of clusters"
        if problem.shape[1] < 2:
            return "it needs at least two features"
        return None

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        n_init = check_integer(self, "n_init", self.n_init, 1)
        tol = check_real(self, "tol", self.tol, 0)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        labels = problem.initial
        K = problem.n_clusters or int(labels.max()) + 1
        problem = replace(problem, n_clusters=K)
        rows = (problem.directions if problem.affine else problem.rows[:]).astype(np.float64)
        dims = self._dims(problem, rng, rows.shape[1])

        def report(iteration: int, value: float, gain: float, model: LowRankGaussians) -> bool:
            problem.oracles["passes"] += 1
            return monitor(
                {
                    "iteration": len(monitor.history) + 1,
                    "residual": gain,
                    "log_likelihood": value,
                    "x": lambda: model.joint_log_density(rows).argmax(axis=1),
                }
            )

        fit = fit_low_rank_gaussians(
            rows,
            dims,
            labels=labels,
            n_init=n_init,
            tol=tol,
            max_iter=max_iter,
            rng=rng,
            callback=report,
        )
        found = fit.model.joint_log_density(rows).argmax(axis=1)
        subspaces = None
        if not problem.affine:
            bases = [U.astype(problem.X.dtype) for U in fit.model.bases]
            subspaces = Subspaces([np.ascontiguousarray(U) for U in bases])
        return finish(
            problem,
            found,
            subspaces=subspaces,
            converged=fit.converged,
            n_iter=fit.n_iter,
            message="" if fit.converged else "Raise max_iter: the likelihood still grows.",
            extra={"model": fit.model, "log_likelihood": fit.log_likelihood_path[-1]},
        )

    def _dims(
        self, problem: SubspaceClustering, rng: np.random.Generator, n_features: int
    ) -> list[int]:
        """Return the dimension of each component; a lifted affine subspace has one more."""
        dims = problem.subspace_dim
        if dims is None:
            labels = problem.initial
            if labels is None:
                labels = KSS().solve(problem, rng=rng).x
            dims = problem.subspaces(labels, problem.n_clusters).dims
        lift = 1 if problem.affine else 0
        wanted = np.broadcast_to(np.asarray(dims), (int(problem.n_clusters),)) + lift
        return [int(d) for d in np.clip(wanted, 1, n_features - 1)]
