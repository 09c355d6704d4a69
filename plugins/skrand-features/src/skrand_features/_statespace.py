"""Features of series: the state of a linear system that remembers their past as polynomials."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand.linalg import ApproximateEigen, approx_diagonalize, diagonal_scan
from skrand_features._parameters import is_integer, is_real, refuse

__all__ = ["DiagonalizationWarning", "PTDStateSpaceFeatures", "hippo_legs"]


class DiagonalizationWarning(UserWarning):
    """Rounding exceeds the perturbation that was to make the eigenvectors well conditioned."""


def hippo_legs(order: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the matrices of the HiPPO-LegS system, :math:`\dot x = A x + B u`.

    State :math:`k` is the coefficient of the normalised Legendre polynomial
    :math:`\sqrt{2k+1} P_k(2y - 1)` in the expansion of :math:`u`, as a function of
    :math:`y = e^{-t}` for the time :math:`t` that has passed since.

    Parameters
    ----------
    order : int
        Number of states.

    Returns
    -------
    A : ndarray of shape (order, order)
        Lower triangular, with -1, -2, ..., -order on its diagonal.
    B : ndarray of shape (order,)
        Weights of the input.
    """
    B = np.sqrt(2.0 * np.arange(order) + 1.0)
    A = -np.tril(np.outer(B, B), -1)
    A[np.diag_indices(order)] = -1.0 - np.arange(order)
    return A, B


class PTDStateSpaceFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Memory of series as polynomials: a bank of frozen HiPPO-LegS systems, diagonalised.

    Each row of `X` is a series. It drives, for each timescale :math:`\theta`, the linear system

    .. math:: \theta \dot x = A x + B u

    with the HiPPO-LegS matrices, whose state holds the coefficients of the past in Legendre
    polynomials of :math:`e^{-t/\theta}`: the recent past in detail, the distant past more and more
    coarsely, nothing after some :math:`5 \theta`. The features are these states after the last
    value, or their root mean squares over time. Nothing is trained but the read-out that follows.

    A diagonal system takes the fewest operations a step, but the eigenvectors of :math:`A` are
    numerically dependent: their condition grows exponentially with the order. Dropping the part of
    low rank from :math:`A`, as S4D and S5 do, leaves a normal matrix and a system that resonates
    where the true one does not [1]_. Here :math:`A` is perturbed by a random matrix of norm `eps`
    and then diagonalised: the transfer function changes by about `eps`, at every frequency.

    Parameters
    ----------
    order : int, default=32
        Number of states, hence of features, for each timescale.
    eps : float, default=1e-4
        2-norm of the perturbation of :math:`A`, whose own slowest eigenvalue is -1. The error of
        the features is about this times their size; rounding in the eigenvectors' basis is about
        :math:`10^{-16}` times their condition, which falls in proportion to `eps`. The default is
        where both are far below what data resolve, up to orders of some hundreds.
    timescales : "auto" or array-like of shape (n_timescales,), default="auto"
        The :math:`\theta` of each system, in steps of the series. ``"auto"`` takes a half, an
        eighth and a thirty-second of the length of the series, none below 1.
    pooling : {"last", "rms"}, default="last"
        ``"last"`` takes the states after the last value, linear in the series: for what depends on
        how it ends, as in forecasting. ``"rms"`` takes their root mean squares over time, which
        depend little on when something happens: energies in bands, for telling signals apart.
    n_jobs : int or None, default=None
        Threads of `transform`. None takes what OpenMP would. The result is the same for any number.
    random_state : int, RandomState instance or None, default=None
        Determines the perturbation. The same integer gives the same features bit for bit; any other
        changes them by about `eps`.

    Attributes
    ----------
    timescales_ : ndarray of shape (n_timescales,)
        The timescales that are used.
    eigenvalues_ : ndarray of shape (order,)
        Of the perturbed :math:`A`; complex, with negative real parts.
    eigenvectors_ : ndarray of shape (order, order)
        Their eigenvectors, in columns.
    backward_error_ : float
        2-norm of the difference between :math:`A` and the matrix that was diagonalised, rounding
        included.
    condition_ : float
        Condition of the eigenvectors.
    n_features_in_ : int
        Length of the series seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen during fit, if they have names that are all strings.

    Warns
    -----
    DiagonalizationWarning
        If rounding makes `backward_error_` more than twice `eps`.

    See Also
    --------
    skrand.linalg.approx_diagonalize : The diagonalisation.
    skrand.linalg.diagonal_scan : The recurrence.

    Notes
    -----
    The input is held constant between steps, so the recurrence is exact for the perturbed system:
    with eigenvalue :math:`\lambda`, a mode decays by :math:`e^{\lambda/\theta}` a step. Series
    start from a state of zero.

    **Cost.** `fit` takes two eigenvalue decompositions of a matrix of that order, whatever the
    data. For each timescale and each step of a series, `transform` takes about :math:`4 p` flops
    with :math:`p` the order, as complex modes come in pairs, of which one is computed; ``"rms"``
    another :math:`2 p^2` for the states themselves. Memory: the features, and one series a thread.

    References
    ----------
    .. [1] A. Yu, A. Nigmetov, D. Morozov, M. W. Mahoney, N. B. Erichson, "Robustifying State-space
       Models for Long Sequences via Approximate Diagonalization", ICLR 2024. :arxiv:`2310.01698`
    .. [2] A. Gu, T. Dao, S. Ermon, A. Rudra, C. Re, "HiPPO: Recurrent Memory with Optimal
       Polynomial Projections", NeurIPS 2020. :arxiv:`2008.07669`

    Examples
    --------
    Which of two frequencies, at any phase.

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skrand_features import PTDStateSpaceFeatures
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 2
    >>> phase = rng.uniform(0, 2 * np.pi, (400, 1))
    >>> X = np.sin(0.1 * (3 + y[:, np.newaxis]) * np.arange(100) + phase)
    >>> X += rng.normal(size=X.shape)
    >>> features = PTDStateSpaceFeatures(16, pooling="rms", random_state=0)
    >>> model = make_pipeline(features, StandardScaler(), LogisticRegression())
    >>> model.fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.9
    True
    """

    def __init__(
        self,
        order: int = 32,
        *,
        eps: float = 1e-4,
        timescales: Any = "auto",
        pooling: str = "last",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.order = order
        self.eps = eps
        self.timescales = timescales
        self.pooling = pooling
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> PTDStateSpaceFeatures:
        """Diagonalise the system; only the length of the series matters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps)
            Series, one a row.
        y : None
            Ignored.

        Returns
        -------
        self : PTDStateSpaceFeatures
            The fitted transformer.
        """
        self._check_parameters()
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        self.timescales_ = self._resolve_timescales(X.shape[1])
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int64).max, dtype=np.int64)
        A, B = hippo_legs(self.order)
        eigen = approx_diagonalize(A, self.eps, rng=seed)
        self.eigenvalues_, self.eigenvectors_ = eigen.values, eigen.vectors
        self.backward_error_, self.condition_ = eigen.backward_error, eigen.condition
        self._modes = _conjugate_pairs(eigen, B)
        if eigen.backward_error > 2.0 * self.eps:
            warnings.warn(
                f"The system was diagonalised with a backward error of {eigen.backward_error:.1e}, "
                f"not {self.eps:.1e}: rounding, amplified by eigenvectors of condition "
                f"{eigen.condition:.1e}. A larger 'eps' makes it smaller, and so does a lower "
                "'order'.",
                DiagonalizationWarning,
                stacklevel=2,
            )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Run each series through the bank.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps)
            Series, one a row, as long as those seen during fit.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_timescales * order)
            Features, those of one timescale together.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        values, weights, readout = self._modes
        features = [
            diagonal_scan(
                X,
                np.exp(values / timescale),
                np.expm1(values / timescale) / values * weights,
                readout,
                pooling=self.pooling,
                n_jobs=self.n_jobs,
            )
            for timescale in self.timescales_
        ]
        return np.hstack(features)

    @property
    def _n_features_out(self) -> int:
        """Number of features made, for `get_feature_names_out`."""
        return len(self.timescales_) * len(self.eigenvalues_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_parameters(self) -> None:
        """Refuse bad parameters, in scikit-learn's words."""
        if not is_integer(self.order) or self.order < 1:
            refuse(self, "order", "an int in the range [1, inf)")
        if not is_real(self.eps) or not 0.0 < self.eps < math.inf:
            refuse(self, "eps", "a float in the range (0, inf)")
        if not isinstance(self.pooling, str) or self.pooling not in ("last", "rms"):
            refuse(self, "pooling", "one of 'last', 'rms'")
        if self.n_jobs is not None and (not is_integer(self.n_jobs) or self.n_jobs == 0):
            refuse(self, "n_jobs", "None or a non-zero int")

    def _resolve_timescales(self, n_steps: int) -> np.ndarray:
        """Return the timescales for series of that length."""
        if isinstance(self.timescales, str) and self.timescales == "auto":
            return np.unique(np.maximum(n_steps / np.array([2.0, 8.0, 32.0]), 1.0))[::-1]
        allowed = "'auto' or a sequence of floats in the range (0, inf)"
        try:
            timescales = np.array(self.timescales, dtype=np.float64)
        except (TypeError, ValueError):
            refuse(self, "timescales", allowed)
        positive = np.all((timescales > 0.0) & np.isfinite(timescales))
        if timescales.ndim != 1 or not timescales.size or not positive:
            refuse(self, "timescales", allowed)
        return timescales


def _conjugate_pairs(
    eigen: ApproximateEigen, B: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return eigenvalues, the input's weights and the states' weights, one of each pair."""
    weights = np.linalg.solve(eigen.vectors, B.astype(np.complex128))
    kept = eigen.values.imag >= 0.0
    double = np.where(eigen.values.imag > 0.0, 2.0, 1.0)
    return eigen.values[kept], weights[kept], (double * eigen.vectors)[:, kept]
