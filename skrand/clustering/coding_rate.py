"""Coding rates: how many nats a point takes, all together and cluster by cluster.

With unit rows Z of shape (n, d) and a membership of shape (n, K), of rows that sum to one and
columns that sum to ``n_k``,

    R(Z)      = 1/2 logdet(I + d / (n eps2) Z^T Z),
    R_c(Z, P) = sum_k n_k / (2 n) logdet(I + d / (n_k eps2) Z^T diag(P_k) Z),

and the coding rate reduction is their difference. Each term of ``R_c`` is the perspective of a
concave function whose argument is linear in P. So ``R_c`` is concave and homogeneous in P: its
tangent lies above it and ``n R_c = <P, G>`` with G the gradient. Minimising the tangent over a
set of memberships never raises ``R_c``, and is easy: :func:`refine_membership`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.special import entr, softmax

from skrand.linalg.scaling import balanced_scaling
from skrand.linalg.threads import single_threaded_blas

__all__ = [
    "Refinement",
    "cluster_covariances",
    "code_lengths",
    "code_lengths_of_covariances",
    "coding_rate",
    "coding_rate_reduction",
    "conditional_coding_rate",
    "membership_of",
    "reduction_and_gradient",
    "refine_membership",
]

#: Sums of columns below this are clusters without points.
_EMPTY = 1e-12


def coding_rate(Z: np.ndarray, eps2: float = 0.1) -> float:
    """Return the coding rate of all points together, in nats a point.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Points, usually of unit length.
    eps2 : float, default=0.1
        Squared precision of the code.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering.coding_rate import coding_rate
    >>> round(coding_rate(np.eye(4), eps2=1.0), 6)  # 1/2 logdet(2 I)
    1.386294
    """
    Z = np.asarray(Z, dtype=np.float64)
    with single_threaded_blas():
        return 0.5 * _logdet(Z, np.full(len(Z), Z.shape[1] / (len(Z) * eps2)))


def conditional_coding_rate(Z: np.ndarray, membership: np.ndarray, eps2: float = 0.1) -> float:
    """Return the coding rate of the points when their clusters are known, in nats a point.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Points, usually of unit length.
    membership : ndarray of shape (n_samples, n_clusters)
        Non-negative; rows sum to one.
    eps2 : float, default=0.1
        Squared precision of the code.

    Returns
    -------
    float
    """
    Z = np.asarray(Z, dtype=np.float64)
    total = 0.0
    with single_threaded_blas():
        for weights in np.asarray(membership, dtype=np.float64).T:
            size = float(weights.sum())
            if size > _EMPTY:
                total += 0.5 * size * _logdet(Z, Z.shape[1] / (size * eps2) * weights)
    return total / len(Z)


def coding_rate_reduction(Z: np.ndarray, membership: np.ndarray, eps2: float = 0.1) -> float:
    """Return what knowing the clusters saves: the coding rate less the conditional one.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Points, usually of unit length.
    membership : ndarray of shape (n_samples, n_clusters)
        Non-negative; rows sum to one.
    eps2 : float, default=0.1
        Squared precision of the code.

    Returns
    -------
    float

    References
    ----------
    Y. Yu, K. H. R. Chan, C. You, C. Song, Y. Ma, "Learning Diverse and Discriminative
    Representations via the Principle of Maximal Coding Rate Reduction", NeurIPS 2020,
    arXiv:2006.08558.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering.coding_rate import coding_rate_reduction, membership_of
    >>> Z = np.repeat(np.eye(2), 5, axis=0)
    >>> right = coding_rate_reduction(Z, membership_of(np.repeat([0, 1], 5), 2))
    >>> wrong = coding_rate_reduction(Z, membership_of(np.tile([0, 1], 5), 2))
    >>> right > wrong
    True
    """
    return coding_rate(Z, eps2) - conditional_coding_rate(Z, membership, eps2)


def membership_of(labels: np.ndarray, n_clusters: int) -> np.ndarray:
    """Return labels 0 .. n_clusters - 1 as a membership of zeros and ones."""
    return np.eye(n_clusters)[np.asarray(labels)]


def code_lengths(
    Z: np.ndarray, membership: np.ndarray, eps2: float = 0.1, *, at: np.ndarray | None = None
) -> np.ndarray:
    """Return what each point would cost in each cluster: the gradient of ``n R_c``.

    Entry (i, k) is ``1/2 [logdet M_k + d / eps2 z_i^T M_k^-1 z_i - tr(I - M_k^-1)]`` with
    ``M_k = I + d / (n_k eps2) Z^T diag(P_k) Z``; infinite for a cluster without points.

    Cost: ``n d r_k + r_k^2 (n + d)`` flops a cluster, ``r_k`` the smaller of d and the number of
    points in it.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Points that define the clusters.
    membership : ndarray of shape (n_samples, n_clusters)
        Non-negative; rows sum to one.
    eps2 : float, default=0.1
        Squared precision of the code.
    at : ndarray of shape (n_queries, n_features), default=None
        Points to code; None is `Z`.

    Returns
    -------
    ndarray of shape (n_queries, n_clusters)
    """
    Z = np.asarray(Z, dtype=np.float64)
    at = Z if at is None else np.asarray(at, dtype=np.float64)
    P = np.asarray(membership, dtype=np.float64)
    scale = Z.shape[1] / eps2
    lengths = np.full((len(at), P.shape[1]), np.inf)
    with single_threaded_blas():
        squared = np.einsum("ij,ij->i", at, at)
        for k, weights in enumerate(P.T):
            size = float(weights.sum())
            if size > _EMPTY:
                logdet, trace, quadratic = _inverse_forms(Z, scale / size * weights, at, squared)
                lengths[:, k] = 0.5 * (logdet + scale * quadratic - trace)
    return lengths


def cluster_covariances(Z: np.ndarray, membership: np.ndarray) -> np.ndarray:
    """Return ``Z^T diag(P_k) Z / n_k`` of each cluster, of shape (n_clusters, d, d).

    Zero for a cluster without points.
    """
    Z = np.asarray(Z, dtype=np.float64)
    P = np.asarray(membership, dtype=np.float64)
    sizes = P.sum(axis=0)
    with single_threaded_blas():
        moments = [_scaled_rows(Z, weights) for weights in P.T]
        return np.array(
            [A.T @ A / max(size, _EMPTY) for A, size in zip(moments, sizes, strict=True)]
        )


def code_lengths_of_covariances(
    Z: np.ndarray, covariances: np.ndarray, eps2: float = 0.1
) -> np.ndarray:
    """Return the code length of new points in clusters known by their covariances.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Points.
    covariances : ndarray of shape (n_clusters, n_features, n_features)
        As :func:`cluster_covariances` returns them.
    eps2 : float, default=0.1
        Squared precision of the code.

    Returns
    -------
    ndarray of shape (n_samples, n_clusters)
        As :func:`code_lengths` returns them; infinite for a cluster without points.
    """
    Z = np.asarray(Z, dtype=np.float64)
    d = Z.shape[1]
    lengths = np.full((len(Z), len(covariances)), np.inf)
    with single_threaded_blas():
        for k, covariance in enumerate(covariances):
            if covariance.any():
                M = np.eye(d) + d / eps2 * covariance
                L = scipy.linalg.cholesky(M, lower=True, check_finite=False)
                inverse = scipy.linalg.solve_triangular(
                    L, np.eye(d), lower=True, check_finite=False
                )
                trace = d - float((inverse**2).sum())
                quadratic = _squared_rows(Z @ inverse.T)
                logdet = 2.0 * float(np.log(np.diag(L)).sum())
                lengths[:, k] = 0.5 * (logdet + d / eps2 * quadratic - trace)
    return lengths


def reduction_and_gradient(
    Z: np.ndarray, membership: np.ndarray, eps2: float = 0.1
) -> tuple[float, np.ndarray]:
    """Return the coding rate reduction and its gradient by the points.

    With ``a = d / (n eps2)`` the gradient is ``a (Z M^-1 - sum_k diag(P_k) Z M_k^-1)``.

    Cost: ``4 n d^2`` flops for memberships of zeros and ones, up to K times that for others, and
    ``2 K d^3``.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Points.
    membership : ndarray of shape (n_samples, n_clusters)
        Non-negative; rows sum to one.
    eps2 : float, default=0.1
        Squared precision of the code.

    Returns
    -------
    reduction : float
    gradient : ndarray of shape (n_samples, n_features)
    """
    n, d = Z.shape
    scale = d / (n * eps2)
    half_logdet, solved = _solved_rows(scale * (Z.T @ Z), Z)
    value, gradient = half_logdet, scale * solved
    for weights in membership.T:
        size = float(weights.sum())
        if size <= _EMPTY:
            continue
        # What is left out is below rounding: rows of weight 1e-20 in sums of order one.
        used = np.flatnonzero(weights > 1e-20)
        rows, share = Z[used], weights[used, None]
        half_logdet, solved = _solved_rows(d / (size * eps2) * ((share * rows).T @ rows), rows)
        value -= size / n * half_logdet
        gradient[used] -= scale * share * solved
    return value, gradient


def _solved_rows(S: np.ndarray, rows: np.ndarray) -> tuple[float, np.ndarray]:
    """Return ``logdet(I + S) / 2`` and ``rows (I + S)^-1``."""
    S.flat[:: len(S) + 1] += 1.0
    factor = scipy.linalg.cho_factor(S, lower=True, overwrite_a=True, check_finite=False)
    inverse = scipy.linalg.cho_solve(factor, np.eye(len(S)), check_finite=False)
    return float(np.log(np.diag(factor[0])).sum()), rows @ inverse


def _scaled_rows(Z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return A with ``A^T A = Z^T diag(weights) Z``, of no more rows than there are weights."""
    used = np.flatnonzero(weights)
    return np.sqrt(weights[used])[:, None] * (Z if len(used) == len(Z) else Z[used])


def _logdet(Z: np.ndarray, weights: np.ndarray) -> float:
    """Return ``logdet(I + Z^T diag(weights) Z)``, by the smaller of two Gram matrices."""
    A = _scaled_rows(Z, weights)
    gram = A @ A.T if A.shape[0] < A.shape[1] else A.T @ A
    gram.flat[:: len(gram) + 1] += 1.0
    factor = scipy.linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    return 2.0 * float(np.log(np.diag(factor)).sum())


def _inverse_forms(
    Z: np.ndarray, weights: np.ndarray, at: np.ndarray, squared: np.ndarray
) -> tuple[float, float, np.ndarray]:
    """Return logdet M, tr(I - M^-1) and ``x^T M^-1 x`` for x in `at`; M = I + Z^T diag(w) Z."""
    A = _scaled_rows(Z, weights)
    tall = A.shape[0] >= A.shape[1]
    gram = A.T @ A if tall else A @ A.T
    gram.flat[:: len(gram) + 1] += 1.0
    L = scipy.linalg.cholesky(gram, lower=True, overwrite_a=True, check_finite=False)
    logdet = 2.0 * float(np.log(np.diag(L)).sum())
    inverse = scipy.linalg.solve_triangular(L, np.eye(len(L)), lower=True, check_finite=False)
    trace = len(L) - float((inverse**2).sum())
    if tall:
        return logdet, trace, _squared_rows(at @ inverse.T)
    # By Woodbury: I - M^-1 = A^T (I + A A^T)^-1 A.
    return logdet, trace, np.maximum(squared - _squared_rows(at @ (inverse @ A).T), 0.0)


def _squared_rows(X: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", X, X)


class Refinement(NamedTuple):
    """What :func:`refine_membership` found.

    Parameters
    ----------
    membership : ndarray of shape (n_samples, n_clusters)
        The refined membership.
    labels : ndarray of shape (n_samples,)
        The cluster in which each point is most.
    potential : ndarray of shape (n_clusters,)
        What balancing took off the code length of each cluster; zero unless balanced.
    objective_path : list of float
        The objective before each iteration and at the end; never increases.
    n_iter : int
        Iterations.
    converged : bool
        Whether the last iteration lowered the objective by less than the tolerance.
    """

    membership: np.ndarray
    labels: np.ndarray
    potential: np.ndarray
    objective_path: list[float]
    n_iter: int
    converged: bool


def refine_membership(
    Z: np.ndarray,
    membership: np.ndarray,
    *,
    eps2: float = 0.1,
    mode: str = "free",
    temperature: float = 1.0,
    balance: np.ndarray | None = None,
    tol: float = 1e-7,
    max_iter: int = 100,
    callback: Callable[[int, float, float, np.ndarray], bool] | None = None,
) -> Refinement:
    """Lower the conditional coding rate from a given membership, monotonically.

    Each iteration minimises the tangent at the current membership, plus ``temperature`` times the
    negative entropy unless the mode is "free". What never increases is

    - "free": ``R_c``. Each point goes to the cluster in which its code is shortest; a cluster
      that lost all its points gets the one that costs most where it is, which can only help.
    - "soft": ``R_c - temperature / n H(P)``, by a softmax.
    - "balanced": the same over memberships of prescribed column sums, by
      ``skrand.linalg.scaling.balanced_scaling``.

    It needs no dimensions of the clusters, and finds a nearby optimum only: it is a refiner, not
    for random starts.

    Cost: that of :func:`code_lengths`, an iteration.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Points, of unit length.
    membership : ndarray of shape (n_samples, n_clusters)
        Where to start.
    eps2 : float, default=0.1
        Squared precision of the code: 0.1 for clean data, up to 0.5 for noisy ones.
    mode : {"free", "soft", "balanced"}, default="free"
        The set of memberships.
    temperature : float, default=1.0
        Of "soft" and "balanced", in nats. At 1 the membership is the posterior of Gaussians with
        these code lengths.
    balance : ndarray of shape (n_clusters,), default=None
        Shares of the clusters, for "balanced"; None is equal ones.
    tol : float, default=1e-7
        Relative decrease of the objective at which to stop; "free" also stops when no label
        changes.
    max_iter : int, default=100
        Most iterations.
    callback : callable, default=None
        ``callback(iteration, objective, decrease, membership)``, true to stop.

    Returns
    -------
    Refinement

    References
    ----------
    Y. Yu, K. H. R. Chan, C. You, C. Song, Y. Ma, "Learning Diverse and Discriminative
    Representations via the Principle of Maximal Coding Rate Reduction", NeurIPS 2020,
    arXiv:2006.08558 (the objective). A. L. Yuille, A. Rangarajan, "The Concave-Convex Procedure",
    Neural Computation 15(4), 2003, doi:10.1162/08997660360581958 (why it descends).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.clustering.coding_rate import membership_of, refine_membership
    >>> Z = np.repeat(np.eye(3), 20, axis=0)
    >>> start = np.repeat([0, 1, 2], 20)
    >>> start[[0, 25, 50]] = [1, 2, 0]
    >>> refine_membership(Z, membership_of(start, 3)).labels[[0, 25, 50]]
    array([0, 1, 2])
    """
    Z, norm = _reduced(Z)
    eps2 = eps2 * norm
    P = np.array(membership, dtype=np.float64)
    n, n_clusters = P.shape
    share = np.full(n_clusters, 1.0 / n_clusters) if balance is None else np.asarray(balance)
    potential = np.zeros(n_clusters)
    if mode == "balanced" and np.abs(P.sum(axis=0) / n - share / share.sum()).max() > 1e-9:
        # The start must be in the set for the objective to be comparable.
        start = balanced_scaling(np.log(np.maximum(P, 1e-3)), share, temperature=1.0)
        P = start.P
    G = code_lengths(Z, P, eps2)
    path = [_objective(P, G, mode, temperature)]
    converged, n_iter = False, 0
    while n_iter < max_iter and not converged:
        new, potential = _step(P, G, mode, temperature, share, potential)
        unchanged = mode == "free" and np.array_equal(new, P)
        if not unchanged:
            G = code_lengths(Z, new, eps2)
        path.append(_objective(new, G, mode, temperature))
        P, n_iter = new, n_iter + 1
        decrease = path[-2] - path[-1]
        converged = unchanged or decrease <= tol * abs(path[-2])
        if callback is not None and callback(n_iter, path[-1], decrease, P):
            break
    return Refinement(P, P.argmax(axis=1), potential, path, n_iter, converged)


def _reduced(Z: np.ndarray) -> tuple[np.ndarray, float]:
    """Turn n points in more than n dimensions into n; the rates stay, with eps2 times the ratio."""
    Z = np.asarray(Z, dtype=np.float64)
    n, d = Z.shape
    if d <= n:
        return Z, 1.0
    with single_threaded_blas():
        R = scipy.linalg.qr(Z.T, mode="r", check_finite=False)[0][:n]
    return np.ascontiguousarray(R.T), n / d


def _objective(P: np.ndarray, G: np.ndarray, mode: str, temperature: float) -> float:
    """Return the objective per point; by homogeneity ``n R_c = <P, G>``."""
    rate = float(np.multiply(P, G, where=P > 0, out=np.zeros_like(P)).sum()) / len(P)
    if mode == "free":
        return rate
    return rate - temperature * float(entr(P).sum()) / len(P)


def _step(
    P: np.ndarray,
    G: np.ndarray,
    mode: str,
    temperature: float,
    share: np.ndarray,
    potential: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise the tangent over the set of memberships."""
    if mode == "balanced":
        scaling = balanced_scaling(-G, share, temperature=temperature)
        return scaling.P, scaling.potential
    if mode == "soft":
        return softmax(-G / temperature, axis=1), potential
    labels = G.argmin(axis=1)
    # Points that cost as much where they are stay: otherwise rounding could move them for ever.
    cost = G[np.arange(len(G)), labels]
    own = P.argmax(axis=1)
    stay = (P.max(axis=1) == 1.0) & (G[np.arange(len(G)), own] <= cost + 1e-12 * np.abs(cost))
    labels[stay] = own[stay]
    _fill_empty(labels, cost, G.shape[1])
    return membership_of(labels, G.shape[1]), potential


def _fill_empty(labels: np.ndarray, cost: np.ndarray, n_clusters: int) -> None:
    """Give each cluster without points the costliest one of a cluster that has others."""
    sizes = np.bincount(labels, minlength=n_clusters)
    order = iter(np.argsort(-cost, kind="stable"))
    for k in np.flatnonzero(sizes == 0):
        point = next((i for i in order if sizes[labels[i]] > 1), None)
        if point is None:
            return
        sizes[labels[point]] -= 1
        labels[point] = k
        sizes[k] = 1
