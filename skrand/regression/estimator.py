"""Linear regression as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    RegressorMixin,
    TransformerMixin,
    clone,
)
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_random_state,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand import registry
from skrand._typing import MatrixLike
from skrand._validation import (
    check_boolean,
    check_integer,
    check_magnitude,
    check_n_jobs,
    check_numeric,
    check_real,
    fail_parameter,
)
from skrand.base import Solver, SolverMixin
from skrand.exceptions import IncompatibleSolverError, RankWarning
from skrand.regression.guarantee import check_guarantee
from skrand.regression.lp_problem import LpRegression
from skrand.regression.problem import LeastSquares
from skrand.regression.summary import Stream

__all__ = ["SketchedRegressor"]


#: What is computed from a stream when it is first looked at.
_FOLLOWING = frozenset(
    {
        "coef_",
        "intercept_",
        "solver_",
        "solver_path_",
        "rank_",
        "condition_",
        "n_iter_",
        "converged_",
        "history_",
        "n_passes_",
        "backward_error_",
        "dual_gap_",
        "error_estimate_",
        "coef_error_",
        "sketch_size_",
        "sample_indices_",
        "sample_weights_",
        "residual_norm_",
        "objective_",
    }
)


class SketchedRegressor(
    ClassNamePrefixFeaturesOutMixin,
    SolverMixin,
    RegressorMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Linear regression that is fast, safe at any condition number, and says what it achieved.

    Minimises ``sum_i w_i |x_i . coef + intercept - y_i|^p + alpha |coef|^2``: least squares, or,
    with ``p=1``, least absolute deviations (median regression). By default the cheapest solver is
    used that reaches, for least squares, a backward error of ten unit roundoffs, otherwise a
    relative duality gap of 1e-8. For least squares on dense data of moderate condition that is a
    Cholesky factorisation, on ill-conditioned data a randomized preconditioner. Columns are scaled
    internally, so units do not matter.

    Parameters
    ----------
    p : float, default=2.0
        Power of the loss, at least 1. The smaller, the less outliers count.
    alpha : float, default=0.0
        Penalty on the squared norm of the coefficients; the intercept is never penalised. Only
        for ``p=2``.
    solver : str or Solver, default="auto"
        A solver registered for the task "least-squares" if p is 2, otherwise for "lp-regression"
        (see ``skrand list TASK``), or a solver object. "auto" tries the registered solvers from
        the cheapest up until one reaches `tol`.
    sketch : str or operator, default="auto"
        Family of random sketches, for the solvers that sketch: "gaussian", "rademacher", "srht",
        "countsketch", "sparse-sign", or an operator of :mod:`skrand.linalg`; for solver "coreset"
        the scores that rows are drawn by, "root-leverage", "lewis" and so on. "auto" leaves it to
        the solver. A solver that does not sketch refuses any other value.
    sketch_size : int or float, default=None
        Rows of the sketch; a float above 1 is a multiple of the number of features. None leaves it
        to the solver.
    sketch_nnz : int, default=None
        Entries in each column of a sparse sign sketch. None is 8, or 4 where the sketch is only a
        preconditioner.
    guarantee : {"exact", "residual", "linf"}, default=None
        What the answer must be. "exact": verified to `tol`. "residual": with probability
        ``1 - delta`` the objective is at most ``1 + epsilon`` times its minimum. "linf": with that
        probability no coefficient is off by more than ``epsilon / sqrt(n_features) |r| |X^+|`` with
        r the residual; only dense sketches can. Solver "auto" takes the cheapest that can give it.
        None leaves it to the solver: all are exact but "sketch", which estimates its error.
    epsilon : float, default=None
        Accuracy of the guarantees "residual", at most 1, and "linf".
    delta : float, default=0.01
        Probability that they fail. It is not spent where the data can be looked at again: then the
        answer is checked, and a failure is a ConvergenceWarning.
    tol : float, default=None
        For ``p=2`` the relative backward error to reach, as estimated; None is 5 unit roundoffs,
        5.6e-16, which keeps the true one below 10. Otherwise the relative duality gap; None is
        1e-8.
    max_iter : int, default=100
        Most iterations of an iterative solver.
    fit_intercept : bool, default=True
        Whether to fit an intercept. The data are centred implicitly, without a copy.
    n_jobs : int, default=None
        Threads inside one fit; None is what OpenMP would use. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Determines the sketches. The same int gives the same bits.
    verbose : int, default=0
        If not 0, a line a fit goes to the logger "skrand" at level INFO instead of DEBUG.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, float32 for float32 data.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0.0 if ``fit_intercept=False``.
    solver_ : str
        Name of the solver that gave the answer.
    solver_path_ : list of str
        Names of all solvers that were tried.
    rank_ : int
        Numerical rank of the centred, column-scaled data.
    condition_ : float
        Condition number of the centred, column-scaled data, estimated from the factor used.
    n_iter_ : int
        Iterations; 0 for a direct solver.
    converged_ : bool
        Whether the solver reached its tolerance.
    history_ : list of dict
        One record an iteration.
    n_passes_ : int
        How often the data was read.
    backward_error_ : float or None
        Relative backward error achieved by an exact solver of least squares; None after solver
        "sketch" and for other p.
    error_estimate_ : float or ndarray of shape (n_targets,) or None
        Estimate of ``|X (coef_ - coef*)|`` by a solver that approximates; None if it is exact.
    coef_error_ : ndarray of the shape of `coef_` or None
        Half-widths of intervals that hold the exact coefficients of these data, each with a
        probability of 95 %, after solver "sketch"; None after an exact one.
    sketch_size_ : int or None
        Rows of the sketch, or the sample, that gave the answer of solver "sketch" or "coreset".
    sample_indices_, sample_weights_ : ndarray of shape (`sketch_size_`,) or None
        The rows that solver "coreset" drew, and their weights.
    dual_gap_ : float or ndarray of shape (n_targets,) or None
        Bound on the excess of the objective over the optimum, relative to the optimum, computed
        from a point of the dual problem; None for ``p=2``.
    residual_norm_ : float or ndarray of shape (n_targets,)
        The weighted p-norm of the residuals.
    objective_ : float or ndarray of shape (n_targets,)
        Value of the objective.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data had names.

    See Also
    --------
    sklearn.linear_model.LinearRegression : Slower, and drops directions below 1e-6 by default.
    sklearn.linear_model.Ridge : The same objective with a penalty.

    Notes
    -----
    A :exc:`~skrand.exceptions.RankWarning` says that the coefficients are not determined by the
    data; those of minimum norm, in the scaled columns, are returned. A
    :exc:`~sklearn.exceptions.ConvergenceWarning` carries the error achieved.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skrand import SketchedRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SketchedRegressor().fit(X, y)
    >>> model.solver_, round(model.score(X, y), 4)
    ('chol', 0.5177)
    """

    _solver_parameters = {
        "sketch": True,
        "sketch_size": True,
        "sketch_nnz": True,
        # An exact solver gives them all.
        "guarantee": False,
        "epsilon": False,
        "delta": False,
        "tol": False,
        "max_iter": False,
        "n_jobs": False,
    }

    def __init__(
        self,
        *,
        p: float = 2.0,
        alpha: float = 0.0,
        solver: str | Solver = "auto",
        sketch: Any = "auto",
        sketch_size: float | None = None,
        sketch_nnz: int | None = None,
        guarantee: str | None = None,
        epsilon: float | None = None,
        delta: float = 0.01,
        tol: float | None = None,
        max_iter: int = 100,
        fit_intercept: bool = True,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.p = p
        self.alpha = alpha
        self.solver = solver
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.sketch_nnz = sketch_nnz
        self.guarantee = guarantee
        self.epsilon = epsilon
        self.delta = delta
        self.tol = tol
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: MatrixLike, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training data. float32 stays float32; it is neither copied nor changed. A memory map
            is read block by block. Of a dask array or dataframe every chunk is summarised where it
            is, as by `partial_fit`, and the rows never come together; the Gram matrix is then
            refined by further passes over the cluster.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Non-negative weights, not all zero.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed; the message says what is.
        IncompatibleSolverError
            If the solver cannot take this data; the message names solvers that can.
        """
        self._check_parameters()
        self._stream: Any = None
        if hasattr(X, "__dask_graph__"):
            return self._fit_cluster(X, y, sample_weight)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
            # For least squares found out below from the means, without a pass of its own.
            ensure_all_finite=not self.fit_intercept or self.p != 2,
        )
        y = check_numeric(y)
        weights = _check_sample_weight(sample_weight, X)
        if weights is not None and self.p != 2:
            _check_roots(weights, self.p)
        problem = self._problem(X, y.reshape(len(y), -1), weights)
        solution = self._run_solver(problem, lambda x: self._attributes(problem, x, y.ndim))
        self._set_diagnostics(solution, y.ndim)
        return self

    def partial_fit(
        self, X: MatrixLike, y: Any, sample_weight: Any = None, *, row_offset: int | None = None
    ) -> Self:
        """Add rows to a stream; the coefficients follow when they are next asked for.

        A summary of the rows is kept, whose size does not depend on their number: the Gram matrix
        with solvers "auto" and "chol", a sketch with solver "sketch". The first call after the
        estimator was made, or after `fit`, begins a new stream. The result does not depend, bit
        for bit, on how the rows are cut into chunks.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The next rows. They are neither copied nor changed, but for the last few, which wait
            for their block to be full.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Non-negative weights.
        row_offset : int, default=None
            Place of the first row in the whole data, for streams that will be merged: no row may
            be added twice. None continues where the last call ended.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed. Should X not be finite, the message says
            how many rows before have been added.
        IncompatibleSolverError
            If the solver reads the data more than once; the message names those that do not.
        """
        self._check_parameters()
        stream = getattr(self, "_stream", None)
        X, y = validate_data(
            self,
            X,
            y,
            reset=stream is None,
            accept_sparse="csr",
            dtype=[np.float64, np.float32] if stream is None else stream.dtype,
            multi_output=True,
            y_numeric=True,
            # Found out block by block, while it is in cache.
            ensure_all_finite=False,
        )
        y = check_numeric(y)
        weights = _check_sample_weight(sample_weight, X, may_vanish=True)
        if stream is None:
            summary = self._empty_summary(X.shape[1], y.shape[1:])
            solver = self._resolve_solver("least-squares").name
            stream = Stream(summary, solver, X.dtype, y.shape[1:])
        if y.shape[1:] != stream.y_shape:
            raise ValueError(
                f"y must have the shape {('n_samples', *stream.y_shape)} of the first chunk. "
                f"Got {y.shape}."
            )
        self._forget_solution()
        self._stream = stream
        stream.summary.update(X, y.reshape(len(y), -1), weights, row_offset)
        return self

    def merge(self, other: Any) -> Self:
        """Add the rows that another estimator has seen by `partial_fit`.

        Parameters
        ----------
        other : SketchedRegressor
            With equal parameters that decide the summary: `solver`, `fit_intercept` and, for a
            sketch, `sketch`, `sketch_size` and an int `random_state`. It must have seen other
            rows, as told by `row_offset`. It is not changed.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the summaries cannot be added; the message says why.
        """
        if not isinstance(other, SketchedRegressor):
            raise ValueError(f"other must be a SketchedRegressor. Got {other!r}.")
        for name, model in (("self", self), ("other", other)):
            if getattr(model, "_stream", None) is None:
                raise ValueError(f"{name} has no stream to merge: call partial_fit on it first.")
        self._stream.merge(other._stream)
        self._forget_solution()
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
        return X @ self.coef_.T + self.intercept_

    def transform(self, X: MatrixLike) -> np.ndarray:
        """Return the predictions as columns, one a target: for stacking, or inside a Pipeline.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_targets)
        """
        return self.predict(X).reshape(-1, self._n_features_out)

    def fit_transform(self, X: MatrixLike, y: Any, sample_weight: Any = None) -> np.ndarray:
        """Fit and return the predictions of the training data as columns.

        Parameters
        ----------
        X, y, sample_weight
            See :meth:`fit`.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_targets)
        """
        return self.fit(X, y, sample_weight=sample_weight).transform(X)

    def __getattr__(self, name: Any) -> Any:
        """Solve the stream when one of the attributes that follow from it is first looked at."""
        if name in _FOLLOWING and self.__dict__.get("_stream") is not None:
            self._solve_stream()
            return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _fit_cluster(self, X: MatrixLike, y: Any, sample_weight: Any) -> Self:
        from skrand.regression.cluster import ClusterData

        data = ClusterData(X, y, sample_weight)
        row = np.ones((1, data.n_features), dtype=data.dtype)
        if data.columns is not None:
            row = type(X._meta)(row, columns=data.columns)
        # That sets the number and the names of the features.
        validate_data(self, row)
        summary = self._empty_summary(data.n_features, data.y_shape, n_jobs=1)
        problem = data.problem(summary, float(self.alpha))
        ndim = 1 + len(data.y_shape)
        solution = self._run_solver(problem, lambda x: self._attributes(problem, x, ndim))
        self._set_diagnostics(solution, ndim)
        return self

    def _empty_summary(self, n_features: Any, y_shape: Any, **params: Any) -> Any:
        """Let the solver, given those of `params` that it has, say what it must know of rows."""
        if self.p != 2:
            raise IncompatibleSolverError(
                "A stream or a cluster can be followed only for p=2: no summary of its rows holds "
                f"the other losses. Got p={self.p!r}."
            )
        solver = self._resolve_solver("least-squares")
        if not hasattr(solver, "summary"):
            able = registry.entries(kind="solver", task="least-squares", can=["partial-fit"])
            raise IncompatibleSolverError(
                f"Solver {solver.name!r} cannot work on a stream or a cluster: it reads the data "
                "more than once, or needs them in one place. Solvers that can: "
                f"{', '.join(entry.working_name for entry in able)}."
            )
        accepted = solver.get_params(deep=False)
        params = {name: value for name, value in params.items() if name in accepted}
        # Drawn as for `fit`, so that the sketch is the same.
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int64).max, dtype=np.int64)
        return (
            clone(solver)
            .set_params(**params)
            .summary(
                n_features, int(np.prod(y_shape)), self.fit_intercept, np.random.default_rng(seed)
            )
        )

    @with_callbacks
    def _solve_stream(self) -> None:
        stream = self._stream
        problem = stream.problem(self._resolve_solver("least-squares").name, float(self.alpha))
        ndim = 1 + len(stream.y_shape)
        solution = self._run_solver(problem, lambda x: self._attributes(problem, x, ndim))
        self._set_diagnostics(solution, ndim)

    def _forget_solution(self) -> None:
        for name in _FOLLOWING:
            self.__dict__.pop(name, None)

    @property
    def _n_features_out(self) -> int:
        return 1 if self.coef_.ndim == 1 else len(self.coef_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _problem(self, X: MatrixLike, y: Any, weights: Any) -> Any:
        """State the problem for checked data."""
        if self.p != 2:
            check_magnitude(X, power=max(2.0, self.p))
            check_magnitude(y.astype(np.float64, copy=False), "y", power=max(2.0, self.p))
            if weights is not None:
                check_magnitude(weights, "sample_weight")
            return LpRegression(
                A=X, b=y, p=float(self.p), weights=weights, intercept=self.fit_intercept
            )
        problem = LeastSquares(
            A=X, b=y, weights=weights, ridge=float(self.alpha), intercept=self.fit_intercept
        )
        if self.fit_intercept and not problem.has_finite_means():
            name = type(self).__name__
            assert_all_finite(X, input_name="X", estimator_name=name)
            assert_all_finite(y, input_name="y", estimator_name=name)
        return problem

    def _check_parameters(self) -> None:
        check_real(self, "p", self.p, 1.0)
        check_real(self, "alpha", self.alpha, 0.0)
        if self.p != 2 and self.guarantee == "linf":
            fail_parameter(
                self, "guarantee", "None, 'exact' or 'residual' where p is not 2", "linf"
            )
        if self.p != 2 and self.alpha != 0:
            fail_parameter(self, "alpha", "0.0 where p is not 2 (no penalty)", self.alpha)
        check_real(self, "tol", self.tol, 0.0, closed="neither", options=(None,))
        check_integer(self, "max_iter", self.max_iter, 1)
        check_guarantee(self)
        check_boolean(self, "fit_intercept", self.fit_intercept)
        check_n_jobs(self, self.n_jobs)

    def _attributes(self, problem: Any, x: np.ndarray, ndim: int) -> dict[str, Any]:
        """Return the fitted attributes that follow from `x`: (d, k), and maybe the intercepts."""
        dtype = problem.dtype
        coef = np.ascontiguousarray(x[: problem.shape[1]].T.astype(dtype, copy=False))
        intercept = problem.offset(x).astype(dtype) if problem.intercept else None
        if ndim == 1:
            coef = coef[0]
            intercept = None if intercept is None else intercept[0]
        return {"coef_": coef, "intercept_": 0.0 if intercept is None else intercept}

    def _set_diagnostics(self, solution: Any, ndim: Any) -> None:
        def by_target(values: Any) -> Any:
            return None if values is None else (float(values[0]) if ndim == 1 else values)

        extra = solution.extra
        estimate = extra.get("error_estimate")
        self.solver_path_ = extra.get("solver_path", [solution.solver])
        self.rank_ = extra.get("rank")
        self.condition_ = extra.get("condition")
        self.n_passes_ = solution.oracles.get("passes", 0)
        gap = extra.get("dual_gap")
        self.dual_gap_ = by_target(gap)
        self.backward_error_ = solution.residual if estimate is None and gap is None else None
        self.error_estimate_ = by_target(estimate)
        intervals = extra.get("coef_error")
        self.coef_error_ = None if intervals is None else intervals.reshape(self.coef_.shape)
        self.sketch_size_ = extra.get("sketch_size")
        self.sample_indices_ = extra.get("sample_indices")
        self.sample_weights_ = extra.get("sample_weights")
        self.residual_norm_ = by_target(extra.get("residual_norm"))
        self.objective_ = by_target(extra.get("objective"))
        if estimate is not None and extra.get("guarantee") != self.guarantee:
            warnings.warn(
                f"guarantee={self.guarantee!r} was asked for, and solver {solution.solver!r} gives "
                f"none: it only estimates its error (achieved {solution.residual:.2e} relative to "
                "the residual).",
                ConvergenceWarning,
                stacklevel=4,
            )
        if self.rank_ is not None and self.rank_ < self.n_features_in_:
            warnings.warn(
                f"The data have rank {self.rank_}, fewer than their {self.n_features_in_} "
                "features, so the coefficients are not unique: those of minimum norm, in the "
                "scaled columns, were returned."
                + (" A positive alpha makes them unique." if self.p == 2 else ""),
                RankWarning,
                stacklevel=4,
            )


def _check_sample_weight(sample_weight: Any, X: MatrixLike, may_vanish: bool = False) -> Any:
    """Return the weights as a float64 array of shape (n_samples,), or None."""
    if sample_weight is None:
        return None
    n_samples = X.shape[0]
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight, dtype=np.float64)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(f"sample_weight must be 1-D. Got an array of shape {weights.shape}.")
    check_consistent_length(X, weights)
    if weights.min() < 0:
        worst = int(weights.argmin())
        raise ValueError(
            f"sample_weight must be non-negative. Got {weights[worst]} at position {worst}."
        )
    if weights.max() == 0 and not may_vanish:
        raise ValueError("sample_weight must have a positive entry. Got all zeros.")
    return weights


def _check_roots(weights: np.ndarray, p: float) -> None:
    """Refuse weights whose p-th roots, which multiply the rows, have squares of sum 0 or inf."""
    with np.errstate(over="ignore", under="ignore"):
        total = float(np.sum(weights ** (2 / p)))
    if not np.finfo(np.float64).tiny <= total < np.inf:
        raise ValueError(
            f"sample_weight has a largest entry of {weights.max():.1e}, which to the power 2 / p = "
            f"{2 / p:.2g} is too small or too large for a number. Multiply all weights by one "
            "factor: it changes no coefficient."
        )
