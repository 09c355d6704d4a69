"""Row scores and samples against the hat matrix, fixed points and unbiasedness."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression

from skrand import CoresetSampler
from skrand.exceptions import InvalidParameterError
from skrand.regression import row_scores, sample_rows


@pytest.fixture(scope="module")
def heavy():
    """Rows of very different size, a zero row, and columns in different units."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6)) * rng.pareto(1.0, (300, 1)) * np.logspace(0, 6, 6)
    X[17] = 0
    return X


def test_leverage_is_the_diagonal_of_the_hat_matrix(heavy):
    Q = np.linalg.qr(heavy / np.linalg.norm(heavy, axis=0))[0]
    np.testing.assert_allclose(row_scores(heavy), (Q**2).sum(axis=1), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(row_scores(sp.csr_array(heavy)), row_scores(heavy), rtol=1e-10)


def test_leverages_sum_to_the_rank(heavy):
    X = np.hstack([heavy, heavy[:, :2]])
    assert row_scores(X).sum() == pytest.approx(6)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
def test_lewis_weights_are_the_fixed_point(heavy, p):
    w = row_scores(heavy, "lewis", p=p)
    scaled = np.power(w, 0.5 - 1 / p, where=w > 0, out=np.zeros_like(w))[:, None] * heavy
    Q = np.linalg.qr(scaled / np.linalg.norm(scaled, axis=0))[0]
    np.testing.assert_allclose((Q**2).sum(axis=1), w, atol=1e-8)
    assert w.sum() == pytest.approx(6)
    assert w[17] == 0


@pytest.mark.parametrize("p", [1.0, 1.5, 3.0])
def test_sensitivity_bounds_the_share_of_a_row(heavy, p):
    bound = row_scores(heavy, "sensitivity", p=p)
    rng = np.random.default_rng(1)
    for _ in range(200):
        share = np.abs(heavy @ (rng.standard_normal(6) / np.logspace(0, 6, 6))) ** p
        assert np.all(share / share.sum() <= bound + 1e-12)


def test_sketched_scores_are_within_a_factor(heavy):
    X = np.tile(heavy, (10, 1))
    ratio = row_scores(X, method="sketched", random_state=0) / np.maximum(row_scores(X), 1e-300)
    ratio = ratio[row_scores(X) > 0]
    assert ratio.min() > 0.25
    assert ratio.max() < 4


def test_threads_and_seeds_do_not_change_bits(heavy):
    for method in ("exact", "sketched"):
        one, two = (
            row_scores(heavy, "lewis", p=1, method=method, n_jobs=jobs, random_state=0)
            for jobs in (1, 2)
        )
        assert one.tobytes() == two.tobytes()


def test_sample_has_the_expected_size_and_is_unbiased(heavy):
    y = heavy[:, 0]
    totals, sizes = [], []
    for seed in range(400):
        indices, weights = sample_rows(heavy, m=60, random_state=seed)
        totals.append((weights * np.abs(y[indices])).sum())
        sizes.append(len(indices))
    assert np.mean(sizes) == pytest.approx(60, abs=4 * np.std(sizes) / 20)
    error = 4 * np.std(totals) / 20
    assert np.mean(totals) == pytest.approx(np.abs(y).sum(), abs=error)


def test_rare_rows_are_always_drawn():
    X = np.vstack([np.tile([1.0, 0.0], (1000, 1)), [[0.0, 1.0]]])
    indices, weights = sample_rows(X, m=30, random_state=0)
    assert indices[-1] == 1000
    assert weights[-1] == 1


def test_coreset_regression_is_near_the_full_one():
    rng = np.random.default_rng(2)
    X = rng.standard_t(2, (20_000, 8))
    y = X @ np.arange(8.0) + rng.standard_normal(20_000)
    sampler = CoresetSampler(n_rows=800, random_state=0)
    X_small, y_small, weight = sampler.fit_resample(X, y)
    assert 600 < len(y_small) < 1000
    np.testing.assert_array_equal(X_small, X[sampler.sample_indices_])
    small = LinearRegression().fit(X_small, y_small, sample_weight=weight)
    full = LinearRegression().fit(X, y)
    loss, best = (np.mean((y - model.predict(X)) ** 2) for model in (small, full))
    assert loss / best < 1.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X: row_scores(X, "foo"), "'kind' parameter of row_scores must be one of"),
        (lambda X: row_scores(X, p=0.5), r"'p' parameter of row_scores .* range \[1, inf\)"),
        (lambda X: sample_rows(X), "'m' parameter of sample_rows must be given, or epsilon"),
        (lambda X: sample_rows(X, m=5, epsilon=0.1), "but not both"),
        (lambda X: sample_rows(X, epsilon=2.0), "'epsilon' parameter of sample_rows"),
        (lambda X: sample_rows(X, m=5, scores=-np.ones(300)), "non-negative numbers"),
    ],
)
def test_bad_parameters(heavy, call, message):
    with pytest.raises(InvalidParameterError, match=message):
        call(heavy)
