"""How good a clustering, an affinity or a set of subspaces is, by the field's own measures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from skrand._typing import MatrixLike

__all__ = [
    "class_bases",
    "clustering_accuracy",
    "principal_angles",
    "subspace_coherence",
    "subspace_preserving_error",
]


def clustering_accuracy(labels_true: Any, labels_pred: Any) -> float:
    """Return the share of points that are right under the best matching of the labels.

    Each found cluster is matched with at most one class, and each class with at most one cluster,
    by the Hungarian algorithm; their numbers may differ.

    Parameters
    ----------
    labels_true : array-like of shape (n_samples,)
        Classes.
    labels_pred : array-like of shape (n_samples,)
        Clusters found.

    Returns
    -------
    float
        In [0, 1]; 1 for the same partition.

    Examples
    --------
    >>> from skrand.clustering import clustering_accuracy
    >>> clustering_accuracy(["a", "a", "b", "b"], [1, 1, 0, 2])
    0.75
    """
    labels_true = column_or_1d(labels_true)
    labels_pred = column_or_1d(labels_pred)
    check_consistent_length(labels_true, labels_pred)
    table = contingency_matrix(labels_true, labels_pred)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / len(labels_true))


def subspace_preserving_error(affinity: Any, labels: Any) -> float:
    """Return the share of a representation's weight that joins points of different classes.

    The mean over points of ``sum_{j: y_j != y_i} |C_ij| / sum_j |C_ij|``; a self-expressive
    representation is subspace-preserving when it is 0. Rows of zeros do not count.

    Parameters
    ----------
    affinity : array-like or sparse matrix of shape (n_samples, n_samples)
        Affinity or self-expressive coefficients, of any sign.
    labels : array-like of shape (n_samples,)
        Classes.

    Returns
    -------
    float
        In [0, 1].

    References
    ----------
    C. You, D. P. Robinson, R. Vidal, "Scalable Sparse Subspace Clustering by Orthogonal Matching
    Pursuit", CVPR 2016, arXiv:1507.01238 (section 5).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import subspace_preserving_error
    >>> C = np.array([[0.0, 3.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> subspace_preserving_error(C, [0, 0, 1])
    0.125
    """
    C = check_array(affinity, accept_sparse="csr", dtype=np.float64)
    labels = column_or_1d(labels)
    if C.shape != (len(labels), len(labels)):
        raise ValueError(
            f"affinity must be of shape (n_samples, n_samples) with n_samples={len(labels)}, the "
            f"number of labels. Got {C.shape} instead."
        )
    C = sp.coo_array(C)
    weight = np.abs(C.data)
    wrong = weight * (labels[C.row] != labels[C.col])
    total = np.bincount(C.row, weight, len(labels))
    used = total > 0
    if not used.any():
        return 0.0
    return float((np.bincount(C.row, wrong, len(labels))[used] / total[used]).mean())


def principal_angles(bases: Sequence[np.ndarray]) -> np.ndarray:
    """Return the smallest principal angle between each two of several subspaces.

    Parameters
    ----------
    bases : sequence of ndarray of shape (n_features, dim_k)
        Columns span the subspaces; they need not be orthonormal.

    Returns
    -------
    ndarray of shape (n_subspaces, n_subspaces)
        Radians in [0, pi/2], symmetric; 0 on the diagonal. Small angles are accurate too.

    References
    ----------
    A. Bjorck, G. H. Golub, "Numerical Methods for Computing Angles Between Linear Subspaces",
    Mathematics of Computation 27, 1973, doi:10.2307/2005662.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering import principal_angles
    >>> e1, e2 = np.eye(2)[:, :1], np.eye(2)[:, 1:]
    >>> np.degrees(principal_angles([e1, e2, e1 + e2])).round()
    array([[ 0., 90., 45.],
           [90.,  0., 45.],
           [45., 45.,  0.]])
    """
    angles = np.zeros((len(bases), len(bases)))
    for k in range(len(bases)):
        for other in range(k):
            smallest = scipy.linalg.subspace_angles(bases[k], bases[other]).min(initial=np.pi / 2)
            angles[k, other] = angles[other, k] = smallest
    return angles


def subspace_coherence(bases: Sequence[np.ndarray]) -> float:
    """Return the mean cosine of the smallest principal angle over the pairs of subspaces.

    Parameters
    ----------
    bases : sequence of ndarray of shape (n_features, dim_k)
        Columns span the subspaces.

    Returns
    -------
    float
        0 if all are orthogonal, 1 if each two share a direction.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering.metrics import subspace_coherence
    >>> subspace_coherence(np.eye(4)[:, :, None])
    0.0
    """
    upper = np.triu_indices(len(bases), 1)
    return float(np.cos(principal_angles(bases)[upper]).round(15).mean()) if len(upper[0]) else 0.0


def class_bases(X: MatrixLike, labels: Any, dim: int) -> list[np.ndarray]:
    """Return an orthonormal basis of the leading directions of each class.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Points.
    labels : array-like of shape (n_samples,)
        Classes.
    dim : int
        Number of directions; fewer for a class of fewer points.

    Returns
    -------
    list of ndarray of shape (n_features, dim)
        In the order of the sorted classes: the right singular vectors of the largest singular
        values of the points of each, not centred.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering.metrics import class_bases
    >>> abs(class_bases([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]], [0, 1, 0], 1)[0]).ravel()
    array([1., 0.])
    """
    X = check_array(X, dtype=np.float64)
    labels = column_or_1d(labels)
    check_consistent_length(X, labels)
    return [
        scipy.linalg.svd(X[labels == label], full_matrices=False)[2][:dim].T
        for label in np.unique(labels)
    ]
