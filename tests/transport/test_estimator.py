"""SinkhornNewtonOT: its map, its targets, and scikit-learn's tools around it."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import kl_div
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skrand import SinkhornNewtonOT
from skrand.exceptions import IncompatibleSolverError
from skrand.transport import solve_partial, solve_unbalanced


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
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SinkhornNewtonOT().fit(both, sample_domain=domain, sample_weight=np.ones(3))
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
        {"marginal": "open"},
        {"marginal": "unbalanced", "reg_marginal": 0.0},
        {"marginal": "unbalanced", "reg_marginal": float("inf")},
        {"marginal": "unbalanced", "reg_marginal": (1.0, 1.0, 1.0)},
        {"marginal": "semi-relaxed", "reg_marginal": (1.0, 2.0)},
        {"marginal": "partial"},
        {"marginal": "partial", "mass": 1.0},
        {"marginal": "partial", "mass": 0.5, "storage": "lazy"},
        {"plan_format": "coo"},
        {"plan_tol": -1.0},
        {"warm_start": "yes"},
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
    whole = model.plan()
    for rows in (slice(3, 9), [5, 0]):
        part = model.plan(rows)
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
    X, Y = points
    with pytest.raises(IncompatibleSolverError, match="stored cost matrix"):
        SinkhornNewtonOT(0.1, target=Y, solver="sns", storage="lazy").fit(X)


@pytest.fixture(scope="module")
def masses(points):
    rng = np.random.default_rng(3)
    a, b = (rng.uniform(0.5, 1.5, len(side)) for side in points)
    a[3], b[:2] = 0.0, 0.0
    return a, b


def fitted(points, masses, **params):
    model = SinkhornNewtonOT(0.2, target=points[1]).set_params(**params)
    return model.fit(points[0], sample_weight=masses[0], target_weight=masses[1])


@pytest.mark.parametrize(
    ("marginal", "reg_marginal", "rho"),
    [
        ("unbalanced", 0.7, (0.7, 0.7)),
        ("unbalanced", (0.3, 2.0), (0.3, 2.0)),
        ("unbalanced", (np.inf, 2.0), (np.inf, 2.0)),
        ("semi-relaxed", 0.7, (np.inf, 0.7)),
        ("semi-relaxed", (0.7, np.inf), (0.7, np.inf)),
    ],
)
def test_marginals_with_penalties(points, masses, marginal, reg_marginal, rho):
    X, Y = points
    model = fitted(points, masses, marginal=marginal, reg_marginal=reg_marginal)
    C = ((X[:, None] - Y) ** 2).sum(axis=2)
    result = solve_unbalanced(C, *masses, 0.2, rho)
    np.testing.assert_allclose(model.plan_, result.plan, atol=1e-8)
    assert model.cost_ == pytest.approx(result.cost, rel=1e-7)
    P, (f, g) = model.plan_, model.potentials_
    np.testing.assert_allclose(P.sum(axis=1), masses[0] * np.exp(-f / rho[0]), rtol=1e-9)
    np.testing.assert_allclose(P.sum(axis=0), masses[1] * np.exp(-g / rho[1]), atol=1e-7)
    # The objective, from the plan alone.
    value = (P * C).sum() + 0.2 * rel_entr_sum(P, np.outer(*masses))
    for r, seen, wanted in zip(rho, (P.sum(axis=1), P.sum(axis=0)), masses, strict=True):
        value += r * rel_entr_sum(seen, wanted) if r < np.inf else 0.0
    assert model.value_ == pytest.approx(value, rel=1e-7)
    assert model.dual_value_ == pytest.approx(value, rel=1e-7)
    assert -1e-10 <= model.gap_ <= 1e-6 * abs(value)
    used = masses[0] > 0
    in_sample = P[used] @ Y / P[used].sum(axis=1)[:, None]
    np.testing.assert_allclose(model.transform(X[used]), in_sample, atol=1e-10)


def rel_entr_sum(p, q):
    """Return the Kullback-Leibler divergence of masses that need not sum to 1."""
    return kl_div(p, q).sum()


@pytest.mark.parametrize("solver", ["auto", "sinkhorn", "exact"])
def test_partial(points, masses, solver):
    X, Y = points
    model = fitted(points, masses, marginal="partial", mass=30.0, solver=solver)
    P, C = model.plan_, ((X[:, None] - Y) ** 2).sum(axis=2)
    assert P.sum() == pytest.approx(30.0, abs=1e-6)
    assert (P.sum(axis=1) <= masses[0] + 1e-6).all()
    assert (P.sum(axis=0) <= masses[1] + 1e-6).all()
    assert model.cost_ == pytest.approx((P * C).sum(), rel=1e-6)
    least = 1e-6 * C.max() * (masses[0].sum() + masses[1].sum() - 30.0)
    assert -1e-8 <= model.gap_ <= (least if solver == "exact" else 1e-6)
    assert abs(model.value_ - model.dual_value_) <= max(2e-7, 1.001 * model.gap_)
    assert len(model.potentials_[0]) == len(X)
    if solver != "exact":
        np.testing.assert_allclose(P, solve_partial(C, *masses, 30.0, 0.2).plan, atol=1e-8)
        used = masses[0] > 0
        image = P[used] @ Y / P[used].sum(axis=1)[:, None]
        np.testing.assert_allclose(model.transform(X[used]), image, atol=1e-10)


def test_outliers_are_left_behind(points):
    X, Y = points
    X = np.vstack([X, np.full((6, 2), 40.0)])
    image = {}
    for marginal in ("balanced", "unbalanced"):
        model = SinkhornNewtonOT(0.2, target=Y, marginal=marginal, reg_marginal=20.0).fit(X)
        image[marginal] = model.plan_[-6:].sum()
    assert image["balanced"] == pytest.approx(6 / len(X))
    assert image["unbalanced"] < 1e-6


def test_stored_and_computed_costs_agree_without_balance(points, masses):
    plans = [
        fitted(points, masses, marginal="unbalanced", storage=storage, cost_scale="mean").plan_
        for storage in ("dense", "lazy")
    ]
    np.testing.assert_allclose(plans[0], plans[1], atol=1e-9)


@pytest.mark.parametrize("solver", ["sns", "sinkhorn", "exact"])
def test_solvers_of_exact_marginals_refuse_penalties(points, solver):
    model = SinkhornNewtonOT(target=points[1], marginal="unbalanced", solver=solver)
    with pytest.raises(IncompatibleSolverError, match="Solvers that can: auto"):
        model.fit(points[0])


def test_different_masses_name_the_way_out(points):
    X, Y = points
    with pytest.raises(ValueError, match="marginal='unbalanced'"):
        SinkhornNewtonOT(target=Y).fit(
            X, sample_weight=np.ones(len(X)), target_weight=np.ones(len(Y))
        )


@pytest.mark.parametrize("solver", ["auto", "exact"])
def test_sparse_plan(points, masses, solver):
    params = {"marginal": "partial", "mass": 30.0, "solver": solver}
    whole = fitted(points, masses, **params).plan_
    model = fitted(points, masses, plan_format="csr", plan_tol=1e-4, **params)
    assert sp.issparse(model.plan_)
    assert model.plan_.shape == whole.shape
    kept = np.where(whole > 1e-4 * masses[0][:, None], whole, 0.0) if solver == "auto" else whole
    np.testing.assert_allclose(model.plan_.toarray(), kept, atol=1e-14)
    assert model.plan_.nnz == np.count_nonzero(kept) < whole.size / 2
    for rows in (slice(3, 9), [5, 0]):
        np.testing.assert_allclose(model.plan(rows).toarray(), kept[rows], atol=1e-14)


@pytest.mark.parametrize("params", [{}, {"marginal": "unbalanced"}, {"solver": "sinkhorn"}])
def test_warm_start_saves_sweeps_and_changes_nothing_else(points, params):
    X, Y = points
    cold = SinkhornNewtonOT(0.02, target=Y, **params).fit(X)
    model = SinkhornNewtonOT(0.03, target=Y, warm_start=True, **params).fit(X)
    model.set_params(reg=0.02).fit(X)
    assert model.n_passes_ < cold.n_passes_
    np.testing.assert_allclose(model.plan_, cold.plan_, atol=1e-9)
    # Another number of targets, or a start from far away, is no obstacle.
    model.set_params(target=Y[:90]).fit(X)
    other = clone(model).fit(X)
    assert np.array_equal(model.potentials_[1], other.potentials_[1])
    model.set_params(target=Y[:90] * 30.0, reg=20.0).fit(X)
    np.testing.assert_allclose(model.plan_, clone(model).fit(X).plan_, atol=1e-9)
