"""Memberships with prescribed sums: scaling a kernel to its marginals when it has few columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg

from skrand.linalg.threads import single_threaded_blas

__all__ = ["Scaling", "balanced_scaling", "symmetric_scaling"]


class Scaling(NamedTuple):
    """A kernel scaled to its marginals.

    Parameters
    ----------
    P : ndarray of shape (n, k)
        The scaled kernel.
    potential : ndarray of shape (k,)
        What was added to the scores of each column, of mean zero. A new row of scores ``s`` has
        the membership ``softmax((s + potential) / temperature)``.
    error : float
        Largest difference between a column's sum and its target, over the sum of all targets.
    n_iter : int
        Sweeps over the scores.
    """

    P: np.ndarray
    potential: np.ndarray
    error: float
    n_iter: int


def balanced_scaling(
    scores: np.ndarray,
    column_sums: np.ndarray,
    *,
    temperature: float = 1.0,
    row_sums: np.ndarray | None = None,
    potential: np.ndarray | None = None,
    tol: float = 1e-10,
    max_iter: int = 1000,
) -> Scaling:
    """Scale ``exp(scores / temperature)`` to given sums of rows and columns.

    The result maximises ``<P, scores> + temperature H(P)`` over the matrices with these sums. Its
    dual is a concave function of one number a column, maximised by Newton's method at falling
    temperatures: with few columns that takes some ten sweeps however small the temperature is,
    where alternating (Sinkhorn) updates need a number that grows as it falls.

    Cost: a sweep is ``n k`` exponentials and ``n k^2`` flops. Memory: a few arrays like `scores`.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
        The higher, the more of the row's mass goes to the column. Finite.
    column_sums : ndarray of shape (k,)
        Positive; scaled so that their total is that of `row_sums`.
    temperature : float, default=1.0
        Positive.
    row_sums : ndarray of shape (n,), default=None
        Non-negative; None is all ones. Rows are exact.
    potential : ndarray of shape (k,), default=None
        Where to start; None is zero.
    tol : float, default=1e-10
        Error of the column sums to reach, relative to their total.
    max_iter : int, default=1000
        Most sweeps.

    Returns
    -------
    Scaling

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.linalg.scaling import balanced_scaling
    >>> scores = np.array([[3.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    >>> result = balanced_scaling(scores, np.ones(2))
    >>> result.P.sum(axis=0).round(6), result.P.sum(axis=1).round(6)
    (array([2., 2.]), array([1., 1., 1., 1.]))
    """
    S = np.asarray(scores, dtype=np.float64)
    r = np.ones(len(S)) if row_sums is None else np.asarray(row_sums, dtype=np.float64)
    c = np.asarray(column_sums, dtype=np.float64)
    c = c * (r.sum() / c.sum())
    v = np.zeros(len(c)) if potential is None else np.array(potential, dtype=np.float64)
    spread = float((S.max(axis=1) - S.min(axis=1)).max(initial=0.0))
    # A warm start is worth more than annealing. Without one, start where Newton's method is safe.
    t = temperature if potential is not None else max(temperature, spread / 8)
    n_iter = 0
    with single_threaded_blas():
        while True:
            goal = tol if t == temperature else 1e-2
            v, P, error, used = _newton(S, r, c, v, t, goal, max_iter - n_iter)
            n_iter += used
            if t == temperature or n_iter >= max_iter:
                break
            t = max(temperature, t / 4)
    if t != temperature:
        P, _ = _rows(S, r, v, temperature)
        error = _error(P, c)
    return Scaling(P, v - v.mean(), error, n_iter)


def _rows(S: np.ndarray, r: np.ndarray, v: np.ndarray, t: float) -> tuple[np.ndarray, float]:
    """Return the row-normalised kernel and the sum of the rows' log-normalisers."""
    log = (S + v) / t
    top = log.max(axis=1, keepdims=True)
    P = np.exp(log - top)
    total = P.sum(axis=1, keepdims=True)
    P *= r[:, None] / total
    return P, t * float((r * (top + np.log(total)).ravel()).sum())


def _error(P: np.ndarray, c: np.ndarray) -> float:
    return float(np.abs(P.sum(axis=0) - c).max()) / float(c.sum())


def _newton(
    S: np.ndarray,
    r: np.ndarray,
    c: np.ndarray,
    v: np.ndarray,
    t: float,
    tol: float,
    max_iter: int,
) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Maximise ``c.v - sum_i r_i t lse((S_i + v) / t)`` from `v`; the count is of sweeps."""
    P, lse = _rows(S, r, v, t)
    value, used = float(c @ v) - lse, 1
    with np.errstate(divide="ignore"):
        inverse = np.where(r > 0, 1.0 / r, 0.0)[:, None]
    while _error(P, c) > tol and used < max_iter:
        gradient = c - P.sum(axis=0)
        H = (np.diag(P.sum(axis=0)) - P.T @ (P * inverse)) / t
        # Adding to all potentials changes nothing: the ridge picks one of the maximisers, and
        # keeps the step finite where a column has lost all its mass.
        ridge = 1e-12 * float(c.sum()) / t + min(1.0, float(np.abs(gradient).max())) * 1e-6 / t
        step = scipy.linalg.solve(H + ridge * np.eye(len(c)), gradient, assume_a="pos")
        step *= min(1.0, 16 * t / max(float(np.ptp(step)), np.finfo(float).tiny))
        slope, length = float(gradient @ step), 1.0
        while True:
            P_new, lse = _rows(S, r, v + length * step, t)
            used += 1
            new = float(c @ (v + length * step)) - lse
            slack = 1e-14 * (abs(value) + abs(lse))
            if new >= value + 1e-4 * length * slope - slack or length < 1e-6 or used >= max_iter:
                break
            length *= 0.5
        stuck = length < 1e-6 or (new <= value and _error(P_new, c) >= _error(P, c))
        if stuck:
            break
        v, P, value = v + length * step, P_new, new
    return v, P, _error(P, c), used


def symmetric_scaling(
    log_kernel: np.ndarray, *, tol: float = 1e-10, max_iter: int = 1000
) -> Scaling:
    """Scale a symmetric kernel ``exp(log_kernel)`` so that all rows and columns sum to one.

    Averaged alternating updates, which keep the symmetry and converge linearly.

    Cost: ``n^2`` exponentials, and ``2 n^2`` flops a sweep. Memory: two arrays like `log_kernel`.

    Parameters
    ----------
    log_kernel : ndarray of shape (n, n)
        Symmetric and finite; the largest entries of any two rows differ by less than 1000.
    tol : float, default=1e-10
        Error of the sums to reach, relative to their total.
    max_iter : int, default=1000
        Most sweeps.

    Returns
    -------
    Scaling
        With ``P_ij = exp(log_kernel_ij + potential_i + potential_j)``.

    References
    ----------
    P. A. Knight, D. Ruiz, B. Ucar, "A symmetry preserving algorithm for matrix scaling", SIAM J.
    Matrix Anal. Appl. 35(3), 2014, doi:10.1137/110825753.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.linalg.scaling import symmetric_scaling
    >>> symmetric_scaling(np.log([[4.0, 1.0], [1.0, 1.0]])).P.sum(axis=0).round(6)
    array([1., 1.])
    """
    # Half of each row's largest entry taken off both sides: no entry exceeds one.
    shift = -0.5 * log_kernel.max(axis=1)
    K = np.exp(log_kernel + shift + shift[:, None])
    tiny = np.finfo(np.float64).tiny
    x, error, used = np.ones(len(K)), np.inf, 0
    with single_threaded_blas():
        while error > tol and used < max_iter:
            sums = np.maximum(x * (K @ x), tiny)
            error = float(np.abs(sums - 1.0).max()) / len(K)
            used += 1
            if error > tol and used < max_iter:
                x /= np.sqrt(sums)
    K *= x * x[:, None]
    return Scaling(K, shift + np.log(np.maximum(x, tiny)), error, used)
