"""Manifold linearization as a scikit-learn transformer and clusterer."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    clone,
)
from sklearn.callback import with_callbacks
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
from skrand._validation import check_integer, check_magnitude, check_real, fail_parameter
from skrand.base import Solver, SolverMixin
from skrand.clustering.coding_rate import (
    cluster_covariances,
    code_lengths_of_covariances,
    coding_rate_reduction,
    membership_of,
)
from skrand.clustering.linearization import ManifoldLinearization, unit_rows_and_norms
from skrand.clustering.solvers.mcr2 import check_balance
from skrand.clustering.torch_features import TorchFeatureMap, is_module
from skrand.linalg.threads import single_threaded_blas

__all__ = ["ManifoldLinearizer"]

_MOST_COMPONENTS = 64


class ManifoldLinearizer(
    ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, SolverMixin, BaseEstimator
):
    """Map points on manifolds to nearly orthogonal subspaces, one a cluster, without labels.

    Maximises the coding rate reduction, over a linear map of features of the points and over
    their membership in clusters: all points together should take many nats to encode, the points
    of each cluster few. `transform` gives unit vectors for any further step of a Pipeline,
    `predict` the cluster.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    n_components : int, default=None
        Dimension of the representation; None is 64, or the number of features of the map if that
        is smaller. Some three times `n_clusters` is the least that makes sense.
    feature_map : {"rff", "nystroem", "linear"}, transformer or torch.nn.Module, default="rff"
        Features that the map is linear in: random Fourier features of the Gaussian kernel, its
        Nystroem features, the data themselves, or what a transformer makes of them (cloned and
        fitted). A torch module (copied) is trained along, as is
        :class:`skrand.clustering.TorchFeatureMap`, which has its learning rate and a small network
        for features that were computed before. Curved manifolds need non-linear features.
    n_map_features : int, default=512
        Number of features for "rff" and "nystroem".
    gamma : float or "scale", default="scale"
        Of the Gaussian kernel ``exp(-gamma |x - x'|^2)``; "scale" is one over the total variance of
        the data, half the mean squared distance of two points.
    eps2 : float, default=0.5
        Squared precision of the code. Smaller values look at finer structure.
    balance : "uniform" or array-like of shape (n_clusters,), default=None
        Shares that the clusters must have, by a doubly stochastic membership; None leaves them
        free.
    init : array-like of shape (n_samples,) or clusterer, default=None
        Labels to start from, 0 .. n_clusters - 1, or what finds them with ``fit_predict``. None
        leaves it to the solver: "prototype" takes what SubspaceClusterer would find.
    solver : str or Solver, default="prototype"
        A solver registered for the task "manifold-linearization" (see ``skrand list
        manifold-linearization``), or a solver object. "prototype" has one column of the membership
        a cluster; "pairwise" is the published method, with one a point.
    tol : float, default=1e-2
        Relative gain of the objective at which to stop.
    max_iter : int, default=20
        Most iterations; a solver's own default holds unless this is changed.
    random_state : int, RandomState instance or None, default=None
        Determines random features, the first map and batches.
    verbose : int, default=0
        If not 0, a line a fit goes to the logger "skrand" at level INFO instead of DEBUG.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Cluster of each training point.
    membership_ : ndarray of shape (n_samples, n_clusters)
        Rows sum to one; columns to the shares of `balance` times n_samples if it was given.
    components_ : ndarray of shape (`n_components_`, n_mapped_features)
        The linear map.
    n_components_ : int
        Dimension of the representation.
    feature_map_ : transformer
        The fitted feature map.
    covariances_ : ndarray of shape (n_clusters, `n_components_`, `n_components_`)
        Second moments of each cluster's representation, which `predict` codes with.
    potential_ : ndarray of shape (n_clusters,)
        What balancing takes off the code length of each cluster.
    coding_rate_reduction_ : float
        Reached on the training points, in nats a point.
    objective_path_ : list of float
        The objective at each iteration; never falls with solver "prototype".
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

    Notes
    -----
    Scale the rows (:class:`sklearn.preprocessing.Normalizer`) where only directions matter, as for
    images. Labels `y` are not used.

    Cost: see the solvers; linear in n_samples but for the initial clustering.

    References
    ----------
    T. Ding, S. Tong, K. H. R. Chan, X. Dai, Y. Ma, B. D. Haeffele, "Unsupervised Manifold
    Linearizing and Clustering", ICCV 2023, arXiv:2301.01805.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import ManifoldLinearizer
    >>> from skrand.clustering.metrics import class_bases, subspace_coherence
    >>> rng = np.random.default_rng(0)
    >>> angle = np.r_[rng.uniform(0, 1, 100), rng.uniform(2, 3, 100)]
    >>> X, y = np.c_[np.cos(angle), np.sin(angle)], np.repeat([0, 1], 100)
    >>> rough = np.where(rng.uniform(size=200) < 0.2, 1 - y, y)
    >>> model = ManifoldLinearizer(2, n_components=8, init=rough, random_state=0).fit(X)
    >>> bool((model.labels_ == y).all())
    True
    >>> [round(subspace_coherence(class_bases(Z, y, 2)), 1) for Z in (X, model.transform(X))]
    [1.0, 0.0]
    """

    _solver_parameters = {"tol": False, "max_iter": False}

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_components: int | None = None,
        feature_map: Any = "rff",
        n_map_features: int = 512,
        gamma: str | float = "scale",
        eps2: float = 0.5,
        balance: Any = None,
        init: Any = None,
        solver: str | Solver = "prototype",
        tol: float = 1e-2,
        max_iter: int = 20,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_components = n_components
        self.feature_map = feature_map
        self.n_map_features = n_map_features
        self.gamma = gamma
        self.eps2 = eps2
        self.balance = balance
        self.init = init
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X: MatrixLike, y: None = None) -> Self:
        """Find the map and the clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed.
        """
        check_integer(self, "n_clusters", self.n_clusters, 1)
        check_integer(self, "n_components", self.n_components, 1, options=(None,))
        check_integer(self, "n_map_features", self.n_map_features, 1)
        check_real(self, "gamma", self.gamma, 0, closed="neither", options=("scale",))
        check_real(self, "eps2", self.eps2, 0, closed="neither")
        check_real(self, "tol", self.tol, 0)
        check_integer(self, "max_iter", self.max_iter, 1)
        balance = check_balance(self, self.balance, self.n_clusters)
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        check_magnitude(X)
        if len(X) < self.n_clusters:
            raise ValueError(f"n_samples={len(X)} should be >= n_clusters={self.n_clusters}.")
        initial = self._initial_labels(X)
        with single_threaded_blas():
            self.feature_map_ = self._feature_map(X).fit(X)
        F = self._features(X)
        problem = ManifoldLinearization(
            F=F,
            X=X,
            n_clusters=self.n_clusters,
            n_components=self._components(F.shape[1]),
            eps2=float(self.eps2),
            initial=initial,
            balance=balance,
            backbone=self._backbone(),
        )

        def attributes(x: Any) -> Any:
            return self._attributes(F if problem.backbone is None else self._features(X), x)

        solution = self._run_solver(problem, attributes)
        self.potential_ = solution.extra["potential"]
        self.coding_rate_reduction_ = solution.extra["coding_rate_reduction"]
        self.objective_path_ = solution.extra["objective_path"]
        return self

    def transform(self, X: MatrixLike) -> np.ndarray:
        """Return the linearised representation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.

        Returns
        -------
        Z : ndarray of shape (n_samples, `n_components_`)
            Rows of length one.
        """
        check_is_fitted(self, "components_")
        X = check_magnitude(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))
        return self._represent(X).astype(X.dtype, copy=False)

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Return the cluster in which each point's code is shortest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        check_is_fitted(self, "components_")
        X = check_magnitude(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))
        return self._assign(self._represent(X))

    def score(self, X: MatrixLike, y: None = None) -> float:
        """Return the coding rate reduction of points in their predicted clusters, in nats a point.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.
        y : None
            Ignored.

        Returns
        -------
        score : float
            The higher the better, at equal `n_components` and `eps2`.
        """
        check_is_fitted(self, "components_")
        X = check_magnitude(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))
        Z = self._represent(X)
        return coding_rate_reduction(Z, membership_of(self._assign(Z), self.n_clusters), self.eps2)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "components_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _attributes(self, F: Any, x: Any) -> Any:
        """Return the fitted attributes that follow from a map and a membership."""
        W, P = x
        with single_threaded_blas():
            Z, _ = unit_rows_and_norms(F @ W)
        return {
            "components_": np.ascontiguousarray(W.T),
            "n_components_": W.shape[1],
            "membership_": P,
            "labels_": P.argmax(axis=1),
            "covariances_": cluster_covariances(Z, P),
            "potential_": np.zeros(P.shape[1]),
        }

    def _represent(self, X: MatrixLike) -> Any:
        F = self._features(X)
        with single_threaded_blas():
            return unit_rows_and_norms(F @ self.components_.T)[0]

    def _assign(self, Z: Any) -> Any:
        lengths = code_lengths_of_covariances(Z, self.covariances_, self.eps2)
        return (lengths - self.potential_).argmin(axis=1)

    def _features(self, X: MatrixLike) -> Any:
        """Return the features of the map, in float64 whatever it makes."""
        with single_threaded_blas():
            F = self.feature_map_.transform(X)
        return np.ascontiguousarray(check_array(F, dtype=np.float64, input_name="feature_map"))

    def _feature_map(self, X: MatrixLike) -> Any:
        """Make the transformer that `feature_map` names, or clone the one it is."""
        name = self.feature_map
        if hasattr(name, "transform"):
            return clone(name)
        if is_module(name):
            return TorchFeatureMap(name)
        if name == "linear":
            return FunctionTransformer()
        if name not in ("rff", "nystroem"):
            allowed = "'linear', 'nystroem', 'rff', a transformer or a torch.nn.Module"
            fail_parameter(self, "feature_map", allowed, name)
        gamma = self.gamma
        if gamma == "scale":
            variance = float(X.var(axis=0, dtype=np.float64).sum())
            gamma = 1.0 / variance if variance > 0 else 1.0
        seed = check_random_state(self.random_state).randint(2**31)
        if name == "rff":
            return RBFSampler(gamma=gamma, n_components=self.n_map_features, random_state=seed)
        count = min(self.n_map_features, len(X))
        return Nystroem(gamma=gamma, n_components=count, random_state=seed)

    def _backbone(self) -> Any:
        """Return what trains the feature map along with the solver, or None."""
        trainer = getattr(self.feature_map_, "trainer", None)
        return None if trainer is None else trainer()

    def _components(self, n_map_features: Any) -> Any:
        if self.n_components is None:
            return min(_MOST_COMPONENTS, n_map_features)
        if self.n_components > n_map_features:
            allowed = f"None or an int in the range [1, {n_map_features}], the features of the map"
            fail_parameter(self, "n_components", allowed, self.n_components)
        return int(self.n_components)

    def _initial_labels(self, X: MatrixLike) -> Any:
        """Return the labels to start from, or None."""
        if self.init is None:
            return None
        if hasattr(self.init, "fit_predict"):
            labels = np.asarray(clone(self.init).fit_predict(X))
        else:
            labels = np.asarray(self.init)
        allowed = (
            f"None, a clusterer, or {len(X)} labels in the range [0, {self.n_clusters - 1}], one "
            "a sample"
        )
        if labels.shape != (len(X),) or labels.dtype.kind not in "iu":
            fail_parameter(self, "init", allowed, self.init)
        if labels.min() < 0 or labels.max() >= self.n_clusters:
            fail_parameter(self, "init", allowed, self.init)
        return labels.astype(np.int64)
