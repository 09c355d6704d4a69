"""Matrix sensing: what each solver promises, against planted matrices and other packages."""

import itertools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrand import MatrixSensingRegressor, make_solver
from skrand.completion.sensing import MatrixSensing, RankOneMeasurements
from skrand.completion.sensing.solvers import GD, RGN, ScaledGD


def planted(d1, d2, rank, n, condition=1.0, noise=0.0, seed=0, symmetric=False):
    """Return Gaussian measurements, a matrix of norm 1, and what is measured."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((d, rank)))[0] for d in (d1, d2))
    V = U if symmetric else V
    M = (U * np.logspace(0, -np.log10(condition), rank)) @ V.T
    A = rng.standard_normal((n, d1 * d2))
    return A, M, A @ M.ravel() + noise * rng.standard_normal(n)


def distance(M, truth):
    return np.linalg.norm(M - truth) / np.linalg.norm(truth)


def path(solver, problem, truth, tol):
    """Return the distances from the truth until one is at most tol."""
    errors = []

    def look(state):
        errors.append(distance(state["x"](), truth))
        return errors[-1] <= tol

    solver.solve(problem, rng=0, callback=look)
    return errors


@pytest.fixture(scope="module")
def overparameterized():
    """The paper's case: a symmetric 30 x 30 matrix of rank 3 in factors of 6 columns."""
    A, M, y = planted(30, 30, 3, 900, symmetric=True)
    return MatrixSensing(A=A, y=y, matrix_shape=(30, 30), rank=6), M


# What the paper promises


def test_one_modified_step_makes_the_rate_independent_of_the_start(overparameterized):
    problem, M = overparameterized
    steps = {}
    for scale in (0.01, 0.05, 0.2, 0.5):
        errors = path(GD(init_scale=scale, tol=1e-14, max_iter=2000), problem, M, 1e-10)
        assert errors[-1] <= 1e-10
        steps[scale] = len(errors)
    assert max(steps.values()) <= 1.3 * min(steps.values())


def test_without_it_the_rate_is_that_of_the_start(overparameterized):
    problem, M = overparameterized
    errors = [
        path(GD(init_scale=scale, rebalance=False, tol=1e-14, max_iter=1200), problem, M, 1e-10)
        for scale in (0.05, 0.35, 0.7)
    ]
    assert errors[0][-1] > 1e-3
    # Linear, at a rate in proportion to the square of the scale.
    rates = [np.log(one[799] / one[999]) for one in errors[1:]]
    assert 3 < rates[1] / rates[0] < 5
    balanced = GD(init_scale=0.7, imbalance=1.0, rebalance=False, tol=1e-14, max_iter=1200)
    assert path(balanced, problem, M, 1e-10)[-1] > 1000 * errors[2][-1]


def test_symmetric_descent_is_sublinear(overparameterized):
    problem, M = overparameterized
    tied = MatrixSensing(A=problem.A, y=problem.y, matrix_shape=(30, 30), rank=6, symmetric=True)
    errors = np.array(path(GD(tol=1e-14, max_iter=1600), tied, M, 1e-4))
    assert len(errors) == 1600
    # Order 1/T: twice the steps, half the error.
    assert 1.5 < errors[399] / errors[799] < 2.5
    assert 1.5 < errors[799] / errors[1599] < 2.5
    exact = MatrixSensing(A=problem.A, y=problem.y, matrix_shape=(30, 30), rank=3, symmetric=True)
    assert path(GD(tol=1e-14, max_iter=800), exact, M, 1e-10)[-1] <= 1e-10


def test_rebalancing_leaves_the_matrix(overparameterized):
    problem, _ = overparameterized
    pairs = [
        GD(rebalance=rebalance, max_iter=60, tol=1e-14).solve(problem, rng=0)
        for rebalance in (True, False)
    ]
    step = pairs[0].extra["rebalance_iter"]
    assert pairs[1].extra["rebalance_iter"] is None
    losses = [[entry["loss"] for entry in one.history] for one in pairs]
    assert 0 < step < 60
    assert losses[0][:step] == losses[1][:step]
    assert losses[0][step] != losses[1][step]
    size = np.sum(problem.target**2)
    assert 2 * losses[0][step - 1] <= 0.1**2 * size < 2 * losses[0][step - 2]


@pytest.mark.parametrize("condition", [1, 10, 100])
def test_scaled_descent_does_not_mind_the_condition(condition):
    A, M, y = planted(20, 15, 2, 1000, condition=condition)
    problem = MatrixSensing(A=A, y=y, matrix_shape=(20, 15), rank=2)
    assert len(path(ScaledGD(tol=1e-14, max_iter=200), problem, M, 1e-8)) < 80
    if condition == 100:
        plain = path(GD(tol=1e-14, max_iter=500), problem, M, 1e-8)
        assert plain[-1] > 1e-3


# Gauss-Newton


@pytest.mark.parametrize("condition", [1, 10])
def test_gauss_newton_converges_quadratically_from_few_measurements(condition):
    # 1.6 times the degrees of freedom, a third of the entries.
    A, M, y = planted(30, 30, 3, 270, condition=condition)
    problem = MatrixSensing(A=A, y=y, matrix_shape=(30, 30), rank=3)
    errors = path(RGN(tol=1e-14), problem, M, 1e-13)
    assert errors[-1] < 1e-11
    assert len(errors) < 20
    assert errors[-2] < 10 * errors[-3] ** 1.5


def test_gauss_newton_does_not_mind_too_large_a_rank(overparameterized):
    problem, M = overparameterized
    for symmetric in (False, True):
        tied = MatrixSensing(
            A=problem.A, y=problem.y, matrix_shape=(30, 30), rank=6, symmetric=symmetric
        )
        solution = RGN().solve(tied)
        assert solution.converged
        assert solution.n_iter < 12
        assert distance(solution.x, M) < 1e-9


@pytest.mark.parametrize("symmetric", [False, True])
def test_noise_and_too_large_a_rank_are_left_to_newton(symmetric, monkeypatch):
    A, _, y = planted(20, 20, 2, 400, noise=0.02, symmetric=symmetric)
    problem = MatrixSensing(A=A, y=y, matrix_shape=(20, 20), rank=5, symmetric=symmetric)
    solution = RGN().solve(problem)
    assert solution.converged
    slopes = np.array([entry["residual"] for entry in solution.history])
    assert slopes[-1] < slopes[-2] ** 1.3
    monkeypatch.setattr("skrand.completion.sensing.solvers.rgn._SLOW", np.inf)
    assert RGN(max_iter=1000).solve(problem).n_iter > 2 * solution.n_iter


def test_direct_and_inner_iterations_agree(monkeypatch):
    A, _, y = planted(12, 10, 2, 300, noise=0.1)
    problem = MatrixSensing(A=A, y=y + 2.0, matrix_shape=(12, 10), rank=2, intercept=True)
    direct = RGN(tol=1e-12).solve(problem)
    monkeypatch.setattr("skrand.completion.sensing.solvers.rgn._DIRECT", 0)
    inner = RGN(tol=1e-12).solve(problem)
    assert direct.extra["n_inner"] == 0 < inner.extra["n_inner"]
    assert distance(inner.x, direct.x) < 1e-9


def test_noise_reaches_the_error_of_an_oracle():
    """The error is that of least squares in the true tangent space, to first order."""
    A, M, y = planted(30, 25, 2, 600, noise=1e-3)
    U, _, Vt = np.linalg.svd(M)
    U, V = U[:, :2], Vt[:2].T
    cube = A.reshape(600, 30, 25)
    J = np.hstack([(cube @ V).reshape(600, -1), (U.T @ cube).reshape(600, -1)])
    fit = J @ np.linalg.lstsq(J, y, rcond=1e-12)[0]
    solution = RGN().solve(MatrixSensing(A=A, y=y, matrix_shape=(30, 25), rank=2))
    assert np.linalg.norm(A @ solution.x.ravel() - fit) < 0.02 * np.linalg.norm(fit - A @ M.ravel())


# The problem


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_adjoint_is_the_transpose(symmetric, intercept):
    rng = np.random.default_rng(0)
    n, d1, d2 = 40, 5, 5 if symmetric else 4
    a, b = rng.standard_normal((n, d1)), rng.standard_normal((n, d2))
    dense = np.einsum("ni,nj->nij", a, b).reshape(n, -1)
    F = rng.standard_normal((d1, 2))
    G = F if symmetric else rng.standard_normal((d2, 2))
    values = rng.standard_normal(n)
    seen = []
    for A in (dense, sp.csr_array(dense), aslinearoperator(dense), RankOneMeasurements(a, b)):
        problem = MatrixSensing(
            A=A,
            y=rng.standard_normal(n),
            matrix_shape=(d1, d2),
            rank=2,
            symmetric=symmetric,
            weights=np.arange(n, dtype=float),
            intercept=intercept,
        )
        S = problem.adjoint(values)
        assert values @ problem.image(F, G) == pytest.approx(np.sum(S * (F @ G.T)), rel=1e-12)
        left, right = problem.adjoint_products(values, F, G)
        np.testing.assert_allclose(left, S @ G, atol=1e-12)
        np.testing.assert_allclose(right, S.T @ F, atol=1e-12)
        seen.append(S)
    for S in seen[1:]:
        np.testing.assert_allclose(S, seen[0], atol=1e-12)


@pytest.mark.parametrize("solver", ["rgn", "scaledgd", "gd", "auto"])
def test_all_forms_of_measurements_agree(solver):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((300, 8)), rng.standard_normal((300, 6))
    cube = np.einsum("ni,nj->nij", a, b)
    flat = cube.reshape(300, -1)
    y = flat @ planted(8, 6, 2, 1)[1].ravel() + 0.01 * rng.standard_normal(300)
    forms = {
        "flat": flat,
        "cube": cube,
        "fortran": np.asfortranarray(flat),
        "sparse": sp.csr_array(flat),
        "coo": sp.coo_array(flat),
        "operator": aslinearoperator(flat),
        "rank-one": RankOneMeasurements(a, b),
    }
    answers = {}
    for name, X in forms.items():
        shape = None if name in ("cube", "rank-one") else (8, 6)
        model = MatrixSensingRegressor(2, matrix_shape=shape, solver=solver, random_state=0)
        answers[name] = model.fit(X, y).coef_matrix_
        assert model.converged_
        np.testing.assert_allclose(model.predict(X), flat @ model.coef_, atol=1e-10)
    for M in answers.values():
        np.testing.assert_allclose(M, answers["flat"], atol=1e-8)


def test_many_rank_one_measurements_are_never_stored_as_matrices():
    # As a dense array these would take 2 GB.
    rng = np.random.default_rng(2)
    n, d = 6000, 200
    X = RankOneMeasurements(rng.standard_normal((n, d)), rng.standard_normal((n, d)))
    M = planted(d, d, 3, 1)[1]
    model = MatrixSensingRegressor(3).fit(X, X @ M.ravel())
    assert distance(model.coef_matrix_, M) < 1e-8


# The estimator


def test_one_column_is_linear_regression():
    rng = np.random.default_rng(3)
    X, w = rng.standard_normal((80, 6)) + 5.0, rng.uniform(size=80)
    y = X @ rng.standard_normal(6) + rng.standard_normal(80) + 7.0
    ours = MatrixSensingRegressor(fit_intercept=True).fit(X, y, sample_weight=w)
    theirs = LinearRegression().fit(X, y, sample_weight=w)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-7)
    assert ours.coef_matrix_.shape == (6, 1)


@pytest.mark.parametrize("solver", ["rgn", "scaledgd", "gd"])
def test_weights_are_repetitions(solver):
    A, _, y = planted(6, 5, 2, 120, noise=0.1)
    w = np.random.default_rng(4).integers(0, 4, 120)
    model = MatrixSensingRegressor(2, matrix_shape=(6, 5), solver=solver, fit_intercept=True)
    model.set_params(random_state=0)
    weighted = clone(model).fit(A, y, sample_weight=w)
    repeated = clone(model).fit(np.repeat(A, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-7)
    assert weighted.intercept_ == pytest.approx(repeated.intercept_, abs=1e-7)


def test_scale_of_the_data_does_not_matter():
    A, M, y = planted(10, 8, 2, 300)
    for solver, a, b in itertools.product(("rgn", "scaledgd", "gd"), (1e-3, 1e3), (1e-4, 1e4)):
        model = MatrixSensingRegressor(2, matrix_shape=(10, 8), solver=solver, random_state=0)
        model.fit(a * A, b * y)
        assert distance(a / b * model.coef_matrix_, M) < 1e-8


@pytest.mark.parametrize("solver", ["rgn", "scaledgd", "gd", "auto"])
def test_float32_is_kept(solver):
    A, M, y = planted(10, 8, 2, 300)
    model = MatrixSensingRegressor(2, matrix_shape=(10, 8), solver=solver, random_state=0)
    model.fit(A.astype(np.float32), y.astype(np.float32))
    assert model.coef_.dtype == np.float32
    assert model.predict(A.astype(np.float32)).dtype == np.float32
    assert distance(model.coef_matrix_, M) < 1e-4


def test_attributes_agree_with_each_other():
    A, _, y = planted(10, 8, 2, 200, noise=0.1)
    model = MatrixSensingRegressor(2, matrix_shape=(10, 8), solver="gd", random_state=0).fit(A, y)
    assert len(model.loss_curve_) == len(model.history_) == model.n_iter_
    assert np.all(np.diff(model.loss_curve_) <= 1e-12)
    assert model.loss_curve_[-1] == pytest.approx(0.5 * np.mean((model.predict(A) - y) ** 2))
    assert model.gradient_norm_ <= 1e-10
    assert model.rebalance_iter_ < model.n_iter_
    assert clone(model).set_params(solver="rgn").fit(A, y).rebalance_iter_ is None
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(A), model.predict(A))


def test_zero_targets():
    A, _, _ = planted(6, 5, 2, 60)
    for solver in ("rgn", "scaledgd", "gd", "auto"):
        model = MatrixSensingRegressor(2, matrix_shape=(6, 5), solver=solver).fit(A, np.zeros(60))
        assert model.converged_
        assert not model.coef_.any()


@pytest.mark.parametrize("solver", ["rgn", "scaledgd", "gd"])
def test_a_negative_definite_target_has_no_semidefinite_part(solver):
    X = MatrixSensingRegressor(2, matrix_shape=(4, 4), parameterization="symmetric", solver=solver)
    A = np.random.default_rng(5).standard_normal((2000, 16))
    assert not X.fit(A, -A @ np.eye(4).ravel()).coef_.any()


def test_semidefinite_answers_of_less_than_the_rank():
    """Of an indefinite matrix that is wholly measured, the best is its positive part."""
    rng = np.random.default_rng(6)
    M = rng.standard_normal((6, 6))
    M += M.T
    values, vectors = np.linalg.eigh(M)
    positive = (vectors * np.maximum(values, 0)) @ vectors.T
    assert 1 < np.sum(values > 0) < 6
    Q = np.linalg.qr(rng.standard_normal((36, 36)))[0]
    problem = MatrixSensing(A=Q, y=Q @ M.ravel(), matrix_shape=(6, 6), rank=6, symmetric=True)
    solution = RGN().solve(problem)
    assert solution.converged
    assert distance(solution.x, positive) < 1e-8


@pytest.mark.parametrize("seed", range(6))
def test_newton_with_noise_and_too_many_columns_ends_at_rounding(seed):
    A, _, y = planted(8, 8, 2, 200, noise=0.05, seed=seed)
    model = MatrixSensingRegressor(5, matrix_shape=(8, 8), solver="rgn", tol=1e-13).fit(A, y)
    gradient = (A.T @ (A @ model.coef_ - y)).reshape(8, 8) / np.linalg.norm(A.T @ y)
    U, _, Vt = np.linalg.svd(model.coef_matrix_)
    assert model.converged_
    assert np.linalg.norm(U[:, :5].T @ gradient) < 1e-12
    assert np.linalg.norm(gradient @ Vt[:5].T) < 1e-12


def test_cross_validation_finds_the_rank():
    A, _, y = planted(8, 8, 2, 300, noise=0.05)
    grid = {
        "rank": [1, 2, 5],
        "solver": ["rgn", make_solver("matrix-sensing", "scaledgd", max_iter=5000)],
    }
    search = GridSearchCV(MatrixSensingRegressor(matrix_shape=(8, 8)), grid, cv=3).fit(A, y)
    assert search.best_params_["rank"] == 2
    nested = GridSearchCV(
        MatrixSensingRegressor(2, matrix_shape=(8, 8), solver=GD(), random_state=0),
        {"solver__init_scale": [0.01, 0.5], "solver__rebalance": [True]},
        cv=3,
        error_score="raise",
    ).fit(A, y)
    assert nested.best_score_ > 0.9
    rng = np.random.default_rng(6)
    pairs = RankOneMeasurements(rng.standard_normal((300, 8)), rng.standard_normal((300, 8)))
    values = pairs @ planted(8, 8, 2, 1)[1].ravel()
    assert cross_val_score(MatrixSensingRegressor(2), pairs, values, cv=3).min() > 0.999
    pipe = make_pipeline(StandardScaler(), MatrixSensingRegressor(2, matrix_shape=(8, 8)))
    assert pipe.fit(A, y).score(A, y) > 0.8


@pytest.mark.parametrize("solver", ["rgn", "scaledgd", "gd", "auto"])
def test_callbacks_see_usable_estimators_and_can_stop(solver):
    A, _, y = planted(8, 8, 2, 200)
    scores = []

    class Stop:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            scores.append(fitted_estimator.score(A, y))
            return True

    model = MatrixSensingRegressor(2, matrix_shape=(8, 8), solver=solver, random_state=0)
    model.set_callbacks(Stop())
    with pytest.warns(
        ConvergenceWarning, match=r"in 1 iterations .* A callback asked it to stop\."
    ):
        model.fit(A, y)
    assert scores[0] == pytest.approx(model.score(A, y))


# What is said when something is wrong


@pytest.mark.parametrize("solver", ["rgn", "scaledgd", "gd", "auto"])
def test_non_convergence_is_said(solver):
    A, _, y = planted(10, 8, 2, 200, noise=0.1)
    model = MatrixSensingRegressor(2, matrix_shape=(10, 8), solver=solver, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="Raise max_iter or tol. The gradient along"):
        model.fit(A, y)
    assert not model.converged_
    assert np.isfinite(model.coef_).all()


def test_a_step_too_long_is_shortened():
    A, M, y = planted(10, 8, 2, 200)
    problem = MatrixSensing(A=A, y=y, matrix_shape=(10, 8), rank=2)
    for solver in (GD(step_size=1e3), ScaledGD(step_size=1e3)):
        solution = solver.solve(problem, rng=0)
        assert solution.converged
        assert solution.history[-1]["step_size"] < 10
        assert distance(solution.x, M) < 1e-8


def test_a_tolerance_below_rounding_is_said():
    A, _, y = planted(10, 8, 2, 200, noise=0.1)
    problem = MatrixSensing(A=A, y=y, matrix_shape=(10, 8), rank=2)
    solution = RGN(tol=1e-30, max_iter=60).solve(problem)
    assert not solution.converged
    assert solution.residual < 1e-12
    assert solution.message.startswith("No step lowers the objective any more: tol is below what")


FIT = "The {!r} parameter of MatrixSensingRegressor must be {}. Got {!r} instead."


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"rank": 0}, FIT.format("rank", "an int in the range [1, inf)", 0)),
        ({"rank": 1.5}, FIT.format("rank", "an int in the range [1, inf)", 1.5)),
        ({"rank": 4}, FIT.format("rank", "an int in the range [1, 3] for a 4 x 3 matrix", 4)),
        (
            {"matrix_shape": 12},
            FIT.format("matrix_shape", "None or a tuple of two positive ints", 12),
        ),
        (
            {"matrix_shape": (4, -3)},
            FIT.format("matrix_shape", "None or a tuple of two positive ints", (4, -3)),
        ),
        (
            {"matrix_shape": (5, 3)},
            FIT.format(
                "matrix_shape",
                "None or the shape of the measurement matrices, with 12 entries",
                (5, 3),
            ),
        ),
        (
            {"parameterization": "psd"},
            FIT.format("parameterization", "one of 'asymmetric', 'symmetric'", "psd"),
        ),
        (
            {"parameterization": "symmetric"},
            "parameterization='symmetric' needs a square coefficient matrix. Got 4 x 3; set "
            "matrix_shape, or use parameterization='asymmetric'.",
        ),
        ({"tol": 0}, FIT.format("tol", "None or a float in the range (0, inf)", 0)),
        ({"max_iter": 0}, FIT.format("max_iter", "None or an int in the range [1, inf)", 0)),
        ({"fit_intercept": "yes"}, FIT.format("fit_intercept", "a bool", "yes")),
    ],
)
def test_parameter_errors(params, sentence):
    A, _, y = planted(4, 3, 1, 30)
    with pytest.raises(ValueError) as error:
        MatrixSensingRegressor(1, matrix_shape=(4, 3)).set_params(**params).fit(A, y)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("solver", "name", "allowed", "value"),
    [
        (GD, "init_scale", "a float in the range (0, inf)", 0),
        (GD, "imbalance", "a float in the range (0, inf)", -1),
        (GD, "rebalance", "a bool", "once"),
        (GD, "rebalance_threshold", "a float in the range (0, 1]", 2),
        (GD, "step_size", "None or a float in the range (0, inf)", 0),
        (ScaledGD, "damping", "a float in the range [0, inf)", -1),
        (ScaledGD, "step_size", "a float in the range (0, inf)", 0),
        (RGN, "max_inner", "an int in the range [1, inf)", 0),
        (RGN, "tol", "None or a float in the range (0, inf)", -1),
        (RGN, "max_iter", "an int in the range [1, inf)", 0),
    ],
)
def test_solver_parameter_errors(solver, name, allowed, value):
    A, _, y = planted(4, 3, 1, 30)
    model = MatrixSensingRegressor(matrix_shape=(4, 3), solver=solver(**{name: value}))
    with pytest.raises(ValueError) as error:
        model.fit(A, y)
    expected = f"The {name!r} parameter of {solver.__name__} must be {allowed}. Got {value!r} "
    assert str(error.value) == expected + "instead."


def _complex_operator():
    return LinearOperator((30, 12), matvec=lambda x: np.zeros(30), dtype=np.complex128)


@pytest.mark.parametrize(
    ("X", "y", "weights", "sentence"),
    [
        (np.ones((30, 4, 3)), np.ones(29), None, "inconsistent numbers of samples"),
        (np.full((30, 12), np.nan), np.ones(30), None, "Input X contains NaN"),
        (np.ones((30, 12)), np.full(30, np.inf), None, "Input y contains infinity"),
        (np.ones((30, 12)), np.ones(30), -np.ones(30), "sample_weight must be non-negative"),
        (np.ones((30, 12)), np.ones(30), np.zeros(30), "must have a positive entry"),
        (np.ones((30, 12)), np.ones(30), np.ones((30, 1)), "sample_weight must be 1-D"),
        (np.ones((30, 3, 4)), np.ones(30), None, r"matrices, here \(3, 4\). Got \(4, 3\)"),
        (_complex_operator(), np.ones(30), None, "must be of float32 or float64. Got complex128"),
        (aslinearoperator(np.ones((30, 12))), np.ones(29), None, "as each other. Got 30 and 29"),
        (aslinearoperator(np.ones((30, 12))), np.full(30, np.nan), None, "Input y contains NaN"),
    ],
)
def test_data_errors(X, y, weights, sentence):
    with pytest.raises(ValueError, match=sentence):
        MatrixSensingRegressor(matrix_shape=(4, 3)).fit(X, y, sample_weight=weights)


def test_errors_after_fitting():
    A, _, y = planted(4, 3, 1, 30)
    model = MatrixSensingRegressor(matrix_shape=(4, 3)).fit(A, y)
    sentence = "X has 11 features, but MatrixSensingRegressor is expecting 12 features as input"
    with pytest.raises(ValueError, match=sentence):
        model.predict(A[:, :11])
    with pytest.raises(ValueError, match=sentence):
        model.predict(aslinearoperator(A[:, :11]))
    with pytest.raises(ValueError, match=r"as many rows as each other\. Got 3 and 2"):
        RankOneMeasurements(np.ones((3, 2)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="left contains NaN"):
        RankOneMeasurements([[np.nan]], [[1.0]])
