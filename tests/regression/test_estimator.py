"""SketchedRegressor: scikit-learn's contract, and the sentences of its errors."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrand import SketchedRegressor
from skrand.exceptions import (
    IncompatibleSolverError,
    InvalidParameterError,
    RankWarning,
    UnknownNameError,
)
from skrand.linalg import CountSketch
from skrand.regression.solvers import SAP, Cholesky

SOLVERS = ["auto", "chol", "pne", "sap", "spir", "lapack"]


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_equals_linear_regression_on_diabetes(diabetes, solver, fit_intercept):
    X, y = diabetes
    model = SketchedRegressor(solver=solver, fit_intercept=fit_intercept, random_state=0).fit(X, y)
    peer = LinearRegression(fit_intercept=fit_intercept, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-8)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=1e-8)
    assert model.score(X, y) == pytest.approx(peer.score(X, y))
    assert model.backward_error_ < 1e-14


@pytest.mark.parametrize("solver", SOLVERS)
def test_ridge_and_weights_equal_scikit_learn(diabetes, solver):
    X, y = diabetes
    Y = np.column_stack([y, y**2])
    weights = np.random.default_rng(0).uniform(0, 2, len(y))
    model = SketchedRegressor(alpha=0.5, solver=solver, random_state=0).fit(X, Y, weights)
    peer = Ridge(alpha=0.5, solver="svd").fit(X, Y, weights)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=1e-9)
    assert model.objective_.shape == (2,)


def test_predictions_as_columns(diabetes):
    X, y = diabetes
    model = SketchedRegressor().fit(X, y)
    np.testing.assert_array_equal(model.transform(X)[:, 0], model.predict(X))
    frame = model.set_output(transform="pandas").transform(pd.DataFrame(X))
    assert list(frame.columns) == ["sketchedregressor0"]


def test_float32_stays_float32(diabetes):
    X, y = diabetes
    model = SketchedRegressor().fit(X.astype(np.float32), y.astype(np.float32))
    assert model.coef_.dtype == model.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(model.coef_, SketchedRegressor().fit(X, y).coef_, rtol=1e-3)


@pytest.mark.parametrize("solver", ["chol", "pne", "sap", "spir", "sketch", "auto"])
def test_same_bits_for_any_number_of_threads(solver):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((30_000, 20)), rng.standard_normal(30_000)
    fits = [
        SketchedRegressor(solver=solver, random_state=3, n_jobs=jobs).fit(X, y)
        for jobs in (1, 2, 2)
    ]
    assert len({model.coef_.tobytes() for model in fits}) == 1


@pytest.mark.parametrize("solver", [*SOLVERS, "sketch"])
def test_memory_order_does_not_matter(solver):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((5000, 30)) + 2
    y = X.sum(axis=1) + rng.standard_normal(5000)
    model = SketchedRegressor(solver=solver, random_state=0)
    rows = model.fit(X, y).coef_
    columns = model.fit(np.asfortranarray(X), y).coef_
    np.testing.assert_allclose(rows, columns, rtol=1e-12, atol=1e-12)


def test_grid_search_over_solver_names_and_objects(diabetes):
    X, y = diabetes
    pipeline = make_pipeline(StandardScaler(), SketchedRegressor(random_state=0))
    grid = {
        "sketchedregressor__solver": ["chol", "sap", SAP(sketch_size=4.0)],
        "sketchedregressor__alpha": [0.0, 1.0],
    }
    search = GridSearchCV(pipeline, grid, n_jobs=2, cv=3).fit(X, y)
    assert search.best_score_ > 0.4
    powers = {"sketchedregressor__p": [1.0, 1.5, 2.0]}
    search = GridSearchCV(pipeline, powers, cv=3).fit(X, y)
    assert min(search.cv_results_["mean_test_score"]) > 0.4
    nested = GridSearchCV(
        SketchedRegressor(solver=SAP()), {"solver__sketch_size": [4.0, 8.0]}, cv=3
    ).fit(X, y)
    assert nested.best_estimator_.solver_ == "sap"


def test_progress_bar_shows_iterations(diabetes, capsys):
    X, y = diabetes
    SketchedRegressor(solver="sap", random_state=0).set_callbacks(ProgressBar()).fit(X, y)
    assert "SketchedRegressor - fit" in capsys.readouterr().out


def test_callbacks_see_usable_estimators_and_can_stop(diabetes):
    X, y = diabetes
    scores = []

    class Stop:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            scores.append(fitted_estimator.score(X, y))
            return True

    model = SketchedRegressor(solver="sap", random_state=0).set_callbacks(Stop())
    with pytest.warns(ConvergenceWarning, match="did not converge in 1 iter.*callback"):
        model.fit(X, y)
    assert model.n_iter_ == 1
    assert scores[0] == pytest.approx(model.score(X, y))


def test_scoring_monitor(diabetes):
    X, y = diabetes
    monitor = ScoringMonitor(scoring="r2")
    SketchedRegressor(solver="sap", random_state=0).set_callbacks(monitor).fit(X, y)
    assert monitor


@pytest.mark.filterwarnings("ignore::skrand.exceptions.RankWarning")
def test_non_convergence_is_a_warning_with_the_achieved_error():
    rng = np.random.default_rng(2)
    X = np.vander(np.linspace(0, 1, 200), 14)
    message = r"'chol' did not converge in \d iterations \(achieved residual .*'sap' works at any"
    with pytest.warns(ConvergenceWarning, match=message):
        model = SketchedRegressor(solver="chol").fit(X, rng.standard_normal(200))
    assert not model.converged_
    assert np.isfinite(model.coef_).all()


def test_rank_warning_and_constant_columns():
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.standard_normal((100, 2)), np.full(100, 1e7)])
    y = X[:, 0] - X[:, 1]
    with pytest.warns(RankWarning, match="rank 2, fewer than their 3 features"):
        model = SketchedRegressor().fit(X, y)
    assert model.coef_[2] == 0
    np.testing.assert_allclose(model.coef_[:2], [1, -1], rtol=1e-12)


@pytest.mark.parametrize("solver", ["auto", "lapack", "pne", "sap", "sketch", "stream"])
@pytest.mark.parametrize("sparse", [False, True])
def test_constant_columns_of_many_rows(solver, sparse):
    # The sum of 40,000 equal terms is off by far more than a few roundoffs.
    if sparse and solver in ("lapack", "pne"):
        return
    rng = np.random.default_rng(8)
    X = np.column_stack([rng.standard_normal((40_000, 8)), np.full(40_000, 0.1)])
    y = X[:, 0] + rng.standard_normal(40_000)
    model = SketchedRegressor(solver="auto" if solver == "stream" else solver, random_state=0)
    fit = model.partial_fit if solver == "stream" else model.fit
    with pytest.warns(RankWarning, match="rank 8, fewer than their 9 features"):
        fit(sp.csr_array(X) if sparse else X, y).coef_  # noqa: B018
    assert model.coef_[-1] == 0


@pytest.mark.filterwarnings("ignore::skrand.exceptions.RankWarning")
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 8), (2, 1)])
def test_tiny_and_wide_data_are_interpolated(shape):
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    np.testing.assert_allclose(SketchedRegressor().fit(X, y).predict(X), y, rtol=1e-10)
    sparse = SketchedRegressor(random_state=0).fit(sp.csr_array(X), y)
    np.testing.assert_allclose(sparse.predict(X), y, rtol=1e-10)


def test_input_is_not_modified_and_may_be_read_only(diabetes, tmp_path):
    X, y = diabetes
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    y = y.copy()
    y.flags.writeable = False
    for solver in (*SOLVERS, "sketch"):
        SketchedRegressor(solver=solver, random_state=0).fit(mapped, y)
    np.testing.assert_array_equal(mapped, X)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"solver": "chool"}, UnknownNameError, "chool.*[Dd]id you mean.*chol.*auto.*lapack.*sap"),
        ({"solver": 3}, InvalidParameterError, "solver"),
        ({"alpha": -1.0}, InvalidParameterError, r"'alpha' parameter of SketchedRegressor must be"),
        ({"tol": 0}, InvalidParameterError, r"range \(0, inf\). Got 0 instead"),
        ({"max_iter": 1.5}, InvalidParameterError, "'max_iter' parameter of SketchedRegressor"),
        ({"fit_intercept": "yes"}, InvalidParameterError, "must be a bool. Got 'yes'"),
        ({"solver": "chol", "sketch": "srht"}, InvalidParameterError, "not used by solver 'chol'"),
        ({"solver": "lapack", "sketch_size": 9}, InvalidParameterError, "use it: .*sap, sketch"),
        ({"sketch": "shrt"}, InvalidParameterError, "'sketch' parameter of Auto must be"),
    ],
)
def test_bad_parameters(diabetes, params, error, message):
    with pytest.raises(error, match=message):
        SketchedRegressor(**params).fit(*diabetes)


def test_bad_data(diabetes):
    X, y = diabetes
    model = SketchedRegressor()
    broken = X.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"NaN"):
        model.fit(broken, y)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match=r"non-negative. Got -1.0 at position 5"):
        model.fit(X, y, sample_weight=np.where(np.arange(len(y)) == 5, -1.0, 1.0))
    with pytest.raises(ValueError, match=r"positive entry. Got all zeros"):
        model.fit(X, y, sample_weight=np.zeros(len(y)))
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
        model.fit(X, y, sample_weight=np.ones(3))
    refusal = r"dense data.*Solvers that can: auto, .*chol"
    with pytest.raises(IncompatibleSolverError, match=refusal):
        SketchedRegressor(solver="lapack").fit(sp.csr_array(X), y)


def test_sketch_parameters_reach_the_solver(diabetes):
    X, y = diabetes
    operator = CountSketch(200, random_state=1)
    model = SketchedRegressor(solver="sketch", sketch=operator).fit(X, y)
    again = SketchedRegressor(solver="sketch", sketch=operator, random_state=5).fit(X, y)
    np.testing.assert_array_equal(model.coef_, again.coef_)
    assert model.error_estimate_ > 0
    assert model.backward_error_ is None
    forced = SketchedRegressor(sketch="srht", random_state=0).fit(X, y)
    assert forced.solver_ == "pne"


def test_solver_object_is_not_changed_by_fit(diabetes):
    solver = Cholesky(max_iter=5)
    SketchedRegressor(solver=solver, max_iter=7, tol=1e-12).fit(*diabetes)
    assert clone(solver).get_params() == {"tol": None, "max_iter": 5, "n_jobs": None}


def test_parameters_of_a_solver_that_is_a_name():
    model = SketchedRegressor(solver="sap")
    with pytest.raises(InvalidParameterError) as caught:
        model.set_params(solver__sketch_size=4.0)
    assert str(caught.value) == (
        "'solver__sketch_size' sets a parameter of a solver object, and the 'solver' parameter of "
        "SketchedRegressor is the name 'sap'. Give it the object instead: "
        "solver=make_solver(task, 'sap')."
    )
    model.set_params(solver=SAP(), solver__sketch_size=4.0)
    assert model.solver.sketch_size == 4.0


def test_missing_values_are_refused_with_the_way_out():
    X, y = np.ones((9, 2)), np.arange(9.0)
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="SketchedRegressor does not accept missing values"):
        SketchedRegressor().fit(X, y)
