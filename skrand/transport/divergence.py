"""The debiased Sinkhorn divergence, its gradient, and barycentres on a fixed support."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from skrand._typing import MatrixLike
from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.transport.functions import check_costs, check_weights
from skrand.transport.problem import EntropicTransport
from skrand.transport.solvers import AnnealedNewton

__all__ = ["Divergence", "barycenter", "sinkhorn_divergence"]


class Divergence(NamedTuple):
    """A Sinkhorn divergence and its gradient with respect to the points X."""

    value: float
    gradient: np.ndarray


def sinkhorn_divergence(
    X: MatrixLike,
    Y: MatrixLike,
    a: Any = None,
    b: Any = None,
    reg: float = 0.05,
    *,
    tol: float = 1e-10,
    n_jobs: int | None = None,
) -> Any:
    """Return ``OT(X, Y) - (OT(X, X) + OT(Y, Y)) / 2`` for squared Euclidean costs.

    Zero for equal weighted sets, positive otherwise, symmetric, and smooth in the points.

    Parameters
    ----------
    X, Y : array-like of shape (n, d) and (m, d)
        Points.
    a, b : array-like of shape (n,) and (m,), default=None
        Non-negative weights of equal sum; None is uniform.
    reg : float, default=0.05
        Positive, in units of the squared distances.
    tol : float, default=1e-10
        Violation of the marginals to reach in each of the three problems.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    Returns
    -------
    Divergence
        Named tuple (value, gradient); the gradient has the shape of X.

    Notes
    -----
    Cost: three transport problems. Memory: ``8 n m`` bytes for the gradient.

    References
    ----------
    J. Feydy, T. Séjourné, F.-X. Vialard, S. Amari, A. Trouvé, G. Peyré, "Interpolating between
    Optimal Transport and MMD using Sinkhorn Divergences", AISTATS 2019, arXiv:1810.08278.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import sinkhorn_divergence
    >>> X = np.random.default_rng(0).normal(size=(50, 2))
    >>> moved = sinkhorn_divergence(X, X + [1.0, 0.0], reg=0.1)
    >>> round(moved.value, 3), moved.gradient.sum(axis=0).round(3) + 0.0
    (1.0, array([-2.,  0.]))
    """
    X = check_array(X, dtype=np.float64, input_name="X")
    Y = check_array(Y, dtype=np.float64, input_name="Y")
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"X has {X.shape[1]} features, but Y has {Y.shape[1]} features.")
    a, b = check_weights(a, b, (len(X), len(Y)))
    reg = check_real("sinkhorn_divergence", "reg", reg, 0, closed="neither")
    tol = check_real("sinkhorn_divergence", "tol", tol, 0, closed="neither")
    n_jobs = check_n_jobs("sinkhorn_divergence", n_jobs)

    def transport(A: Any, p: Any, B: Any, q: Any) -> Any:
        problem = EntropicTransport(X=A, Y=B, a=p, b=q, reg=reg)
        solution = AnnealedNewton(tol=tol, n_jobs=n_jobs).solve(problem)
        if not solution.converged:
            warnings.warn(
                f"sinkhorn_divergence did not converge. {solution.message}",
                ConvergenceWarning,
                stacklevel=3,
            )
        return problem, solution

    across, itself = transport(X, a, Y, b), transport(X, a, X, a)
    other = transport(Y, b, Y, b)
    # Dual values: an error in the potentials changes them to second order only.
    value = across[1].extra["dual_value"] - 0.5 * (
        itself[1].extra["dual_value"] + other[1].extra["dual_value"]
    )
    gradient = np.zeros_like(X)
    for (problem, solution), targets, sign in ((across, Y, 1.0), (itself, X, -1.0)):
        for rows in problem.blocks():
            P = problem.plan(*solution.x, rows)
            gradient[rows] += sign * 2.0 * (P.sum(axis=1)[:, None] * X[rows] - P @ targets)
    return Divergence(float(value), gradient)


def barycenter(
    C: Any,
    weights: Any,
    shares: Any = None,
    reg: float = 0.05,
    *,
    tol: float = 1e-9,
    max_iter: int = 20000,
) -> np.ndarray:
    """Return the entropic barycentre of distributions on one support, by Bregman projections.

    Parameters
    ----------
    C : array-like of shape (n, n)
        Costs between the points of the support.
    weights : array-like of shape (k, n)
        The distributions, non-negative, of equal sum.
    shares : array-like of shape (k,), default=None
        How much each counts; None is equal shares.
    reg : float, default=0.05
        Positive, in units of the costs.
    tol : float, default=1e-9
        Change of the barycentre in L1, in one iteration, at which to stop.
    max_iter : int, default=20000
        Most iterations.

    Returns
    -------
    barycenter : ndarray of shape (n,)
        Of sum 1.

    Notes
    -----
    Works on logarithms, so that no regularisation underflows. Cost: ``2 k n^2`` exponentials an
    iteration, in NumPy. Memory: two arrays of the size of C.

    References
    ----------
    J.-D. Benamou, G. Carlier, M. Cuturi, L. Nenna, G. Peyré, "Iterative Bregman Projections for
    Regularized Transportation Problems", SIAM J. Sci. Comput. 37(2), 2015,
    doi:10.1137/141000439.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.transport import barycenter
    >>> x = np.linspace(0.0, 1.0, 50)
    >>> humps = np.exp(-((x - [[0.2], [0.8]]) ** 2) / 0.005)
    >>> humps /= humps.sum(axis=1, keepdims=True)
    >>> middle = barycenter((x[:, None] - x) ** 2, humps, reg=1e-3)
    >>> round(float(middle @ x), 6)
    0.5
    """
    C = check_costs(C).astype(np.float64)
    weights = check_array(weights, dtype=np.float64, input_name="weights")
    k, n = weights.shape
    if C.shape != (n, n):
        raise ValueError(f"The cost matrix must have shape ({n}, {n}). Got {C.shape}.")
    weights = np.stack([check_weights(w, None, (n, n), ("weights", ""))[0] for w in weights])
    shares, _ = check_weights(shares, None, (k, k), ("shares", ""))
    reg = check_real("barycenter", "reg", reg, 0, closed="neither")
    tol = check_real("barycenter", "tol", tol, 0, closed="neither")
    max_iter = check_integer("barycenter", "max_iter", max_iter, 1)
    with np.errstate(divide="ignore"):
        log_weights = np.log(weights)
    kernel = -C / reg
    v = np.zeros((k, n))
    old = np.full(n, 1.0 / n)
    change = np.inf
    for _ in range(max_iter):
        u = log_weights - logsumexp(kernel + v[:, None, :], axis=2)
        marginal = logsumexp(kernel + u[:, :, None], axis=1)
        log_mean = shares @ (marginal + v)
        v = log_mean - marginal
        new = np.exp(log_mean - logsumexp(log_mean))
        change, old = float(np.abs(new - old).sum()), new
        if change <= tol:
            break
    else:
        warnings.warn(
            f"barycenter did not converge in {max_iter} iterations: it still changes by "
            f"{change:.1e}. Raise max_iter or reg.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return old
