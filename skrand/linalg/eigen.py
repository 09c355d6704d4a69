"""The largest eigenvalues of a symmetric matrix, with all their multiplicities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh, qr

__all__ = ["EigenResult", "block_chebyshev_eigsh"]


@dataclass(frozen=True, eq=False)
class EigenResult:
    """Eigenpairs and how good they are.

    Parameters
    ----------
    values : ndarray of shape (k,)
        Falling.
    vectors : ndarray of shape (n, k)
        Orthonormal columns.
    residuals : ndarray of shape (k,)
        ``norm(A v - value v)`` of each pair.
    n_iter : int
        Filters applied.
    n_products : int
        Products of A with one vector.
    converged : bool
        Whether all residuals are within the tolerance.
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    n_iter: int
    n_products: int
    converged: bool


def block_chebyshev_eigsh(
    A: Any,
    k: int,
    *,
    bounds: tuple[float, float] | None = None,
    tol: float = 1e-6,
    degree: int = 20,
    max_iter: int = 50,
    oversample: int | None = None,
    rng: np.random.Generator | int | None = None,
) -> EigenResult:
    """Find the k largest eigenvalues of a symmetric matrix by filtered subspace iteration.

    A block of random vectors, wider than k, is multiplied by a Chebyshev polynomial of A that is
    small on the unwanted part of the spectrum, and a Rayleigh-Ritz step follows. An eigenvalue of
    multiplicity m shows m times, for any m up to the width: a method that starts from one vector,
    such as Lanczos, sees one eigenvector of each eigenvalue until rounding brings in the others,
    and may stop before.

    Cost: ``degree`` products of A with ``k + oversample`` vectors and one QR for each iteration.
    Memory: four blocks of n x (k + oversample).

    Parameters
    ----------
    A : ndarray, sparse matrix or LinearOperator of shape (n, n)
        Symmetric; only ``A @ block`` is used.
    k : int
        How many eigenvalues; at most n.
    bounds : tuple of float, optional
        An interval that holds the spectrum. By default a few Lanczos steps find one.
    tol : float, default=1e-6
        Residual to reach, relative to the larger end of the spectrum.
    degree : int, default=20
        Degree of the polynomial. Twice as large halves the iterations.
    max_iter : int, default=50
        Most iterations.
    oversample : int, optional
        Vectors beyond k; default ``max(8, k // 4)``.
    rng : numpy.random.Generator or int, optional
        Draws the start.

    Returns
    -------
    EigenResult

    References
    ----------
    Y. Zhou, Y. Saad, M. L. Tiago, J. R. Chelikowsky, "Self-consistent-field calculations using
    Chebyshev-filtered subspace iteration", J. Comput. Phys. 219, 2006.
    doi:10.1016/j.jcp.2006.03.017

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.linalg import block_chebyshev_eigsh
    >>> A = np.diag([1.0] * 5 + [0.5] * 95)
    >>> result = block_chebyshev_eigsh(A, 6, rng=0)
    >>> bool(np.allclose(result.values, [1, 1, 1, 1, 1, 0.5])), result.converged
    (True, True)
    """
    n = A.shape[0]
    if A.ndim != 2 if hasattr(A, "ndim") else len(A.shape) != 2:
        raise ValueError(f"A must be a square matrix. Got shape {A.shape}.")
    if A.shape != (n, n):
        raise ValueError(f"A must be a square matrix. Got shape {A.shape}.")
    if not 1 <= k <= n:
        raise ValueError(f"k must be from 1 to {n}, the order of A. Got {k}.")
    rng = np.random.default_rng(rng)
    width = min(n, k + (max(8, k // 4) if oversample is None else oversample))
    V = rng.standard_normal((n, width))
    if width > n // 2:
        return _dense(A, k, n)
    V = qr(V, mode="economic", check_finite=False, overwrite_a=True)[0]
    products = 0
    if bounds is None:
        low, high, products = _spectrum_bounds(A, rng)
    else:
        low, high = bounds
    scale = max(abs(low), abs(high), np.finfo(float).tiny)
    values, V, AV = _rayleigh_ritz(A, V)
    products += width
    n_iter = 0
    while True:
        residuals = np.linalg.norm(AV[:, :k] - V[:, :k] * values[:k], axis=0)
        converged = bool(residuals.max() <= tol * scale)
        if converged or n_iter >= max_iter:
            break
        # Everything below the block's smallest Ritz value is to be damped.
        cut = min(max(values[-1], low + 1e-3 * (high - low)), high - 1e-10 * scale)
        V = _filter(A, V, degree, low, cut, high)
        V = qr(V, mode="economic", check_finite=False, overwrite_a=True)[0]
        values, V, AV = _rayleigh_ritz(A, V)
        products += (degree + 1) * width
        n_iter += 1
    return EigenResult(
        values[:k].copy(), np.ascontiguousarray(V[:, :k]), residuals, n_iter, products, converged
    )


def _dense(A: Any, k: int, n: int) -> EigenResult:
    """Solve a problem so small that the block would fill the space."""
    full = np.asarray(A @ np.eye(n))
    values, V = eigh((full + full.T) / 2, subset_by_index=[n - k, n - 1])
    values, V = values[::-1].copy(), np.ascontiguousarray(V[:, ::-1])
    residuals = np.linalg.norm(full @ V - V * values, axis=0)
    return EigenResult(values, V, residuals, 0, n, True)


def _rayleigh_ritz(A: Any, V: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Ritz values, falling, Ritz vectors, and A times them."""
    AV = np.asarray(A @ V)
    H = V.T @ AV
    values, S = eigh((H + H.T) / 2, check_finite=False)
    S = S[:, ::-1]
    return values[::-1], V @ S, AV @ S


def _filter(A: Any, V: np.ndarray, degree: int, low: float, cut: float, high: float) -> np.ndarray:
    """Apply the Chebyshev polynomial that is at most 1 on [low, cut], scaled to 1 at high."""
    centre, half = (low + cut) / 2, (cut - low) / 2
    # The recurrence of the scaled polynomials cannot overflow.
    sigma = first = half / (high - centre)
    Y = (np.asarray(A @ V) - centre * V) * (sigma / half)
    for _ in range(degree - 1):
        following = 1.0 / (2.0 / first - sigma)
        new = np.asarray(A @ Y)
        new -= centre * Y
        new *= 2.0 * following / half
        V *= sigma * following
        new -= V
        V, Y, sigma = Y, new, following
    return Y


def _spectrum_bounds(A: Any, rng: np.random.Generator) -> tuple[float, float, int]:
    """Enclose the spectrum by a few steps of Lanczos and the norm of what is left over."""
    n = A.shape[0]
    steps = min(n, 12)
    V = np.zeros((n, steps + 1))
    v = rng.standard_normal(n)
    V[:, 0] = v / np.linalg.norm(v)
    T = np.zeros((steps, steps))
    beta = 0.0
    for j in range(steps):
        w = np.asarray(A @ V[:, j])
        T[: j + 1, j] = T[j, : j + 1] = V[:, : j + 1].T @ w
        for _ in range(2):
            w -= V[:, : j + 1] @ (V[:, : j + 1].T @ w)
        beta = float(np.linalg.norm(w))
        if beta < 1e-12 * max(np.abs(T).max(), np.finfo(float).tiny):
            steps = j + 1
            break
        V[:, j + 1] = w / beta
    ritz = np.linalg.eigvalsh(T[:steps, :steps])
    return float(ritz[0]) - beta, float(ritz[-1]) + beta, steps
