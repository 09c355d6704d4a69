"""One partition out of many, by how often rows fall together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh

from skrand.clustering.spectral import round_embedding

__all__ = ["consensus"]


def consensus(
    partitions: Sequence[np.ndarray], n_clusters: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster the graph of co-occurrences of several partitions.

    H has an indicator column for each group of each partition. The graph ``H H^T`` is never formed:
    its normalised spectrum is that of a Gram matrix as large as there are groups.

    Parameters
    ----------
    partitions : sequence of ndarray of shape (n,)
        Labels from 0 up.
    n_clusters : int
        Groups to make.
    rng : numpy.random.Generator
        Draws starts of k-means.

    Returns
    -------
    labels : ndarray of shape (n,)
    eigenvalues : ndarray of shape (n_clusters,)
        Largest ones of the normalised graph, falling.
    """
    H = sp.hstack([_indicators(labels) for labels in partitions], format="csr")
    # Every row occurs once in each partition: its degree is the sum of the sizes of its groups.
    degrees = H @ H.sum(axis=0)
    scaled = sp.csr_array(sp.diags_array(degrees**-0.5) @ H)
    gram = (scaled.T @ scaled).toarray()
    values, V = eigh(gram, subset_by_index=[max(0, len(gram) - n_clusters), len(gram) - 1])
    embedded = scaled @ (V / np.sqrt(np.maximum(values, 1e-12)))
    return round_embedding(embedded, n_clusters, rng), values[::-1]


def _indicators(labels: np.ndarray) -> sp.csr_array:
    n = len(labels)
    return sp.csr_array((np.ones(n), labels, np.arange(n + 1)))
