"""Diagonalisation of matrices that are far from normal: of a matrix nearby, whose vectors are good.

Also the recurrences that a diagonal matrix makes cheap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from skrand._validation import check_n_jobs, check_option, check_real
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas

__all__ = ["ApproximateEigen", "approx_diagonalize", "diagonal_scan"]

# Draws at one size before the perturbation is made smaller.
_DRAWS = 4


@dataclass(frozen=True, eq=False)
class ApproximateEigen:
    """Exact eigenpairs, up to rounding, of a matrix near the one that was given.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Complex. Those of a real matrix come in conjugate pairs, and real ones.
    vectors : ndarray of shape (n, n)
        Complex; columns of unit norm.
    backward_error : float
        ``norm(A - V diag(values) inv(V), 2)`` as computed: the perturbation and all rounding.
    condition : float
        ``norm(V, 2) * norm(inv(V), 2)``.
    eps : float
        2-norm of the perturbation. Below what was asked for only where that kept no draw stable.
    n_draws : int
        Perturbations that were tried.
    """

    values: np.ndarray
    vectors: np.ndarray
    backward_error: float
    condition: float
    eps: float
    n_draws: int


def approx_diagonalize(
    A: Any, eps: float, *, rng: np.random.Generator | int | None = None
) -> ApproximateEigen:
    r"""Diagonalise a matrix near `A`: perturb it at random by `eps`, then find eigenpairs.

    Eigenvectors of a matrix that is not normal may be dependent to working precision, or not
    exist: no rounding-error analysis then speaks for anything computed in their basis. Near every
    matrix, however, are some with well-conditioned eigenvectors. A Gaussian perturbation :math:`E`
    finds one: the pairs of :math:`A + E` are those of :math:`A` with a backward error of
    :math:`\|E\|_2` = `eps` plus rounding, and the condition of the eigenvectors is bounded by a
    polynomial in the order over `eps`, with high probability.

    If all eigenvalues of `A` have negative real parts, so have those returned: a perturbation that
    moves one across the imaginary axis is drawn again, and after four draws made half as large.

    Parameters
    ----------
    A : array-like of shape (n, n)
        Real or complex. Computations are in double precision.
    eps : float
        2-norm of the perturbation, in the units of `A`. Larger makes eigenvectors better
        conditioned and the backward error larger: rounding adds ``condition * 1e-16 * norm(A)`` to
        it, so too small an `eps` can only be seen in the `backward_error` of the result.
    rng : numpy.random.Generator or int, optional
        Draws the perturbation: real if `A` is, so that eigenvalues come in conjugate pairs.

    Returns
    -------
    ApproximateEigen

    Raises
    ------
    ValueError
        If `A` is not a square matrix of finite numbers, or `eps` is not positive.
    numpy.linalg.LinAlgError
        If `A` is stable and no perturbation above its rounding level leaves it so.

    Notes
    -----
    Cost: one eigenvalue decomposition of a general matrix, about :math:`25 n^3` flops, for each
    draw and one of `A` itself, and two singular value decompositions. Memory: about ten matrices.

    References
    ----------
    E. B. Davies, "Approximate diagonalization", SIAM J. Matrix Anal. Appl. 29, 2007.
    doi:10.1137/060659909

    A. Yu, A. Nigmetov, D. Morozov, M. W. Mahoney, N. B. Erichson, "Robustifying State-space Models
    for Long Sequences via Approximate Diagonalization", ICLR 2024. arXiv:2310.01698

    Examples
    --------
    A Jordan block has one eigenvector.

    >>> import numpy as np
    >>> from skrand.linalg import approx_diagonalize
    >>> J = np.diag(np.full(12, -2.0)) + np.diag(np.ones(11), 1)
    >>> result = approx_diagonalize(J, 1e-6, rng=0)
    >>> print(f"{result.backward_error:.1e}", result.condition < 1e10, result.values.real.max() < 0)
    1.0e-06 True True
    """
    A = _square_matrix(A)
    eps = check_real("approx_diagonalize", "eps", eps, 0.0, math.inf, closed="neither")
    rng = np.random.default_rng(rng)
    n = len(A)
    with single_threaded_blas():
        must_be_stable = bool(np.linalg.eigvals(A).real.max() < 0.0)
        least = np.finfo(np.float64).eps * np.linalg.norm(A, 2)
        for draw in range(1, _DRAWS * 60):
            size = eps * 0.5 ** ((draw - 1) // _DRAWS)
            if draw > _DRAWS and size < least:
                break
            values, vectors = np.linalg.eig(A + _perturbation(A, size, rng))
            if not must_be_stable or values.real.max() < 0.0:
                vectors = vectors.astype(np.complex128, copy=False)
                values = values.astype(np.complex128, copy=False)
                s = np.linalg.svd(vectors, compute_uv=False)
                left = (A @ vectors - vectors * values).T
                error = np.linalg.norm(np.linalg.solve(vectors.T, left), 2)
                condition = s[0] / s[-1] if s[-1] > 0 else math.inf
                return ApproximateEigen(values, vectors, float(error), float(condition), size, draw)
    raise np.linalg.LinAlgError(
        f"A of order {n} is stable, and no random perturbation of norm {eps:.1e} down to "
        f"{least:.1e}, its rounding level, leaves it so."
    )


def _square_matrix(A: Any) -> np.ndarray:
    """Return A as float64 or complex128."""
    A = np.asarray(A)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or not A.size:
        raise ValueError(f"A must be a square matrix. Got shape {A.shape}.")
    A = A.astype(np.complex128 if np.iscomplexobj(A) else np.float64)
    if not np.isfinite(A).all():
        raise ValueError("A must be finite. It contains NaN or infinity.")
    return A


def _perturbation(A: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a Gaussian matrix, real or complex as A is, and scale it to 2-norm `size`."""
    E = rng.standard_normal(A.shape)
    if np.iscomplexobj(A):
        E = E + 1j * rng.standard_normal(A.shape)
    return E * (size / np.linalg.norm(E, 2))


def diagonal_scan(
    U: np.ndarray,
    decay: np.ndarray,
    gain: np.ndarray,
    readout: np.ndarray,
    *,
    pooling: str = "last",
    n_jobs: int | None = None,
) -> np.ndarray:
    r"""Run series through a bank of damped modes, and read real outputs from the states.

    Mode :math:`k` of a series :math:`u` is :math:`z_{t,k} = d_k z_{t-1,k} + g_k u_t` from
    :math:`z_{0,k} = 0`; output :math:`j` is :math:`x_{t,j} = \mathrm{Re} \sum_k C_{jk} z_{t,k}`.

    Parameters
    ----------
    U : ndarray of shape (n_series, n_steps)
        Real, finite; float32 and float64 as they are, other types as float64.
    decay, gain : ndarray of shape (n_modes,)
        Complex. Moduli of `decay` above 1 grow without bound.
    readout : ndarray of shape (n_outputs, n_modes)
        Complex. Of a conjugate pair of modes one is enough, with twice its weight.
    pooling : {"last", "rms"}, default="last"
        The outputs at the last step, or the root mean square of each over all steps.
    n_jobs : int or None, default=None
        Threads; None takes what OpenMP would. The result is the same for any number.

    Returns
    -------
    X : ndarray of shape (n_series, n_outputs)
        In the precision of `U`; sums are in double precision.

    Notes
    -----
    Cost: for each step of a series 8 flops a mode and, with ``"rms"``, another 4 for each pair of
    mode and output. Memory: one series and a few states for each thread.

    Examples
    --------
    A leaky integral.

    >>> import numpy as np
    >>> from skrand.linalg import diagonal_scan
    >>> diagonal_scan(np.ones((1, 3)), np.array([0.5]), np.array([1.0]), np.array([[1.0]]))
    array([[1.75]])
    """
    check_option("diagonal_scan", "pooling", pooling, ("last", "rms"))
    n_jobs = check_n_jobs("diagonal_scan", n_jobs)
    U = np.asarray(U)
    U = np.ascontiguousarray(U, dtype=np.float32 if U.dtype == np.float32 else np.float64)
    decay, gain, readout = (np.asarray(a, dtype=np.complex128) for a in (decay, gain, readout))
    n_modes = len(decay)
    if U.ndim != 2 or not U.shape[1] or not n_modes:
        raise ValueError(
            "U must be a matrix of at least one step, and there must be at least one mode. "
            f"Got shape {U.shape} and {n_modes} modes."
        )
    if decay.ndim != 1 or gain.shape != decay.shape or readout.shape[1:] != decay.shape:
        raise ValueError(
            "decay, gain and the columns of readout must be one for each mode. "
            f"Got shapes {decay.shape}, {gain.shape} and {readout.shape}."
        )
    from skrand._ext.statespace import TILE, scan

    n_outputs = len(readout)
    weights = np.zeros((2 * n_modes, -(-n_outputs // TILE) * TILE))
    weights[:n_modes, :n_outputs] = readout.real.T
    weights[n_modes:, :n_outputs] = -readout.imag.T
    out = np.empty((len(U), n_outputs), dtype=U.dtype)
    if out.size:
        parts = (np.concatenate([a.real, a.imag]) for a in (decay, gain))
        scan(U, *parts, weights, pooling == "rms", out, min(len(U), effective_n_jobs(n_jobs)))
    return out
