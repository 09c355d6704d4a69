"""The default: doubly stochastic graphs over a grid, and what the best-fitting ones agree on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh

from skrand._validation import check_integer, check_n_jobs
from skrand.base import Monitor, Solution, Solver
from skrand.clustering.consensus import consensus
from skrand.clustering.graph import Graph, graph_attributes, partition
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.solvers.adssc import stochastic_graph
from skrand.clustering.solvers.kss import KSS
from skrand.clustering.solvers.lsr import least_squares_representation
from skrand.clustering.solvers.sampled import Sampled
from skrand.clustering.spectral import SpectralResult, spectral_embedding
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas

__all__ = ["Auto"]

_LAMBDAS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_NEIGHBORS = 50

#: Links a row of the graphs tried, from fewest to most, and one graph beyond, of at most twice as
#: many; and from one to the next eta grows so much.
_LINKS = (4.0, 15.0)
_GROWTH = 1.7
_ETA_RANGE = (1e-5, 10.0)
_FIRST_ETA = 0.01

#: Share of the rows that a graph must keep in components large enough to be clusters.
_KEPT = 0.95

#: Dimension in which partitions are compared, if none is given: at most this, and at most a quarter
#: of a mean group, beyond which subspaces fit any few rows. And how many of the best have to agree:
#: whichever gives the better one.
_DIM = 12
_AGREE = (1, 3, 5)


class Auto(Solver):
    """Cluster by ``adssc`` over a grid of its penalties; the best-fitting partitions are combined.

    For each weight of the least-squares representation, graphs with between 4 and 15 links a row,
    and one with more, are cut. Those that keep at least 95 % of the rows in components large enough
    to be clusters are compared by the energy that their groups leave outside subspaces of one
    dimension, which is the objective of K-subspaces. The three or five best partitions are combined
    by how often they put rows together, and K-subspaces runs from there until no row changes group.
    More rows than `max_samples` are sampled first, as by solver ``sampled``.

    If the number of clusters is not given, it is that of the largest relative gap in the spectra of
    all graphs with up to 15 links a row.

    Cost: six products of n x D with D x n and some 30 doubly stochastic projections with their
    spectra, on at most `max_samples` rows; and ``2 n D sum(d_k)`` flops to label the others.
    Memory: about 5 kB a row of the sample.

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

    def __init__(self, *, max_samples: int = 5000, n_jobs: int | None = None) -> None:
        self.max_samples = max_samples
        self.n_jobs = n_jobs

    @property
    def max_steps(self) -> int | None:
        """Unknown: the graphs tried depend on the data."""
        return None

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
        seed = int(rng.integers(2**63))
        graphs: list[Graph] = []
        dense = np.inf
        for lam in _LAMBDAS:
            C = least_squares_representation(problem, lam, _NEIGHBORS, threads)
            some, dense = _graphs(C, dense, threads)
            graphs += some
        known = problem
        if problem.n_clusters is None:
            known = replace(problem, n_clusters=_count_clusters(problem, graphs, seed))
        tried: list[tuple[tuple[float, float], Graph, SpectralResult, np.ndarray]] = []
        for graph in graphs:
            result, aside = partition(known, graph.affinity, np.random.default_rng(seed))
            labels = result.labels
            kept = float(np.mean(labels[~aside] >= 0))
            energy = _energy_outside(known, labels)
            tried.append(((-min(kept, _KEPT), energy), graph, result, labels))
            if monitor({"iteration": len(tried), "residual": np.sqrt(energy)}):
                break
        tried.sort(key=lambda item: item[0])
        best = [finish(known, item[3]).x for item in tried[: max(_AGREE)]]
        agreed = [consensus(best[:m], known.n_clusters, rng)[0] for m in _AGREE]
        start = min(agreed, key=lambda labels: _energy_outside(known, labels))
        _, graph, result, _ = tried[0]
        # What the best graph sets aside has no say in the subspaces' dimensions.
        start = replace(known, initial=np.where(result.labels < 0, -1, start))
        refined = KSS(max_iter=30).solve(start, rng=rng)
        return replace(
            refined,
            converged=result.embedding.converged and not monitor.stopped,
            message=result.embedding.message,
            n_iter=len(tried),
            extra={
                **refined.extra,
                **graph_attributes(graph, result.embedding),
                "outliers": refined.extra["outliers"] | (result.labels < 0),
            },
            solver=self.name,
        )


def _graphs(C: sp.csr_array, dense: float, threads: int) -> tuple[list[Graph], float]:
    """Return doubly stochastic graphs of a representation, of links in the range and one beyond.

    At an eta of `dense` there are known to be too many for the sparsest. The least such eta is
    returned too: it holds for any larger weight of the representation.
    """
    low, high = _ETA_RANGE
    dual = None

    def project(eta: float) -> tuple[Graph, float]:
        nonlocal dual
        graph = stochastic_graph(C, eta, 1e-3, 200, threads, Monitor(), dual)
        dual = graph.extra["dual"]
        return graph, graph.affinity.nnz / C.shape[0]

    # Links grow with eta: halve the interval until a graph is at the sparse end of the range.
    eta = _FIRST_ETA
    for attempt in range(12):
        links = np.inf
        if eta < dense or attempt == 11:
            graph, links = project(eta)
        if links < _LINKS[0]:
            low = eta
        elif links > 1.5 * _LINKS[0]:
            high, dense = eta, min(eta, dense)
        else:
            break
        eta = float(np.sqrt(low * high))
    graphs = [graph]
    while links < _LINKS[1] and len(graphs) < 8:
        eta *= _GROWTH
        graph, links = project(eta)
        if links <= 2 * _LINKS[1]:
            graphs.append(graph)
    return graphs, dense


def _count_clusters(problem: SubspaceClustering, graphs: list[Graph], seed: int) -> int:
    """Return the number of clusters at the largest relative gap of all spectra.

    Graphs with more links than the range has count only if all have: they join what is near.
    """
    best, count = -1.0, 2
    most = _LINKS[1] * len(problem.X)
    for graph in [graph for graph in graphs if graph.affinity.nnz <= most] or graphs:
        found = spectral_embedding(
            graph.affinity,
            min_component=problem.min_component,
            max_clusters=problem.max_clusters,
            rng=np.random.default_rng(seed),
        )
        if len(found.kept) >= _KEPT * len(problem.X) and found.eigengap > best:
            best, count = found.eigengap, found.n_clusters
    return count


def _energy_outside(problem: SubspaceClustering, labels: np.ndarray) -> float:
    """Return the mean energy of the rows outside the best subspaces of one dimension."""
    dims = problem.subspace_dim
    if dims is None:
        d = max(1, min(_DIM, len(problem.X) // (4 * int(problem.n_clusters))))
    else:
        d = int(np.mean(dims))
    total, count = 0.0, 0
    for k in range(int(problem.n_clusters)):
        rows = problem.directions[labels == k].astype(np.float64)
        gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
        m = len(gram)
        total += float(np.trace(gram))
        count += len(rows)
        if m:
            top = eigh(gram, eigvals_only=True, subset_by_index=[max(0, m - d), m - 1])
            total -= float(top.sum())
    return max(total, 0.0) / max(count, 1)
