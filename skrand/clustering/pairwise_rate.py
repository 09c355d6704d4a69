"""The coding rate when every point is the centre of a cluster of its own, and its gradients.

With a doubly stochastic membership P of shape (n, n) the conditional rate is
``1 / (2 n) sum_k logdet(I + d / eps2 Z^T diag(P_k) Z)``; P is the symmetric scaling of
``exp(|C C^T| / temperature)`` for unit rows C.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from skrand.linalg.scaling import symmetric_scaling

__all__ = ["kernel_membership", "pairwise_rate", "rate_and_gradient", "through_kernel"]


def rate_and_gradient(Z: np.ndarray, eps2: float) -> tuple[float, np.ndarray]:
    """Return the coding rate of all points together and its gradient by them."""
    n, d = Z.shape
    scale = d / (n * eps2)
    factor = scipy.linalg.cho_factor(np.eye(d) + scale * (Z.T @ Z), check_finite=False)
    inverse = scipy.linalg.cho_solve(factor, np.eye(d), check_finite=False)
    return float(np.log(np.diag(factor[0])).sum()), scale * (Z @ inverse)


def pairwise_rate(
    Z: np.ndarray, P: np.ndarray, eps2: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the conditional rate and its gradients by Z and by P.

    Cost: ``3 n^2 d^2 + 2 n d^3`` flops. Memory: four arrays of ``n d^2`` numbers.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
        Unit rows.
    P : ndarray of shape (n, n)
        Column k holds the weights of the points in the cluster around point k.
    eps2 : float
        Squared precision of the code.

    Returns
    -------
    rate : float
    by_points : ndarray of shape (n, d)
    by_membership : ndarray of shape (n, n)
    """
    n, d = Z.shape
    scale = d / eps2
    # Symmetric matrices are held by their upper triangles, which halves the large products.
    rows, columns = np.triu_indices(d)
    place = np.empty((d, d), dtype=np.int64)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    outer = Z[:, rows] * Z[:, columns]
    M = (scale * (P.T @ outer))[:, place]
    M[:, np.arange(d), np.arange(d)] += 1.0
    L = np.linalg.cholesky(M)
    rate = float(np.log(L[:, np.arange(d), np.arange(d)]).sum()) / n
    inverse = np.linalg.inv(M)[:, rows, columns]
    twice = np.where(rows == columns, 1.0, 2.0)
    by_membership = (0.5 * scale / n) * (outer @ (twice * inverse).T)
    mixed = (P @ inverse)[:, place]
    by_points = (scale / n) * np.einsum("nij,nj->ni", mixed, Z)
    return rate, by_points, by_membership


def kernel_membership(C: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the doubly stochastic membership of unit rows C, and their cosines."""
    cosines = C @ C.T
    return symmetric_scaling(np.abs(cosines) / temperature, tol=1e-9).P, cosines


def through_kernel(
    gradient: np.ndarray, P: np.ndarray, cosines: np.ndarray, C: np.ndarray, temperature: float
) -> np.ndarray:
    """Turn a gradient by the membership into one by the unit rows C, through the scaling.

    The potentials of the scaling follow from its sums being one: their response solves one linear
    system with ``I + P``.
    """
    H = 0.5 * (gradient + gradient.T)
    response = scipy.linalg.solve(
        np.eye(len(P)) + P, (P * H).sum(axis=1), assume_a="sym", check_finite=False
    )
    by_cosines = P * (H - response[:, None] - response) * np.sign(cosines) / temperature
    return 2.0 * (by_cosines @ C)
