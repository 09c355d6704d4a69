"""Fit any linear estimator on a sketch of the data, or on a weighted sample of its rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.linear_model import Ridge
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import (
    check_magnitude,
    check_numeric,
    check_option,
    check_predictions,
    check_real,
    fail_parameter,
)
from skrand.linalg import SKETCHES, make_sketch
from skrand.regression.problem import LeastSquares
from skrand.regression.sampling import sample_rows

__all__ = ["SketchedFit"]


class SketchedFit(RegressorMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit a linear estimator of squared loss on a few combinations of the rows, in place of all.

    The rows are combined by a random sketch after centring, so that the intercept is right; or a
    weighted sample of them is drawn by leverage. The number of rows cannot change inside a
    Pipeline, so this is a meta-estimator and not a step.

    Parameters
    ----------
    estimator : object, default=None
        A linear regressor with ``coef_`` and ``fit_intercept``, such as Lasso or Ridge; None is
        ``Ridge()``. With ``sketch="sample"`` it must take ``sample_weight``.
    sketch : {"sparse-sign", "gaussian", "rademacher", "srht", "countsketch", "sample"}, \
            default="sparse-sign"
        How the rows are reduced.
    sketch_size : int or float, default=8.0
        Number of rows; a float is a multiple of the number of features.
    loss : {"sum", "mean"}, default="sum"
        Whether the estimator's loss sums over rows (Ridge) or averages (Lasso, ElasticNet), which
        decides how its penalty compares with fewer rows.
    random_state : int, RandomState instance or None, default=None
        Determines the sketch.

    Attributes
    ----------
    estimator_ : object
        The estimator fitted on the reduced data.
    coef_ : ndarray
        Its coefficients.
    intercept_ : float or ndarray
        The intercept for the original data.
    sketch_size_ : int
        Number of rows it was fitted on.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Lasso
    >>> from skrand import SketchedFit
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((5000, 10))
    >>> y = X[:, 0] + 3
    >>> model = SketchedFit(Lasso(alpha=0.01), sketch_size=400, loss="mean", random_state=0)
    >>> np.flatnonzero(model.fit(X, y).coef_.round(1))
    array([0])
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        sketch: str = "sparse-sign",
        sketch_size: float = 8.0,
        loss: str = "sum",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.loss = loss
        self.random_state = random_state

    def fit(self, X: MatrixLike, y: Any) -> Self:
        """Reduce the rows and fit the estimator.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        Returns
        -------
        self : object
        """
        check_option(self, "sketch", self.sketch, ("sample", *SKETCHES))
        check_option(self, "loss", self.loss, ("mean", "sum"))
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
        )
        check_magnitude(X)
        y = check_numeric(y)
        size = min(self._size(X.shape[1]), X.shape[0])
        estimator = clone(Ridge() if self.estimator is None else self.estimator)
        random = check_random_state(self.random_state)
        if self.sketch == "sample":
            self._fit_sample(estimator, X, y, size, random)
        else:
            self._fit_sketch(estimator, X, y, size, random)
        self.coef_ = self.estimator_.coef_
        if not (np.isfinite(self.coef_).all() and np.isfinite(self.intercept_).all()):
            raise ValueError(
                f"{type(estimator).__name__} returned coefficients that are not finite: scale the "
                "columns of X."
            )
        return self

    def predict(self, X: MatrixLike) -> Any:
        """Predict the target of every row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        with np.errstate(over="ignore", invalid="ignore"):
            return check_predictions(X @ self.coef_.T + self.intercept_)

    def _size(self, n_features: Any) -> Any:
        if isinstance(self.sketch_size, float):
            check_real(self, "sketch_size", self.sketch_size, 1.0, closed="neither")
            return int(np.ceil(self.sketch_size * n_features))
        whole = isinstance(self.sketch_size, (int, np.integer))
        if not whole or isinstance(self.sketch_size, bool) or self.sketch_size < 1:
            allowed = "an int in the range [1, inf) or a float in the range (1, inf)"
            fail_parameter(self, "sketch_size", allowed, self.sketch_size)
        return int(self.sketch_size)

    def _fit_sketch(self, estimator: Any, X: MatrixLike, y: Any, size: Any, random: Any) -> None:
        intercept = estimator.get_params().get("fit_intercept", False)
        problem = LeastSquares(A=X, b=y.reshape(len(y), -1), intercept=intercept)
        if intercept:
            # The sketch is of centred data; one of its rows has no constant of its own.
            estimator.set_params(fit_intercept=False)
        if size < len(y):
            operator = make_sketch(self.sketch, size, random_state=int(random.randint(2**31)))
            rows, target = problem.matrix().sketch(operator), operator.apply(problem.target)
        else:
            rows, target = problem.matrix().toarray(), problem.target
        factor = np.sqrt(size / len(y)) if self.loss == "mean" else 1.0
        target = target.ravel() if y.ndim == 1 else target
        self.estimator_ = estimator.fit(factor * rows, factor * target)
        x = self.estimator_.coef_.reshape(problem.shape[2], -1).T
        offset = problem.offset(x)
        self.intercept_ = 0.0 if not intercept else offset[0] if y.ndim == 1 else offset
        self.sketch_size_ = size

    def _fit_sample(self, estimator: Any, X: MatrixLike, y: Any, size: Any, random: Any) -> None:
        indices, weights = sample_rows(X, y, m=size, scores="leverage", random_state=random)
        if self.loss == "mean":
            weights = weights * (len(indices) / len(y))
        self.estimator_ = estimator.fit(X[indices], y[indices], sample_weight=weights)
        self.intercept_ = self.estimator_.intercept_
        self.sketch_size_ = len(indices)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags
