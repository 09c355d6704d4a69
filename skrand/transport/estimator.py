"""Optimal transport of one set of points to another as a scikit-learn transformer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtri
from scipy.stats import qmc
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.callback import with_callbacks
from sklearn.metrics import pairwise_distances
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skrand._typing import MatrixLike
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
from skrand.transport.functions import (
    TransportResult,
    check_costs,
    check_feasible,
    check_masses,
    check_open,
    check_penalties,
    check_weights,
)
from skrand.transport.partial import check_mass, extended, own_potentials, partial_gap
from skrand.transport.problem import EntropicTransport

__all__ = ["SinkhornNewtonOT"]

#: Costs above this size (bytes) are not stored, with storage="auto", where that is possible.
_STORED = 2**31
_MARGINALS = ("balanced", "unbalanced", "semi-relaxed", "partial")
#: Normal points of target=None: of a number that does not depend on the data, so that repeating a
#: row is the same as weighting it.
_REFERENCE_POINTS = 1024


def _has_points(estimator: Any) -> bool:
    if estimator.metric == "precomputed":
        raise AttributeError("With metric='precomputed' there are no points to map.")
    return True


class SinkhornNewtonOT(OneToOneFeatureMixin, SolverMixin, TransformerMixin, BaseEstimator):
    """Entropic optimal transport of the data to a target, and the map that comes with it.

    `fit` finds the plan P between the data X (weights a) and a target Y (weights b) that minimises
    ``<P, C> + reg KL(P | a b^T)``, to a stated violation of the marginals or with a warning; with
    `marginal`, not all mass need be moved.
    `transform` sends a point x to the mean of the target under its own row of the plan; this is
    the barycentric projection at training points and continuous everywhere else.

    Parameters
    ----------
    reg : float, default=0.05
        Regularisation, in units of the (scaled) costs. It also sets how smooth the map is: a
        smaller value is not a better one, so tune it.
    target : array-like of shape (n_targets, n_features), default=None
        Where to. None is 1024 standard normal points, from a scrambled Sobol sequence: a
        multivariate quantile transformer. Arguments of `fit` take precedence.
    metric : str or callable, default="sqeuclidean"
        A metric of :func:`sklearn.metrics.pairwise_distances`, or "precomputed": X is then the
        cost matrix, of shape (n_samples, n_targets).
    metric_params : dict, default=None
        Further arguments of the metric.
    cost_scale : {"max", "mean", "median"} or float, default=None
        What costs are divided by; None is 1.
    solver : str or Solver, default="auto"
        A solver registered for the task "entropic-transport" (see ``skrand list
        entropic-transport``), or a solver object.
    marginal : {"balanced", "unbalanced", "semi-relaxed", "partial"}, default="balanced"
        What becomes of the weights. "balanced": both are normalised, and both marginals of the plan
        are exact. "unbalanced": ``rho_a KL(P 1 | a) + rho_b KL(P^T 1 | b)`` is added to the
        objective instead, with the masses as given, so that outliers and clusters that the other
        side lacks are left behind. "semi-relaxed": so on one side only. "partial": `mass` is
        transported, and the rest stays. Weights that are not given are ``1 / n`` each.
    reg_marginal : float or tuple of two floats, default=1.0
        The penalties (rho_a, rho_b) of "unbalanced" and "semi-relaxed", positive, in units of the
        (scaled) costs: mass is left where moving it costs more than about rho_a + rho_b. A number
        is that of both sides or, with "semi-relaxed", of the target's. ``inf`` holds a side
        exactly: "semi-relaxed" needs one such side, "unbalanced" allows one.
    mass : float, default=None
        Mass to transport with "partial", positive, and less than that of both sides.
    tol : float, default=1e-9
        Violation of the marginals to reach, in L1; for solver "exact", which does not read the
        default, the relative gap.
    max_iter : int, default=500
        Most iterations; a solver's own default holds unless this is changed.
    dtype : {"float64", "float32"}, default="float64"
        In which costs are stored. Sums are in double precision in either case.
    storage : {"auto", "dense", "lazy"}, default="auto"
        Whether costs are stored or computed again in each sweep; the latter needs the metric
        "sqeuclidean". "auto" stores up to 2 GiB, and whatever "partial" needs.
    plan_format : {"dense", "csr"}, default="dense"
        Whether the plan is an array or a sparse one; the latter is never made dense on the way.
    plan_tol : float, default=1e-12
        With "csr", entries of at most this share of their row's weight are left out. A plan that
        its solver has made sparse (solver "exact") is kept as it is.
    score_reg : float, default=None
        Regularisation of the divergence that `score` returns; None is 0.05 times the median cost
        within the target. It does not depend on `reg`, so that values of `reg` can be compared.
    warm_start : bool, default=False
        Whether to begin from the potentials of the last `fit`, if it had as many targets. Where
        these are far off the solver begins anew, one sweep later.
    n_jobs : int, default=None
        Threads inside one fit; None is what OpenMP would use. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Determines the normal points of ``target=None``.
    verbose : int, default=0
        If not 0, a line a fit goes to the logger "skrand" at level INFO instead of DEBUG.

    Attributes
    ----------
    potentials_ : tuple of ndarray
        f of shape (n_samples,) and g of shape (n_targets,), with
        ``P_ij = a_i b_j exp((f_i + g_j - C_ij) / reg)`` in units of the scaled costs; if balanced,
        ``a.f = b.g``.
    plan_ : ndarray or csr_array of shape (n_samples, n_targets)
        The plan, made on first use; see `plan_format`.
    target_ : ndarray of shape (n_targets, n_features)
        The target used; absent for precomputed costs.
    cost_ : float
        Transport cost, ``<P, C>``.
    value_ : float
        Objective.
    dual_value_ : float
        Objective of the dual.
    gap_ : float
        Objective of the plan rounded to its marginals minus the dual value, on first use.
    marginal_error_ : float
        Violation of both marginals, in L1; of the conditions of optimality, relative to the mass of
        the plan, where a penalty replaces them. With "partial" what stays counts as well.
    reg_ : float
        Regularisation in units of the costs as given.
    cost_scale_ : float
        What costs were divided by.
    solver_ : str
        Name of the solver used.
    n_iter_ : int
        Iterations.
    n_passes_ : int
        Sweeps over the costs.
    n_newton_, n_sinkhorn_, n_cg_ : int
        Newton steps, Sinkhorn steps and iterations of conjugate gradients.
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
    Exact transport by network simplex is faster on problems of less than about a thousand points.
    What regularisation buys is a smooth map, potentials, and gradients.

    In a Pipeline, `transform` is applied to new data too: use it where these come from the source.

    Cost: some 20 sweeps for ``reg`` of a thousandth of the largest cost, ``O(n m)`` flops and one
    exponential a pair each. Memory: the costs, and a fraction of their size for the sparse plan.

    References
    ----------
    X. Tang, M. Shavlovsky, H. Rahmanian, E. Tardini, K. K. Thekumparampil, T. Xiao, L. Ying,
    "Accelerating Sinkhorn Algorithm with Sparse Newton Iterations", ICLR 2024, arXiv:2401.12253.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand import SinkhornNewtonOT
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(200, 2)), rng.normal(size=(300, 2)) + 4.0
    >>> model = SinkhornNewtonOT(reg=0.1, target=Y).fit(X)
    >>> model.converged_, bool(np.allclose(model.transform(X).mean(axis=0), Y.mean(axis=0)))
    (True, True)
    """

    _solver_parameters = {"tol": False, "max_iter": False, "n_jobs": False}

    def __init__(
        self,
        reg: float = 0.05,
        *,
        target: Any = None,
        metric: Any = "sqeuclidean",
        metric_params: Any = None,
        cost_scale: str | float | None = None,
        solver: Any = "auto",
        marginal: str = "balanced",
        reg_marginal: Any = 1.0,
        mass: float | None = None,
        tol: float = 1e-9,
        max_iter: int = 500,
        dtype: Any = "float64",
        storage: str = "auto",
        plan_format: str = "dense",
        plan_tol: float = 1e-12,
        score_reg: float | None = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.reg = reg
        self.target = target
        self.metric = metric
        self.metric_params = metric_params
        self.cost_scale = cost_scale
        self.solver = solver
        self.marginal = marginal
        self.reg_marginal = reg_marginal
        self.mass = mass
        self.tol = tol
        self.max_iter = max_iter
        self.dtype = dtype
        self.storage = storage
        self.plan_format = plan_format
        self.plan_tol = plan_tol
        self.score_reg = score_reg
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(
        self,
        X: MatrixLike,
        y: Any = None,
        *,
        Xt: MatrixLike = None,
        sample_weight: Any = None,
        target_weight: Any = None,
        sample_domain: Any = None,
    ) -> Self:
        """Find the plan from X to the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Source points, or costs of shape (n_samples, n_targets) if they are precomputed.
        y : object, default=None
            Not used.
        Xt : array-like of shape (n_targets, n_features), default=None
            Target; takes precedence over `sample_domain`, which does over the parameter `target`.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of X.
        target_weight : array-like of shape (n_targets,), default=None
            Non-negative weights of the target; if balanced and both are given, of the same sum.
        sample_domain : array-like of shape (n_samples,), default=None
            Non-negative where a row of X is of the source, negative where it is of the target.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or no plan of finite cost exists.
        """
        self._check_parameters()
        if self.metric == "precomputed":
            C = validate_data(self, X, dtype=self._dtypes(), ensure_all_finite=False)
            C = check_costs(C)
            a, b = self._weights(sample_weight, target_weight, C.shape)
            problem = self._scaled(C, a, b)
        else:
            X = check_magnitude(validate_data(self, X, dtype=[np.float64, np.float32]))
            X, target, sample_weight = self._resolve_target(X, Xt, sample_weight, sample_domain)
            a, b = self._weights(sample_weight, target_weight, (len(X), len(target)))
            self.source_, self.target_ = X, target
            problem = self._points(X, target, a, b)
        self._fit(problem)
        return self

    def _fit(self, problem: Any) -> None:
        """Solve, and set the fitted attributes, in units of the costs as given."""
        posed: Any = problem
        total = 1.0
        if self.marginal == "partial":
            mass: Any = self.mass
            posed, total = extended(problem, check_mass(self, mass, problem.a, problem.b))
            problem = replace(problem, C=posed.C[:-1, :-1])
        elif problem.forbids():
            check = check_open if problem.relaxed else check_feasible
            check(problem.C, problem.a, problem.b)
        last: Any = getattr(self, "_last_g", ())
        if self.warm_start and len(last) == posed.shape[1]:
            posed = replace(posed, start=last)

        def attributes(x: Any) -> Any:
            own = own_potentials(x, total, posed.reg) if self.marginal == "partial" else x
            return {"potentials_": own}

        solution = self._run_solver(posed, attributes)
        extra = solution.extra
        unit = self.cost_scale_ * total
        self._problem, self._plan = problem, None
        self._posed, self._total = TransportResult(posed, solution), total
        self._last_g = solution.x[1]
        self.cost_ = extra["cost"] * unit
        self.value_ = extra["value"] * unit
        self.dual_value_ = extra["dual_value"] * unit
        self.marginal_error_ = solution.residual
        self.reg_ = float(self.reg) * self.cost_scale_
        self.n_passes_ = solution.oracles.get("passes", 0)
        self.n_newton_ = extra.get("n_newton", 0)
        self.n_sinkhorn_ = extra.get("n_sinkhorn", 0)
        self.n_cg_ = extra.get("n_cg", 0)
        # The regularisation of the potentials: solver "exact" ends at one of its own.
        self._map_reg = extra.get("reg", problem.reg)

    @property
    def plan_(self) -> Any:
        """The plan, made when it is first asked for."""
        check_is_fitted(self, "potentials_")
        if self._plan is None:
            self._plan = self._rows_of_plan(slice(None))
        return self._plan

    def plan(self, rows: Any = None) -> Any:
        """Return rows of the plan, without making the others.

        Parameters
        ----------
        rows : slice or array-like of int, default=None
            Which rows; None is all.

        Returns
        -------
        plan : ndarray or csr_array of shape (n_rows, n_targets)
            See `plan_format`.
        """
        check_is_fitted(self, "potentials_")
        if rows is None:
            return self.plan_
        return self._rows_of_plan(rows if isinstance(rows, slice) else np.asarray(rows))

    def _rows_of_plan(self, rows: Any) -> Any:
        solution = self._posed.solution
        if "plan" in solution.extra:
            n, m = self._problem.shape
            P = sp.csr_array(solution.extra["plan"][:n, :m][rows] * self._total)
            return P if self.plan_format == "csr" else P.toarray()
        if self.plan_format == "dense":
            return self._problem.plan(*self.potentials_, rows)
        return self._problem.sparse_plan(*self.potentials_, rows, float(self.plan_tol))

    @property
    def gap_(self) -> Any:
        """Bound on the distance to the optimal objective, computed when it is first asked for."""
        check_is_fitted(self, "potentials_")
        posed = self._posed
        if self.marginal == "partial" and "gap" not in posed.solution.extra:
            gap = partial_gap(posed.problem, posed.potentials)
        else:
            gap = posed.gap
        return gap * self._total * self.cost_scale_

    def transform(self, X: MatrixLike) -> np.ndarray:
        """Map points of the source to the target's side.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
            Means of the target, weighted as the plan weights it for each point.
        """
        check_is_fitted(self, "potentials_")
        X = check_magnitude(validate_data(self, X, dtype=[np.float64, np.float32], reset=False))
        return self._map(X, self.target_, self._problem.b, self.potentials_[1])

    @available_if(_has_points)
    def inverse_transform(self, X: MatrixLike) -> np.ndarray:
        """Map points of the target to the source's side.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self, "potentials_")
        X = check_magnitude(check_array(X, dtype=[np.float64, np.float32], input_name="X"))
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but SinkhornNewtonOT is expecting "
                f"{self.n_features_in_} features as input."
            )
        return self._map(X, self.source_, self._problem.a, self.potentials_[0], swap=True)

    @available_if(_has_points)
    def score(self, X: MatrixLike, y: Any = None) -> float:
        """Return minus the Sinkhorn divergence between the image of X and the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points of the source.
        y : object, default=None
            Not used.

        Returns
        -------
        score : float
            At most 0, and the higher the better.
        """
        return -self.divergence(self.transform(X))

    @available_if(_has_points)
    def divergence(self, X: MatrixLike) -> float:
        """Return the Sinkhorn divergence between X, as it is, and the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Points on the target's side, such as those that `transform` returns.

        Returns
        -------
        divergence : float
            At least 0, in units of the costs as given, at the regularisation `score_reg`.
        """
        check_is_fitted(self, "potentials_")
        X = check_magnitude(check_array(X, dtype=np.float64, input_name="X"))
        target = np.asarray(self.target_, dtype=np.float64)
        if X.shape[1] != target.shape[1]:
            raise ValueError(
                f"X has {X.shape[1]} features, but the target has {target.shape[1]} features."
            )
        b = self._problem.b / self._problem.b.sum()
        a = np.full(len(X), 1.0 / len(X))
        reg = self.score_reg
        within = self._costs(target, target) / self.cost_scale_
        if reg is None:
            positive = within[within > 0]
            reg = 0.05 * float(np.median(positive)) if len(positive) else 1.0
        value = partial(self._value, reg=reg)
        across = self._costs(X, target) / self.cost_scale_
        itself = self._costs(X, X) / self.cost_scale_
        divergence = value(across, a, b) - 0.5 * (value(itself, a, a) + value(within, b, b))
        return max(0.0, float(divergence)) * self.cost_scale_

    def _value(self, C: Any, a: Any, b: Any, reg: Any) -> Any:
        from skrand.transport.solvers import AnnealedNewton

        problem = EntropicTransport(C=C, a=a, b=b, reg=float(reg))
        return (
            AnnealedNewton(tol=1e-8, n_jobs=check_n_jobs(self, self.n_jobs))
            .solve(problem)
            .extra["value"]
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "potentials_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.pairwise = False
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

    def _dtypes(self) -> Any:
        return [np.float64, np.float32] if self.dtype == "float32" else np.float64

    def _check_parameters(self) -> None:
        check_real(self, "reg", self.reg, 0, closed="neither")
        check_real(self, "tol", self.tol, 0, closed="neither")
        check_integer(self, "max_iter", self.max_iter, 1)
        check_option(self, "dtype", self.dtype, ("float64", "float32"))
        check_option(self, "storage", self.storage, ("auto", "dense", "lazy"))
        check_option(self, "plan_format", self.plan_format, ("dense", "csr"))
        check_real(self, "plan_tol", self.plan_tol, 0)
        check_option(self, "marginal", self.marginal, _MARGINALS)
        check_boolean(self, "warm_start", self.warm_start)
        check_real(self, "score_reg", self.score_reg, 0, closed="neither", options=(None,))
        check_real(
            self,
            "cost_scale",
            self.cost_scale,
            0,
            closed="neither",
            options=(None, "max", "mean", "median"),
        )
        if not (isinstance(self.metric, str) or callable(self.metric)):
            fail_parameter(self, "metric", "a str or a callable", self.metric)
        if self.storage == "lazy" and self.metric != "sqeuclidean":
            fail_parameter(self, "storage", "'auto' or 'dense' with this metric", self.storage)
        if self.storage == "lazy" and self.marginal == "partial":
            fail_parameter(self, "storage", "'auto' or 'dense' with partial transport", "lazy")
        self._penalties()
        check_n_jobs(self, self.n_jobs)

    def _penalties(self) -> Any:
        """Return the penalties on both marginals; inf is exact."""
        if self.marginal in ("balanced", "partial"):
            return np.inf, np.inf
        pair = self.reg_marginal
        if self.marginal == "semi-relaxed" and np.ndim(pair) == 0:
            pair = (np.inf, pair)
        pair = check_penalties(self, pair)
        if self.marginal == "semi-relaxed" and max(pair) < np.inf:
            allowed = "a float, or a pair with inf on one side, with marginal='semi-relaxed'"
            fail_parameter(self, "reg_marginal", allowed, self.reg_marginal)
        return pair

    def _weights(self, a: Any, b: Any, shape: Any) -> Any:
        names = ("sample_weight", "target_weight")
        if self.marginal == "balanced":
            remedy = "use marginal='unbalanced' or 'partial'"
            return check_weights(a, b, shape, names, remedy)
        return check_masses(a, b, shape, names)

    def _resolve_target(
        self, X: MatrixLike, Xt: MatrixLike, sample_weight: Any, sample_domain: Any
    ) -> Any:
        """Return source, target and source weights."""
        if sample_domain is not None:
            domain = check_array(sample_domain, ensure_2d=False, input_name="sample_domain")
            if domain.shape != (len(X),):
                raise ValueError(f"sample_domain must have shape ({len(X)},). Got {domain.shape}.")
            source = domain >= 0
            if Xt is None and (source.all() or not source.any()):
                raise ValueError(
                    "sample_domain must have both signs: non-negative for rows of the source, "
                    "negative for rows of the target."
                )
            if Xt is None:
                Xt = X[~source]
            X = X[source]
            if sample_weight is not None:
                check_consistent_length(domain, sample_weight)
                sample_weight = np.asarray(sample_weight)[source]
        if Xt is None:
            Xt = self.target
        if Xt is None:
            Xt = _normal_points(_REFERENCE_POINTS, X.shape[1], self.random_state).astype(X.dtype)
        Xt = check_array(Xt, dtype=[np.float64, np.float32], input_name="the target")
        check_magnitude(Xt, "the target")
        if Xt.shape[1] != X.shape[1]:
            raise ValueError(
                f"The target has {Xt.shape[1]} features, but X has {X.shape[1]} features."
            )
        return X, Xt.astype(np.result_type(X, Xt), copy=False), sample_weight

    def _costs(self, X: MatrixLike, Y: MatrixLike) -> Any:
        if self.metric == "sqeuclidean" and not self.metric_params:
            # Differences first: |x|^2 + |y|^2 - 2 x.y loses half the digits of small distances.
            X, Y = X.astype(np.float64), Y.astype(np.float64)
            C = np.zeros((len(X), len(Y)))
            for k in range(X.shape[1]):
                C += np.subtract.outer(X[:, k], Y[:, k]) ** 2
            return C
        return pairwise_distances(X, Y, metric=self.metric, **(self.metric_params or {}))

    def _points(self, X: MatrixLike, Y: MatrixLike, a: Any, b: Any) -> Any:
        size = len(X) * len(Y) * (4 if self.dtype == "float32" else 8)
        plain = self.metric == "sqeuclidean" and not self.metric_params
        lazy = plain and size > _STORED and self.marginal != "partial"
        if self.storage != "lazy" and not (self.storage == "auto" and lazy):
            return self._scaled(check_costs(self._costs(X, Y)), a, b)
        X, Y = X.astype(np.float64), Y.astype(np.float64)
        self.cost_scale_ = self._scale(EntropicTransport(X=X, Y=Y, a=a, b=b, reg=1.0))
        return self._state(a, b, X=X, Y=Y, scale=1.0 / self.cost_scale_)

    def _scaled(self, C: Any, a: Any, b: Any) -> Any:
        self.cost_scale_ = self._scale(EntropicTransport(C=C, a=a, b=b, reg=1.0))
        if self.cost_scale_ != 1.0:
            C = C / self.cost_scale_
        return self._state(a, b, C=C.astype(self.dtype, copy=False))

    def _state(self, a: Any, b: Any, **costs: Any) -> Any:
        """Return the problem on these costs."""
        penalties = self._penalties()
        return EntropicTransport(a=a, b=b, reg=float(self.reg), reg_marginal=penalties, **costs)

    def _scale(self, problem: Any) -> Any:
        """Return what costs are divided by; for the median, of at most a million pairs."""
        if self.cost_scale is None:
            return 1.0
        if not isinstance(self.cost_scale, str):
            return float(self.cost_scale)
        if self.cost_scale == "median":
            stride = [max(1, size // 1000) for size in problem.shape]
            C = problem.costs(slice(None, None, stride[0]), slice(None, None, stride[1]))
            scale = float(np.median(C[np.isfinite(C)]))
        else:
            total, count, high = 0.0, 0, 0.0
            for rows in problem.blocks():
                C = problem.costs(rows)
                C = C[np.isfinite(C)]
                total, count = total + float(C.sum()), count + C.size
                high = max(high, float(np.abs(C).max(initial=0.0)))
            scale = high if self.cost_scale == "max" else total / max(count, 1)
        return scale if scale > 0 else 1.0

    def _map(
        self, points: Any, anchors: Any, weights: Any, potential: Any, swap: bool = False
    ) -> Any:
        """Return means of the anchors under the entropic conditional of each point."""
        used = weights > 0
        anchors = anchors[used].astype(np.float64)
        offset = potential[used] / self._map_reg + np.log(weights[used])
        out = np.empty(points.shape)
        step = max(1, 2**21 // len(anchors))
        for start in range(0, len(points), step):
            part = points[start : start + step]
            C = self._costs(anchors, part).T if swap else self._costs(part, anchors)
            log = offset - C / (self.cost_scale_ * self._map_reg)
            log -= log.max(axis=1, keepdims=True)
            np.exp(log, out=log)
            log /= log.sum(axis=1, keepdims=True)
            out[start : start + step] = log @ anchors
        return out.astype(points.dtype, copy=False)


# TransformerMixin wraps transform when the class is made, and the wrapper would hide that it is not
# always there; so that is added to the wrapper.
_always = SinkhornNewtonOT.transform
SinkhornNewtonOT.transform = available_if(_has_points)(_always)  # type: ignore[method-assign]


def _normal_points(n: int, d: int, random_state: Any) -> np.ndarray:
    """Return n standard normal points, n a power of two, from a scrambled Sobol sequence."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    if d > qmc.Sobol.MAXDIM:
        return np.random.default_rng(seed).standard_normal((n, d))
    sobol = qmc.Sobol(d, rng=np.random.default_rng(seed))
    return ndtri(np.clip(sobol.random(n), 1e-12, 1 - 1e-12))
