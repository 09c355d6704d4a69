"""A mixture of low-rank Gaussians as a scikit-learn density estimator."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import check_integer, check_magnitude, check_real, fail_parameter
from skrand.clustering.low_rank_gaussians import LowRankGaussians, fit_low_rank_gaussians

__all__ = ["LowRankGaussianMixture"]


class LowRankGaussianMixture(CallbackSupportMixin, DensityMixin, BaseEstimator):
    """Mixture of low-rank Gaussians of mean zero: a density on a union of noisy subspaces.

    ``x ~ sum_k weights_k N(0, U_k diag(variances_k) U_k^T + noise I)`` with U_k of few orthonormal
    columns: the model of which diffusion models are the denoisers (MoLRG). Fitted by
    expectation-maximisation, with starts through neighbouring points.

    Compared with :class:`sklearn.mixture.GaussianMixture` it has ``K d q`` parameters in place of
    ``K d^2``, and so learns from some q points a component where that needs many times d.

    Cost: ``n d K q`` flops for the expectations and up to ``K n d min(n, d)`` for the covariances,
    an iteration and start. Memory: ``n (K + q)`` numbers.

    Parameters
    ----------
    n_components : int, default=2
        Number of components K.
    subspace_dim : int or sequence of int, default=1
        Dimension q of every subspace, or of each; below the number of features.
    n_init : int, default=10
        Random starts, of which the likeliest answer is kept.
    tol : float, default=1e-7
        Gain of the mean log-likelihood, per feature, at which to stop.
    max_iter : int, default=300
        Most iterations of a start.
    random_state : int, RandomState instance or None, default=None
        Determines the starts, and what `sample` draws.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Shares of the components.
    bases_ : list of ndarray of shape (n_features, q)
        Orthonormal bases U_k.
    variances_ : list of ndarray of shape (q,)
        Variances along them, in addition to the noise; falling.
    noise_variance_ : float
        Variance of the noise in each direction.
    labels_ : ndarray of shape (n_samples,)
        Likeliest component of each training point.
    log_likelihood_ : float
        Mean log-likelihood of the training points.
    history_ : list of dict
        One record an iteration of the start that was kept, with ``log_likelihood``.
    n_iter_ : int
        Iterations of that start.
    converged_ : bool
        Whether it met the tolerance.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data had names.

    See Also
    --------
    SubspaceClusterer : Clusters by many methods, this among them (solver "molrg").

    References
    ----------
    P. Wang, H. Zhang, Z. Zhang, S. Chen, Y. Ma, Q. Qu, "Diffusion Models Learn Low-Dimensional
    Distributions via Subspace Clustering", 2024, arXiv:2409.02426. M. E. Tipping, C. M. Bishop,
    "Mixtures of Probabilistic Principal Component Analyzers", Neural Computation 11(2), 1999,
    doi:10.1162/089976699300016728.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import LowRankGaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> planes = [np.linalg.qr(rng.standard_normal((20, 2)))[0] for _ in range(3)]
    >>> X = np.vstack([rng.standard_normal((50, 2)) @ U.T for U in planes])
    >>> model = LowRankGaussianMixture(3, subspace_dim=2, random_state=0).fit(X)
    >>> np.bincount(model.labels_)
    array([50, 50, 50])
    >>> noisy = X + 0.3 * rng.standard_normal(X.shape)
    >>> error = np.linalg.norm(model.denoise(noisy, 0.3) - X) / np.linalg.norm(noisy - X)
    >>> bool(error < 0.5)
    True
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        subspace_dim: Any = 1,
        n_init: int = 10,
        tol: float = 1e-7,
        max_iter: int = 300,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.subspace_dim = subspace_dim
        self.n_init = n_init
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    @with_callbacks
    def fit(self, X: MatrixLike, y: None = None) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points, of mean zero or of subspaces through the origin.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter is not allowed, or there are fewer points than components.
        """
        check_integer(self, "n_components", self.n_components, 1)
        check_integer(self, "n_init", self.n_init, 1)
        check_integer(self, "max_iter", self.max_iter, 1)
        check_real(self, "tol", self.tol, 0, closed="left")
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2, ensure_min_features=2)
        check_magnitude(X)
        if len(X) < self.n_components:
            raise ValueError(
                f"n_samples={len(X)} must be at least n_components={self.n_components}."
            )
        dims = self._dims(X.shape[1])
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int64).max, dtype=np.int64)
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)

        def iteration(number: Any, log_likelihood: Any, gain: Any, model: Any) -> Any:
            step = context.subcontext(task_name="iteration")
            step.call_on_fit_task_begin(estimator=self)
            metadata = {"iteration": number, "log_likelihood": log_likelihood, "residual": gain}
            return step.call_on_fit_task_end(
                estimator=self,
                metadata=metadata,
                reconstruction_attributes=lambda: self._attributes(model),
            )

        fit = fit_low_rank_gaussians(
            X,
            dims,
            n_init=self.n_init,
            tol=self.tol,
            max_iter=self.max_iter,
            rng=np.random.default_rng(seed),
            callback=iteration if hasattr(self, "_skl_callbacks") else None,
        )
        for name, value in self._attributes(fit.model).items():
            setattr(self, name, value)
        path = fit.log_likelihood_path
        self.labels_ = self.predict(X)
        self.log_likelihood_ = path[-1]
        self.history_ = [
            {"iteration": k, "log_likelihood": path[k], "residual": path[k] - path[k - 1]}
            for k in range(1, len(path))
        ]
        self.n_iter_, self.converged_ = fit.n_iter, fit.converged
        if not fit.converged:
            warnings.warn(
                f"LowRankGaussianMixture did not converge in {fit.n_iter} iterations (last gain "
                f"of the log-likelihood {path[-1] - path[-2]:.1e}). Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )
        context.call_on_fit_task_end(
            estimator=self, reconstruction_attributes=self._attributes(fit.model)
        )
        return self

    def fit_predict(self, X: MatrixLike, y: None = None) -> np.ndarray:
        """Fit the mixture and return the likeliest component of each point.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.
        y : None
            Ignored.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        return self.fit(X).labels_

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Return the likeliest component of each point.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        return self._model().joint_log_density(self._points(X)).argmax(axis=1)

    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Return the posterior probability of each component.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_components)
        """
        return self._model().responsibilities(self._points(X))[0]

    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """Return the log density at each point.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        return self._model().responsibilities(self._points(X))[1]

    def score(self, X: MatrixLike, y: None = None) -> float:
        """Return the mean log density of the points.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.
        y : None
            Ignored.

        Returns
        -------
        score : float
        """
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Draw points from the fitted density.

        Parameters
        ----------
        n_samples : int, default=1
            How many.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Sorted by component.
        labels : ndarray of shape (n_samples,)
            The component of each.
        """
        check_integer(self, "n_samples", n_samples, 1)
        model = self._model()
        seed = check_random_state(self.random_state).randint(2**31)
        return model.sample(n_samples, np.random.default_rng(seed))

    def denoise(self, X: MatrixLike, noise: float, scale: float = 1.0) -> np.ndarray:
        """Return the posterior mean of x given ``scale x + noise e``, with e standard normal.

        This is the denoiser that a diffusion model of this density would learn.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Noisy points.
        noise : float
            Standard deviation of what was added to them.
        scale : float, default=1.0
            What the clean points were multiplied by.

        Returns
        -------
        X_clean : ndarray of shape (n_samples, n_features)
        """
        check_real(self, "noise", noise, 0, closed="neither")
        check_real(self, "scale", scale, 0, closed="neither")
        return self._model().denoise(self._points(X), noise, scale)

    def _dims(self, n_features: Any) -> Any:
        """Return the dimension of each subspace, checked."""
        dims = self.subspace_dim
        if isinstance(dims, Integral) and not isinstance(dims, bool):
            dims = [dims] * self.n_components
        allowed = (
            f"an int in the range [1, {n_features - 1}], below the number of features, or "
            f"n_components={self.n_components} of them"
        )
        try:
            dims = list(dims)
        except TypeError:
            fail_parameter(self, "subspace_dim", allowed, self.subspace_dim)
        whole = all(isinstance(dim, Integral) and 1 <= int(dim) < n_features for dim in dims)
        if not whole or len(dims) != self.n_components:
            fail_parameter(self, "subspace_dim", allowed, self.subspace_dim)
        return [int(dim) for dim in dims]

    def _attributes(self, model: Any) -> Any:
        return {
            "weights_": model.weights,
            "bases_": model.bases,
            "variances_": model.variances,
            "noise_variance_": model.noise,
        }

    def _points(self, X: MatrixLike) -> Any:
        return check_magnitude(validate_data(self, X, dtype=np.float64, reset=False))

    def _model(self) -> Any:
        check_is_fitted(self, "weights_")
        return LowRankGaussians(
            weights=self.weights_,
            bases=self.bases_,
            variances=self.variances_,
            noise=self.noise_variance_,
        )
