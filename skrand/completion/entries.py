"""A low-rank model of (row, column) -> value: ratings, measurements, counts."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin, clone
from sklearn.callback import with_callbacks
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import check_magnitude, check_numeric, check_option, fail_parameter
from skrand.base import Solver
from skrand.completion.estimator import LowRankCompleter
from skrand.completion.model import LowRankModel, check_places
from skrand.completion.side_features import check_features, describe

__all__ = ["LowRankEntryRegressor"]


class LowRankEntryRegressor(RegressorMixin, LowRankModel):
    """Regression on pairs of indices by a matrix of low rank plus row and column biases.

    A sample is an entry: ``X[e]`` is its row and column, ``y[e]`` its value. So cross-validation,
    grid search and weights are over entries, as recommenders need. The model and the solvers are
    those of :class:`LowRankCompleter`.

    Parameters
    ----------
    rank : int or "auto", default="auto"
        Rank of the factors. "auto" chooses it on 5 % of the entries, which are held out.
    alpha : float or "auto", default="auto"
        Penalty on squared factors and biases; "auto" chooses it on entries held out.
    alpha_scaling : {"constant", "count"}, default="constant"
        With "count" a row's or column's penalty is multiplied by its number of entries.
    biases : {"both", "row", "col", "global", "none"}, default="both"
        Which biases there are beside the factors; all but "none" have the mean.
    nonneg : bool, default=False
        Whether factors are non-negative; needs ``biases="none"`` and a solver that can.
    init : "spectral", "random" or (U, V), default="spectral"
        Where to start.
    solver : str or Solver, default="auto"
        A solver registered for the task "matrix-completion", or a solver object.
    tol : float, default=0.03
        Norm of the gradient to reach, relative to that at zero. The data are noisy: more
        accuracy does not predict better.
    max_iter : int, default=2000
        Most sweeps over the data.
    min_value, max_value : float, default=None
        Predictions are clipped to these.
    shape : tuple of int, default=None
        Shape of the matrix; None is one more than the largest indices in `fit`.
    on_unseen : {"bias", "nan", "raise"}, default="bias"
        What `predict` does for a row or column without an entry in `fit`: use the biases that are
        known, return NaN, or raise.
    duplicates : {"raise", "mean"}, default="raise"
        What `fit` does when a pair comes twice: raise, or take the weighted mean of the values and
        the sum of the weights.
    warm_start : bool, default=False
        Whether `fit` starts from the factors of the previous fit if the shape is the same.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Determines the start and what is held out.
    verbose : int, default=0
        If not 0, a line a fit goes to the logger "skrand" at level INFO instead of DEBUG.

    Attributes
    ----------
    U_, V_ : ndarray of shape (m, `rank_`) and (n, `rank_`)
        Factors.
    singular_values_ : ndarray of shape (`rank_`,)
        Singular values of ``U V^T``.
    row_bias_, col_bias_ : ndarray of shape (m,) and (n,)
        Biases.
    intercept_ : float
        Weighted mean of the values.
    rank_, alpha_ : int and float
        Rank and penalty used.
    rmse_ : float
        Root of the mean squared misfit on the entries.
    stationarity_ : float
        Norm of the gradient, relative to that at zero.
    loss_curve_ : list of float
        The misfit after each sweep.
    observed_counts_ : tuple of ndarray
        Number of entries of each row and of each column.
    solver_, n_iter_, converged_, history_
        Solver used, sweeps, whether the tolerance was met, one record a sweep.
    n_features_in_ : int
        2.

    Notes
    -----
    Pairs of indices are no matrix of features, and the tags say so: scikit-learn's common checks,
    which fit matrices of any number of real features, do not apply as they stand.

    Cost: see the solvers; a sweep of the default takes ``O(n_entries rank)`` flops.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import LowRankEntryRegressor
    >>> rng = np.random.default_rng(0)
    >>> M = rng.standard_normal((60, 2)) @ rng.standard_normal((2, 40)) + 3.0
    >>> pairs = np.argwhere(rng.uniform(size=M.shape) < 0.5)
    >>> model = LowRankEntryRegressor(rank=2, alpha=0.0, tol=1e-9).fit(pairs, M[tuple(pairs.T)])
    >>> bool(abs(model.predict([[5, 7]])[0] - M[5, 7]) < 1e-6)
    True
    """

    def __init__(
        self,
        rank: str | int = "auto",
        *,
        alpha: str | float = "auto",
        alpha_scaling: str = "constant",
        biases: str = "both",
        nonneg: bool = False,
        init: Any = "spectral",
        solver: str | Solver = "auto",
        tol: float = 0.03,
        max_iter: int = 2000,
        min_value: float | None = None,
        max_value: float | None = None,
        shape: Any = None,
        on_unseen: str = "bias",
        duplicates: str = "raise",
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.rank = rank
        self.alpha = alpha
        self.alpha_scaling = alpha_scaling
        self.biases = biases
        self.nonneg = nonneg
        self.init = init
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.min_value = min_value
        self.max_value = max_value
        self.shape = shape
        self.on_unseen = on_unseen
        self.duplicates = duplicates
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(
        self,
        X: MatrixLike,
        y: Any,
        sample_weight: Any = None,
        row_features: Any = None,
        col_features: Any = None,
    ) -> Self:
        """Fit the factors.

        Parameters
        ----------
        X : array-like of int of shape (n_entries, 2)
            Row and column of each entry.
        y : array-like of shape (n_entries,)
            Values; float32 stays float32.
        sample_weight : array-like of shape (n_entries,), default=None
            Non-negative weights, not all zero. An entry of weight zero is not observed.
        row_features : array-like of shape (m, n_row_features), default=None
            Features of all rows, for those without an entry: these get the factor and the bias
            that a ridge regression on the features predicts, and count as seen in `predict`. The
            other rows' factors are those without features. In a grid search, request them:
            ``set_fit_request(row_features=True)``.
        col_features : array-like of shape (n, n_col_features), default=None
            The same for columns.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed; the message says what is.
        """
        self._check_model()
        check_option(self, "on_unseen", self.on_unseen, ("bias", "nan", "raise"))
        check_option(self, "duplicates", self.duplicates, ("raise", "mean"))
        dtype = np.float32 if getattr(y, "dtype", None) == np.float32 else np.float64
        X, y = validate_data(self, X, y, dtype="numeric", y_numeric=True)
        y = check_magnitude(check_numeric(y).astype(dtype, copy=False), "y", power=4)
        self._check_width(X)
        features = [
            check_features(name, table, size)
            for name, table, size in zip(
                ("row_features", "col_features"),
                (row_features, col_features),
                self._bounds(),
                strict=True,
            )
        ]
        bounds: Any = tuple(
            size if table is None else len(table)
            for size, table in zip(self._bounds(), features, strict=True)
        )
        rows, columns = check_places(X[:, 0], X[:, 1], bounds)
        weights = None
        if sample_weight is not None:
            weights = check_array(
                sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
            )
            if weights.shape != y.shape:
                raise ValueError(f"sample_weight must have shape {y.shape}. Got {weights.shape}.")
            if weights.min() < 0 or weights.max() == 0:
                raise ValueError("sample_weight must be non-negative, and not all zero.")
            check_magnitude(weights, "sample_weight", dtype=dtype)
            least = float(np.finfo(dtype).tiny / np.finfo(dtype).eps)
            if weights.max() < least:
                raise ValueError(
                    f"sample_weight must have an entry of at least {least:.1e}, below which "
                    f"products lose their digits. The largest is {weights.max():.1e}."
                )
            used = weights > 0
            rows, columns, y, weights = rows[used], columns[used], y[used], weights[used]
        shape = tuple(
            int(size if np.isfinite(size) else index.max() + 1)
            for size, index in zip(bounds, (rows, columns), strict=True)
        )
        if max(shape) > np.iinfo(np.int32).max:
            raise ValueError(
                f"An index of {max(shape) - 1} would take a factor of as many rows. Number "
                "the rows and the columns from 0."
            )
        self._fit_entries(*self._merge(rows, columns, y, weights, shape))
        factors, biases = (self.U_, self.V_), (self.row_bias_, self.col_bias_)
        self._known = [
            describe(*side)
            for side in zip(features, self.observed_counts_, factors, biases, strict=True)
        ]
        return self

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict the values of pairs.

        Parameters
        ----------
        X : array-like of int of shape (n_pairs, 2)
            Row and column.

        Returns
        -------
        y : ndarray of shape (n_pairs,)

        Raises
        ------
        ValueError
            If an index is negative or not an integer; or, with ``on_unseen="raise"``, had no entry.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype="numeric", reset=False)
        rows, columns = check_places(X[:, 0], X[:, 1], (np.inf, np.inf))
        model = self._factors()
        known = []
        for index, described in zip((rows, columns), self._known, strict=True):
            inside = index < len(described)
            seen = np.zeros(len(index), dtype=bool)
            seen[inside] = described[index[inside]]
            known.append(seen)
        both = known[0] & known[1]
        if self.on_unseen == "raise" and not both.all():
            worst = int(np.argmin(both))
            raise ValueError(
                f"{np.count_nonzero(~both)} pairs have a row or column without an entry in fit, "
                f"the first is ({rows[worst]}, {columns[worst]}). on_unseen='bias' or 'nan' "
                "predicts them."
            )
        values = np.full(len(rows), self.intercept_, dtype=self.V_.dtype)
        for seen, index, bias in zip(
            known, (rows, columns), (model.row_bias, model.col_bias), strict=True
        ):
            values[seen] += bias[index[seen]]
        values[both] = model.at(rows[both], columns[both])
        if self.on_unseen == "nan":
            values[~both] = np.nan
        return self._clip(values)

    def to_completer(self) -> Any:
        """Return the fitted :class:`LowRankCompleter` with the same factors.

        Returns
        -------
        completer : LowRankCompleter
            Its `transform` takes matrices of shape (n_samples, n) whose columns are this model's.
        """
        check_is_fitted(self)
        own = self.get_params(deep=False)
        shared = LowRankCompleter().get_params(deep=False)
        completer = LowRankCompleter(**{name: own[name] for name in own if name in shared})
        for name, value in vars(self).items():
            if name.endswith("_") and name not in ("n_features_in_", "feature_names_in_"):
                setattr(completer, name, value)
        completer.adopt_columns(self.observed_counts_[1], len(self.U_))
        return completer

    def _resolve_solver(self, task: Any) -> Any:
        solver = super()._resolve_solver(task)
        # The default here is looser than the solvers' own, and a solver by name is to have it.
        if isinstance(self.solver, str) and "tol" in solver.get_params(deep=False):
            solver = clone(solver).set_params(tol=self.tol)
        return solver

    def _check_width(self, X: MatrixLike) -> None:
        if X.shape[1] != 2:
            raise ValueError(
                f"X must have 2 columns, the row and the column of each entry. Got {X.shape[1]} "
                "feature(s)."
            )

    def _bounds(self) -> Any:
        """Return what indices must be less than."""
        if self.shape is None:
            return np.inf, np.inf
        try:
            m, n = (int(size) for size in self.shape)
        except (TypeError, ValueError):
            fail_parameter(self, "shape", "None or a tuple of two ints from 1 up", self.shape)
        if m < 1 or n < 1:
            fail_parameter(self, "shape", "None or a tuple of two ints from 1 up", self.shape)
        return m, n

    def _merge(self, rows: Any, columns: Any, y: Any, weights: Any, shape: Any) -> Any:
        """Return the entries as a canonical CSR array, and their weights in its order."""
        order = np.argsort(rows * shape[1] + columns)
        rows, columns, y = rows[order], columns[order], y[order]
        weights = None if weights is None else weights[order]
        first = np.ones(len(rows), dtype=bool)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        if not first.all():
            if self.duplicates == "raise":
                worst = int(np.argmin(first))
                raise ValueError(
                    f"{np.count_nonzero(~first)} pairs come more than once, such as "
                    f"({rows[worst]}, {columns[worst]}). Keep one of each, or set "
                    "duplicates='mean'."
                )
            w = np.ones(len(y)) if weights is None else weights
            starts = np.flatnonzero(first)
            total = np.add.reduceat(w, starts)
            y = (np.add.reduceat(w * y, starts) / total).astype(y.dtype)
            rows, columns, weights = rows[first], columns[first], total
        entries = sp.csr_array((y, (rows, columns)), shape=shape)
        return entries, weights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Pairs of indices are no matrix of features.
        tags.input_tags.two_d_array = False
        tags.input_tags.positive_only = True
        return tags
