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
from skrand.regression.solvers import Coreset, InteriorPoint, Newton, Sampling

LAD = [InteriorPoint(), Sampling()]
# Every exact solver, with powers that it is for.
CASES = [(solver, 1.0) for solver in LAD] + [(Newton(), p) for p in (1.25, 1.5, 3.0, 6.0)]

each_case = pytest.mark.parametrize(
    ("solver", "p"), CASES, ids=[f"{solver.name}-{p:g}" for solver, p in CASES]
)


def heavy_tailed(n, d, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_t(2, (n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_t(1.5, n)


def reference(problem):
    return LpRegressionTask().reference(problem)


def assert_optimal(problem, solution):
    """The objective is within the reported gap of SciPy's, and the bound is a bound."""
    best = problem.objective(reference(problem).x)
    found = problem.objective(solution.x)
    gap = solution.extra["dual_gap"]
    np.testing.assert_allclose(solution.extra["objective"], found, rtol=1e-10)
    slack = 1e-9 if problem.p == 1 else 1e-8
    assert (found <= best * (1 + gap + slack)).all()
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


# The optimum was found once by HiGHS, through the task's reference: it takes seven seconds.
@pytest.mark.parametrize("solver", LAD, ids=lambda s: s.name)
@pytest.mark.parametrize(
    ("intercept", "best"), [(True, 47692.745299777394), (False, 48172.95738471292)]
)
def test_all_of_randhie(solver, intercept, best):
    data = pytest.importorskip("statsmodels.datasets").randhie.load_pandas()
    X, y = data.exog.to_numpy(float), data.endog.to_numpy(float)[:, None]
    solution = solver.solve(LpRegression(A=X, b=y, p=1.0, intercept=intercept), rng=0)
    objective = solution.extra["objective"][0]
    assert objective == pytest.approx(best, rel=1e-9)
    assert objective / (1 + solution.extra["dual_gap"][0]) <= best * (1 + 1e-12)


@pytest.mark.parametrize("solver", LAD, ids=lambda s: s.name)
def test_the_median_is_found(solver):
    b = np.random.default_rng(1).standard_cauchy((1001, 1))
    solution = solver.solve(LpRegression(A=np.ones((1001, 1)), b=b, p=1.0), rng=0)
    assert solution.extra["objective"][0] == pytest.approx(np.abs(b - np.median(b)).sum(), rel=1e-8)


@each_case
def test_weights_are_repetitions(solver, p):
    X, y = heavy_tailed(300, 4)
    weights = np.random.default_rng(2).integers(0, 4, 300)
    weighted = LpRegression(A=X, b=y[:, None], p=p, weights=weights.astype(float), intercept=True)
    repeated = LpRegression(
        A=np.repeat(X, weights, axis=0),
        b=np.repeat(y, weights)[:, None],
        p=p,
        intercept=True,
    )
    one, two = solver.solve(weighted, rng=0), solver.solve(repeated, rng=0)
    assert_optimal(repeated, one)
    np.testing.assert_allclose(one.extra["objective"], two.extra["objective"], rtol=1e-8)


@each_case
@pytest.mark.parametrize("kind", ["units", "offset", "ill-conditioned", "rare", "tied"])
def test_awkward_data(solver, p, kind):
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
    problem = LpRegression(A=X, b=y[:, None], p=p, intercept=True)
    solution = solver.solve(problem, rng=0)
    assert solution.converged, solution.message
    if kind == "offset":
        # What is subtracted is exact; SciPy, and the objective at x, would lose digits.
        problem = LpRegression(A=X - 1e7, b=y[:, None] - 1e6, p=p, intercept=True)
        best = problem.objective(reference(problem).x)
        np.testing.assert_allclose(solution.extra["objective"], best, rtol=2e-8)
    elif kind == "ill-conditioned":
        # HiGHS stops at a tolerance of 1e-7; in other coordinates it has no difficulty.
        turned = X.copy()
        turned[:, 3] = (X[:, 3] - X[:, 2]) * 1e9
        problem = LpRegression(A=turned, b=y[:, None], p=p, intercept=True)
        best = problem.objective(reference(problem).x)
        np.testing.assert_allclose(solution.extra["objective"], best, rtol=1e-6)
    else:
        assert_optimal(problem, solution)


@each_case
def test_dependent_columns_and_wide_data(solver, p):
    X, y = heavy_tailed(200, 3, seed=4)
    plain = LpRegression(A=X, b=y[:, None], p=p, intercept=True)
    doubled = LpRegression(A=np.hstack([X, X, np.ones((200, 1))]), b=plain.b, p=p, intercept=True)
    solution = solver.solve(doubled, rng=0)
    assert solution.extra["rank"] == 3
    np.testing.assert_allclose(solution.x[:3], solution.x[3:6], rtol=1e-9)
    assert solution.x[6] == 0
    assert_optimal(plain, solver.solve(plain, rng=0))
    np.testing.assert_allclose(
        solution.extra["objective"], plain.objective(reference(plain).x), rtol=1e-8
    )
    wide = LpRegression(A=X.T[:, :50], b=np.ones((3, 1)), p=p)
    solution = solver.solve(wide, rng=0)
    assert solution.converged
    np.testing.assert_allclose(wide.residual(solution.x), 0, atol=1e-10)


@each_case
def test_sparse_and_float32_and_fortran(solver, p):
    X, y = heavy_tailed(3000, 6, seed=5)
    X = np.where(np.random.default_rng(5).random(X.shape) < 0.3, X, 0).astype(np.float32)
    dense = solver.solve(LpRegression(A=X.astype(float), b=y[:, None], p=p, intercept=True), rng=0)
    for A in (X, np.asfortranarray(X), sp.csr_array(X), sp.csr_array(X.astype(float))):
        problem = LpRegression(A=A, b=y[:, None], p=p, intercept=True)
        solution = solver.solve(problem, rng=0)
        np.testing.assert_allclose(solution.extra["objective"], dense.extra["objective"], rtol=2e-8)


@pytest.mark.parametrize("solver", ["auto", "ipm", "sampling"])
def test_estimator(solver):
    X, y = heavy_tailed(2000, 3)
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


@pytest.mark.parametrize(("solver", "p"), [("ipm", 1), ("sampling", 1), ("newton", 3)])
def test_same_bits_for_any_number_of_threads(solver, p):
    X, y = heavy_tailed(30_000, 8)
    fits = [
        SketchedRegressor(p=p, solver=solver, random_state=3, n_jobs=jobs).fit(X, y)
        for jobs in (1, 2, 2)
    ]
    assert len({model.coef_.tobytes() for model in fits}) == 1
    fortran = SketchedRegressor(p=p, solver=solver, random_state=3).fit(np.asfortranarray(X), y)
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
        (
            {"p": 1, "guarantee": "linf", "epsilon": 0.1},
            InvalidParameterError,
            "'guarantee' parameter .* 'residual' where p is not 2. Got 'linf'",
        ),
        (
            {"p": 1, "guarantee": "exact", "solver": "coreset"},
            IncompatibleSolverError,
            "it approximates.*Solvers that can: auto, ",
        ),
        (
            {"p": 1, "solver": "coreset", "sketch": "srht"},
            InvalidParameterError,
            "'sketch' parameter of Coreset must be one of 'augmented'",
        ),
        (
            {"p": 1, "solver": "coreset", "sketch_size": 1},
            InvalidParameterError,
            "'sketch_size' parameter of Coreset must be at least 4",
        ),
    ],
)
def test_bad_parameters(params, error, message):
    with pytest.raises(error, match=message):
        SketchedRegressor(**params).fit(*heavy_tailed(50, 2))


def test_wide_data_are_refused_before_they_fill_the_memory():
    X = sp.eye_array(30, 20_000, format="csr")
    for p in (1, 3):
        with pytest.raises(IncompatibleSolverError, match=r"no solver takes|20001 columns"):
            SketchedRegressor(p=p).fit(X, np.ones(30))
    with pytest.raises(IncompatibleSolverError, match=r"20001 columns are more than the 10000"):
        SketchedRegressor(p=1, solver="ipm").fit(X, np.ones(30))


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
    grid = [
        {"p": [1.0], "solver": ["auto", "ipm", "sampling", InteriorPoint(tol=1e-4)]},
        {"p": [1.5, 3.0], "solver": ["auto", "newton"]},
        {"p": [2.0], "solver": ["auto", "chol"], "alpha": [0.0, 1.0]},
    ]
    search = GridSearchCV(SketchedRegressor(), grid, cv=3, scoring="neg_median_absolute_error").fit(
        X, y
    )
    assert len(search.cv_results_["params"]) == 12
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("p", [1.05, 1.5, 4.0, 12.0])
def test_the_mean_of_two_clusters_in_closed_form(p):
    # k times at 0 and once at 1: k x^(p - 1) = (1 - x)^(p - 1).
    b = np.zeros((8, 1))
    b[7] = 1.0
    solution = Newton().solve(LpRegression(A=np.ones((8, 1)), b=b, p=p), rng=0)
    root = 7 ** (1 / (p - 1))
    x = 1 / (1 + root)
    assert solution.converged
    assert solution.extra["objective"][0] == pytest.approx(7 * x**p + (1 - x) ** p, rel=2e-8)


def test_powers_near_2_are_near_least_squares():
    X, y = heavy_tailed(500, 4)
    squares = SketchedRegressor().fit(X, y)
    near = SketchedRegressor(p=2 + 1e-9).fit(X, y)
    np.testing.assert_allclose(near.coef_, squares.coef_, rtol=1e-6)


def test_sampling_on_rows_that_matter_alone():
    # 20 of 60000 rows carry the last column, and most rows weigh nothing.
    X, y = heavy_tailed(60_000, 5, seed=8)
    X[:, 4] = 0
    X[::3000, 4] = 1
    weights = np.zeros(60_000)
    weights[::3] = 1.0
    problem = LpRegression(A=X, b=y[:, None], p=1.0, weights=weights, intercept=True)
    one = Sampling().solve(problem, rng=0)
    two = InteriorPoint(tol=1e-10).solve(problem, rng=0)
    assert one.converged
    np.testing.assert_allclose(one.extra["objective"], two.extra["objective"], rtol=1e-8)


def test_the_gap_bounds_the_excess_at_every_iteration():
    X, y = heavy_tailed(800, 4, seed=9)
    for solver, p in CASES:
        problem = LpRegression(A=X, b=y[:, None], p=p, intercept=True)
        best = problem.objective(reference(problem).x)[0]
        for max_iter in (1, 2, 3):
            early = type(solver)(max_iter=max_iter).solve(problem, rng=0)
            assert problem.objective(early.x)[0] <= best * (1 + early.residual + 1e-8)


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("sketch", ["auto", "lewis", "augmented", "leverage", "uniform"])
def test_a_coreset_is_within_epsilon_of_the_optimum(p, sketch):
    X, y = heavy_tailed(6000, 4, seed=10)
    problem = LpRegression(A=X, b=y[:, None], p=p, intercept=True)
    exact = (InteriorPoint if p == 1 else Newton)(tol=1e-10).solve(problem, rng=0)
    solution = Coreset(sketch=sketch, guarantee="residual", epsilon=0.05).solve(problem, rng=1)
    assert solution.converged
    best = exact.extra["objective"][0]
    excess = problem.objective(solution.x)[0] / best - 1
    assert -1e-9 <= excess <= solution.residual <= 0.05
    if p > 2 and sketch != "auto":
        # A few residuals make up the loss: without them any sample has to grow.
        return
    assert solution.extra["sketch_size"] < 6000
    chosen, weights = solution.extra["sample_indices"], solution.extra["sample_weights"]
    # The weighted sample stands for all rows.
    residual = np.abs(problem.residual(exact.x)[:, 0]) ** p
    if sketch != "uniform":
        assert weights @ residual[chosen] == pytest.approx(residual.sum(), rel=0.5)


def test_a_coreset_grows_until_it_is_certified():
    # With uniform sampling the few rows that fill the last column are seldom drawn.
    X, y = heavy_tailed(4000, 3, seed=11)
    X[:, 2] = np.where(np.arange(4000) % 1000 == 0, 100.0, 0.0)
    problem = LpRegression(A=X, b=y[:, None] + 3 * X[:, 2:], p=1.0)
    solution = Coreset(sketch="uniform", sketch_size=20, guarantee="residual", epsilon=1e-3).solve(
        problem, rng=0
    )
    assert solution.n_iter > 1
    assert solution.residual <= 1e-3
    sizes = [record["iteration"] for record in solution.history]
    assert sizes == list(range(1, solution.n_iter + 1))
    # By leverage they are certain to be drawn.
    by_leverage = Coreset(sketch_size=400, max_iter=1).solve(problem, rng=0)
    assert set(range(0, 4000, 1000)) <= set(by_leverage.extra["sample_indices"])


def test_coreset_through_the_estimator():
    X, y = heavy_tailed(20_000, 3, seed=12)
    Y = np.column_stack([y, 2 * y])
    model = SketchedRegressor(
        p=1, solver="coreset", guarantee="residual", epsilon=0.02, random_state=0
    ).fit(X, Y)
    assert model.dual_gap_.shape == (2,)
    assert (model.dual_gap_ <= 0.02).all()
    assert model.sketch_size_ == len(model.sample_indices_) == len(model.sample_weights_)
    # Both targets share the sample, so their fits differ by the factor alone.
    np.testing.assert_allclose(model.coef_[1], 2 * model.coef_[0], rtol=1e-6)
    auto = SketchedRegressor(p=1, guarantee="residual", epsilon=0.02, random_state=0).fit(X, y)
    assert auto.dual_gap_ <= 0.02
    assert SketchedRegressor(p=1).fit(X, y).sample_indices_ is None


def test_augmented_scores_agree_with_the_public_ones():
    from skrand.regression import row_scores
    from skrand.regression.design import Design

    X, _ = heavy_tailed(500, 5, seed=13)
    for p in (1.0, 1.5, 3.0, 5.0):
        problem = LpRegression(A=X, b=np.zeros((500, 1)), p=p)
        weights = Design(problem, 0, 1).lewis_weights(p, rounds=60)
        np.testing.assert_allclose(weights, row_scores(X, "lewis", p=p), rtol=1e-4)


@pytest.mark.parametrize("solver", [*[s for s, _ in CASES[:3]], Coreset()], ids=lambda s: s.name)
@pytest.mark.parametrize("kind", ["zeros", "constant", "one-row", "exact"])
def test_degenerate_data_are_fitted_exactly(solver, kind):
    rng = np.random.default_rng(14)
    A, b = rng.standard_normal((50, 3)), np.full((50, 1), 3.7)
    expected = 0.0
    if kind == "zeros":
        A = np.zeros((50, 3))
        expected = None
    elif kind == "one-row":
        A, b = A[:1], b[:1]
    elif kind == "exact":
        b = A @ np.ones((3, 1))
    p = 3.0 if solver.name == "newton" else 1.0
    problem = LpRegression(A=A, b=b, p=p, intercept=kind == "constant")
    solution = solver.solve(problem, rng=0)
    assert solution.converged
    assert solution.residual == 0.0
    if expected is None:
        assert not solution.x.any()
        np.testing.assert_allclose(solution.extra["objective"], (b**p).sum())
    else:
        np.testing.assert_allclose(problem.residual(solution.x), 0, atol=1e-12)
