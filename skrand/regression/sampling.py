"""Which rows matter: scores of rows for l_p regression, and samples drawn by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_consistent_length

from skrand._typing import MatrixLike
from skrand._validation import (
    check_integer,
    check_magnitude,
    check_n_jobs,
    check_option,
    check_real,
    fail_parameter,
)
from skrand.linalg import SparseSign
from skrand.linalg.centred import CentredMatrix
from skrand.linalg.random import normal_matrix
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas

__all__ = ["CoresetSampler", "row_scores", "sample_rows"]

KINDS = ("augmented", "leverage", "lewis", "root-leverage", "sensitivity", "uniform")
METHODS = ("exact", "sketched")

_UNIT = np.finfo(np.float64).eps / 2


def row_scores(
    X: Any,
    kind: str = "leverage",
    *,
    p: float = 2.0,
    method: str = "exact",
    tol: float = 1e-10,
    max_iter: int = 1000,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> np.ndarray:
    """Score the rows of a matrix by how much l_p regression can depend on them.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
        All finite. Include the target as a column if it may have outliers of its own.
    kind : {"augmented", "leverage", "lewis", "root-leverage", "sensitivity", "uniform"}, \
            default="leverage"
        * "leverage": diagonal of the hat matrix; they sum to the rank.
        * "root-leverage": leverage to the power p / 2, for p < 2.
        * "lewis": the l_p Lewis weights, fixed point of ``w_i = leverage_i(W^(1/2 - 1/p) X)``;
          they sum to the rank.
        * "sensitivity": the upper bound ``d^max(0, p/2 - 1) w_i`` on ``max |x_i v|^p / |X v|_p^p``
          from the Lewis weights w, at most 1.
        * "augmented": sensitivity plus leverage, the best known rule for p between 1 and 2.
        * "uniform": 1 for every row, for comparison.
    p : float, default=2.0
        Power of the loss, at least 1.
    method : {"exact", "sketched"}, default="exact"
        "exact" takes a QR factorisation for every set of leverage scores, ``2 n d^2`` flops and an
        ``n d^2`` product. "sketched" factors a sketch of 4 d rows and projects onto
        ``4 log(n) + 8`` random directions: within a factor of about two, at ``O(n d log n)``.
    tol : float, default=1e-10
        Largest relative change of a Lewis weight to stop at.
    max_iter : int, default=1000
        Most iterations for the Lewis weights.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        For ``method="sketched"``.

    Returns
    -------
    ndarray of shape (n,)
        Non-negative; 0 for a row of zeros.

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed.
    ValueError
        If X is not finite.

    References
    ----------
    M. B. Cohen and R. Peng, "l_p Row Sampling by Lewis Weights", STOC 2015, arXiv:1412.0588.
    D. P. Woodruff and T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023,
    arXiv:2306.00732.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import row_scores
    >>> X = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
    >>> row_scores(X).round(6)
    array([0.5, 0.5, 1. ])
    """
    owner = "row_scores"
    check_option(owner, "kind", kind, KINDS)
    check_option(owner, "method", method, METHODS)
    check_real(owner, "p", p, 1.0)
    check_real(owner, "tol", tol, 0.0, closed="neither")
    check_integer(owner, "max_iter", max_iter, 1)
    threads = effective_n_jobs(check_n_jobs(owner, n_jobs))
    X = check_magnitude(check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32]))
    if kind == "uniform":
        return np.ones(X.shape[0])
    sketch_seed = None
    if method == "sketched":
        sketch_seed = int(check_random_state(random_state).randint(2**31))

    def leverage(scale: np.ndarray | None) -> np.ndarray:
        return _leverage(CentredMatrix(X, scale=scale, threads=threads), sketch_seed)

    with single_threaded_blas():
        if kind == "leverage":
            return leverage(None)
        if kind == "root-leverage":
            return leverage(None) ** (p / 2)
        weights = _lewis_weights(leverage, X.shape[0], p, tol, max_iter)
        if kind == "lewis":
            return weights
        scores = np.minimum(1.0, X.shape[1] ** max(0.0, p / 2 - 1) * weights)
        return scores if kind == "sensitivity" else scores + leverage(None)


def _leverage(matrix: CentredMatrix, sketch_seed: int | None) -> np.ndarray:
    """Return the leverage scores of a matrix, by QR or, given a seed, from a sketch."""
    n, d = matrix.shape
    if sketch_seed is None or n <= 8 * d:
        rows, directions = matrix.triangle(), None
    else:
        # A spread-out sketch with few entries: it is only a preconditioner here.
        rows = matrix.sketch(SparseSign(4 * d + 16, nnz=4, random_state=sketch_seed))
        count = int(4 * np.log(n)) + 8
        directions = normal_matrix((d, count), sketch_seed + 1) / np.sqrt(count)
    norms = np.linalg.norm(rows, axis=0)
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    _, values, Vt = scipy.linalg.svd(rows * scale, full_matrices=False, check_finite=False)
    keep = values > 30 * _UNIT * values[:1]
    N = scale[:, None] * Vt[keep].T / values[keep]
    if directions is not None:
        N = N @ directions[: N.shape[1]]
    scores = matrix.row_norms(N) ** 2
    # Leverage never exceeds 1; only rounding, or the random directions, can say otherwise.
    return np.minimum(scores, 1.0)


def _lewis_weights(leverage: Any, n: int, p: float, tol: float, max_iter: int) -> np.ndarray:
    """Iterate to the Lewis weights, starting from uniform ones.

    With tau the leverage scores of ``W^(1/2 - 1/p) X`` the plain step is
    ``w <- (w^(2/p - 1) tau)^(p/2)``, a contraction by ``|1 - p/2|`` below p = 4; from there on the
    damped step ``w <- tau`` is, by ``1 - 2/p``.
    """
    weights = np.ones(n)
    for _ in range(max_iter):
        exponent = 0.5 - 1.0 / p
        scale = np.power(weights, exponent, out=np.zeros(n), where=weights > 0)
        tau = leverage(scale)
        if p < 4:
            base = np.power(weights, 2.0 / p - 1.0, out=np.zeros(n), where=weights > 0)
            updated = (base * tau) ** (p / 2)
        else:
            updated = tau
        change = np.abs(updated - weights).max(initial=0.0)
        weights = updated
        if change <= tol:
            break
    return weights


def sample_rows(
    X: Any,
    y: Any = None,
    *,
    m: int | None = None,
    epsilon: float | None = None,
    scores: str | np.ndarray = "augmented",
    p: float = 2.0,
    method: str = "exact",
    n_jobs: int | None = None,
    random_state: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows, each on its own, with probability proportional to their scores.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
        All finite.
    y : array-like of shape (n,) or (n, k), default=None
        Target; if given, the scores are those of ``[X y]``.
    m : int, default=None
        Expected number of rows.
    epsilon : float, default=None
        In place of `m`: relative excess of the loss to aim at; ``m = d / (6 epsilon)``, which is
        what was measured for p = 1, not a bound.
    scores : str or array-like of shape (n,), default="augmented"
        A kind of :func:`row_scores`, or the scores themselves.
    p, method, n_jobs
        See :func:`row_scores`.
    random_state : int, RandomState instance or None, default=None
        Determines the sample.

    Returns
    -------
    indices : ndarray of shape (n_rows,)
        The rows drawn, in ascending order. Their number varies about `m`.
    weights : ndarray of shape (n_rows,)
        One over the probability: any weighted sum over them is unbiased for that over all rows.

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, or not exactly one of `m` and `epsilon` is given.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import sample_rows
    >>> X = np.vstack([np.ones((1000, 1)), [[100.0]]])
    >>> indices, weights = sample_rows(X, m=50, random_state=0)
    >>> bool(indices[-1] == 1000), bool(weights[-1] == 1)
    (True, True)
    """
    owner = "sample_rows"
    X = check_magnitude(check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32]))
    n, d = X.shape
    if (m is None) == (epsilon is None):
        fail_parameter(owner, "m", "given, or epsilon in its place, but not both", m)
    if m is None:
        epsilon = check_real(owner, "epsilon", epsilon, 0.0, 1.0, closed="neither")
        m = max(int(np.ceil((d + 1) / (6 * epsilon))), 4 * (d + 1))
    m = check_integer(owner, "m", m, 1)
    generator = check_random_state(random_state)
    if isinstance(scores, str):
        data = _with_target(X, y)
        values = row_scores(data, scores, p=p, method=method, n_jobs=n_jobs, random_state=generator)
    else:
        values = check_array(scores, ensure_2d=False, dtype=np.float64, input_name="scores")
        check_consistent_length(X, values)
        if values.ndim != 1 or values.min() < 0:
            fail_parameter(owner, "scores", "a kind of score or non-negative numbers", scores)
    probability = _probabilities(values, m)
    chosen = np.flatnonzero(generator.uniform(size=n) < probability)
    return chosen, 1.0 / probability[chosen]


def _with_target(X: Any, y: Any) -> Any:
    if y is None:
        return X
    y = check_array(y, ensure_2d=False, dtype=[np.float64, np.float32], input_name="y")
    check_consistent_length(X, y)
    stack: Any = sp.hstack if sp.issparse(X) else np.hstack
    stacked = stack([X, y.reshape(len(y), -1)])
    return stacked.tocsr() if sp.issparse(X) else stacked


def _probabilities(scores: np.ndarray, m: int) -> np.ndarray:
    """Return ``min(1, c * score)`` with c such that they sum to m, if that many rows score."""
    probability = np.zeros(len(scores))
    free = scores > 0
    while free.any():
        left = m - np.count_nonzero(probability == 1)
        proposed = scores * (left / scores[free].sum())
        full = free & (proposed >= 1)
        if not full.any():
            probability[free] = proposed[free]
            break
        probability[full] = 1.0
        free &= ~full
    return probability


class CoresetSampler(BaseEstimator):
    """Replace a data set by a weighted sample of its rows that regression cannot tell from it.

    Parameters
    ----------
    n_rows : int or None, default=None
        Expected number of rows; None follows from `epsilon`.
    epsilon : float, default=0.01
        Relative excess of the loss to aim at; see :func:`sample_rows`.
    scores : str, default="augmented"
        A kind of :func:`row_scores`.
    p : float, default=2.0
        Power of the loss.
    method : {"exact", "sketched"}, default="sketched"
        How the scores are computed; see :func:`row_scores`.
    random_state : int, RandomState instance or None, default=None
        Determines the sample.

    Attributes
    ----------
    sample_indices_ : ndarray of shape (n_rows_drawn,)
        The rows drawn.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LinearRegression
    >>> from skrand import CoresetSampler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X_small, y_small, weight = CoresetSampler(n_rows=150, random_state=0).fit_resample(X, y)
    >>> model = LinearRegression().fit(X_small, y_small, sample_weight=weight)
    >>> model.score(X, y) > 0.45
    True
    """

    def __init__(
        self,
        n_rows: int | None = None,
        *,
        epsilon: float = 0.01,
        scores: str = "augmented",
        p: float = 2.0,
        method: str = "sketched",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_rows = n_rows
        self.epsilon = epsilon
        self.scores = scores
        self.p = p
        self.method = method
        self.random_state = random_state

    def fit_resample(self, X: MatrixLike, y: Any) -> tuple[Any, Any, np.ndarray]:
        """Draw the sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        Returns
        -------
        X_sample, y_sample : ndarray or sparse matrix
            The rows drawn.
        sample_weight : ndarray of shape (n_rows_drawn,)
            Their weights.
        """
        X = check_magnitude(check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32]))
        y = check_array(y, ensure_2d=False, dtype=[np.float64, np.float32], input_name="y")
        check_consistent_length(X, y)
        indices, weights = sample_rows(
            X,
            y,
            m=self.n_rows,
            epsilon=None if self.n_rows is not None else self.epsilon,
            scores=self.scores,
            p=self.p,
            method=self.method,
            random_state=self.random_state,
        )
        self.sample_indices_ = indices
        return X[indices], y[indices], weights
