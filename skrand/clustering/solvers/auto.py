"""The default: doubly stochastic graphs over a grid, and the one whose spectrum is clearest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skrand._validation import check_integer, check_n_jobs
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.graph import cut
from skrand.clustering.problem import SubspaceClustering
from skrand.clustering.solvers.adssc import stochastic_graph
from skrand.clustering.solvers.lsr import least_squares_representation
from skrand.clustering.solvers.sampled import Sampled
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas

__all__ = ["Auto"]

_LAMBDAS = (0.1, 1.0, 10.0)
_ETAS = (0.001, 0.003, 0.01, 0.03, 0.1)
_NEIGHBORS = 50

#: Share of the rows that a graph must keep in components large enough to be clusters.
_KEPT = 0.95


class Auto(Solver):
    """Solver ``adssc`` over a grid of its two penalties; the clearest cut counts.

    The graph is taken that leaves at least 95 % of the rows in components large enough to be
    clusters and whose normalised spectrum has the largest relative gap after the last cluster. More
    rows than `max_samples` are sampled first, as by solver ``sampled``.

    Cost: three products of n x D with D x n and fifteen doubly stochastic projections with their
    spectra, on at most `max_samples` rows; and ``2 n D sum(d_k)`` flops to label the others.
    Memory: about 3 kB a row of the sample.

    Parameters
    ----------
    max_samples : int, default=5000
        Rows that the grid runs on at most.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    D. Lim, R. Vidal, B. D. Haeffele, "Doubly Stochastic Subspace Clustering", 2020,
    arXiv:2011.14859.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import SubspaceClustering
    >>> from skrand.clustering.solvers import Auto
    >>> X = np.kron(np.eye(2), np.random.default_rng(0).standard_normal((9, 2)))
    >>> Auto().solve(SubspaceClustering(X=X, n_clusters=2), rng=0).x
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    """

    task = "subspace-clustering"
    name = "auto"

    def __init__(self, *, max_samples=5000, n_jobs=None):
        self.max_samples = max_samples
        self.n_jobs = n_jobs

    @property
    def max_steps(self) -> int | None:
        """Graphs in the grid."""
        return len(_LAMBDAS) * len(_ETAS)

    def supports(self, problem: SubspaceClustering) -> str | None:
        """Refuse given labels."""
        if problem.initial is not None:
            return "it does not start from given labels"
        return None

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        most = check_integer(self, "max_samples", self.max_samples, 2)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        if len(problem.X) > most:
            base = Auto(max_samples=most, n_jobs=self.n_jobs)
            return Sampled(base=base, n_samples=most).solve(problem, rng=rng, callback=monitor)
        with single_threaded_blas():
            return self._search(problem, rng, monitor, threads)

    def _search(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor, threads: int
    ) -> Solution:
        best, best_merit = None, (-1.0, -1.0)
        seed = int(rng.integers(2**63))
        n_iter = 0
        for lam in _LAMBDAS:
            C = least_squares_representation(problem, lam, _NEIGHBORS, threads)
            for eta in _ETAS:
                graph = stochastic_graph(C, eta, 1e-6, 200, threads, Monitor())
                solution = cut(problem, graph, np.random.default_rng(seed))
                kept = 1.0 - float(np.mean(solution.extra["outliers"]))
                merit = (min(kept, _KEPT), solution.extra["eigengap"])
                n_iter += 1
                if merit > best_merit:
                    best, best_merit = solution, merit
                    best.extra.update(lam=lam, eta=eta)
                if monitor({"iteration": n_iter, "residual": 1.0 - merit[1]}):
                    return replace(best, n_iter=n_iter)
        return replace(best, n_iter=n_iter)
