"""BandlimitedFeatures: the layer it draws, the bandwidth it chooses, the contract it keeps."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from skrand_features import BandlimitedFeatures, BandlimitWarning, _bandlimited

ACTIVATIONS = {"tanh": np.tanh, "gaussian": lambda z: np.exp(-(z**2)), "cos": np.cos}


@parametrize_with_checks(
    [
        BandlimitedFeatures(20),
        BandlimitedFeatures(20, bandwidth=2.0, activation="cos"),
        BandlimitedFeatures(20, activation="gaussian", subsample=15),
    ],
    expected_failed_checks={},
)
@pytest.mark.filterwarnings("ignore::skrand_features.BandlimitWarning")
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def wave():
    """One-dimensional data whose target is a wave of frequency 4."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(300, 1))
    return X, np.sin(4 * np.pi * X.ravel()) + 0.05 * rng.normal(size=300)


@pytest.fixture
def cloud():
    """Data with several columns and two targets."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(120, 4)) + 3.0
    return X, np.column_stack([np.tanh(X @ [1.0, -1.0, 0.5, 0.0]), X[:, 0] * X[:, 1]])


# The hidden layer


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_features_are_the_activation_of_the_drawn_layer(cloud, activation):
    X, _ = cloud
    features = BandlimitedFeatures(30, bandwidth=0.7, activation=activation, random_state=0)
    Z = features.fit_transform(X)
    expected = ACTIVATIONS[activation](X @ features.random_weights_ + features.random_offset_)
    np.testing.assert_array_equal(Z, expected)
    assert features.bandwidth_ == 0.7
    assert features.gcv_path_ is None


def test_weights_fill_the_box_and_units_are_centred_on_samples(cloud):
    X, _ = cloud
    features = BandlimitedFeatures(2000, bandwidth=3.0, random_state=0).fit(X)
    W = features.random_weights_
    assert np.abs(W).max() <= 3.0
    np.testing.assert_allclose(W.mean(axis=1), 0.0, atol=0.15)
    np.testing.assert_allclose(W.var(axis=1), 3.0, rtol=0.1)  # (2 * 3)^2 / 12
    nearest_zero = np.abs(X @ W + features.random_offset_).min(axis=0)
    np.testing.assert_allclose(nearest_zero, 0.0, atol=1e-12)


def test_the_layer_follows_a_shift_of_the_data(cloud):
    X, _ = cloud
    near = BandlimitedFeatures(30, bandwidth=1.0, random_state=0).fit_transform(X)
    far = BandlimitedFeatures(30, bandwidth=1.0, random_state=0).fit_transform(X + 1000.0)
    np.testing.assert_allclose(far, near, atol=1e-10)
    y = np.sin(X[:, 0])
    near = BandlimitedFeatures(30, random_state=0).fit(X, y)
    far = BandlimitedFeatures(30, random_state=0).fit(X + 1000.0, y)
    assert far.bandwidth_ == pytest.approx(near.bandwidth_, rel=1e-9)


def test_same_seed_same_bits_and_the_same_layer_at_every_bandwidth(wave):
    X, y = wave
    chosen = BandlimitedFeatures(50, random_state=7).fit(X, y)
    again = BandlimitedFeatures(50, random_state=7).fit(X, y)
    np.testing.assert_array_equal(chosen.random_weights_, again.random_weights_)
    np.testing.assert_array_equal(chosen.random_offset_, again.random_offset_)
    np.testing.assert_array_equal(chosen.gcv_path_["gcv"], again.gcv_path_["gcv"])
    given = BandlimitedFeatures(50, bandwidth=chosen.bandwidth_, random_state=7).fit(X)
    np.testing.assert_array_equal(chosen.transform(X), given.transform(X))
    other = BandlimitedFeatures(50, random_state=8).fit(X, y)
    assert not np.array_equal(chosen.random_weights_, other.random_weights_)


def test_the_number_of_threads_changes_nothing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 40))
    y = np.tanh(X[:, 0] + X[:, 1])
    fitted = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fitted.append(BandlimitedFeatures(300, random_state=0).fit(X, y))
    assert fitted[0].bandwidth_ == fitted[1].bandwidth_
    np.testing.assert_array_equal(fitted[0].random_weights_, fitted[1].random_weights_)
    np.testing.assert_array_equal(fitted[0].random_offset_, fitted[1].random_offset_)


def test_a_shared_random_state_is_advanced():
    X = np.arange(12.0).reshape(6, 2)
    state = np.random.RandomState(0)
    first = BandlimitedFeatures(5, bandwidth=1.0, random_state=state).fit(X)
    second = BandlimitedFeatures(5, bandwidth=1.0, random_state=state).fit(X)
    assert not np.array_equal(first.random_weights_, second.random_weights_)


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.coo_array])
@pytest.mark.parametrize("bandwidth", [0.5, "auto"])
def test_sparse_equals_dense(cloud, container, bandwidth):
    X, Y = cloud
    X = np.where(X > 3.5, X, 0.0)
    dense = BandlimitedFeatures(25, bandwidth=bandwidth, random_state=0)
    sparse = clone(dense)
    Z = dense.fit(X, Y).transform(X)
    np.testing.assert_allclose(sparse.fit(container(X), Y).transform(container(X)), Z, atol=1e-12)
    assert sparse.bandwidth_ == pytest.approx(dense.bandwidth_, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(wave, dtype):
    X, y = wave
    features = BandlimitedFeatures(40, random_state=0)
    assert features.fit_transform(X.astype(dtype), y.astype(dtype)).dtype == dtype
    assert features.random_weights_.dtype == dtype
    assert features.random_offset_.dtype == dtype
    assert features.gcv_path_["gcv"].dtype == np.float64


def test_float32_is_close_to_float64(wave):
    X, y = wave
    double = BandlimitedFeatures(40, random_state=0).fit(X.astype(np.float32).astype(float), y)
    single = BandlimitedFeatures(40, random_state=0).fit(X.astype(np.float32), y)
    assert single.bandwidth_ == pytest.approx(double.bandwidth_, rel=1e-6)
    np.testing.assert_allclose(single.transform(np.float32(X)), double.transform(X), atol=1e-5)


@pytest.mark.parametrize("order", ["C", "F"])
def test_input_is_left_alone(cloud, order):
    X, Y = cloud
    X, Y = np.array(X, order=order), np.array(Y, order=order)
    before = X.copy(), Y.copy()
    X.flags.writeable = Y.flags.writeable = False
    BandlimitedFeatures(10, random_state=0).fit(X, Y).transform(X)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])


# The score


def explicit_gcv(Phi, Y, alpha):
    """GCV from the hat matrix of ridge regression with an intercept that is not penalised."""
    n, m = Phi.shape
    A = np.column_stack([np.ones(n), Phi])
    penalty = alpha * np.eye(m + 1)
    penalty[0, 0] = 0.0
    H = A @ np.linalg.solve(A.T @ A + penalty, A.T)
    residual = Y - H @ Y
    scores = np.mean(residual**2, axis=0) / (1 - np.trace(H) / n) ** 2
    return np.mean(scores / Y.var(axis=0)), np.trace(H) - 1, H


@pytest.mark.parametrize("shape", [(40, 7), (12, 11), (12, 12), (13, 12), (9, 30)])
@pytest.mark.parametrize("alpha", [1e-3, 0.3, 20.0])
def test_gcv_equals_the_formula_with_the_hat_matrix(shape, alpha):
    rng = np.random.default_rng(0)
    Phi = rng.normal(size=shape) + 2.0
    Y = rng.normal(size=(shape[0], 2)) * [1.0, 50.0] + 5.0
    targets = _bandlimited._standardised_targets(Y, np.arange(shape[0]))
    s, energies, outside = _bandlimited._spectrum(Phi - Phi.mean(axis=0), targets)
    assert energies.sum() + outside == pytest.approx(1.0, rel=1e-12)
    scores, dofs = _bandlimited._gcv(s, energies, outside, shape[0], np.array([alpha]))
    expected, dof, _ = explicit_gcv(Phi, Y, alpha)
    assert scores[0] == pytest.approx(expected, rel=1e-8)
    assert dofs[0] == pytest.approx(dof, rel=1e-8, abs=1e-8)


def test_gcv_is_leave_one_out_where_all_leverages_are_equal():
    n = 16
    angles = 2 * np.pi * np.arange(n) / n
    Phi = np.column_stack([f(k * angles) for k in (1, 2, 3) for f in (np.cos, np.sin)])
    y = np.random.default_rng(0).normal(size=n)
    left_out = [
        y[i] - Ridge(0.8).fit(np.delete(Phi, i, 0), np.delete(y, i)).predict(Phi[[i]])[0]
        for i in range(n)
    ]
    targets = _bandlimited._standardised_targets(y, np.arange(n))
    s, energies, outside = _bandlimited._spectrum(Phi - Phi.mean(axis=0), targets)
    scores, _ = _bandlimited._gcv(s, energies, outside, n, np.array([0.8]))
    # The intercept is refitted without the sample, so the leave-one-out formula is exact.
    assert scores[0] == pytest.approx(np.mean(np.square(left_out)) / y.var(), rel=1e-10)


def test_the_ladder_equals_brute_force(cloud):
    X, Y = cloud
    features = BandlimitedFeatures(15, random_state=3).fit(X, Y)
    path = features.gcv_path_
    ratios = path["bandwidth"][1:] / path["bandwidth"][:-1]
    np.testing.assert_allclose(ratios, 2.0)
    for bandwidth, score, alpha, dof in zip(*path.values(), strict=True):
        rung = BandlimitedFeatures(15, bandwidth=bandwidth, random_state=3).fit_transform(X)
        expected, expected_dof, _ = explicit_gcv(rung, Y, alpha)
        assert score == pytest.approx(expected, rel=1e-5)
        assert dof == pytest.approx(expected_dof, rel=1e-4, abs=1e-4)
        for other in alpha * np.array([0.01, 0.3, 3.0, 100.0]):
            if other > 1e-8:
                assert explicit_gcv(rung, Y, other)[0] >= 0.98 * score


def test_of_equally_good_choices_the_one_with_the_largest_penalty_is_taken(wave):
    X, y = wave
    features = BandlimitedFeatures(80, random_state=0).fit(X, y)
    path = features.gcv_path_
    limit = path["gcv"].min() * (1 + np.sqrt(2 / len(y)))
    chosen = np.flatnonzero(path["bandwidth"] == features.bandwidth_).item()
    assert path["gcv"][chosen] <= limit
    within = path["bandwidth"][path["gcv"] <= limit]
    assert len(within) > 1
    largest = {}
    for bandwidth in within:
        rung = BandlimitedFeatures(80, bandwidth=bandwidth, random_state=0).fit_transform(X)
        alphas = [a for a in np.logspace(-6, 4, 81) if explicit_gcv(rung, y, a)[0] <= limit]
        largest[bandwidth] = max(alphas, default=0.0)
    # Four penalties a decade are tried, so the largest is known to within that factor.
    assert features.alpha_ > 0.5 * max(largest.values())
    assert largest[features.bandwidth_] > 0.5 * max(largest.values())


def test_without_noise_the_least_score_is_taken():
    X = np.random.default_rng(0).uniform(-1, 1, size=(400, 1))
    features = BandlimitedFeatures(50, random_state=0).fit(X, np.sin(15 * X.ravel()))
    path = features.gcv_path_
    assert features.bandwidth_ == path["bandwidth"][np.argmin(path["gcv"])]


@pytest.mark.parametrize("readout", ["chosen", 1.0, 1e-4, 1e-8])
def test_the_choice_suits_every_readout(wave, readout):
    X, y = wave
    rng = np.random.default_rng(5)
    X_new = rng.uniform(-1, 1, size=(500, 1))
    features = BandlimitedFeatures(150, random_state=0).fit(X, y)
    alpha = features.alpha_ if readout == "chosen" else readout
    model = make_pipeline(features, Ridge(alpha, solver="svd")).fit(X, y)
    assert model.score(X_new, np.sin(4 * np.pi * X_new.ravel())) > 0.99


def test_the_score_foretells_the_error_on_new_data(wave):
    X, y = wave
    rng = np.random.default_rng(5)
    X_new = rng.uniform(-1, 1, size=(2000, 1))
    y_new = np.sin(4 * np.pi * X_new.ravel()) + 0.05 * rng.normal(size=2000)
    path = BandlimitedFeatures(60, random_state=0).fit(X, y).gcv_path_
    for bandwidth, score, alpha in zip(path["bandwidth"], path["gcv"], path["alpha"], strict=True):
        features = BandlimitedFeatures(60, bandwidth=bandwidth, random_state=0)
        # Singular values are needed here: with the normal equations such an alpha is lost.
        model = make_pipeline(features, Ridge(alpha, solver="svd")).fit(X, y)
        error = np.mean((model.predict(X_new) - y_new) ** 2) / y_new.var()
        assert error == pytest.approx(score, rel=0.5)


def test_more_features_than_samples_is_no_perfect_score():
    rng = np.random.default_rng(0)
    X, noise = rng.normal(size=(60, 2)), rng.normal(size=60)
    with pytest.warns(BandlimitWarning, match="explains the target"):
        features = BandlimitedFeatures(400, random_state=0).fit(X, noise)
    assert features.gcv_path_["gcv"].min() > 0.9


@pytest.mark.parametrize("frequency", [20.0, 40.0, 80.0])
def test_cosines_must_reach_the_frequency_of_the_target(frequency):
    X = np.random.default_rng(0).uniform(-1, 1, size=(500, 1))
    y = np.cos(frequency * X.ravel())
    features = BandlimitedFeatures(100, activation="cos", random_state=0).fit(X, y)
    assert 0.9 * frequency < features.bandwidth_ < 8 * frequency
    below = features.gcv_path_["bandwidth"] < 0.4 * frequency
    assert features.gcv_path_["gcv"][below].min() > 0.05


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_bandwidth_follows_the_units_of_the_data(wave, scale):
    X, y = wave
    plain = BandlimitedFeatures(40, random_state=0).fit(X, y)
    scaled = BandlimitedFeatures(40, random_state=0).fit(scale * X, 1e9 * y)
    assert scaled.bandwidth_ * scale == pytest.approx(plain.bandwidth_, rel=1e-6)


# Without a target, odd targets


def test_without_a_target_the_median_distance_decides(cloud):
    X, _ = cloud
    features = BandlimitedFeatures(10, random_state=0).fit(X)
    distances = np.sqrt(((X[:, None] - X[None]) ** 2).sum(axis=2))
    median = np.median(distances[distances > 0])
    assert features.bandwidth_ == pytest.approx(np.sqrt(3) / median, rel=1e-10)
    assert features.gcv_path_ is None
    spread = X @ features.random_weights_ + features.random_offset_
    assert 0.5 < np.sqrt(np.mean(spread**2)) < 2.0


def test_a_second_fit_without_a_target_forgets_the_path(wave):
    X, y = wave
    features = BandlimitedFeatures(20, random_state=0).fit(X, y)
    assert features.gcv_path_ is not None
    assert features.fit(X).gcv_path_ is None


@pytest.mark.parametrize(
    "X",
    [np.ones((20, 3)), np.repeat(np.arange(4.0), 5)[:, None], np.zeros((20, 2)), np.ones((1, 2))],
    ids=["constant", "duplicates", "zero", "one sample"],
)
@pytest.mark.parametrize("supervised", [False, True])
@pytest.mark.filterwarnings("ignore::skrand_features.BandlimitWarning")
def test_degenerate_data_give_finite_features(X, supervised):
    y = np.arange(len(X), dtype=float) if supervised else None
    features = BandlimitedFeatures(8, random_state=0).fit(X, y)
    assert 0 < features.bandwidth_ < np.inf
    assert np.isfinite(features.transform(X)).all()


def test_a_constant_target_is_no_target(wave):
    X, _ = wave
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        constant = BandlimitedFeatures(20, random_state=0).fit(X, np.full(len(X), 0.1))
    assert constant.bandwidth_ == BandlimitedFeatures(20, random_state=0).fit(X).bandwidth_
    assert constant.gcv_path_ is None


@pytest.mark.parametrize("kind", [str, object, bool])
def test_labels_are_scored_by_their_indicators(cloud, kind):
    X, Y = cloud
    positive = Y[:, 0] > 0
    names = {str: np.array(["no", "yes"]), object: np.array(["no", "yes"], dtype=object)}
    labels = positive if kind is bool else names[kind][positive.astype(int)]
    by_label = BandlimitedFeatures(20, random_state=0).fit(X, labels)
    by_number = BandlimitedFeatures(20, random_state=0).fit(X, positive.astype(float))
    assert by_label.bandwidth_ == by_number.bandwidth_
    np.testing.assert_allclose(by_label.gcv_path_["gcv"], by_number.gcv_path_["gcv"], rtol=1e-9)


def test_an_explicit_bandwidth_does_not_look_at_the_target(wave):
    X, y = wave
    with_y = BandlimitedFeatures(10, bandwidth=1.0, random_state=0).fit(X, np.full(len(y), np.nan))
    without = BandlimitedFeatures(10, bandwidth=1.0, random_state=0).fit(X)
    np.testing.assert_array_equal(with_y.random_weights_, without.random_weights_)


def test_subsample_bounds_what_is_looked_at(wave, monkeypatch):
    X, y = wave
    seen = []
    score_ladder = _bandlimited._score_ladder

    def spy(arguments, targets, *rest):
        seen.append((len(arguments), len(targets)))
        return score_ladder(arguments, targets, *rest)

    monkeypatch.setattr(_bandlimited, "_score_ladder", spy)
    full = BandlimitedFeatures(30, random_state=0, subsample=None).fit(X, y)
    part = BandlimitedFeatures(30, random_state=0, subsample=150).fit(X, y)
    assert seen == [(300, 300), (150, 150)]
    assert 0.24 < part.bandwidth_ / full.bandwidth_ < 4.1


# Warnings


def test_warns_when_the_score_still_falls_at_the_top(monkeypatch):
    monkeypatch.setattr(_bandlimited, "_HIGHEST_RUNG", 3)
    X = np.random.default_rng(0).uniform(-1, 1, size=(800, 1))
    y = np.sin(4 * X.ravel()) + np.sin(40 * X.ravel())
    with pytest.warns(BandlimitWarning, match="widest box tried") as caught:
        BandlimitedFeatures(150, activation="cos", random_state=0).fit(X, y)
    assert caught[0].filename == __file__


def test_warns_when_no_rung_explains_the_target():
    X = np.random.default_rng(0).uniform(-1, 1, size=(300, 1))
    with pytest.warns(BandlimitWarning, match="spectrum lies outside") as caught:
        BandlimitedFeatures(30, random_state=0).fit(X, np.sin(3000 * X.ravel()))
    assert caught[0].filename == __file__


def test_is_silent_when_the_target_is_within(wave):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BandlimitedFeatures(60, random_state=0).fit(*wave)


# The contract


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"bandwidth": -1},
            "The 'bandwidth' parameter of BandlimitedFeatures must be 'auto' or a float in the "
            "range (0, inf). Got -1 instead.",
        ),
        ({"bandwidth": 0.0}, "a float in the range (0, inf). Got 0.0 instead."),
        ({"bandwidth": np.inf}, "Got inf instead."),
        ({"bandwidth": np.nan}, "Got nan instead."),
        ({"bandwidth": True}, "Got True instead."),
        ({"bandwidth": "wide"}, "must be 'auto' or a float"),
        ({"n_components": 0}, "must be an int in the range [1, inf). Got 0 instead."),
        ({"n_components": 2.0}, "must be an int in the range [1, inf). Got 2.0 instead."),
        ({"activation": "relu"}, "must be one of 'cos', 'gaussian', 'tanh'. Got 'relu' instead."),
        ({"activation": None}, "must be one of 'cos', 'gaussian', 'tanh'. Got None instead."),
        ({"subsample": 0}, "must be None or an int in the range [1, inf). Got 0 instead."),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    features = BandlimitedFeatures(**parameters)
    for error in (ValueError, TypeError):
        with pytest.raises(error) as caught:
            features.fit(np.eye(3))
        assert message in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_data_are_refused(wave, bad):
    X, y = (array.copy() for array in wave)
    y[3] = bad
    with pytest.raises(ValueError, match="contains"):
        BandlimitedFeatures(5).fit(X, y)
    X[3] = bad
    with pytest.raises(ValueError, match="contains"):
        BandlimitedFeatures(5).fit(X)


def test_wrong_shapes_are_refused(wave):
    X, y = wave
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        BandlimitedFeatures(5).fit(X, y[:-1])
    with pytest.raises(ValueError, match="expecting 1 features"):
        BandlimitedFeatures(5).fit(X, y).transform(np.ones((3, 2)))
    with pytest.raises(NotFittedError):
        BandlimitedFeatures(5).transform(X)


def test_clone_and_pickle(wave):
    X, y = wave
    features = BandlimitedFeatures(12, activation="cos", random_state=4).fit(X, y)
    copy = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(copy.transform(X), features.transform(X))
    fresh = clone(features)
    assert fresh.get_params() == features.get_params()
    assert not hasattr(fresh, "random_weights_")


def test_names_and_pandas_output(cloud):
    pd = pytest.importorskip("pandas")
    X, Y = cloud
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(len(X)) + 5)
    features = BandlimitedFeatures(3, random_state=0).set_output(transform="pandas")
    out = features.fit_transform(frame, Y)
    assert list(features.feature_names_in_) == list("abcd")
    assert list(out.columns) == [f"bandlimitedfeatures{i}" for i in range(3)]
    assert list(out.columns) == list(features.get_feature_names_out())
    assert out.index.equals(frame.index)


def test_grid_search_in_a_pipeline(wave):
    X, y = wave
    model = make_pipeline(StandardScaler(), BandlimitedFeatures(60, random_state=0), Ridge(1e-4))
    search = GridSearchCV(model, {"bandlimitedfeatures__bandwidth": [0.1, 8.0, "auto"]}, cv=3)
    search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] < 0.5 < 0.98 < min(scores[1:])
    assert search.score(X, y) > 0.98


def test_before_a_classifier():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(400, 2))
    labels = np.where(np.prod(np.sin(6 * X), axis=1) > 0, "same", "different")
    model = make_pipeline(
        BandlimitedFeatures(150, random_state=0), LogisticRegression(C=100, max_iter=2000)
    )
    assert model.fit(X[:300], labels[:300]).score(X[300:], labels[300:]) > 0.85


# The package


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_importing_the_package_imports_nothing_heavy():
    out = run(
        "import sys, skrand_features; dir(skrand_features); skrand_features.__version__\n"
        "print([name for name in ('numpy', 'scipy', 'sklearn') if name in sys.modules])"
    )
    assert out.strip() == "[]"


def test_unknown_names_are_attribute_errors():
    import skrand_features

    assert {"BandlimitedFeatures", "BandlimitWarning"} <= set(dir(skrand_features))
    with pytest.raises(AttributeError, match="no attribute 'Bandlimited'"):
        _ = skrand_features.Bandlimited


def test_docstring_example_runs():
    import doctest

    assert doctest.testmod(_bandlimited).failed == 0
    assert doctest.testmod(_bandlimited).attempted >= 8
