"""A low-rank model as a scikit-learn imputer."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import check_boolean, check_magnitude, check_option, fail_parameter
from skrand.base import Solver
from skrand.completion.model import LowRankModel
from skrand.completion.storage import (
    column_counts,
    is_missing,
    observed_entries,
    refuse_duplicates,
    renumbered,
)
from skrand.completion.streaming import ColumnSums

__all__ = ["LowRankCompleter"]

#: Share of each row's observed entries that `score` hides.
_HIDDEN = 0.1

# Ratio of standard deviations from which the smaller has a millionth of the larger's weight.
_RANGE = 1e3


class LowRankCompleter(OneToOneFeatureMixin, TransformerMixin, LowRankModel):
    """Fill in missing entries by a matrix of low rank plus column means.

    `fit` finds factors U, V and biases b, d that minimise the weighted squares of
    ``x_ij - c - b_i - d_j - U_i . V_j`` over the observed entries, plus ``alpha`` times the squared
    factors and biases. `transform` finds the factor of each row from the entries it has, exactly,
    and fills in the others; what is observed comes back bit for bit.

    Parameters
    ----------
    rank : int or "auto", default="auto"
        Rank of the factors. "auto" chooses it on 5 % of the entries, which are held out: a dozen
        fits or so.
    alpha : float or "auto", default=0.0
        Penalty. 0 is right for data without noise; "auto" chooses it on entries held out.
    alpha_scaling : {"constant", "count"}, default="constant"
        With "count" a row's or column's penalty is multiplied by its number of entries.
    biases : {"col", "both", "row", "global", "none"}, default="col"
        Which biases there are beside the factors; all but "none" have the mean c.
    nonneg : bool, default=False
        Whether factors are non-negative; needs ``biases="none"`` and a solver that can.
    init : "spectral", "random" or (U, V), default="spectral"
        Where to start.
    solver : str or Solver, default="auto"
        A solver registered for the task "matrix-completion" (see ``skrand list
        matrix-completion``), or a solver object.
    tol : float, default=1e-9
        Norm of the gradient to reach, relative to that at zero.
    max_iter : int, default=2000
        Most sweeps over the data.
    min_value, max_value : float, default=None
        What is filled in is clipped to these.
    output : {"matrix", "factors"}, default="matrix"
        What `transform` returns: the matrix filled in, or the factors of the rows, of shape
        (n_samples, rank), as features for the next step.
    missing_values : float or int, default=nan
        Marks missing entries of dense data. In sparse data what is not stored is missing: a
        stored zero is an observed zero.
    add_indicator : bool, default=False
        Whether columns that mark what was missing are appended, one for each feature that had
        missing entries in `fit`.
    keep_empty_features : bool, default=False
        Whether features without an entry are kept, filled with the mean c (0 with
        ``biases="none"``), or left out.
    copy : bool, default=True
        If False, `transform` may fill in X itself.
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
    U_, V_ : ndarray of shape (n_samples, `rank_`) and (n_features, `rank_`)
        Factors; orthogonal columns in `V_`, by falling singular value. Features without an entry
        have no row in `V_` unless they are kept.
    singular_values_ : ndarray of shape (`rank_`,)
        Singular values of ``U V^T``.
    row_bias_, col_bias_ : ndarray
        Biases of the rows and of the features in `V_`; zero if there are none.
    intercept_ : float
        Mean c of the observed entries.
    rank_ : int
        Rank used.
    alpha_ : float
        Penalty used.
    rmse_ : float
        Root of the mean squared misfit on the observed entries.
    stationarity_ : float
        Norm of the gradient, relative to that at zero.
    loss_curve_ : list of float
        The misfit after each sweep.
    observed_counts_ : tuple of ndarray
        Number of observed entries of each row and of each feature in `V_`.
    solver_ : str
        Name of the solver used.
    n_iter_ : int
        Sweeps.
    converged_ : bool
        Whether the tolerance was met.
    history_ : list of dict
        One record a sweep.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data had names.

    See Also
    --------
    LowRankEntryRegressor : The same model from (row, column) pairs, for ratings.
    sklearn.impute.KNNImputer : Often better where samples form clusters, such as images of digits.
    sklearn.impute.IterativeImputer : A regression a feature: for few features.

    Notes
    -----
    Values at single places of the fitted matrix come from :meth:`predict_entries`. There is no
    ``predict``: an array of pairs could not be told from a matrix of two features.

    Cost: see the solvers; a sweep of the default takes ``O(nnz rank)`` flops. Memory: the entries
    by row and by column, and some ten times the factors; sparse data are never made dense by `fit`,
    and a CSR array with sorted indices of 32 bits is not copied. If its arrays are memory maps, the
    entries by column are put into a temporary file and the entries are read where they are: the
    same result, bit for bit, in the memory that the factors take. That holds for a given `rank` and
    `alpha` (searches for them copy the entries) and the solvers "auto", "am", "als" and "ccd". Of
    a dask collection the entries stay with the workers, which exchange them once, so that they have
    them by column, too; only factors travel from then on, and the result is the same bit for bit.

    References
    ----------
    Y. Gu, Z. Song, J. Yin, L. Zhang, "Low Rank Matrix Completion via Robust Alternating
    Minimization in Nearly Linear Time", ICLR 2024, arXiv:2302.11068.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import LowRankCompleter
    >>> rng = np.random.default_rng(0)
    >>> M = rng.standard_normal((100, 3)) @ rng.standard_normal((3, 40))
    >>> X = np.where(rng.uniform(size=M.shape) < 0.5, M, np.nan)
    >>> model = LowRankCompleter(rank=3).fit(X)
    >>> bool(np.abs(model.transform(X) - M).max() < 1e-6)
    True
    """

    def __init__(
        self,
        rank: str | int = "auto",
        *,
        alpha: str | float = 0.0,
        alpha_scaling: str = "constant",
        biases: str = "col",
        nonneg: bool = False,
        init: Any = "spectral",
        solver: str | Solver = "auto",
        tol: float = 1e-9,
        max_iter: int = 2000,
        min_value: float | None = None,
        max_value: float | None = None,
        output: str = "matrix",
        missing_values: float = np.nan,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        copy: bool = True,
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
        self.output = output
        self.missing_values = missing_values
        self.add_indicator = add_indicator
        self.keep_empty_features = keep_empty_features
        self.copy = copy
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: MatrixLike, y: Any = None) -> Self:
        """Fit the factors.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data. float32 stays float32. Entries that do not fit in memory may be memory maps:
            ``csr_array((np.load("data.npy", mmap_mode="r"), ...), shape=...)``; or a dask array or
            dataframe in chunks of rows, dense with NaN or of sparse matrices.
        y : object, default=None
            Not used.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed; the message says what is.
        """
        self._check_parameters()
        if hasattr(X, "__dask_graph__"):
            return self._fit_cluster(X)
        observed = observed_entries(self._validate(X, reset=True), self.missing_values)
        if not sp.issparse(X):
            _warn_of_units(observed)
        self._choose_columns(column_counts(observed), observed.shape[0])
        return self._fit_entries(renumbered(observed, self._kept))

    def _fit_cluster(self, X: MatrixLike) -> Self:
        from skrand.completion.cluster import ClusterCompletion, ClusterEntries

        for name in ("rank", "alpha"):
            if getattr(self, name) == "auto":
                fail_parameter(self, name, "a number for a dask collection", "auto")
        observed = ClusterEntries.of(X, self.missing_values)
        row = np.ones((1, X.shape[1]), dtype=observed.dtype)
        if hasattr(X, "columns"):
            row = type(X._meta)(row, columns=X.columns)
        # That sets the number and the names of the features.
        validate_data(self, row)
        self._choose_columns(observed.column_counts, observed.shape[0])
        return self._fit_entries(observed.renumbered(self._kept), statement=ClusterCompletion)

    def _choose_columns(self, counts: np.ndarray, n_rows: int) -> None:
        """Decide which features are kept, by how many entries each has."""
        if not counts.any():
            raise ValueError("X has no observed entry.")
        self._with_missing = np.flatnonzero(counts < n_rows)
        self._kept = np.flatnonzero((counts > 0) | self.keep_empty_features)
        self._sums: ColumnSums | None = None

    def partial_fit(self, X: MatrixLike, y: Any = None) -> Self:
        """Take in further rows: find their factors, then refresh the columns' factors.

        A column's factor and bias solve the ridge regression on all rows seen so far, at the row
        factors that these had when they came: the sums that this takes are kept, the rows are not.
        The first call is `fit`. After a `fit`, the rows that are gone count as if their entries had
        been missing at random. `U_` and `row_bias_` are those of the last rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Rows. Features without an entry in the first call stay without.
        y : object, default=None
            Not used.

        Returns
        -------
        self : object

        Notes
        -----
        Cost: ``O(nnz rank^2 + n_features rank^3)`` flops a call, ``n_features rank^2`` numbers.
        """
        first = not hasattr(self, "V_")
        if first:
            self.fit(X)
        observed = self._columns(self._validate(X, reset=False))
        if self._sums is None:
            biased = self.biases in ("col", "both")
            by_count = self.alpha_scaling == "count"
            self._sums = ColumnSums(len(self.V_), self.rank_, biased, by_count)
            if not first:
                self._sums.assume(self.U_, self.observed_counts_[1], self.V_, self.col_bias_)
        if not first:
            self.U_, self.row_bias_ = self._fold_in(observed)
        self._sums.add(observed, self.U_, self.row_bias_ + self.intercept_)
        if first:
            return self
        self.V_, self.col_bias_ = self._sums.solve(self.alpha_, self.V_, self.col_bias_)
        # The rows once more, for the columns' new factors.
        self.U_, self.row_bias_ = self._fold_in(observed)
        self.observed_counts_ = np.diff(observed.indptr), self._sums.counts.astype(np.int64)
        return self

    def adopt_columns(self, counts: Any, n_rows: Any) -> None:
        """Take the columns of a model that was fitted elsewhere; see :meth:`to_completer`."""
        self.n_features_in_ = len(counts)
        self._kept = np.arange(len(counts))
        self._with_missing = np.flatnonzero(counts < n_rows)
        self._sums = None

    def transform(self, X: MatrixLike) -> np.ndarray:
        """Fill in the missing entries of rows, new ones too.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            Observed entries as they were, the model's values elsewhere; or the rows' factors with
            ``output="factors"``. A row without entries gets ``c + d_j``.

        Raises
        ------
        ValueError
            If X is sparse and the result would not fit in scikit-learn's ``working_memory``.
        """
        check_is_fitted(self)
        X = self._validate(X, reset=False, copy=self.copy)
        observed = observed_entries(X, self.missing_values)
        U, bias = self._fold_in(self._kept_columns(observed))
        if self.output == "factors":
            return U
        self._check_memory(X)
        filled = self._clip(U @ self.V_.T + self.col_bias_ + (bias[:, None] + self.intercept_))
        filled = filled.astype(X.dtype, copy=False)
        if sp.issparse(X):
            missing = np.ones(X.shape, dtype=bool)
            rows = np.repeat(np.arange(X.shape[0]), np.diff(observed.indptr))
            missing[rows, observed.indices] = False
            dense = np.empty(X.shape, dtype=X.dtype)
            dense[rows, observed.indices] = observed.data
        else:
            missing, dense = is_missing(X, self.missing_values), X
        everything = len(self._kept) == X.shape[1]
        if not everything:
            dense = dense[:, self._kept]
        np.copyto(dense, filled, where=missing if everything else missing[:, self._kept])
        if self.add_indicator:
            dense = np.hstack([dense, missing[:, self._with_missing].astype(dense.dtype)])
        return dense

    def factors(self, X: MatrixLike) -> np.ndarray:
        """Return the factors of rows, found from the entries that they have.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.

        Returns
        -------
        U : ndarray of shape (n_samples, `rank_`)
        """
        check_is_fitted(self)
        return self._fold_in(self._columns(self._validate(X, reset=False)))[0]

    def score(self, X: MatrixLike, y: Any = None) -> float:
        """Return minus the error on a tenth of each row's entries, found from the others.

        What is hidden depends on the shape of the data and on where entries are, so that models
        are compared on the same entries.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Data.
        y : object, default=None
            Not used.

        Returns
        -------
        score : float
            Minus the root mean squared error: at most 0, and the higher the better.
        """
        check_is_fitted(self)
        observed = self._columns(self._validate(X, reset=False))
        hidden = hide(observed, _HIDDEN, np.random.default_rng(0))
        if not hidden.any():
            raise ValueError("No row of X has two observed entries: there is none to score.")
        rows = np.repeat(np.arange(observed.shape[0]), np.diff(observed.indptr))
        left = sp.csr_array(
            (observed.data[~hidden], (rows[~hidden], observed.indices[~hidden])),
            shape=observed.shape,
        )
        U, bias = self._fold_in(left)
        model = self._factors()._replace(U=U, row_bias=bias)
        values = self._clip(model.at(rows[hidden], observed.indices[hidden]))
        error = values.astype(np.float64) - observed.data[hidden]
        return -float(np.sqrt(np.mean(error**2)))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features; those seen in `fit` by default.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        names = super().get_feature_names_out(input_features)
        if self.output == "factors":
            return np.array([f"lowrankcompleter{k}" for k in range(self.rank_)], dtype=object)
        parts = [names[self._kept]]
        if self.add_indicator:
            parts.append(
                np.array([f"missingindicator_{name}" for name in names[self._with_missing]], object)
            )
        return np.concatenate(parts)

    @property
    def _n_features_out(self) -> int:
        if self.output == "factors":
            return self.rank_
        return len(self._kept) + (len(self._with_missing) if self.add_indicator else 0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = bool(np.isnan(self.missing_values))
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_parameters(self) -> None:
        self._check_model()
        check_option(self, "output", self.output, ("matrix", "factors"))
        for name in ("add_indicator", "keep_empty_features", "copy"):
            check_boolean(self, name, getattr(self, name))
        number = isinstance(self.missing_values, (int, float, np.integer, np.floating))
        if not number or isinstance(self.missing_values, bool):
            fail_parameter(self, "missing_values", "a float or an int", self.missing_values)

    def _validate(self, X: MatrixLike, *, reset: bool, copy: bool = False) -> Any:
        refuse_duplicates(X)
        marked_by_nan = np.isnan(self.missing_values)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if marked_by_nan else True,
            copy=copy,
            reset=reset,
        )
        # Factors of a matrix are multiplied with each other.
        return check_magnitude(X, power=4)

    def _columns(self, X: MatrixLike) -> Any:
        return self._kept_columns(observed_entries(X, self.missing_values))

    def _kept_columns(self, observed: Any) -> Any:
        everything = len(self._kept) == self.n_features_in_
        return observed if everything else observed[:, self._kept]

    def _check_memory(self, X: MatrixLike) -> None:
        size = X.shape[0] * len(self._kept) * X.dtype.itemsize / 2**20
        limit = get_config()["working_memory"]
        if sp.issparse(X) and size > limit:
            raise ValueError(
                f"The completed matrix would take {size:.0f} MiB, more than the working_memory of "
                f"{limit} MiB. Use predict_entries(rows, columns) for single places, transform "
                "fewer rows at a time, or raise sklearn.set_config(working_memory=...)."
            )


def _warn_of_units(observed: Any) -> None:
    """Warn if some features are too small beside others to count in a sum of squares."""
    counts = np.maximum(column_counts(observed), 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(observed.indices, values, minlength=observed.shape[1]) / counts

    centred = observed.data - mean(observed.data)[observed.indices]
    spread = np.sqrt(mean(centred**2))
    # What is constant has no unit.
    spread = spread[spread > 1e-6 * np.sqrt(mean(observed.data.astype(np.float64) ** 2))]
    if len(spread) and spread.max() > _RANGE * spread.min():
        warnings.warn(
            f"The standard deviations of the features range from {spread.min():.3g} to "
            f"{spread.max():.3g}. To a low-rank model all units are alike: what it fills in for "
            "the smallest may be worse than their mean. Scale the features first, for instance by "
            "StandardScaler, which leaves missing values missing.",
            UserWarning,
            stacklevel=4,
        )


def hide(observed: Any, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return a mask that hides a share of each row's entries, at least one if there are two."""
    counts = np.diff(observed.indptr)
    hidden = np.maximum(np.round(share * counts), 1).astype(np.int64) * (counts >= 2)
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((rng.uniform(size=len(rows)), rows))
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows)) - observed.indptr[rows]
    return place < hidden[rows]
