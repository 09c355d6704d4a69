"""Regression on matrices, with a coefficient matrix of low rank, as a scikit-learn estimator."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from scipy.sparse.linalg import LinearOperator
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.callback import with_callbacks
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import (
    check_boolean,
    check_integer,
    check_magnitude,
    check_numeric,
    check_option,
    check_predictions,
    check_real,
    fail_parameter,
)
from skrand.base import Solver, SolverMixin
from skrand.completion.sensing.measurements import RankOneMeasurements
from skrand.completion.sensing.problem import MatrixSensing
from skrand.linalg.threads import single_threaded_blas

__all__ = ["MatrixSensingRegressor"]


class MatrixSensingRegressor(SolverMixin, RegressorMixin, BaseEstimator):
    """Linear regression whose coefficients form a matrix of low rank.

    Minimises ``sum_i w_i (<X_i, M> + intercept - y_i)^2`` over matrices M of at most a given rank.
    A matrix of shape (d1, d2) and rank r has ``r (d1 + d2 - r)`` degrees of freedom, and a small
    multiple of so many measurements determines it, far fewer than its ``d1 d2`` entries. Known as
    matrix sensing, or trace regression.

    Parameters
    ----------
    rank : int, default=1
        The largest rank allowed. Too large a rank costs measurements, or accuracy under noise, but
        no convergence: see ``solver``.
    matrix_shape : tuple of two ints, default=None
        The shape of the coefficient matrix. None takes it from X if that is of three dimensions or
        made of rank-one measurements; otherwise it is (n_features, 1): plain linear regression.
    parameterization : {"asymmetric", "symmetric"}, default="asymmetric"
        Whether the matrix is any of its rank, ``F G^T``, or symmetric positive semi-definite, ``F
        F^T``.
    solver : str or Solver, default="auto"
        A solver registered for the task "matrix-sensing", or a solver object. "auto" is
        Gauss-Newton
        ("rgn"), and scaled gradient descent should that not converge. "gd" is gradient descent from
        a small random start; its step length, start and rebalancing are parameters of
        ``make_solver("matrix-sensing", "gd")``.
    tol : float, default=None
        Norm of the gradient along matrices of the rank, relative to the gradient at zero. None is
        1e-10, and 1e-5 in single precision.
    max_iter : int, default=None
        Most iterations; None is the solver's own default.
    fit_intercept : bool, default=False
        Whether to fit an intercept.
    random_state : int, RandomState instance or None, default=None
        Determines the random start of solver "gd".
    verbose : int, default=0
        If not 0, a line a fit goes to the logger "skrand" at level INFO instead of DEBUG.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, float32 for float32 data.
    coef_matrix_ : ndarray of shape (d1, d2)
        The same as a matrix.
    intercept_ : float
        Intercept; 0.0 if ``fit_intercept=False``.
    solver_ : str
        Name of the solver that gave the answer.
    n_iter_ : int
        Iterations.
    converged_ : bool
        Whether the solver reached its tolerance.
    history_ : list of dict
        One record an iteration.
    loss_curve_ : ndarray of shape (n_iterations,)
        Half the weighted mean of the squared residuals after each iteration.
    gradient_norm_ : float
        What `tol` bounds, at the answer.
    rebalance_iter_ : int or None
        Steps before solver "gd" rebalanced its factors; None if it did not.
    n_features_in_ : int
        Number of entries of a measurement.
    feature_names_in_ : ndarray of str
        Names of the features, if the data had names.

    See Also
    --------
    RankOneMeasurements : Measurements that are products of two vectors.
    skrand.SketchedRegressor : Linear regression without a rank.

    Notes
    -----
    The problem is not convex. From Gaussian measurements, at least about 1.5 times as many as
    degrees of freedom, the spectral start leads to the global minimum; with fewer, or with
    measurements that are far from isotropic, check the score.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import MatrixSensingRegressor
    >>> rng = np.random.default_rng(0)
    >>> M = np.outer(np.arange(1.0, 7.0), np.ones(8))
    >>> X = rng.standard_normal((40, 6, 8))
    >>> model = MatrixSensingRegressor().fit(X, np.tensordot(X, M))
    >>> bool(np.allclose(model.coef_matrix_, M)), model.converged_
    (True, True)
    """

    _solver_parameters = {"tol": False, "max_iter": False}

    def __init__(
        self,
        rank: int = 1,
        *,
        matrix_shape: Any = None,
        parameterization: str = "asymmetric",
        solver: str | Solver = "auto",
        tol: float | None = None,
        max_iter: int | None = None,
        fit_intercept: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.rank = rank
        self.matrix_shape = matrix_shape
        self.parameterization = parameterization
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: MatrixLike, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficient matrix.

        Parameters
        ----------
        X : array-like of shape (n_samples, d1 * d2), ndarray of shape (n_samples, d1, d2), sparse \
                matrix or LinearOperator
            Measurements: row i holds the entries of a matrix in row order. float32 stays float32.
        y : array-like of shape (n_samples,)
            What was measured.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Non-negative weights, not all zero.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed; the message says what is.
        """
        self._check_parameters()
        own_shape = _own_shape(X)
        if isinstance(X, LinearOperator):
            y = self._check_operator(X, y)
        else:
            X, y = validate_data(
                self,
                _flat(X),
                y,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                y_numeric=True,
            )
            check_magnitude(X, power=4)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        # Before the conversion, which makes infinity of what float32 does not hold.
        y = check_magnitude(check_numeric(y).astype(np.float64), "y", power=4, dtype=dtype)
        problem = MatrixSensing(
            A=X,
            y=y.astype(dtype, copy=False),
            matrix_shape=self._matrix_shape(X.shape[1], own_shape),
            rank=self.rank,
            symmetric=self.parameterization == "symmetric",
            weights=_check_sample_weight(sample_weight, X.shape[0]),
            intercept=self.fit_intercept,
        )
        if self.rank > min(problem.matrix_shape):
            d1, d2 = problem.matrix_shape
            allowed = f"an int in the range [1, {min(d1, d2)}] for a {d1} x {d2} matrix"
            fail_parameter(self, "rank", allowed, self.rank)
        solution = self._run_solver(problem, lambda x: _attributes(problem, x))
        self.loss_curve_ = np.array([entry["loss"] for entry in self.history_])
        self.gradient_norm_ = solution.residual
        self.rebalance_iter_ = solution.extra.get("rebalance_iter")
        return self

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict what new measurements give.

        Parameters
        ----------
        X : array-like of shape (n_samples, d1 * d2), ndarray of shape (n_samples, d1, d2), sparse \
                matrix or LinearOperator
            Measurements.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        if not isinstance(X, LinearOperator):
            X = validate_data(
                self, _flat(X), reset=False, accept_sparse="csr", dtype=[np.float64, np.float32]
            )
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but MatrixSensingRegressor is expecting "
                f"{self.n_features_in_} features as input."
            )
        with np.errstate(over="ignore", invalid="ignore"):
            return check_predictions(X @ self.coef_ + self.intercept_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_parameters(self) -> None:
        check_integer(self, "rank", self.rank, 1)
        check_option(self, "parameterization", self.parameterization, ("asymmetric", "symmetric"))
        check_real(self, "tol", self.tol, 0, closed="neither", options=(None,))
        check_integer(self, "max_iter", self.max_iter, 1, options=(None,))
        check_boolean(self, "fit_intercept", self.fit_intercept)
        shape = self.matrix_shape
        pair = isinstance(shape, (tuple, list)) and len(shape) == 2
        if shape is not None and not (
            pair and all(isinstance(side, Integral) and int(side) >= 1 for side in shape)
        ):
            fail_parameter(self, "matrix_shape", "None or a tuple of two positive ints", shape)

    def _check_operator(self, X: MatrixLike, y: Any) -> Any:
        """Check what scikit-learn has no words for: measurements known by their products only."""
        if np.dtype(X.dtype) not in (np.float32, np.float64):
            raise ValueError(f"A LinearOperator X must be of float32 or float64. Got {X.dtype}.")
        y = column_or_1d(check_array(y, ensure_2d=False, dtype=np.float64, input_name="y"))
        if len(y) != X.shape[0]:
            raise ValueError(
                f"X and y must have as many measurements as each other. Got {X.shape[0]} and "
                f"{len(y)}."
            )
        self.n_features_in_ = X.shape[1]
        return y

    def _matrix_shape(self, n_features: Any, own_shape: Any) -> Any:
        """Return the shape of the coefficient matrix, or say what does not fit."""
        shape = self.matrix_shape
        if shape is None:
            shape = own_shape or (n_features, 1)
        d1, d2 = map(int, shape)
        if d1 * d2 != n_features or (own_shape or (d1, d2)) != (d1, d2):
            seen = f"with {n_features} entries" if own_shape is None else f"here {own_shape}"
            allowed = f"None or the shape of the measurement matrices, {seen}"
            fail_parameter(self, "matrix_shape", allowed, self.matrix_shape)
        if self.parameterization == "symmetric" and d1 != d2:
            raise ValueError(
                "parameterization='symmetric' needs a square coefficient matrix. Got "
                f"{d1} x {d2}; set matrix_shape, or use parameterization='asymmetric'."
            )
        return d1, d2


def _own_shape(X: Any) -> tuple[int, int] | None:
    """Return the shape of the measurement matrices, if X shows it."""
    if isinstance(X, RankOneMeasurements):
        return X.matrix_shape
    return tuple(X.shape[1:]) if getattr(X, "ndim", 2) == 3 else None


def _flat(X: Any) -> Any:
    """Return measurement matrices as rows."""
    return X.reshape(len(X), -1) if getattr(X, "ndim", 2) == 3 else X


def _attributes(problem: MatrixSensing, M: np.ndarray) -> dict[str, Any]:
    with single_threaded_blas():
        intercept = problem.offset(M)
    return {"coef_": M.ravel(), "coef_matrix_": M, "intercept_": intercept}


def _check_sample_weight(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Return the weights as a float64 array of shape (n_samples,), or None."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight, dtype=np.float64)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(f"sample_weight must be 1-D. Got an array of shape {weights.shape}.")
    check_consistent_length(np.empty(n_samples), weights)
    if weights.min() < 0:
        worst = int(weights.argmin())
        raise ValueError(
            f"sample_weight must be non-negative. Got {weights[worst]} at position {worst}."
        )
    if weights.max() == 0:
        raise ValueError("sample_weight must have a positive entry. Got all zeros.")
    return weights
