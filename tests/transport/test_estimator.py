"""SinkhornNewtonOT: its map, its targets, and scikit-learn's tools around it."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skrand import SinkhornNewtonOT


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 2)), rng.normal(size=(150, 2)) * 0.5 + 2.0


@pytest.mark.parametrize("storage", ["dense", "lazy"])
@pytest.mark.parametrize("cost_scale", [None, "max", "mean", "median", 3.0])
def test_map_is_the_barycentric_projection(points, storage, cost_scale):
    X, Y = points
    model = SinkhornNewtonOT(0.1, target=Y, storage=storage, cost_scale=cost_scale).fit(X)
    P = model.plan_
    np.testing.assert_allclose(model.transform(X), P @ Y / P.sum(axis=1)[:, None], atol=1e-10)
    back = P.T @ X / P.sum(axis=0)[:, None]
    np.testing.assert_allclose(model.inverse_transform(Y), back, atol=1e-10)
    np.testing.assert_allclose(model.fit_transform(X), model.transform(X), atol=1e-10)
    assert model.marginal_error_ <= 1e-9
    assert model.gap_ == pytest.approx(0, abs=1e-7)
    cost = (P * ((X[:, None] - Y) ** 2).sum(axis=2)).sum()
    assert model.cost_ == pytest.approx(cost, rel=1e-10)


def test_map_is_continuous(points):
    X, Y = points
    model = SinkhornNewtonOT(0.1, target=Y).fit(X)
    for points_of, image in ((X, model.transform), (Y, model.inverse_transform)):
        line = np.linspace(points_of[0], points_of[1], 20_001)
        steps = np.linalg.norm(np.diff(image(line), axis=0), axis=1)
        assert steps.max() < 0.01


def test_targets_and_their_precedence(points):
    X, Y = points
    given = SinkhornNewtonOT(0.1).fit(X, Xt=Y)
    param = SinkhornNewtonOT(0.1, target=Y).fit(X)
    both = np.vstack([X, Y])
    domain = np.r_[np.ones(len(X)), -np.ones(len(Y))]
    domains = SinkhornNewtonOT(0.1, target=X).fit(both, sample_domain=domain)
    for other in (param, domains):
        assert np.array_equal(given.potentials_[1], other.potentials_[1])
    with pytest.raises(ValueError, match="both signs"):
        SinkhornNewtonOT().fit(X, sample_domain=np.ones(len(X)))
    with pytest.raises(ValueError, match="3 features"):
        SinkhornNewtonOT(target=np.ones((4, 3))).fit(X)


def test_normal_reference_makes_data_normal():
    X = np.random.default_rng(1).exponential(size=(800, 2))
    Z = SinkhornNewtonOT(0.01, random_state=0).fit_transform(X)
    assert np.abs(Z.mean(axis=0)).max() < 0.02
    assert np.abs(np.cov(Z.T) - np.eye(2)).max() < 0.1


def test_precomputed_costs(points):
    X, Y = points
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    model = SinkhornNewtonOT(0.1, metric="precomputed").fit(C)
    assert model.cost_ == pytest.approx(SinkhornNewtonOT(0.1, target=Y).fit(X).cost_, rel=1e-9)
    assert not hasattr(model, "transform")
    assert not hasattr(model, "inverse_transform")


@pytest.mark.parametrize("solver", ["auto", "sinkhorn", "sns", "exact"])
def test_solvers_by_name(points, solver):
    X, Y = points
    model = SinkhornNewtonOT(0.5, target=Y, solver=solver).fit(X)
    assert model.solver_ == solver
    assert model.converged_
    assert np.isfinite(model.transform(X)).all()


def test_grid_search_in_a_pipeline_finds_the_smooth_map():
    X, y = make_moons(200, noise=0.05, random_state=0)
    angle = np.deg2rad(35)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    target = make_moons(150, noise=0.05, random_state=1)[0] @ turn.T
    pipe = make_pipeline(SinkhornNewtonOT(target=target), KNeighborsClassifier(1))
    grid = {"sinkhornnewtonot__reg": [0.5, 0.05], "sinkhornnewtonot__solver": ["auto", "sinkhorn"]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    scores = [SinkhornNewtonOT(reg, target=target).fit(X).score(X) for reg in (0.5, 0.02)]
    assert scores[0] < scores[1] <= 0


def test_clone_pickle_and_float32(points):
    X, Y = points
    model = SinkhornNewtonOT(0.1, target=Y).fit(X)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.transform(X), model.transform(X))
    assert clone(model).get_params()["reg"] == 0.1
    single = SinkhornNewtonOT(0.1, target=Y, dtype="float32").fit(X.astype(np.float32))
    out = single.transform(X.astype(np.float32))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, model.transform(X), atol=1e-4)


def test_non_convergence_is_said(points):
    X, Y = points
    with pytest.warns(ConvergenceWarning, match="off by .* in L1"):
        model = SinkhornNewtonOT(1e-3, target=Y, max_iter=2).fit(X)
    assert not model.converged_
    assert np.isfinite(model.plan_).all()


@pytest.mark.parametrize(
    "params",
    [
        {"reg": 0},
        {"reg": float("nan")},
        {"tol": -1},
        {"max_iter": 0},
        {"storage": "disk"},
        {"storage": "lazy", "metric": "cityblock"},
        {"dtype": "float16"},
        {"cost_scale": "sum"},
        {"metric": 3},
    ],
)
def test_parameter_errors(points, params):
    with pytest.raises(ValueError, match="parameter of SinkhornNewtonOT must be"):
        SinkhornNewtonOT(target=points[1]).set_params(**params).fit(points[0])


def test_weights(points):
    X, Y = points
    weights = np.random.default_rng(2).integers(0, 3, len(X))
    weighted = SinkhornNewtonOT(0.1, target=Y).fit(X, sample_weight=weights)
    repeated = SinkhornNewtonOT(0.1, target=Y).fit(np.repeat(X, weights, axis=0))
    assert weighted.cost_ == pytest.approx(repeated.cost_, rel=1e-8)
    with pytest.raises(ValueError, match="non-negative"):
        SinkhornNewtonOT(target=Y).fit(X, sample_weight=-np.ones(len(X)))


@pytest.mark.parametrize("solver", ["auto", "exact"])
def test_rows_of_the_plan(points, solver):
    X, Y = points
    model = SinkhornNewtonOT(0.1, target=Y, solver=solver).fit(X)
    whole = model.plan() if solver == "auto" else model.plan().toarray()
    for rows in (slice(3, 9), [5, 0]):
        part = model.plan(rows) if solver == "auto" else model.plan(rows).toarray()
        np.testing.assert_allclose(part, whole[rows], rtol=1e-14)


def test_divergence_from_the_target(points):
    X, Y = points
    model = SinkhornNewtonOT(0.1, target=Y).fit(X)
    assert model.divergence(Y) == pytest.approx(0, abs=1e-7)
    assert model.divergence(X) > 1
    assert model.score(X) == -model.divergence(model.transform(X))
    with pytest.raises(ValueError, match="3 features"):
        model.divergence(np.ones((4, 3)))


def test_published_method_refuses_costs_that_are_not_stored(points):
    from skrand.exceptions import IncompatibleSolverError

    X, Y = points
    with pytest.raises(IncompatibleSolverError, match="stored cost matrix"):
        SinkhornNewtonOT(0.1, target=Y, solver="sns", storage="lazy").fit(X)
