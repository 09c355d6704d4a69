"""A Normal-Inverse-Wishart hierarchy over classes, fitted on base classes."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
import scipy.linalg
from scipy.special import logsumexp
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d

from skrand._typing import MatrixLike
from skrand._validation import check_real
from skrand.fewshot.labels import class_sums

__all__ = ["ClassPosterior", "NormalInverseWishart"]

#: Factors on log-likelihoods that calibration chooses from.
_FACTORS = np.geomspace(0.02, 2.0, 25)


class ClassPosterior(NamedTuple):
    """What is known of classes after their shots, where both covariances are diagonal.

    Parameters
    ----------
    mean : ndarray of shape (n_classes, d)
        Expected class means.
    variance : ndarray of shape (n_classes, d)
        Their variances; a row of the class varies by one more.
    """

    mean: np.ndarray
    variance: np.ndarray

    def log_likelihood(self, T: np.ndarray) -> np.ndarray:
        """Return the log-densities of rows, (len(T), n_classes), up to a constant."""
        precision = 1.0 / (1.0 + self.variance)
        weighted = precision * self.mean
        constant = -0.5 * (weighted * self.mean).sum(axis=1) + 0.5 * np.log(precision).sum(axis=1)
        return T @ weighted.T - 0.5 * T**2 @ precision.T + constant


class NormalInverseWishart(BaseEstimator):
    """How classes of a domain differ, and how rows differ within a class.

    A class has a mean drawn from ``N(m0, B)``; its rows are drawn from ``N(mean, S)``; S has an
    inverse Wishart prior whose mean is isotropic. `fit` estimates m0, B and S from base classes in
    one pass that can be continued by `partial_fit`, each call with classes of its own: nothing is
    kept but sums. For new classes with a few rows each, the posterior is in closed form: both
    covariances are diagonalised at once, and then every coordinate is on its own.

    Cost: ``2 n d^2`` flops for the sums, about ``10 d^3`` to diagonalise, ``4 n d k`` to predict.
    Memory: three d x d matrices.

    Parameters
    ----------
    within_shrinkage : float, default=0.9
        How much of S is its isotropic prior, between 0 and 1.
    between_shrinkage : float, default=1.0
        The same for B.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        m0.
    within_ : ndarray of shape (d, d)
        S.
    between_ : ndarray of shape (d, d)
        B.
    projection_ : ndarray of shape (d, d)
        Makes S the identity and B diagonal.
    ratio_ : ndarray of shape (d,)
        Diagonal of B after that: variance between classes over variance within.
    factor_ : float
        What log-likelihoods are multiplied by for calibrated probabilities; 1 before
        :meth:`calibrate`.
    n_classes_seen_, n_samples_seen_ : int
        What the sums hold.

    References
    ----------
    M. Kim, T. Hospedales, "A Hierarchical Bayesian Model for Deep Few-Shot Meta Learning", 2023,
    arXiv:2306.09702: the hierarchy, there over networks, here over means of features.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import NormalInverseWishart
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(np.arange(30), 20)
    >>> X = 3 * rng.standard_normal((30, 4))[y] + rng.standard_normal((600, 4))
    >>> head = NormalInverseWishart().fit(X, y)
    >>> bool(5 < head.ratio_.mean() < 15)
    True
    """

    def __init__(self, *, within_shrinkage: float = 0.9, between_shrinkage: float = 1.0) -> None:
        self.within_shrinkage = within_shrinkage
        self.between_shrinkage = between_shrinkage

    def fit(self, X: MatrixLike, y: Any) -> Self:
        """Fit the hierarchy on base classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, d)
            Rows.
        y : array-like of shape (n_samples,)
            Their classes.

        Returns
        -------
        self : object
        """
        for name in ("_sums", "mean_"):
            if hasattr(self, name):
                delattr(self, name)
        return self.partial_fit(X, y)

    def partial_fit(self, X: MatrixLike, y: Any) -> Self:
        """Go on with rows of further classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, d)
            Rows.
        y : array-like of shape (n_samples,)
            Their classes; none of them is one of an earlier call.

        Returns
        -------
        self : object
        """
        within = check_real(self, "within_shrinkage", self.within_shrinkage, 0, 1, closed="both")
        between = check_real(self, "between_shrinkage", self.between_shrinkage, 0, 1, closed="both")
        X = check_array(X, dtype=np.float64)
        y = column_or_1d(y)
        if len(y) != len(X):
            raise ValueError(f"y has {len(y)} labels for the {len(X)} rows of X.")
        sums = _sums(X, y)
        if hasattr(self, "_sums"):
            if len(sums[3]) != len(self._sums[3]):
                raise ValueError(
                    f"X has {X.shape[1]} features, the rows before had {len(self._sums[3])}."
                )
            sums = tuple(old + new for old, new in zip(self._sums, sums, strict=True))
        self._sums: tuple[Any, ...] = sums
        self.n_samples_seen_, self.n_classes_seen_ = int(sums[0]), int(sums[1])
        self.factor_ = 1.0
        self._estimate(within, between)
        return self

    def _estimate(self, within: float, between: float) -> None:
        n, k, inverse, total, scatter, outer = self._sums
        d = len(total)
        if k < 2 or n <= k:
            raise ValueError(
                "The hierarchy needs at least 2 classes and a class with 2 rows. Got "
                f"{int(k)} classes with {int(n)} rows."
            )
        self.mean_ = total / k
        S = scatter / (n - k)
        self.within_ = _shrunk(S, within)
        # Means of few rows scatter by S / count more than the classes do.
        B = outer / k - np.outer(self.mean_, self.mean_)
        B = B * (k / (k - 1)) - S * (inverse / k)
        values, vectors = np.linalg.eigh(_shrunk(B, between))
        floor = 1e-6 * max(float(np.trace(self.within_)) / d, np.finfo(float).tiny)
        self.between_ = (vectors * np.maximum(values, floor)) @ vectors.T
        self.ratio_, self.projection_ = scipy.linalg.eigh(self.between_, self.within_)

    def project(self, X: np.ndarray) -> np.ndarray:
        """Return rows in the coordinates of the posterior."""
        return (X - self.mean_) @ self.projection_

    def posterior(self, counts: np.ndarray, sums: np.ndarray) -> ClassPosterior:
        """Return the posterior of new classes.

        Parameters
        ----------
        counts : ndarray of shape (n_classes,)
            Rows seen of each class; they need not be whole.
        sums : ndarray of shape (n_classes, d)
            Sums of these rows, projected.
        """
        variance = 1.0 / (1.0 / self.ratio_ + counts[:, None])
        return ClassPosterior(variance * sums, variance)

    def calibrate(self, X: MatrixLike, y: Any, *, n_shots: int = 1, n_way: int = 5) -> Self:
        """Choose `factor_`: the one of least log loss on small problems made of base classes.

        Classes are taken `n_way` at a time in their order, the first `n_shots` rows of each as its
        shots.

        Parameters
        ----------
        X : array-like of shape (n_samples, d)
            Rows.
        y : array-like of shape (n_samples,)
            Their classes.
        n_shots, n_way : int
            Size of the problems.

        Returns
        -------
        self : object
        """
        T, y = self.project(check_array(X, dtype=np.float64)), column_or_1d(y)
        classes, counts = np.unique(y, return_counts=True)
        classes = classes[counts > n_shots]
        loss = np.zeros(len(_FACTORS))
        for start in range(0, len(classes) - n_way + 1, n_way):
            rows = [np.flatnonzero(y == c) for c in classes[start : start + n_way]]
            sums = np.stack([T[r[:n_shots]].sum(axis=0) for r in rows])
            classes_posterior = self.posterior(np.full(n_way, float(n_shots)), sums)
            # A class with many rows counts no more than others.
            rest = [r[n_shots : n_shots + 30] for r in rows]
            logs = classes_posterior.log_likelihood(T[np.concatenate(rest)])
            truth = np.repeat(np.arange(n_way), [len(r) for r in rest])
            for i, factor in enumerate(_FACTORS):
                scaled = factor * logs
                own = scaled[np.arange(len(truth)), truth]
                loss[i] += (logsumexp(scaled, axis=1) - own).sum()
        if loss.any():
            self.factor_ = float(_FACTORS[loss.argmin()])
        return self


def _sums(X: np.ndarray, y: np.ndarray) -> tuple[Any, ...]:
    """Return rows, classes, inverse counts, means, scatter within and outer products.

    All are sums over classes, so those of several calls add up to those of one.
    """
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    means = class_sums(X, codes, len(counts)) / counts[:, None]
    rest = X - means[codes]
    return (
        np.float64(len(X)),
        np.float64(len(counts)),
        (1.0 / counts).sum(),
        means.sum(axis=0),
        rest.T @ rest,
        means.T @ means,
    )


def _shrunk(S: np.ndarray, share: float) -> np.ndarray:
    """Move a covariance a share of the way to a multiple of the identity."""
    size = max(float(np.trace(S)) / len(S), np.finfo(float).tiny)
    return (1 - share) * S + share * size * np.eye(len(S))
