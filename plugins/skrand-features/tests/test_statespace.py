"""PTDStateSpaceFeatures: the system it diagonalises, the features, the contract it keeps."""

import pickle

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.signal import StateSpace, cont2discrete, dlsim
from scipy.special import eval_legendre
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from skrand_features import DiagonalizationWarning, PTDStateSpaceFeatures
from skrand_features._claims import frequencies, legs_transfer, modal_transfer, normal_part
from skrand_features._statespace import hippo_legs


@parametrize_with_checks(
    [PTDStateSpaceFeatures(8), PTDStateSpaceFeatures(5, pooling="rms", timescales=[3.0])],
    expected_failed_checks={},
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def series():
    return np.random.default_rng(0).normal(size=(7, 150)).cumsum(axis=1)


def simulate(A, B, timescale, X):
    """Return the states of the dense system at all steps, of shape (n_steps, n_samples, order)."""
    n = len(A)
    system = StateSpace(A / timescale, B[:, np.newaxis] / timescale, np.eye(n), np.zeros((n, 1)))
    discrete = cont2discrete((system.A, system.B, system.C, system.D), 1.0)
    # dlsim gives the state before each input: one more input shows the state after the last.
    padded = np.hstack([X, np.zeros((len(X), 1))])
    states = [dlsim(discrete, row)[2][1:] for row in padded]
    return np.stack(states, axis=1)


# The system


@pytest.mark.parametrize("order", [1, 2, 5, 9])
def test_the_system_projects_on_legendre_polynomials(order):
    A, B = hippo_legs(order)
    for k in range(order):

        def kernel(t, k=k):
            y = np.exp(-t)
            return np.sqrt(2 * k + 1) * eval_legendre(k, 2 * y - 1) * y * np.exp(-0.7 * t)

        # What a unit step e^{0.7 (t - T)} leaves in state k is the transfer function at 0.7.
        expected = quad(kernel, 0, 60, limit=200)[0]
        state = np.linalg.solve(0.7 * np.eye(order) - A, B)
        assert state[k] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("order", [3, 20, 40])
def test_the_closed_form_of_the_transfer_function(order):
    A, B = hippo_legs(order)
    omega = np.array([0.0, 0.3, 12.0, 500.0])
    with mpmath.workdps(60):
        for w, row in zip(omega, legs_transfer(order, omega), strict=True):
            exact = mpmath.lu_solve(mpmath.mpc(0, w) * mpmath.eye(order) - mpmath.matrix(A), B)
            np.testing.assert_allclose(row, np.array(exact.tolist(), complex).ravel(), atol=1e-12)


def test_what_s4d_keeps_is_normal():
    A, B = hippo_legs(12)
    values, vectors, half = normal_part(12)
    N = (vectors * values) @ vectors.conj().T
    np.testing.assert_allclose(N, A + np.outer(B, B) / 2, atol=1e-11)
    np.testing.assert_allclose(N @ N.conj().T, N.conj().T @ N, atol=1e-10)
    np.testing.assert_array_equal(half, B / 2)


@pytest.mark.parametrize("order", [2, 8, 64])
def test_the_perturbed_system_is_near_at_all_frequencies(order):
    omega = frequencies(order)
    bank = PTDStateSpaceFeatures(order, random_state=0).fit(np.zeros((1, 10)))
    ours = modal_transfer(bank.eigenvalues_, bank.eigenvectors_, hippo_legs(order)[1], omega)
    error = np.linalg.norm(ours - legs_transfer(order, omega), axis=1)
    # The source's bound for a perturbation of this norm.
    assert error.max() <= (2 * np.log(order) + 4) * 1e-4
    assert bank.backward_error_ == pytest.approx(1e-4, rel=0.01)
    assert bank.eigenvalues_.real.max() < 0


# The features


@pytest.mark.parametrize("order", [1, 2, 7, 33])
@pytest.mark.parametrize("timescale", [0.5, 10.0, 300.0])
def test_features_are_states_of_the_dense_system(series, order, timescale):
    bank = PTDStateSpaceFeatures(order, timescales=[timescale], random_state=0)
    last = bank.fit_transform(series)
    rms = clone(bank).set_params(pooling="rms").fit_transform(series)
    # Of the perturbed system, to the rounding of its eigenpairs in a basis of this condition; of
    # the exact one, to eps.
    V = bank.eigenvectors_
    rounding = 10 * np.finfo(float).eps * np.linalg.norm(hippo_legs(order)[0], 2)
    perturbed = np.linalg.solve(V.T, (V * bank.eigenvalues_).T).T
    for A, tolerance in (
        (perturbed.real, rounding * bank.condition_),
        (hippo_legs(order)[0], (2 * np.log(order) + 4) * 1e-4),
    ):
        states = simulate(A, hippo_legs(order)[1], timescale, series)
        scale = np.abs(series).max()
        np.testing.assert_allclose(last, states[-1], atol=tolerance * scale)
        expected = np.sqrt(np.mean(states**2, axis=0))
        np.testing.assert_allclose(rms, expected, atol=tolerance * scale)


def test_timescales_come_one_after_the_other(series):
    both = PTDStateSpaceFeatures(6, timescales=[40.0, 5.0], random_state=0).fit(series)
    parts = [
        PTDStateSpaceFeatures(6, timescales=[t], random_state=0).fit_transform(series)
        for t in (40.0, 5.0)
    ]
    np.testing.assert_array_equal(both.transform(series), np.hstack(parts))
    assert len(both.get_feature_names_out()) == 12


@pytest.mark.parametrize(
    ("n_steps", "expected"), [(1, [1.0]), (4, [2.0, 1.0]), (128, [64.0, 16.0, 4.0])]
)
def test_automatic_timescales(n_steps, expected):
    bank = PTDStateSpaceFeatures(2).fit(np.zeros((3, n_steps)))
    np.testing.assert_array_equal(bank.timescales_, expected)


@pytest.mark.parametrize("pooling", ["last", "rms"])
def test_features_scale_with_the_series(series, pooling):
    bank = PTDStateSpaceFeatures(12, pooling=pooling, random_state=0).fit(series)
    Z = bank.transform(series)
    for factor in (2.0**900, 2.0**-900):
        np.testing.assert_allclose(bank.transform(factor * series), factor * Z, rtol=1e-12)
    assert not bank.transform(0.0 * series).any()


@pytest.mark.parametrize("pooling", ["last", "rms"])
def test_same_seed_and_any_number_of_threads_same_bits(series, pooling):
    made = []
    for n_jobs, limit in ((1, 1), (2, 1), (None, 2), (3, 2)):
        with threadpool_limits(limit):
            bank = PTDStateSpaceFeatures(20, pooling=pooling, n_jobs=n_jobs, random_state=3)
            made.append(bank.fit_transform(series))
    for other in made[1:]:
        np.testing.assert_array_equal(other, made[0])


def test_the_draw_changes_features_by_about_eps(series):
    one, two = (PTDStateSpaceFeatures(16, random_state=s).fit_transform(series) for s in (0, 1))
    assert 0 < np.abs(one - two).max() < 1e-3 * np.abs(one).max()


@pytest.mark.parametrize("pooling", ["last", "rms"])
def test_float32_is_kept_and_close(series, pooling):
    bank = PTDStateSpaceFeatures(32, pooling=pooling, random_state=0)
    single = bank.fit_transform(series.astype(np.float32))
    assert single.dtype == np.float32
    double = bank.fit_transform(series.astype(np.float32).astype(np.float64))
    # Sums are in double precision, so that the basis costs no digits.
    np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize("order", ["C", "F"])
def test_input_is_left_alone(series, order):
    X = np.array(series, order=order)
    X.flags.writeable = False
    Z = PTDStateSpaceFeatures(4, random_state=0).fit_transform(X)
    np.testing.assert_array_equal(X, series)
    np.testing.assert_array_equal(
        Z, PTDStateSpaceFeatures(4, random_state=0).fit_transform(series[:, :])
    )


# The contract


def test_rounding_above_eps_is_reported():
    with pytest.warns(DiagonalizationWarning, match=r"backward error of .* A larger 'eps'"):
        bank = PTDStateSpaceFeatures(64, eps=1e-12, random_state=0).fit(np.zeros((1, 5)))
    assert bank.backward_error_ > 2e-12


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"order": 0}, r"'order' parameter of PTDStateSpaceFeatures must be an int in the range"),
        ({"order": True}, "'order' parameter"),
        ({"eps": 0.0}, r"'eps' parameter .* Got 0.0 instead"),
        ({"eps": np.inf}, "'eps' parameter"),
        ({"pooling": "mean"}, "one of 'last', 'rms'"),
        ({"timescales": "all"}, "'auto' or a sequence of floats"),
        ({"timescales": []}, "'timescales' parameter"),
        ({"timescales": [1.0, -1.0]}, "'timescales' parameter"),
        ({"timescales": 3.0}, "'timescales' parameter"),
        ({"timescales": ["a"]}, "'timescales' parameter"),
        ({"n_jobs": 0}, "'n_jobs' parameter of PTDStateSpaceFeatures"),
    ],
)
def test_bad_parameters_are_named(series, params, message):
    with pytest.raises(ValueError, match=message):
        PTDStateSpaceFeatures(**params).fit(series)


def test_other_lengths_and_bad_values_are_refused(series):
    bank = PTDStateSpaceFeatures(4)
    with pytest.raises(NotFittedError):
        bank.transform(series)
    bank.fit(series)
    with pytest.raises(ValueError, match="150 features"):
        bank.transform(series[:, :100])
    series[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        bank.transform(series)


def test_pickled_and_cloned(series):
    bank = PTDStateSpaceFeatures(6, random_state=0).fit(series)
    again = pickle.loads(pickle.dumps(bank))
    np.testing.assert_array_equal(again.transform(series), bank.transform(series))
    np.testing.assert_array_equal(clone(bank).fit_transform(series), bank.transform(series))


def test_tuned_in_a_pipeline():
    rng = np.random.default_rng(0)
    y = np.arange(240) % 2
    phase = rng.uniform(0, 2 * np.pi, (240, 1))
    X = np.sin(0.1 * (3 + y[:, np.newaxis]) * np.arange(80) + phase) + 0.5 * rng.normal(
        size=(240, 80)
    )
    model = make_pipeline(
        PTDStateSpaceFeatures(8, random_state=0), StandardScaler(), LogisticRegression()
    )
    search = GridSearchCV(model, {"ptdstatespacefeatures__pooling": ["last", "rms"]}, cv=3)
    search.fit(X[:120], y[:120])
    # At a random phase the states at the end tell nothing apart linearly.
    assert search.best_params_ == {"ptdstatespacefeatures__pooling": "rms"}
    assert search.score(X[120:], y[120:]) > 0.9
