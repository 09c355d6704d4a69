"""The divergence is one, its gradient is right; barycentres; domain adaptation on moons."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrand.transport import OTAdapter, SinkhornNewtonOT, barycenter, sinkhorn_divergence


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)), rng.normal(size=(50, 3)) + 0.5


def test_divergence_is_zero_symmetric_and_positive(points):
    X, Y = points
    assert sinkhorn_divergence(X, X, reg=0.2).value == pytest.approx(0, abs=1e-10)
    assert np.abs(sinkhorn_divergence(X, X, reg=0.2).gradient).max() < 1e-9
    there, back = sinkhorn_divergence(X, Y, reg=0.2), sinkhorn_divergence(Y, X, reg=0.2)
    assert there.value == pytest.approx(back.value, abs=1e-10)
    assert there.value > 0.1


@pytest.mark.parametrize("reg", [1.0, 4.0])
def test_divergence_equals_that_of_pots_plans(points, reg):
    ot = pytest.importorskip("ot")
    X, Y = points
    rng = np.random.default_rng(2)
    a, b = rng.dirichlet(np.ones(len(X))), rng.dirichlet(np.ones(len(Y)))

    def value(X, Y, a, b):
        C = ((X[:, None] - Y) ** 2).sum(axis=2)
        P = ot.sinkhorn(a, b, C, reg, method="sinkhorn_log", numItermax=50_000, stopThr=1e-12)
        return (P * C).sum() + reg * (P * np.log(P / np.outer(a, b))).sum()

    expected = value(X, Y, a, b) - (value(X, X, a, a) + value(Y, Y, b, b)) / 2
    assert sinkhorn_divergence(X, Y, a, b, reg=reg).value == pytest.approx(expected, abs=1e-9)


def test_gradient_equals_differences(points):
    X, Y = points
    a = np.random.default_rng(1).dirichlet(np.ones(len(X)))
    gradient = sinkhorn_divergence(X, Y, a, reg=0.2).gradient
    for i, k in ((0, 0), (7, 2), (30, 1)):
        up, down = X.copy(), X.copy()
        up[i, k] += 1e-4
        down[i, k] -= 1e-4
        values = [sinkhorn_divergence(Z, Y, a, reg=0.2).value for Z in (up, down)]
        assert (values[0] - values[1]) / 2e-4 == pytest.approx(gradient[i, k], abs=1e-6)


def test_barycenter_of_one_and_of_two():
    x = np.linspace(0, 1, 60)
    C = (x[:, None] - x) ** 2
    humps = np.exp(-((x - np.array([[0.25], [0.75]])) ** 2) / 0.004)
    humps /= humps.sum(axis=1, keepdims=True)
    middle = barycenter(C, humps, reg=1e-3)
    assert middle.sum() == pytest.approx(1)
    assert abs(x[middle.argmax()] - 0.5) < 0.02
    leaning = barycenter(C, humps, [0.9, 0.1], reg=1e-3)
    assert leaning @ x == pytest.approx(0.3, abs=5e-3)


@pytest.fixture(scope="module")
def moons():
    angle = np.deg2rad(35)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    X, y = make_moons(300, noise=0.05, random_state=0)
    Xt, yt = make_moons(260, noise=0.05, random_state=1)
    return X, y, Xt @ turn.T, yt


def test_grid_search_over_the_adapter_finds_the_smooth_map(moons):
    X, y, Xt, yt = moons
    assert KNeighborsClassifier(1).fit(X, y).score(Xt, yt) < 0.8
    both, labels = np.vstack([X, Xt]), np.r_[y, yt]
    domain = np.r_[np.ones(len(X)), -np.ones(len(Xt))]
    # All rows are trained on, the target's without their labels; the score is that of the target.
    split = [(np.arange(len(both)), np.arange(len(X), len(both)))]
    search = GridSearchCV(
        OTAdapter(transport=SinkhornNewtonOT()),
        {"transport__reg": [0.5, 0.1, 0.02, 0.005]},
        cv=split,
        error_score="raise",
    ).fit(both, labels, sample_domain=domain)
    assert search.best_params_ == {"transport__reg": 0.5}
    assert search.best_score_ == 1.0


def test_adapter_does_not_look_at_labels_of_the_target(moons):
    X, y, Xt, _ = moons
    both = np.vstack([X, Xt]), np.r_[y, -np.ones(len(Xt))]
    domain = np.r_[np.ones(len(X)), -np.ones(len(Xt))]
    one = OTAdapter(transport=SinkhornNewtonOT(0.5)).fit(*both, sample_domain=domain)
    two = OTAdapter(transport=SinkhornNewtonOT(0.5)).fit(X, y, Xt=Xt)
    assert np.array_equal(one.predict(Xt), two.predict(Xt))


def test_domains_are_routed_through_a_pipeline(moons):
    X, y, Xt, yt = moons
    both, labels = np.vstack([X, Xt]), np.r_[y, yt]
    domain = np.r_[np.ones(len(X)), -np.ones(len(Xt))]
    adapter = OTAdapter(transport=SinkhornNewtonOT(0.5))
    with config_context(enable_metadata_routing=True):
        pipe = make_pipeline(StandardScaler(), adapter.set_fit_request(sample_domain=True))
        pipe.fit(both, labels, sample_domain=domain)
    scaled = StandardScaler().fit(both).transform
    plain = clone(adapter).fit(scaled(X), y, Xt=scaled(Xt))
    assert np.array_equal(pipe.predict(Xt), plain.predict(scaled(Xt)))


def test_adapter_moves_the_target_instead(moons):
    X, y, Xt, yt = moons
    transport = SinkhornNewtonOT(0.5)
    model = OTAdapter(transport=transport, direction="target_to_source").fit(X, y, Xt=Xt)
    back = transport.fit(X, Xt=Xt).inverse_transform(Xt)
    plain = KNeighborsClassifier(1).fit(X, y)
    assert np.array_equal(model.predict(Xt), plain.predict(back))
    assert model.score(Xt, yt) > plain.score(Xt, yt)
    with pytest.raises(ValueError, match="'direction' parameter of OTAdapter"):
        OTAdapter(direction="both").fit(X, y, Xt=Xt)


def test_adapter_without_a_target_is_the_same_each_time(moons):
    X, y, Xt, _ = moons
    one, two = (OTAdapter().fit(X, y).predict(Xt) for _ in range(2))
    assert np.array_equal(one, two)
