"""From a graph to groups: spectral clustering that neither small components nor multiplicity fool.

Two failures of the usual way are cured here. A perfect graph has the eigenvalue 1 once for each
group, and methods that start from one vector miss some of them. And components of a few outlying
points give as good eigenvectors as the groups do: they are set aside first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import qr
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from skrand.linalg.eigen import block_chebyshev_eigsh

__all__ = ["SpectralResult", "relative_eigengap", "spectral_clustering"]

_STARTS = 10


@dataclass(frozen=True, eq=False)
class SpectralResult:
    """Groups of a graph and what they were read from.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        From 0 to n_clusters - 1, and -1 for rows set aside.
    n_clusters : int
        Number of groups.
    eigenvalues : ndarray
        The largest of the normalised adjacency, falling: one more than there are groups.
    eigengap : float
        Relative gap after the last group's eigenvalue, see :func:`relative_eigengap`.
    n_components : int
        Connected components of the graph as given.
    converged : bool
        Whether the eigenvalues converged and there were enough rows in the graph.
    message : str
        What went wrong otherwise.
    """

    labels: np.ndarray
    n_clusters: int
    eigenvalues: np.ndarray
    eigengap: float
    n_components: int
    converged: bool = True
    message: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


def spectral_clustering(
    affinity: Any,
    n_clusters: int | None = None,
    *,
    min_component: float = 0.1,
    max_clusters: int = 30,
    rng: np.random.Generator | int | None = None,
) -> SpectralResult:
    """Part a graph into groups.

    Cost: some hundred products of the graph with a block of ``n_clusters + 8`` vectors, and k-means
    in as many dimensions. Memory: four such blocks.

    Parameters
    ----------
    affinity : sparse matrix or ndarray of shape (n, n)
        Symmetric and non-negative.
    n_clusters : int, optional
        Number of groups; None takes the largest relative gap of the eigenvalues.
    min_component : float, default=0.1
        Components with fewer rows than this share of n / n_clusters are set aside.
    max_clusters : int, default=30
        Most groups to find where `n_clusters` is None.
    rng : numpy.random.Generator or int, optional
        Source of randomness.

    Returns
    -------
    SpectralResult
    """
    rng = np.random.default_rng(rng)
    graph = sp.csr_array(affinity, dtype=np.float64)
    n = graph.shape[0]
    n_components, component = connected_components(graph, directed=False)
    kept = _large_components(component, n, n_clusters, min_component, max_clusters)
    if len(kept) < (n_clusters or 1) or len(kept) < 2:
        # Hardly a graph at all: every row counts.
        kept = np.arange(n)
    inner = graph if len(kept) == n else graph[kept][:, kept]
    degrees = inner.sum(axis=1)
    isolated = degrees <= 0
    inverse = 1.0 / np.sqrt(np.where(isolated, 1.0, degrees))
    normal = sp.csr_array(sp.diags_array(inverse) @ inner @ sp.diags_array(inverse))
    most = n_clusters or min(max_clusters, len(kept) - 1)
    found = block_chebyshev_eigsh(
        normal, min(most + 1, len(kept)), bounds=(-1.0, 1.0), tol=1e-4, rng=rng
    )
    gaps = relative_eigengap(found.values)
    K = n_clusters or int(gaps[: max(1, most)].argmax()) + 1
    labels = np.full(n, -1, dtype=np.int64)
    labels[kept] = _round(found.vectors[:, :K], K, rng)
    message = ""
    if isolated.any() and np.count_nonzero(~isolated) < K:
        message = (
            f"The graph links {np.count_nonzero(~isolated)} of {n} rows, fewer than the {K} "
            "clusters asked for; a solver with a denser graph may help."
        )
    elif not found.converged:
        message = f"The eigenvectors are right to {found.residuals.max():.0e} only."
    return SpectralResult(
        labels,
        K,
        found.values,
        float(gaps[K - 1]) if len(gaps) >= K else 0.0,
        int(n_components),
        converged=not message,
        message=message,
    )


def relative_eigengap(values: np.ndarray) -> np.ndarray:
    """Return ``(v_k - v_(k+1)) / (1 - v_(k+1))`` for each k: 1 where k components are apart."""
    below = 1.0 - values[1:]
    return np.where(below > 1e-6, (values[:-1] - values[1:]) / np.maximum(below, 1e-6), 0.0)


def _large_components(
    component: np.ndarray, n: int, K: int | None, min_component: float, max_clusters: int
) -> np.ndarray:
    """Return the rows of the components that may be clusters."""
    sizes = np.bincount(component)
    least = min_component * n / (K or max_clusters)
    large = sizes >= max(2.0, least)
    if K is not None and np.count_nonzero(large) > K:
        # More than groups asked for: the largest are the groups.
        large[:] = False
        large[np.argsort(-sizes, kind="stable")[:K]] = True
    return np.flatnonzero(large[component])


def _round(V: np.ndarray, K: int, rng: np.random.Generator) -> np.ndarray:
    """Cluster the rows of K eigenvectors, scaled to length one.

    Besides random starts, k-means starts from the rows that a pivoted QR picks: they are the most
    nearly orthogonal ones, one a group if the groups are apart (A. Damle, V. Minden, L. Ying,
    "Simple, direct and efficient multi-way spectral clustering", Information and Inference 8,
    2019, arXiv:1609.08251).
    """
    rows = V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-12)
    if K == 1:
        return np.zeros(len(V), dtype=np.int64)
    pivots = qr(rows.T, mode="r", pivoting=True, check_finite=False)[1][:K]
    seed = int(rng.integers(2**31))
    # k-means adds up its centres thread by thread: one thread, one result.
    with threadpool_limits(1):
        best = KMeans(K, init=rows[pivots], n_init=1).fit(rows)
        other = KMeans(K, n_init=_STARTS, random_state=seed).fit(rows)
    return (best if best.inertia_ <= other.inertia_ * (1 + 1e-9) else other).labels_.astype(
        np.int64
    )
