"""Linear regression in the p-norm: objectives against HiGHS and closed forms, true bounds."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skrand import SketchedRegressor
from skrand.exceptions import (
    IncompatibleSolverError,
    InvalidParameterError,
    RankWarning,
    UnknownNameError,
)
from skrand.regression import LpRegression, LpRegressionTask
from skrand.regression.solvers import InteriorPoint

LAD = [InteriorPoint()]


def heavy_tailed(n, d, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_t(2, (n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_t(1.5, n)


def reference(problem):
    return LpRegressionTask().reference(problem)


def assert_optimal(problem, solution):
    """The objective is within the reported gap of HiGHS's, and the bound is a bound."""
    best = problem.objective(reference(problem).x)
    found = problem.objective(solution.x)
    gap = solution.extra["dual_gap"]
    np.testing.assert_allclose(solution.extra["objective"], found, rtol=1e-10)
    assert (found <= best * (1 + gap + 1e-9)).all()
    assert (found / (1 + gap) <= best * (1 + 1e-9)).all()


@pytest.mark.parametrize("solver", LAD, ids=lambda s: s.name)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", ["engel", "randhie"])
def test_real_data_reach_the_optimum_of_highs(solver, intercept, name):
    datasets = pytest.importorskip("statsmodels.datasets")
    data = getattr(datasets, name).load_pandas()
    X, y = data.exog.to_numpy(float), data.endog.to_numpy(float)
    X, y = X[:3000], y[:3000, None]
    problem = LpRegression(A=X, b=y, p=1.0, intercept=intercept)
    solution = solver.solve(problem, rng=0)
    assert solution.converged
    assert solution.residual <= 1e-8
    assert_optimal(problem, solution)


@pytest.mark.parametrize("solver", LAD, ids=lambda s: s.name)
def test_the_median_is_found(solver):
    b = np.random.default_rng(1).standard_cauchy((1001, 1))
    solution = solver.solve(LpRegression(A=np.ones((1001, 1)), b=b, p=1.0), rng=0)
    assert solution.extra["objective"][0] == pytest.approx(np.abs(b - np.median(b)).sum(), rel=1e-8)


@pytest.mark.parametrize("solver", LAD, ids=lambda s: s.name)
def test_weights_are_repetitions(solver):
    X, y = heavy_tailed(300, 4)
    weights = np.random.default_rng(2).integers(0, 4, 300)
    weighted = LpRegression(A=X, b=y[:, None], p=1.0, weights=weights.astype(float), intercept=True)
    repeated = LpRegression(
        A=np.repeat(X, weights, axis=0),
        b=np.repeat(y, weights)[:, None],
        p=1.0,
        intercept=True,
    )
    one, two = solver.solve(weighted, rng=0), solver.solve(repeated, rng=0)
    assert_optimal(repeated, one)
    np.testing.assert_allclose(one.extra["objective"], two.extra["objective"], rtol=1e-8)


@pytest.mark.parametrize("solver", LAD, ids=lambda s: s.name)
@pytest.mark.parametrize("kind", ["units", "offset", "ill-conditioned", "rare", "tied"])
def test_awkward_data(solver, kind):
    X, y = heavy_tailed(400, 4, seed=3)
    rng = np.random.default_rng(3)
    if kind == "units":
        X = X * np.logspace(-6, 6, 4)
    elif kind == "offset":
        X = X + 1e7
        y = y + 1e6
    elif kind == "ill-conditioned":
        X[:, 3] = X[:, 2] + 1e-9 * rng.standard_normal(400)
    elif kind == "rare":
        X[:, 3] = np.arange(400) < 2
    else:
        X, y = rng.integers(0, 3, (400, 4)).astype(float), rng.integers(0, 3, 400).astype(float)
    problem = LpRegression(A=X, b=y[:, None], p=1.0, intercept=True)
    solution = solver.solve(problem, rng=0)
    assert solution.converged, solution.message
    if kind == "ill-conditioned":
        # HiGHS stops at a tolerance of 1e-7; in other coordinates it has no difficulty.
        turned = X.copy()
        turned[:, 3] = (X[:, 3] - X[:, 2]) * 1e9
        problem = LpRegression(A=turned, b=y[:, None], p=1.0, intercept=True)
        best = problem.objective(reference(problem).x)
        np.testing.assert_allclose(solution.extra["objective"], best, rtol=1e-6)
    else:
        assert_optimal(problem, solution)


@pytest.mark.parametrize("solver", LAD, ids=lambda s: s.name)
def test_dependent_columns_and_wide_data(solver):
    X, y = heavy_tailed(200, 3, seed=4)
    plain = LpRegression(A=X, b=y[:, None], p=1.0, intercept=True)
    doubled = LpRegression(A=np.hstack([X, X, np.ones((200, 1))]), b=plain.b, p=1.0, intercept=True)
    solution = solver.solve(doubled, rng=0)
    assert solution.extra["rank"] == 3
    np.testing.assert_allclose(solution.x[:3], solution.x[3:6], rtol=1e-9)
    assert solution.x[6] == 0
    assert_optimal(plain, solver.solve(plain, rng=0))
    np.testing.assert_allclose(
        solution.extra["objective"], plain.objective(reference(plain).x), rtol=1e-8
    )
    wide = LpRegression(A=X.T[:, :50], b=np.ones((3, 1)), p=1.0)
    solution = solver.solve(wide, rng=0)
    assert solution.converged
    np.testing.assert_allclose(wide.residual(solution.x), 0, atol=1e-10)


@pytest.mark.parametrize("solver", LAD, ids=lambda s: s.name)
def test_sparse_and_float32_and_fortran(solver):
    X, y = heavy_tailed(3000, 6, seed=5)
    X = np.where(np.random.default_rng(5).random(X.shape) < 0.3, X, 0).astype(np.float32)
    dense = solver.solve(
        LpRegression(A=X.astype(float), b=y[:, None], p=1.0, intercept=True), rng=0
    )
    for A in (X, np.asfortranarray(X), sp.csr_array(X), sp.csr_array(X.astype(float))):
        problem = LpRegression(A=A, b=y[:, None], p=1.0, intercept=True)
        solution = solver.solve(problem, rng=0)
        np.testing.assert_allclose(solution.extra["objective"], dense.extra["objective"], rtol=2e-8)


@pytest.mark.parametrize("solver", ["auto", "ipm"])
def test_estimator(solver):
    X, y = heavy_tailed(5000, 3)
    model = SketchedRegressor(p=1, solver=solver, random_state=0).fit(X, y)
    problem = LpRegression(A=X, b=y[:, None], p=1.0, intercept=True)
    assert model.converged_
    assert 0 <= model.dual_gap_ <= 1e-8
    assert model.backward_error_ is None
    assert model.objective_ == pytest.approx(np.abs(y - model.predict(X)).sum())
    assert model.objective_ == pytest.approx(problem.objective(reference(problem).x)[0], rel=1e-8)
    both = SketchedRegressor(p=1, solver=solver, random_state=0).fit(X, np.column_stack([y, -y]))
    np.testing.assert_allclose(both.coef_[0], -both.coef_[1], atol=1e-4)
    assert both.dual_gap_.shape == (2,)
    assert SketchedRegressor().fit(X, y).dual_gap_ is None


@pytest.mark.parametrize("solver", ["ipm"])
def test_same_bits_for_any_number_of_threads(solver):
    X, y = heavy_tailed(30_000, 8)
    fits = [
        SketchedRegressor(p=1, solver=solver, random_state=3, n_jobs=jobs).fit(X, y)
        for jobs in (1, 2, 2)
    ]
    assert len({model.coef_.tobytes() for model in fits}) == 1
    fortran = SketchedRegressor(p=1, solver=solver, random_state=3).fit(np.asfortranarray(X), y)
    np.testing.assert_allclose(fortran.coef_, fits[0].coef_, rtol=1e-12)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"p": 0.5},
            InvalidParameterError,
            r"'p' parameter of SketchedRegressor .*\[1, inf\). Got",
        ),
        ({"p": np.nan}, InvalidParameterError, r"'p' parameter .* Got nan"),
        ({"p": np.inf}, InvalidParameterError, r"'p' parameter .* Got inf"),
        ({"p": 1, "alpha": 1.0}, InvalidParameterError, r"'alpha' .* must be 0.0 where p is not 2"),
        ({"p": 1, "solver": "chol"}, UnknownNameError, "chol.*lp-regression"),
        ({"p": 3, "solver": "ipm"}, IncompatibleSolverError, "it is for p=1, and here p=3"),
        ({"p": 1, "solver": "ipm", "sketch": "srht"}, InvalidParameterError, "not used by .*'ipm'"),
        ({"p": 1, "tol": -1.0}, InvalidParameterError, "'tol' parameter"),
    ],
)
def test_bad_parameters(params, error, message):
    with pytest.raises(error, match=message):
        SketchedRegressor(**params).fit(*heavy_tailed(50, 2))


def test_a_stream_needs_squares():
    with pytest.raises(IncompatibleSolverError, match=r"only for p=2.*Got p=1"):
        SketchedRegressor(p=1).partial_fit(*heavy_tailed(50, 2))


def test_shortfall_is_a_warning_with_the_gap():
    X, y = heavy_tailed(2000, 5)
    with pytest.warns(ConvergenceWarning, match=r"did not converge in 2 iter.*gap is .*max_iter"):
        model = SketchedRegressor(p=1, solver="ipm", max_iter=2).fit(X, y)
    problem = LpRegression(A=X, b=y[:, None], p=1.0, intercept=True)
    best = problem.objective(reference(problem).x)[0]
    # A bound all the same, and not a vacuous one.
    assert model.objective_ / (1 + model.dual_gap_) <= best <= model.objective_
    assert model.dual_gap_ < 10


def test_rank_warning_of_the_estimator():
    X, y = heavy_tailed(100, 2)
    with pytest.warns(RankWarning, match="rank 2, fewer than their 3 features"):
        SketchedRegressor(p=1).fit(np.hstack([X, X[:, :1]]), y)


def test_grid_search_over_p_and_solver():
    X, y = heavy_tailed(200, 3)
    grid = {"p": [1.0], "solver": ["auto", "ipm", InteriorPoint(tol=1e-4)]}
    search = GridSearchCV(SketchedRegressor(), grid, cv=3, scoring="neg_median_absolute_error").fit(
        X, y
    )
    assert search.best_estimator_.dual_gap_ <= 1e-4
