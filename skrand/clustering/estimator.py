"""Subspace clustering as a scikit-learn estimator."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.callback import with_callbacks
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand import registry
from skrand._typing import MatrixLike
from skrand._validation import (
    check_boolean,
    check_integer,
    check_magnitude,
    check_n_jobs,
    check_real,
    fail_parameter,
)
from skrand.base import Monitor, Solution, Solver, SolverMixin, same_value
from skrand.clustering.problem import SubspaceClustering
from skrand.clustering.subspaces import Subspaces, SubspaceStream, UnitRows
from skrand.exceptions import InvalidParameterError, ZeroRowWarning

__all__ = ["SubspaceClusterer"]

_TASK = SubspaceClustering.task
_UNITS = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


class Refined(Solver):
    """One solver, and a second that starts from the labels of the first."""

    task = _TASK
    name = "refined"

    def __init__(self, first: Solver, second: Solver) -> None:
        self.first = first
        self.second = second

    @property
    def max_steps(self) -> int | None:
        """Both solvers' steps."""
        first, second = self.first.max_steps, self.second.max_steps
        return None if first is None or second is None else first + second

    def _solve(
        self, problem: SubspaceClustering, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        start = self.first.solve(problem, rng=rng, callback=monitor)
        rough = replace(problem, initial=start.x, n_clusters=len(start.extra["subspaces"].bases))
        end = self.second.solve(rough, rng=rng, callback=monitor)
        return replace(
            end,
            converged=start.converged and end.converged,
            n_iter=start.n_iter + end.n_iter,
            message=f"{start.message} {end.message}".strip(),
            extra={**start.extra, **end.extra, "outliers": start.extra["outliers"]},
            solver=start.solver,
        )


class SubspaceClusterer(
    ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, SolverMixin, BaseEstimator
):
    """Cluster rows that lie near a union of subspaces, and learn the subspaces.

    `fit` parts the rows into groups, each near a linear (or affine) subspace of low dimension, and
    keeps an orthonormal basis of each. New rows are labelled by the nearest subspace, measured by
    the distance to each, described by coordinates in their own, and denoised by projection.

    Parameters
    ----------
    n_clusters : int or "auto", default=8
        Number of groups. "auto" takes the largest relative gap in the spectrum of the graph; it is
        reliable on subspaces with moderate noise and a guess on images.
    solver : str or Solver, default="auto"
        A solver registered for the task "subspace-clustering" (see ``skrand list
        subspace-clustering``), or a solver object.
    subspace_dim : int, sequence of int or "auto", default="auto"
        Dimension of every subspace, or of each, in any order. "auto" looks for a gap in each
        group's singular values and otherwise counts those above the noise.
    affine : bool, default=False
        Whether the subspaces need not contain the origin.
    normalize : bool, default=True
        Whether to scale rows to length one first, so that only directions count; not done to affine
        subspaces, which it would bend.
    refine : str, Solver or None, default=None
        A solver that improves on the labels found: "kss" or another with the capability
        "warm-start".
    eps2 : float, default=0.1
        Squared precision at which solver "mcr2" counts bits.
    balance : "uniform" or array-like of shape (n_clusters,), default=None
        Shares of the clusters, for solver "mcr2"; None leaves them free.
    min_component : float, default=0.05
        Components of the graph smaller than this share of n_samples / n_clusters are no clusters:
        their rows go to the nearest subspace.
    max_clusters : int, default=30
        Most clusters that ``n_clusters="auto"`` considers.
    memory_limit : int, str or None, default="1GB"
        Bytes, or a number with KB, MB, GB or TB, that a solver may use on top of the data.
    n_jobs : int, default=None
        Threads inside one fit; None is what OpenMP would use. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Determines all random choices.
    verbose : int, default=0
        If not 0, a line a fit goes to the logger "skrand" at level INFO instead of DEBUG.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Group of each row.
    n_clusters_ : int
        Number of groups.
    bases_ : list of ndarray of shape (n_features, subspace_dims_[k])
        Orthonormal bases of the subspaces.
    means_ : ndarray of shape (`n_clusters_`, n_features) or None
        A point of each subspace; None unless `affine`.
    subspace_dims_ : ndarray of shape (`n_clusters_`,)
        Dimensions.
    affinity_ : csr_array of shape (n_samples, n_samples) or None
        The graph, if the solver made one.
    eigenvalues_ : ndarray or None
        The largest ones of the normalised graph, one more than there are groups.
    eigengap_ : float or None
        Relative gap after the last group's eigenvalue; 1 if the groups are components that do not
        easily fall into parts.
    n_components_graph_ : int or None
        Connected components of the graph.
    outlier_mask_ : ndarray of shape (n_samples,)
        Rows in components too small to be clusters, and rows that no linear subspace explains
        better than it would a random direction.
    sample_indices_ : ndarray or None
        Rows that were clustered, if the solver worked on a sample.
    residual_ : float
        Root of the share of the rows' energy outside their subspaces.
    solver_ : str
        Name of the solver used.
    n_iter_ : int
        Iterations; 0 if there were none.
    converged_ : bool
        Whether the solver converged.
    history_ : list of dict
        One record an iteration.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data had names.

    References
    ----------
    R. Vidal, "Subspace Clustering", IEEE Signal Processing Magazine 28, 2011.
    doi:10.1109/MSP.2010.939739

    Examples
    --------
    >>> from skrand import SubspaceClusterer
    >>> from skrand.datasets import make_union_of_subspaces
    >>> X, y = make_union_of_subspaces(300, 30, dims=3, n_clusters=4, random_state=0)
    >>> model = SubspaceClusterer(4, random_state=0).fit(X)
    >>> model.subspace_dims_, bool((model.predict(X) == model.labels_).all())
    (array([3, 3, 3, 3]), True)
    """

    def __init__(
        self,
        n_clusters: str | int = 8,
        *,
        solver: str | Solver = "auto",
        subspace_dim: Any = "auto",
        affine: bool = False,
        normalize: bool = True,
        refine: Any = None,
        eps2: float = 0.1,
        balance: Any = None,
        min_component: float = 0.05,
        max_clusters: int = 30,
        memory_limit: int | str | None = "1GB",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.solver = solver
        self.subspace_dim = subspace_dim
        self.affine = affine
        self.normalize = normalize
        self.refine = refine
        self.eps2 = eps2
        self.balance = balance
        self.min_component = min_component
        self.max_clusters = max_clusters
        self.memory_limit = memory_limit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: MatrixLike, y: Any = None, *, affinity: Any = None) -> Self:
        """Find the groups and their subspaces.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to cluster.
        y : object, default=None
            Not used.
        affinity : array-like or sparse matrix of shape (n_samples, n_samples), default=None
            A known graph of the rows, symmetric and non-negative, for solvers that take one, such
            as "precomputed".

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed.
        MemoryBudgetError
            If the solver would need more memory than `memory_limit`.
        """
        X = self._validated(X, reset=True, ensure_min_samples=2, scaled=False)
        problem = self._problem(X, affinity)
        if isinstance(problem.rows, UnitRows) and problem.rows.zero.any():
            warnings.warn(
                f"{np.count_nonzero(problem.rows.zero)} rows of X are zero and have no direction; "
                "they belong to every subspace alike.",
                ZeroRowWarning,
                stacklevel=3,
            )
        solution = self._run_solver(problem, lambda labels: {"labels_": labels})
        extra = solution.extra
        self._set_subspaces(extra["subspaces"])
        self.affinity_ = extra.get("affinity")
        self.eigenvalues_ = extra.get("eigenvalues")
        self.eigengap_ = extra.get("eigengap")
        self.n_components_graph_ = extra.get("n_components")
        self.outlier_mask_ = extra["outliers"]
        self.sample_indices_ = extra.get("sample_indices")
        self.residual_ = solution.residual
        self._stream = SubspaceStream.start(problem.rows, self.labels_, extra["subspaces"])
        return self

    def partial_fit(self, X: MatrixLike, y: Any = None) -> Self:
        """Label further rows by the nearest subspace and let the subspaces follow them.

        The first call is a `fit`. Dimensions stay what they were; `labels_` is of the last batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A batch of rows.
        y : object, default=None
            Not used.

        Returns
        -------
        self : object
        """
        if not self.__sklearn_is_fitted__():
            return self.fit(X)
        X = self._validated(X, reset=False)
        self.labels_ = self._subspaces.assign(X)
        self._stream = self._stream.add(X, self.labels_)
        self._set_subspaces(self._stream.subspaces(self.subspace_dims_))
        return self

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Return the number of the nearest subspace for each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self._subspaces.assign(self._validated(X, reset=False))

    def transform(self, X: MatrixLike) -> np.ndarray:
        """Return the distance of each row to each subspace.

        With ``normalize=True`` this is the sine of the angle between them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        distances : ndarray of shape (n_samples, `n_clusters_`)
        """
        check_is_fitted(self)
        return np.sqrt(self._subspaces.residuals(self._validated(X, reset=False)))

    def coordinates(self, X: MatrixLike) -> Any:
        """Return coordinates of the rows in the subspace that each is nearest to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, not scaled.

        Returns
        -------
        coordinates : list of ndarray of shape (n_rows_k, subspace_dims_[k])
            One array a subspace, of the rows that `predict` gives to it, in their order.
        """
        labels = self.predict(X)
        X = self._validated(X, reset=False, scaled=False)
        return [self._subspaces.coordinates(X[labels == k], k) for k in range(self.n_clusters_)]

    def denoise(self, X: MatrixLike) -> np.ndarray:
        """Project each row onto the subspace that it is nearest to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows, not scaled.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
        """
        labels = self.predict(X)
        X = self._validated(X, reset=False, scaled=False)
        out = np.empty_like(X)
        for k in range(self.n_clusters_):
            out[labels == k] = self._subspaces.project(X[labels == k], k)
        return out

    def score(self, X: MatrixLike, y: Any = None) -> float:
        """Return minus the mean squared distance of the rows to their nearest subspaces.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : object, default=None
            Not used.

        Returns
        -------
        score : float
            At most 0, and the higher the better, at equal `subspace_dim`.
        """
        check_is_fitted(self)
        _, distances = self._subspaces.nearest(self._validated(X, reset=False))
        return -float(distances.mean(dtype=np.float64))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "bases_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_clusters_

    @property
    def _scales(self) -> bool:
        """Whether rows are scaled to length one."""
        return self.normalize and not self.affine

    @property
    def _subspaces(self) -> Subspaces:
        return Subspaces(self.bases_, self.means_)

    def _set_subspaces(self, subspaces: Subspaces) -> None:
        self.bases_ = subspaces.bases
        self.means_ = subspaces.means
        self.subspace_dims_ = subspaces.dims
        self.n_clusters_ = len(subspaces.bases)

    def _validated(
        self, X: MatrixLike, *, reset: bool, scaled: bool = True, ensure_min_samples: Any = 1
    ) -> Any:
        """Return X checked, its rows of length one as they are read if they are to be."""
        if sp.issparse(X):
            raise TypeError(
                f"{type(self).__name__} needs dense X: no solver of the task takes sparse rows. "
                "Reduce them first, for example by sklearn.decomposition.TruncatedSVD."
            )
        X = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_min_samples=ensure_min_samples,
        )
        check_magnitude(X)
        return UnitRows(X) if scaled and self._scales else X

    def _problem(self, X: np.ndarray, affinity: Any) -> SubspaceClustering:
        """Check the parameters against the data and state the problem."""
        n, D = X.shape
        K = check_integer(self, "n_clusters", self.n_clusters, 1, options=("auto",))
        if K != "auto" and n < K:
            raise ValueError(f"n_samples={n} should be >= n_clusters={K}.")
        check_boolean(self, "affine", self.affine)
        check_boolean(self, "normalize", self.normalize)
        check_n_jobs(self, self.n_jobs)
        dims = self.subspace_dim
        if np.ndim(dims) == 1:
            dims = tuple(check_integer(self, "subspace_dim", int(d), 1) for d in dims)
            if K == "auto" or len(dims) != K:
                fail_parameter(
                    self, "subspace_dim", f"as long as there are clusters ({K})", self.subspace_dim
                )
        else:
            dims = check_integer(self, "subspace_dim", dims, 1, options=("auto",))
        largest = 0 if dims == "auto" else np.max(dims)
        if largest >= min(n, D):
            fail_parameter(
                self, "subspace_dim", f"less than {min(n, D)}, min(n_samples, n_features)", dims
            )
        if affinity is not None:
            affinity = sp.csr_array(
                check_array(affinity, accept_sparse="csr", input_name="affinity")
            )
            if affinity.shape != (n, n):
                raise ValueError(f"affinity must have shape ({n}, {n}). Got {affinity.shape}.")
            if affinity.nnz and affinity.data.min() < 0:
                raise ValueError(f"affinity must not be negative. Got {affinity.data.min()}.")
            if abs(affinity - affinity.T).max() > 1e-8 * abs(affinity).max():
                raise ValueError("affinity must be symmetric.")
        return SubspaceClustering(
            X=X,
            normalize=self._scales,
            n_clusters=None if K == "auto" else K,
            subspace_dim=None if dims == "auto" else dims,
            affine=self.affine,
            affinity=affinity,
            min_component=check_real(self, "min_component", self.min_component, 0, 1),
            max_clusters=check_integer(self, "max_clusters", self.max_clusters, 2),
            memory_limit=_bytes(self, self.memory_limit),
        )

    def _resolve_solver(self, task: str) -> Solver:
        """Build the solver, followed by the one that refines if there is one."""
        first = super()._resolve_solver(task)
        chain = [first]
        if self.refine is not None:
            chain.append(registry.resolve_solver(self.refine, task))
        chain = [self._with_coding_parameters(solver, chain) for solver in chain]
        return chain[0] if len(chain) == 1 else Refined(*chain)

    def _with_coding_parameters(self, solver: Solver, chain: list[Solver]) -> Solver:
        """Hand on what solvers of the coding rate share; refuse it where nobody reads it."""
        from sklearn.base import clone

        given = {}
        for name, default in (("eps2", 0.1), ("balance", None), ("n_jobs", None)):
            value = getattr(self, name)
            if same_value(value, default):
                continue
            if name in solver.get_params(deep=False):
                given[name] = value
            elif name != "n_jobs" and not any(name in s.get_params(deep=False) for s in chain):
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} is read by no solver here "
                    f"({', '.join(s.name for s in chain)}) and must be {default!r}. "
                    f"Got {value!r} instead."
                )
        return clone(solver).set_params(**given) if given else solver


def _bytes(owner: object, limit: Any) -> int | None:
    """Return a number of bytes from an int or a str such as "1.5GB"."""
    if limit is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]B)?", limit) if isinstance(limit, str) else None
    if match:
        return int(float(match[1]) * _UNITS[match[2] or ""])
    if isinstance(limit, str):
        fail_parameter(owner, "memory_limit", "a number of bytes such as '500MB'", limit)
    return check_integer(owner, "memory_limit", limit, 1)
