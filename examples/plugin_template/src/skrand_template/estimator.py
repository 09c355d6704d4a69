"""An estimator that states a least-squares problem and lets any registered solver solve it."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand.base import SolverMixin
from skrand.regression import LeastSquares


class TrendRegressor(SolverMixin, RegressorMixin, BaseEstimator):
    """Sum of polynomials, one of each feature.

    Parameters
    ----------
    degree : int, default=2
        Degree of the polynomials.
    solver : str or Solver, default="auto"
        A solver of the task "least-squares": see ``skrand list least-squares``.
    random_state : int, RandomState instance or None, default=None
        For solvers that are random.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features * degree,)
        Coefficients of the Legendre polynomials of degree 1, 2, ... of the scaled features.
    intercept_ : float
        The constant.
    """

    def __init__(self, degree=2, *, solver="auto", random_state=None):
        self.degree = degree
        self.solver = solver
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y):
        """Fit the polynomials to X of shape (n_samples, n_features) and y of shape (n_samples,)."""
        if not isinstance(self.degree, (int, np.integer)) or self.degree < 1:
            raise ValueError(
                f"The 'degree' parameter of TrendRegressor must be an int in the range [1, inf). "
                f"Got {self.degree!r} instead."
            )
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], y_numeric=True)
        self.low_, self.high_ = X.min(axis=0), X.max(axis=0)
        problem = LeastSquares(A=self._features(X), b=y[:, None], intercept=True)
        self._run_solver(
            problem,
            lambda x: {"coef_": x[:, 0], "intercept_": float(problem.offset(x)[0])},
        )
        return self

    def predict(self, X):
        """Predict y for X of shape (n_samples, n_features)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return self._features(X) @ self.coef_ + self.intercept_

    def _features(self, X):
        """Legendre polynomials of the features scaled to [-1, 1]: well conditioned."""
        spread = np.where(self.high_ > self.low_, self.high_ - self.low_, 1)
        scaled = 2 * (X - self.low_) / spread - 1
        values = np.polynomial.legendre.legvander(scaled, self.degree)[..., 1:]
        return values.reshape(len(X), -1)
