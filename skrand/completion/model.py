"""What the estimators of a low-rank matrix share: parameters, the fit, and values at places."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from skrand._validation import (
    check_boolean,
    check_integer,
    check_magnitude,
    check_n_jobs,
    check_option,
    check_real,
    fail_parameter,
)
from skrand.base import SolverMixin
from skrand.completion.alternation import fold_in_options
from skrand.completion.problem import Factors, MatrixCompletion
from skrand.completion.selection import select
from skrand.completion.side import Side, pad
from skrand.exceptions import RankWarning
from skrand.linalg.threads import effective_n_jobs

__all__ = ["LowRankModel", "check_places"]


class LowRankModel(SolverMixin, BaseEstimator):
    """Base of the estimators: fit factors to entries, read entries off factors."""

    U_: np.ndarray
    V_: np.ndarray
    row_bias_: np.ndarray
    col_bias_: np.ndarray
    intercept_: float

    _solver_parameters = {"tol": False, "max_iter": False, "n_jobs": False}

    def _check_model(self) -> None:
        check_integer(self, "rank", self.rank, 1, options=("auto",))
        check_real(self, "alpha", self.alpha, 0, options=("auto",))
        check_option(self, "alpha_scaling", self.alpha_scaling, ("constant", "count"))
        check_option(self, "biases", self.biases, ("none", "global", "row", "col", "both"))
        check_boolean(self, "nonneg", self.nonneg)
        check_boolean(self, "warm_start", self.warm_start)
        check_real(self, "tol", self.tol, 0, closed="neither")
        check_integer(self, "max_iter", self.max_iter, 1)
        check_real(self, "min_value", self.min_value, options=(None,))
        check_real(self, "max_value", self.max_value, options=(None,))
        if None not in (self.min_value, self.max_value) and self.min_value > self.max_value:
            fail_parameter(
                self, "max_value", f"at least min_value={self.min_value}", self.max_value
            )
        check_n_jobs(self, self.n_jobs)
        if isinstance(self.init, str):
            check_option(self, "init", self.init, ("spectral", "random"))

    def _fit_entries(
        self,
        entries: Any,
        weights: Any = None,
        statement: type[MatrixCompletion] = MatrixCompletion,
    ) -> Self:
        """Fit to a canonical CSR array of observed entries, and set the fitted attributes."""
        shape = entries.shape
        if self.rank != "auto" and self.rank > min(shape):
            fail_parameter(
                self, "rank", f"an int in the range [1, {min(shape)}] for this data", self.rank
            )
        if self.nonneg and self.biases != "none":
            fail_parameter(self, "biases", "'none' with nonneg=True", self.biases)
        if self.nonneg and entries.min() < 0:
            raise ValueError(
                f"With nonneg=True the entries must not be negative. Got {entries.min()}."
            )
        problem = statement(
            X=entries,
            weights=weights,
            rank=1 if self.rank == "auto" else self.rank,
            alpha=0.0 if self.alpha == "auto" else float(self.alpha),
            alpha_scaling=self.alpha_scaling,
            biases=self.biases,
            nonneg=self.nonneg,
            init=self._start(shape),
        )
        if "auto" in (self.rank, self.alpha):
            seed = check_random_state(self.random_state).randint(2**31 - 1)
            problem = select(
                problem,
                self._resolve_solver(problem.task),
                seed,
                rank=self.rank == "auto",
                alpha=self.alpha == "auto",
            )
        self._warn_of_few(problem)
        # Before the solver warns: what it is about is set first.
        self.rank_, self.alpha_ = problem.rank, problem.alpha
        self.observed_counts_ = tuple(side.counts for side in problem.sides)
        solution = self._run_solver(problem, _attributes)
        x, extra = solution.x, solution.extra
        # A plugin's solver need not work them out.
        given = "singular_values" in extra and "rmse" in extra
        self.singular_values_ = extra["singular_values"] if given else x.singular_values()
        self.rmse_ = extra["rmse"] if given else float(np.sqrt(problem.misfit(x) / problem.total))
        self.stationarity_ = solution.residual
        self.loss_curve_ = [state["rmse"] for state in solution.history if "rmse" in state]
        return self

    def _start(self, shape: Any) -> Any:
        """Return where the solver starts."""
        if self.warm_start and hasattr(self, "U_"):
            same = (len(self.U_), len(self.V_)) == shape and self.rank in ("auto", self.rank_)
            if same and self.rank != "auto":
                return self.U_, self.V_
        if isinstance(self.init, str):
            return self.init
        try:
            U, V = (check_array(F, dtype=np.float64, input_name="init") for F in self.init)
        except TypeError:
            fail_parameter(self, "init", "'random', 'spectral' or (U, V)", self.init)
        if self.rank == "auto":
            fail_parameter(self, "rank", "an int with init=(U, V)", self.rank)
        wanted = ((shape[0], self.rank), (shape[1], self.rank))
        if (U.shape, V.shape) != wanted:
            raise ValueError(
                f"init must hold arrays of shapes {wanted[0]} and {wanted[1]}. Got {U.shape} and "
                f"{V.shape}."
            )
        return U, V

    def _warn_of_few(self, problem: Any) -> None:
        m, n = problem.shape
        # With a penalty the answer is determined, whatever it is worth.
        if problem.X.nnz == m * n or problem.alpha > 0:
            return
        if problem.oversampling < 1:
            warnings.warn(
                f"There are {problem.X.nnz} observed entries, fewer than the "
                f"{round(problem.X.nnz / problem.oversampling)} degrees of freedom of a matrix of "
                f"rank {problem.rank} with biases={problem.biases!r}: what is filled in is not "
                "determined by the data. Lower rank.",
                RankWarning,
                stacklevel=4,
            )
        counts = problem.sides[0].counts
        short = int(np.count_nonzero((counts > 0) & (counts < problem.rank)))
        if short:
            warnings.warn(
                f"{short} rows have fewer observed entries than rank={problem.rank}; with alpha=0 "
                "their factors are those of minimum norm.",
                RankWarning,
                stacklevel=4,
            )

    def _fold_in(self, entries: Any) -> Any:
        """Return factors and biases of the rows of a CSR array, given the columns' factors."""
        rank, dtype = self.rank_, self.V_.dtype
        if entries.dtype != dtype:
            check_magnitude(entries, power=4, dtype=dtype)
            entries = entries.astype(dtype)
        row_biased = self.biases in ("row", "both")
        fixed = pad(self.V_, columns=1)
        fixed[:, rank] = row_biased
        x = np.zeros((entries.shape[0], fixed.shape[1]), dtype)
        Side.of(entries, None, self.alpha_scaling == "count").solve(
            fixed,
            (self.col_bias_ + self.intercept_).astype(dtype, copy=False),
            rank + row_biased,
            self.alpha_,
            x,
            **fold_in_options(self.nonneg),
            threads=effective_n_jobs(check_n_jobs(self, self.n_jobs)),
        )
        return np.ascontiguousarray(x[:, :rank]), x[:, rank].copy()

    def _clip(self, values: Any) -> Any:
        if self.min_value is None and self.max_value is None:
            return values
        return np.clip(values, self.min_value, self.max_value)

    def _factors(self) -> Any:
        return Factors(self.U_, self.V_, self.row_bias_, self.col_bias_, self.intercept_)

    def predict_entries(self, rows: Any, columns: Any) -> np.ndarray:
        """Return the model's values at places of the matrix that was fitted.

        Parameters
        ----------
        rows, columns : array-like of int of shape (n_places,)
            Where. Costs ``O(rank)`` a place; the matrix is never made.

        Returns
        -------
        values : ndarray of shape (n_places,)

        Raises
        ------
        ValueError
            If a place is not an integer or lies outside the matrix.
        """
        check_is_fitted(self)
        shape = len(self.U_), len(self.V_)
        rows, columns = check_places(rows, columns, shape)
        return self._clip(self._factors().at(rows, columns))

    def recommend(
        self, row: int, n: int = 10, *, exclude: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns with the highest values in one row.

        Parameters
        ----------
        row : int
            Which row.
        n : int, default=10
            How many columns.
        exclude : array-like of int, default=None
            Columns to leave out, such as those that the row has entries in.

        Returns
        -------
        columns : ndarray of shape (n,)
            Best first; ties in the order of the columns. Fewer if there are not so many.
        values : ndarray of shape (n,)
            The model's values there.
        """
        check_is_fitted(self)
        n = check_integer(self, "n", n, 1)
        check_places([row], [0], (len(self.U_), len(self.V_)))
        values = self.V_ @ self.U_[row] + self.col_bias_ + (self.row_bias_[row] + self.intercept_)
        order = np.argsort(-values, kind="stable")
        if exclude is not None:
            exclude = np.asarray(exclude, dtype=np.intp).ravel()
            check_places(np.zeros_like(exclude), exclude, (1, len(self.V_)))
            order = order[~np.isin(order, exclude)]
        best = order[:n]
        return best, self._clip(values[best])


def _attributes(x: Factors) -> dict[str, Any]:
    return {
        "U_": x.U,
        "V_": x.V,
        "row_bias_": x.row_bias,
        "col_bias_": x.col_bias,
        "intercept_": x.intercept,
    }


def check_places(
    rows: Any, columns: Any, shape: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays of indices within a shape, or say what is wrong with them."""
    checked = []
    for name, values, size in zip(("row", "column"), (rows, columns), shape, strict=True):
        index = check_array(
            values, ensure_2d=False, dtype="numeric", ensure_min_samples=0, input_name=name
        ).ravel()
        # What does not fit differs from the index.
        with np.errstate(invalid="ignore"):
            whole = index.astype(np.int64)
        if not np.array_equal(whole, index):
            worst = index[whole != index][0]
            raise ValueError(f"The {name} indices must be integers. Got {worst!r}.")
        if len(whole) and whole.min() < 0:
            raise ValueError(
                f"The {name} indices must not be negative. Got {whole.min()}. Negative values in "
                "data are no places."
            )
        if len(whole) and whole.max() >= size:
            raise ValueError(
                f"The {name} indices must be less than {size}, the size of the matrix. Got "
                f"{whole.max()}."
            )
        checked.append(whole)
    if len(checked[0]) != len(checked[1]):
        raise ValueError(
            f"There must be as many rows as columns. Got {len(checked[0])} and {len(checked[1])}."
        )
    return checked[0], checked[1]
