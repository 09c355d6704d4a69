"""Few-shot classification of a batch as a scikit-learn estimator."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.callback import with_callbacks
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import (
    check_integer,
    check_magnitude,
    check_n_jobs,
    check_option,
    check_real,
)
from skrand.base import Solver, SolverMixin
from skrand.fewshot.labels import unlabelled
from skrand.fewshot.preprocessing import fit_preprocessing
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import probabilities

__all__ = ["TransductiveFewShot"]

_DTYPES = [np.float64, np.float32]

# Fewer features lose too much with their length: on raw measurements of iris 15 points.
_DIRECTIONS = 10


class TransductiveFewShot(
    ClassNamePrefixFeaturesOutMixin,
    SolverMixin,
    ClassifierMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Classify a batch from a few labelled rows a class, using the batch itself.

    Rows without a label are marked as in :mod:`sklearn.semi_supervised`, by -1; `fit` labels them
    all together. New rows are labelled one by one, by the rule that comes out of it.

    Parameters
    ----------
    solver : str or Solver, default="auto"
        A solver registered for the task "transductive-labelling" (see ``skrand list
        transductive-labelling``), or a solver object.
    temperature : float or "auto", default="auto"
        What distances to a class are divided by. "auto" leaves it to the solver, which takes it
        from the data. A solver without one refuses any other value; so with the next four.
    laplacian : float or "auto", default="auto"
        Weight of the disagreement of neighbours.
    n_neighbors : int or "auto", default="auto"
        Nearest neighbours of a row.
    class_prior : {"free", "balanced", "relaxed"}, array of shape (n_classes,) or "auto", \
default="auto"
        What is known of the classes' shares among the rows without a label: nothing; that they are
        equal; that they are about equal; or, by an array in the order of `classes_`, about what
        they are. "auto" leaves it to the solver; solver "auto" finds out whether they are equal.
    prior_strength : float or "auto", default="auto"
        How strongly a prior "relaxed" or by an array binds, relative to a row's own evidence.
    metric : {"sqeuclidean", "kullback-leibler", "mahalanobis"}, default="sqeuclidean"
        Distance to the prototypes, for the solvers that let it be chosen.
    preprocess : {"auto", "cl2", "power-cl2"} or None, default="auto"
        "cl2" centres rows and scales them to unit length, which features of a neural network want;
        "power-cl2" takes the signed square root first, for features that are not negative. None
        leaves the rows to the steps before in a Pipeline. "auto" is "cl2" from ten features on, and
        for any `center` but "pooled"; it is None for fewer, of which the direction alone says too
        little, and for metric "kullback-leibler", whose rows are distributions.
    center : {"pooled", "separate", "base"}, default="pooled"
        What is subtracted: the mean of all rows; of labelled and unlabelled rows each their own,
        for queries from another source (and classes in equal numbers: else it moves them); or of
        the rows of `base`.
    base : array-like of shape (n_base, n_features) or tuple of (X, y), default=None
        Rows of other classes: for ``center="base"``, and with their labels for the metric
        "mahalanobis" and solver "niw".
    unlabeled : object, default=-1
        What marks a row without a label; among labels that are not numbers, a string or None.
    max_iter : int, default=None
        Most iterations; None leaves it to the solver.
    tol : float, default=None
        Tolerance; None leaves it to the solver.
    n_jobs : int, default=None
        Threads inside one fit; None is what OpenMP would use. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Used by solvers that draw random numbers; the core's do not.
    verbose : int, default=0
        If not 0, a line a fit goes to the logger "skrand" at level INFO instead of DEBUG.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    transduction_ : ndarray of shape (n_samples,)
        Label of every row of the fit.
    label_distributions_ : ndarray of shape (n_samples, n_classes)
        Its distribution over the classes.
    class_mass_ : ndarray of shape (n_classes,)
        Sums of the distributions of the rows without a label.
    prototypes_ : ndarray of shape (n_classes, n_features)
        Mean of each class, of preprocessed rows.
    temperature_ : float or None
        Temperature used; None if the solver has none.
    objective_history_ : list of float
        The solver's objective, one value an iteration, never rising; empty if it has none.
    solver_ : str
        Name of the solver used.
    n_iter_ : int
        Iterations.
    converged_ : bool
        Whether the tolerance was met.
    history_ : list of dict
        One record an iteration.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data had names.

    See Also
    --------
    sklearn.semi_supervised.LabelSpreading : The same job by a graph alone; solver
        "label-spreading" is it.

    Notes
    -----
    With all rows labelled there is nothing to learn from the batch: a warning says so, and what is
    fitted is the nearest class.

    Use :class:`skrand.fewshot.TransductiveSplit` for cross-validation: a plain splitter scores
    rows whose label is the mark.

    Cost and memory: those of the solver; by default some twenty sweeps of ``2 n d k`` flops each
    and the search for neighbours.

    References
    ----------
    M. Boudiaf, I. Ziko, J. Rony, J. Dolz, P. Piantanida, I. Ben Ayed, "Transductive Information
    Maximization For Few-Shot Learning", NeurIPS 2020, arXiv:2008.11297.
    O. Veilleux, M. Boudiaf, P. Piantanida, I. Ben Ayed, "Realistic evaluation of transductive
    few-shot learning", NeurIPS 2021, arXiv:2204.11181.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skrand import TransductiveFewShot
    >>> X, digit = load_digits(return_X_y=True)
    >>> y = np.full(len(digit), -1)
    >>> for c in range(10):
    ...     five = np.flatnonzero(digit == c)[:5]
    ...     y[five] = c
    >>> model = TransductiveFewShot().fit(X, y)
    >>> round(float((model.transduction_ == digit)[y == -1].mean()), 2)
    0.87
    """

    #: Checks of scikit-learn that cannot hold, and why.
    expected_failed_checks = {
        "check_classifiers_classes": (
            "it takes -1 for a class, and -1 marks a row without a label, as it does for "
            "scikit-learn's own semi-supervised classifiers"
        ),
    }

    _solver_parameters = {
        "temperature": True,
        "laplacian": True,
        "n_neighbors": True,
        "class_prior": True,
        "prior_strength": True,
        "metric": True,
        "max_iter": False,
        "tol": False,
        "n_jobs": False,
    }

    def __init__(
        self,
        solver: str | Solver = "auto",
        *,
        temperature: str | float = "auto",
        laplacian: str | float = "auto",
        n_neighbors: str | int = "auto",
        class_prior: Any = "auto",
        prior_strength: str | float = "auto",
        metric: str = "sqeuclidean",
        preprocess: str | None = "auto",
        center: str = "pooled",
        base: Any = None,
        unlabeled: Any = -1,
        max_iter: int | None = None,
        tol: float | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.solver = solver
        self.temperature = temperature
        self.laplacian = laplacian
        self.n_neighbors = n_neighbors
        self.class_prior = class_prior
        self.prior_strength = prior_strength
        self.metric = metric
        self.preprocess = preprocess
        self.center = center
        self.base = base
        self.unlabeled = unlabeled
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: MatrixLike, y: Any) -> Self:
        """Label the rows that have no label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with and without labels; float32 stays float32.
        y : array-like of shape (n_samples,)
            Labels; `unlabeled` where there is none.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or fewer than two classes have a label.
        """
        self._check_parameters()
        X = check_magnitude(validate_data(self, X, dtype=_DTYPES))
        codes, support = self._encode(y, len(X))
        X_base, y_base = self._check_base(X)
        prepare = fit_preprocessing(X, support, X_base, self._preprocessing(X), self.center)
        if X_base is not None:
            X_base = prepare(X_base)
        problem = TransductiveLabelling(
            X=prepare(X, support),
            y=codes,
            n_classes=len(self.classes_),
            X_base=X_base if y_base is not None else None,
            y_base=y_base,
        )
        self._warn(support, len(X))
        self._problem, self._prepare, self._support = problem, prepare, (X[support], codes[support])
        solution = self._run_solver(problem, lambda Z: self._attributes(problem, Z))
        extra = solution.extra
        self._rule, self._graph = extra["rule"], extra.get("graph")
        M = extra.get("prototypes")
        if M is None:
            Z = self.label_distributions_
            M = Z.T @ problem.X / Z.sum(axis=0)[:, None]
        self.prototypes_ = M.astype(X.dtype, copy=False)
        self.temperature_ = extra.get("temperature")
        self.objective_history_ = [r["objective"] for r in self.history_ if "objective" in r]
        return self

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Label new rows, one by one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self, "label_distributions_")
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Return the distributions of new rows over the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self, "label_distributions_")
        return probabilities(self._rule, self._rows(X))

    def transform(self, X: MatrixLike) -> np.ndarray:
        """Return the distances of (preprocessed) rows to the prototypes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        D : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self, "label_distributions_")
        rows, M = self._rows(X), self.prototypes_
        squares = (rows**2).sum(axis=1)[:, None] + (M**2).sum(axis=1) - 2 * rows @ M.T
        return np.sqrt(np.maximum(squares, 0))

    def transduce(self, X: MatrixLike) -> np.ndarray:
        """Label another batch together, from the same labelled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        check_is_fitted(self, "label_distributions_")
        X = check_magnitude(validate_data(self, X, dtype=_DTYPES, reset=False))
        support, codes = self._support
        y = np.concatenate([codes, np.full(len(X), -1)])
        model = clone(self).set_params(unlabeled=-1).fit(np.vstack([support, X]), y)
        return self.classes_[model.transduction_[len(support) :]]

    @property
    def graph_(self) -> Any:
        """Graph of nearest neighbours, a CSR array; of the solvers that made one."""
        check_is_fitted(self, "label_distributions_")
        if self._graph is None:
            raise AttributeError(f"Solver {self.solver_!r} made no graph.")
        return self._graph.matrix()

    @property
    def _n_features_out(self) -> int:
        return len(self.classes_)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "label_distributions_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.target_tags.required = True
        return tags

    def _rows(self, X: MatrixLike) -> Any:
        X = check_magnitude(validate_data(self, X, dtype=_DTYPES, reset=False))
        return self._prepare(X.astype(self._problem.X.dtype, copy=False))

    def _attributes(self, problem: TransductiveLabelling, Z: np.ndarray) -> dict[str, Any]:
        """Return the fitted attributes that follow from a labelling."""
        return {
            "label_distributions_": Z,
            "transduction_": self.classes_[Z.argmax(axis=1)],
            "class_mass_": Z[problem.queries].sum(axis=0, dtype=np.float64),
        }

    def _encode(self, y: Any, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Return classes as codes, -1 for none, and which rows have one; set `classes_`."""
        y = column_or_1d(y, warn=True)
        if len(y) != n_samples:
            raise ValueError(f"y has {len(y)} labels for the {n_samples} rows of X.")
        support = ~unlabelled(y, self.unlabeled)
        if not support.any():
            raise ValueError(
                f"No row has a label: all of y is {self.unlabeled!r}. Every class needs one."
            )
        known = y[support]
        if known.dtype.kind == "f":
            assert_all_finite(known, input_name="y")
        if known.dtype.kind == "O":
            known = np.array(known.tolist())
        check_classification_targets(known)
        self.classes_, codes = np.unique(known, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "TransductiveFewShot needs labels of at least 2 classes. Got 1 class: "
                f"{self.classes_[0]}."
            )
        full = np.full(n_samples, -1, dtype=np.int64)
        full[support] = codes
        return full, support

    def _check_base(self, X: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return the base classes' rows and codes, or None."""
        if self.base is None:
            if self.center == "base":
                raise ValueError("center='base' needs rows of other classes: give base=.")
            return None, None
        rows, labels = self.base if isinstance(self.base, tuple) else (self.base, None)
        rows = check_magnitude(check_array(rows, dtype=X.dtype, input_name="base"), "base")
        if rows.shape[1] != X.shape[1]:
            raise ValueError(
                f"base has {rows.shape[1]} features, but X has {X.shape[1]}: both must come from "
                "the same features."
            )
        if labels is None:
            return rows, None
        labels = column_or_1d(labels)
        if len(labels) != len(rows):
            raise ValueError(f"base has {len(labels)} labels for {len(rows)} rows.")
        return rows, np.unique(labels, return_inverse=True)[1]

    def _warn(self, support: np.ndarray, n_samples: int) -> None:
        if support.all():
            warnings.warn(
                "All rows are labelled, so there is nothing to transduce: TransductiveFewShot "
                "falls back to its inductive rule, the nearest class.",
                UserWarning,
                stacklevel=3,
            )
        if not isinstance(self.n_neighbors, str) and self.n_neighbors >= n_samples:
            warnings.warn(
                f"n_neighbors={self.n_neighbors} is not fewer than the {n_samples} rows: "
                f"{n_samples - 1}, all others, are used.",
                UserWarning,
                stacklevel=3,
            )

    def _preprocessing(self, X: np.ndarray) -> str | None:
        """Return what `preprocess` stands for with these data."""
        if self.preprocess != "auto":
            return self.preprocess
        plain = X.shape[1] < _DIRECTIONS and self.center == "pooled"
        return None if plain or self.metric == "kullback-leibler" else "cl2"

    def _check_parameters(self) -> None:
        auto = ("auto",)
        check_real(self, "temperature", self.temperature, 0, closed="neither", options=auto)
        check_real(self, "laplacian", self.laplacian, 0, options=auto)
        check_integer(self, "n_neighbors", self.n_neighbors, 1, options=auto)
        check_real(self, "prior_strength", self.prior_strength, 0, closed="neither", options=auto)
        if isinstance(self.class_prior, str):
            priors = ("auto", "balanced", "free", "relaxed")
            check_option(self, "class_prior", self.class_prior, priors)
        check_option(self, "preprocess", self.preprocess, (None, "auto", "cl2", "power-cl2"))
        check_option(self, "center", self.center, ("pooled", "separate", "base"))
        check_integer(self, "max_iter", self.max_iter, 1, options=(None,))
        check_real(self, "tol", self.tol, 0, options=(None,))
        check_n_jobs(self, self.n_jobs)
