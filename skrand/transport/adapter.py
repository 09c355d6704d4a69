"""Domain adaptation: train where the labels are, on data moved to where they are not."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import check_option
from skrand.transport.estimator import SinkhornNewtonOT

__all__ = ["OTAdapter"]

_DIRECTIONS = ("source_to_target", "target_to_source")


def _estimator_has(name: Any) -> Any:
    def check(self: Any) -> Any:
        inner = getattr(self, "estimator_", self.estimator)
        return inner is None or hasattr(inner, name)

    return check


class OTAdapter(MetaEstimatorMixin, BaseEstimator):
    """Fit an estimator on source data transported to the target; predict on raw target data.

    A transport step in a Pipeline would move the target data, too, at prediction time. This
    meta-estimator moves the training data only or, the other way round, the data to predict only.

    Parameters
    ----------
    estimator : estimator, default=None
        What is trained on the transported data; None is the nearest neighbour's class.
    transport : SinkhornNewtonOT, default=None
        How data are transported, with a `target` unless `fit` is given one; None is
        ``SinkhornNewtonOT(random_state=0)``, of which only the normal target that it falls back to
        depends on the seed.
    direction : {"source_to_target", "target_to_source"}, default="source_to_target"
        What is moved. "source_to_target": the training data, so that the estimator lives where it
        is used. "target_to_source": the data to predict, by the inverse map, so that an estimator
        of the raw source is used as it is.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on the transported source, or on the raw one if the target is moved.
    transport_ : SinkhornNewtonOT
        Fitted transport.
    n_features_in_ : int
        Number of features.

    Notes
    -----
    Cost and memory: those of the transport, then those of the estimator.

    References
    ----------
    N. Courty, R. Flamary, D. Tuia, A. Rakotomamonjy, "Optimal Transport for Domain Adaptation",
    IEEE Transactions on Pattern Analysis and Machine Intelligence, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from skrand.transport import OTAdapter, SinkhornNewtonOT
    >>> X, y = make_blobs(200, centers=2, random_state=0)
    >>> Xt = X + [10.0, 0.0]
    >>> model = OTAdapter(transport=SinkhornNewtonOT(reg=1.0)).fit(X, y, Xt=Xt)
    >>> model.score(Xt, y) > 0.9
    True
    """

    def __init__(
        self, estimator: Any = None, *, transport: Any = None, direction: str = "source_to_target"
    ) -> None:
        self.estimator = estimator
        self.transport = transport
        self.direction = direction

    def fit(
        self, X: MatrixLike, y: Any, *, Xt: MatrixLike = None, sample_domain: Any = None
    ) -> Self:
        """Transport the source to the target and fit the estimator there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source points; with `sample_domain`, source and target points.
        y : array-like of shape (n_samples,)
            Labels; those of target points are not looked at.
        Xt : array-like of shape (n_targets, n_features), default=None
            Target points.
        sample_domain : array-like of shape (n_samples,), default=None
            Non-negative for rows of the source, negative for rows of the target.

        Returns
        -------
        self : object
        """
        check_option(self, "direction", self.direction, _DIRECTIONS)
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        # With a seed: of two fits without a target, each would else have a reference of its own.
        given = self.transport is not None
        transport = clone(self.transport) if given else SinkhornNewtonOT(random_state=0)
        self.transport_ = transport.fit(X, Xt=Xt, sample_domain=sample_domain)
        if sample_domain is not None:
            source = np.asarray(sample_domain) >= 0
            X, y = X[source], y[source]
        inner = KNeighborsClassifier(1) if self.estimator is None else clone(self.estimator)
        if self.direction == "source_to_target":
            X = self.transport_.transform(X)
        self.estimator_ = inner.fit(X, y)
        return self

    @available_if(_estimator_has("predict"))
    def predict(self, X: MatrixLike) -> Any:
        """Predict for target points."""
        return self._inner().predict(self._moved(X))

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: MatrixLike) -> Any:
        """Return the estimator's probabilities for target points."""
        return self._inner().predict_proba(self._moved(X))

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: MatrixLike) -> Any:
        """Return the estimator's decision function for target points."""
        return self._inner().decision_function(self._moved(X))

    @available_if(_estimator_has("score"))
    def score(self, X: MatrixLike, y: Any) -> Any:
        """Return the estimator's score for labelled target points."""
        return self._inner().score(self._moved(X), y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _inner(self) -> Any:
        check_is_fitted(self, "estimator_")
        return self.estimator_

    def _moved(self, X: MatrixLike) -> Any:
        """Return target points where the estimator lives."""
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        if self.direction == "target_to_source":
            return self.transport_.inverse_transform(X)
        return X

    @property
    def classes_(self) -> Any:
        """Classes of the fitted estimator."""
        return self._inner().classes_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")
