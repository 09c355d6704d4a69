"""From a graph to groups: spectral clustering that neither small components nor multiplicity fool.

Two failures of the usual way are cured here. A perfect graph has the eigenvalue 1 once for each
group, and methods that start from one vector miss some of them. And components of a few outlying
points give as good eigenvectors as the groups do: they are set aside first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import qr
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from skrand.linalg.eigen import block_chebyshev_eigsh
from skrand.linalg.threads import single_threaded_blas

__all__ = [
    "Embedding",
    "SpectralResult",
    "relative_eigengap",
    "round_embedding",
    "spectral_clustering",
    "spectral_embedding",
]

_STARTS = 10

#: Eigenvalues as near to 1 as this are those of components: a few weak links do not join two.
_APART = 0.01


@dataclass(frozen=True, eq=False)
class Embedding:
    """Leading eigenvectors of a graph's normalised adjacency.

    Parameters
    ----------
    kept : ndarray
        Rows in components large enough to be clusters.
    vectors : ndarray of shape (len(kept), k)
        Eigenvectors, for the eigenvalues in turn.
    eigenvalues : ndarray of shape (k,)
        Falling; one more than the clusters asked for, if there are as many rows.
    n_clusters : int
        Clusters asked for, or those before the largest relative gap.
    n_components : int
        Connected components of the whole graph.
    converged : bool
        Whether the eigenvectors converged and the graph links enough rows.
    message : str
        What went wrong otherwise.
    """

    kept: np.ndarray
    vectors: np.ndarray
    eigenvalues: np.ndarray
    n_clusters: int
    n_components: int
    converged: bool = True
    message: str = ""

    @property
    def eigengap(self) -> float:
        """Relative gap after the eigenvalue of the last cluster."""
        gaps = relative_eigengap(self.eigenvalues)
        return float(gaps[self.n_clusters - 1]) if self.n_clusters <= len(gaps) else 0.0


@dataclass(frozen=True, eq=False)
class SpectralResult:
    """Groups of a graph and what they were read from.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        From 0 to n_clusters - 1, and -1 for rows set aside.
    embedding : Embedding
        The eigenvectors, eigenvalues and components.
    """

    labels: np.ndarray
    embedding: Embedding


def spectral_clustering(
    affinity: Any,
    n_clusters: int | None = None,
    *,
    min_component: float = 0.05,
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
        Number of groups; None takes the largest relative gap of the eigenvalues after the first.
    min_component : float, default=0.05
        Components with fewer rows than this share of n / n_clusters are set aside.
    max_clusters : int, default=30
        Most groups to find where `n_clusters` is None.
    rng : numpy.random.Generator or int, optional
        Source of randomness.

    Returns
    -------
    SpectralResult

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import spectral_clustering
    >>> spectral_clustering(np.kron(np.eye(2), np.ones((3, 3))), rng=0).labels
    array([0, 0, 0, 1, 1, 1])
    """
    rng = np.random.default_rng(rng)
    found = spectral_embedding(
        affinity, n_clusters, min_component=min_component, max_clusters=max_clusters, rng=rng
    )
    labels = np.full(affinity.shape[0], -1, dtype=np.int64)
    labels[found.kept] = round_embedding(found.vectors, found.n_clusters, rng)
    return SpectralResult(labels, found)


def spectral_embedding(
    affinity: Any,
    n_clusters: int | None = None,
    *,
    min_component: float = 0.05,
    max_clusters: int = 30,
    rng: np.random.Generator | int | None = None,
) -> Embedding:
    """Return the eigenvectors that :func:`spectral_clustering` clusters; same parameters."""
    rng = np.random.default_rng(rng)
    graph = sp.csr_array(affinity, dtype=np.float64)
    n = graph.shape[0]
    n_components, component = connected_components(graph, directed=False)
    kept = _large_components(component, n, n_clusters, min_component, max_clusters)
    if len(kept) < (n_clusters or 2):
        # Hardly a graph at all: every row counts.
        kept = np.arange(n)
    inner = graph if len(kept) == n else graph[kept][:, kept]
    degrees = inner.sum(axis=1)
    linked = int(np.count_nonzero(degrees > 0))
    inverse = 1.0 / np.sqrt(np.where(degrees > 0, degrees, 1.0))
    normal = sp.csr_array(sp.diags_array(inverse) @ inner @ sp.diags_array(inverse))
    most = n_clusters or max(2, min(max_clusters, len(kept) - 1))
    found = block_chebyshev_eigsh(
        normal, min(most + 1, len(kept)), bounds=(-1.0, 1.0), tol=1e-4, rng=rng
    )
    # The gap after the first eigenvalue is 1 for every connected graph, and tells nothing.
    K = n_clusters or int(relative_eigengap(found.values)[1:most].argmax()) + 2
    message = ""
    if linked < min(K, n):
        message = (
            f"The graph links {linked} of {n} rows, fewer than the {K} clusters asked for; a "
            "solver with a denser graph may help."
        )
    elif not found.converged:
        message = f"The eigenvectors are right to {found.residuals.max():.0e} only."
    return Embedding(
        kept,
        found.vectors[:, :K],
        found.values,
        K,
        int(n_components),
        converged=not message,
        message=message,
    )


def relative_eigengap(values: np.ndarray) -> np.ndarray:
    """Return ``(v_k - v_(k+1)) / max(0.01, 1 - v_(k+1))`` for each k.

    It is 1 where k components are apart and none of them falls into parts easily. Without the least
    denominator it would be 1, too, after the first of several eigenvalues of 0.999.
    """
    return (values[:-1] - values[1:]) / np.maximum(1.0 - values[1:], _APART)


def round_embedding(V: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Cluster rows, scaled to length one, that are near orthogonal directions.

    Besides random starts, k-means starts from the rows that a pivoted QR picks: they are the most
    nearly orthogonal ones, one a group if the groups are apart (A. Damle, V. Minden, L. Ying,
    "Simple, direct and efficient multi-way spectral clustering", Information and Inference 8,
    2019, arXiv:1609.08251).
    """
    if n_clusters == 1:
        return np.zeros(len(V), dtype=np.int64)
    rows = V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-12)
    pivots = qr(rows.T, mode="r", pivoting=True, check_finite=False)[1][:n_clusters]
    seed = int(rng.integers(2**31))
    # k-means adds up its centres thread by thread: one thread, one result. The limit of BLAS is the
    # process's own, and shared with concurrent fits; that of OpenMP is this thread's.
    with single_threaded_blas(), threadpool_limits(1, user_api="openmp"):
        if len(pivots) == n_clusters:
            best = KMeans(n_clusters, init=rows[pivots], n_init=1).fit(rows)
            if best.inertia_ <= 1e-6 * len(rows):
                return best.labels_.astype(np.int64)
        other = KMeans(n_clusters, n_init=_STARTS, random_state=seed).fit(rows)
    if len(pivots) < n_clusters or other.inertia_ < best.inertia_ * (1 - 1e-9):
        best = other
    return best.labels_.astype(np.int64)


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
