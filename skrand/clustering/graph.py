"""The solvers that build a graph of the rows and cut it: what they share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from skrand.base import Monitor, Solution, Solver
from skrand.clustering.problem import SubspaceClustering, finish
from skrand.clustering.spectral import Embedding, SpectralResult, spectral_clustering
from skrand.exceptions import MemoryBudgetError
from skrand.linalg.threads import single_threaded_blas

__all__ = ["Graph", "GraphSolver", "cut", "graph_attributes", "partition", "symmetric_affinity"]


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph of the rows and how it was come by.

    Parameters
    ----------
    affinity : csr_array of shape (n, n)
        Symmetric, non-negative, with an empty diagonal.
    representation : csr_array of shape (n, n), optional
        Coefficients that make each row out of the others.
    converged : bool, default=True
        Whether whatever was iterated converged.
    message : str, default=""
        What to do about it if not.
    extra : dict
        Further entries of the solution's `extra`.
    """

    affinity: sp.csr_array
    representation: sp.csr_array | None = None
    converged: bool = True
    message: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class GraphSolver(Solver):
    """A solver that links the rows by a graph; the spectral step is the same for all.

    Subclass it and write :meth:`graph`::

        class NearestDirections(GraphSolver):
            name = "nearest-directions"

            def graph(self, problem, rng, monitor):
                X = problem.directions
                return Graph(symmetric_affinity(largest_products(X, X, 5)))
    """

    task = "subspace-clustering"

    @abstractmethod
    def graph(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Graph:
        """Link the rows of the problem."""

    def memory(self, problem: SubspaceClustering) -> int:
        """Estimate the bytes that :meth:`graph` needs on top of the data; 0 if it is not known."""
        return 0

    def supports(self, problem: SubspaceClustering) -> str | None:
        """Refuse given labels: a graph starts from the data alone."""
        if problem.initial is not None:
            return "it does not start from given labels"
        return None

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        need = self.memory(problem)
        if problem.memory_limit is not None and need > problem.memory_limit:
            raise MemoryBudgetError(
                f"Solver {self.name!r} needs about {need:,} bytes for {len(problem.X):,} rows, "
                f"more than memory_limit={problem.memory_limit:,}. Solver 'sampled' links a sample "
                "of the rows only; its memory does not grow with their number."
            )
        with single_threaded_blas():
            graph = self.graph(problem, rng, monitor)
            return cut(problem, graph, rng, n_iter=len(monitor.history))


def cut(
    problem: SubspaceClustering, graph: Graph, rng: np.random.Generator, n_iter: int = 0
) -> Solution:
    """Part the rows by their graph; those it leaves out go to the nearest subspace."""
    result, _ = partition(problem, graph.affinity, rng)
    found = result.embedding
    return finish(
        problem,
        result.labels,
        subspaces=problem.subspaces(result.labels, found.n_clusters),
        converged=graph.converged and found.converged,
        n_iter=n_iter,
        message=f"{graph.message} {found.message}".strip(),
        extra={**graph_attributes(graph, found), **graph.extra},
    )


def partition(
    problem: SubspaceClustering, affinity: sp.csr_array, rng: np.random.Generator
) -> tuple[SpectralResult, np.ndarray]:
    """Part the rows by a graph, without groups made up by rows that lie in no subspace.

    Outlying rows are linked to each other for want of better. Of a group most of whose rows its
    subspace explains no better than chance these are set aside, and the graph of the others is
    parted again; unless that would be half of all rows.

    Returns
    -------
    result : SpectralResult
        Labels are -1 for rows set aside, here or for their small components.
    aside : ndarray of shape (n,)
        Mask of those set aside here.
    """
    options = {"min_component": problem.min_component, "max_clusters": problem.max_clusters}
    result = spectral_clustering(affinity, problem.n_clusters, **options, rng=rng)
    labels, count = result.labels, result.embedding.n_clusters
    subspaces = problem.subspaces(labels, count)
    distances = subspaces.own_residuals(problem.rows, labels)
    chance = subspaces.unexplained(problem.rows, labels, distances)
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    scattered = 2 * np.bincount(labels[chance], minlength=count) > sizes
    aside = chance & scattered[labels]
    if not aside.any() or 2 * np.count_nonzero(aside) >= len(labels):
        return result, np.zeros(len(labels), dtype=bool)
    rest = np.flatnonzero(~aside)
    inner = spectral_clustering(affinity[rest][:, rest], problem.n_clusters, **options, rng=rng)
    labels = np.full(len(labels), -1, dtype=np.int64)
    labels[rest] = inner.labels
    found = replace(
        inner.embedding,
        kept=rest[inner.embedding.kept],
        n_components=result.embedding.n_components,
    )
    return SpectralResult(labels, found), aside


def graph_attributes(graph: Graph, found: Embedding) -> dict[str, Any]:
    """Return what a solution tells of its graph."""
    return {
        "affinity": graph.affinity,
        "representation": graph.representation,
        "eigenvalues": found.eigenvalues,
        "eigengap": found.eigengap,
        "n_components": found.n_components,
    }


def symmetric_affinity(C: sp.csr_array, *, normalize: bool = False) -> sp.csr_array:
    """Return ``|C| + |C|^T`` without the diagonal, in float64.

    Parameters
    ----------
    C : csr_array of shape (n, n)
        Coefficients.
    normalize : bool, default=False
        Whether to scale the rows of C to length one first, so that every row has a say.
    """
    C = abs(sp.csr_array(C, dtype=np.float64))
    if normalize:
        lengths = np.sqrt(np.asarray(C.multiply(C).sum(axis=1))).ravel()
        C = sp.csr_array(sp.diags_array(1.0 / np.where(lengths > 0, lengths, 1.0)) @ C)
    A = sp.csr_array(C + C.T)
    A.setdiag(0.0)
    A.eliminate_zeros()
    A.sort_indices()
    return A
