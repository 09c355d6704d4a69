"""Mixtures of low-rank Gaussians against dense ones, Tweedie's identity and closed forms."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning

from skrand import LowRankGaussianMixture
from skrand.clustering.low_rank_gaussians import (
    LowRankGaussians,
    fit_low_rank_gaussians,
    leading_directions,
)


def bases_of(K, D, d, rng):
    return [np.linalg.qr(rng.normal(size=(D, d)))[0] for _ in range(K)]


def projector_error(found, true):
    """Return the largest spectral distance of a true projector to its nearest found one."""
    return max(min(np.linalg.norm(U @ U.T - V @ V.T, 2) for V in found) for U in true)


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    return LowRankGaussians(
        weights=np.array([0.5, 0.2, 0.3]),
        bases=[np.linalg.qr(rng.normal(size=(7, d)))[0] for d in (2, 1, 3)],
        variances=[np.array([2.0, 0.5]), np.array([1.0]), np.array([3.0, 1.0, 0.1])],
        noise=0.04,
    )


def covariances(model):
    d = len(model.bases[0])
    return [
        U @ np.diag(v) @ U.T + model.noise * np.eye(d)
        for U, v in zip(model.bases, model.variances, strict=True)
    ]


def test_density_is_that_of_dense_gaussians(model):
    X = np.random.default_rng(1).normal(size=(20, 7))
    parts = np.array(
        [
            w * multivariate_normal(cov=C).pdf(X)
            for w, C in zip(model.weights, covariances(model), strict=True)
        ]
    )
    posterior, log_density = model.responsibilities(X)
    np.testing.assert_allclose(np.exp(log_density), parts.sum(axis=0), rtol=1e-10)
    np.testing.assert_allclose(posterior, (parts / parts.sum(axis=0)).T, atol=1e-10)


@pytest.mark.parametrize(("scale", "noise"), [(1.0, 0.3), (0.6, 0.8)])
def test_denoiser_obeys_tweedie(model, scale, noise):
    X = np.random.default_rng(2).normal(size=(5, 7))
    noisy = model.noised(scale, noise)
    step = 1e-5
    gradient = np.empty_like(X)
    for j in range(7):
        move = np.zeros(7)
        move[j] = step
        gradient[:, j] = (
            noisy.responsibilities(X + move)[1] - noisy.responsibilities(X - move)[1]
        ) / (2 * step)
    expected = (X + noise**2 * gradient) / scale
    np.testing.assert_allclose(model.denoise(X, noise, scale), expected, atol=1e-8)


@pytest.mark.parametrize(("scale", "noise"), [(1.0, 0.3), (0.6, 0.8)])
def test_training_loss_of_the_denoiser_is_that_of_subspace_clustering(scale, noise):
    """The theorem behind MoLRG, with the expectation over the noise taken exactly.

    With memberships decided by the clean points the loss is quadratic in the noise, for which the
    points +-sqrt(D) e_j have the right moments.
    """
    rng = np.random.default_rng(3)
    D, dim, K = 9, 2, 3
    X = rng.normal(size=(40, D))
    for bases in (bases_of(K, D, dim, rng) for _ in range(5)):
        energy = np.array([((X @ U) ** 2).sum(axis=1) for U in bases])
        labels = energy.argmax(axis=0)
        loss = 0.0
        for k, U in enumerate(bases):
            one = LowRankGaussians(
                weights=np.ones(1), bases=[U], variances=[np.ones(dim)], noise=0.0
            )
            own = X[labels == k]
            for e in np.sqrt(D) * np.vstack([np.eye(D), -np.eye(D)]):
                clean = one.denoise(scale * own + noise * e, noise, scale)
                loss += ((clean - own) ** 2).sum() / (2 * D)
        gain = scale / (scale**2 + noise**2)
        closed = (
            (X**2).sum()
            - (2 * gain * scale - gain**2 * scale**2) * energy.max(axis=0).sum()
            + len(X) * dim * (gain * noise) ** 2
        )
        assert loss == pytest.approx(closed, rel=1e-10)


@pytest.mark.parametrize("n", [40, 5, 2])
def test_leading_directions(n):
    rng = np.random.default_rng(4)
    X, weights = rng.normal(size=(n, 8)), rng.uniform(size=n)
    U, values, trace = leading_directions(X, weights, 3)
    C = X.T @ np.diag(weights) @ X
    np.testing.assert_allclose(U.T @ U, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(C @ U, U * values, atol=1e-10)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(C)[::-1][:3], atol=1e-10)
    assert trace == pytest.approx(np.trace(C))


@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_likelihood_never_falls(noise, seed):
    rng = np.random.default_rng(seed)
    X = np.vstack([rng.normal(size=(30, 3)) @ U.T for U in bases_of(3, 10, 3, rng)])
    X += noise * rng.normal(size=X.shape)
    fit = fit_low_rank_gaussians(X, [3, 2, 4], n_init=3, rng=rng)
    path = np.array(fit.log_likelihood_path)
    assert (np.diff(path) >= -1e-9 * np.abs(path[1:])).all()
    assert fit.converged
    # What is stated is what the density says.
    assert fit.model.responsibilities(X)[1].mean() == pytest.approx(path[-1])


def recovered(n_each, dim, seed, D=48):
    rng = np.random.default_rng(seed)
    true = bases_of(2, D, dim, rng)
    X = np.vstack([rng.normal(size=(n_each, dim)) @ U.T for U in true])
    fit = fit_low_rank_gaussians(X, [dim, dim], n_init=20, rng=rng)
    return projector_error(fit.model.bases, true) < 1e-3


@pytest.mark.parametrize("dim", [3, 6])
def test_phase_transition(dim):
    assert np.mean([recovered(5 * dim, dim, seed) for seed in range(20)]) >= 0.95
    assert not any(recovered(dim - 1, dim, seed) for seed in range(20))


def test_sample_and_fit_again():
    rng = np.random.default_rng(5)
    true = bases_of(3, 20, 4, rng)
    model = LowRankGaussians(
        weights=np.full(3, 1 / 3), bases=true, variances=[np.ones(4)] * 3, noise=1e-4
    )
    X, labels = model.sample(3000, rng)
    assert np.abs(np.bincount(labels) / 3000 - 1 / 3).max() < 0.05
    fit = LowRankGaussianMixture(3, subspace_dim=4, random_state=0).fit(X)
    assert projector_error(fit.bases_, true) < 0.05
    assert fit.noise_variance_ == pytest.approx(1e-4, rel=0.1)
    again, _ = fit.sample(3000)
    refit = LowRankGaussianMixture(3, subspace_dim=4, random_state=1).fit(again)
    assert projector_error(refit.bases_, fit.bases_) < 0.05


def test_sampled_covariance(model):
    X, labels = model.sample(40000, np.random.default_rng(6))
    for k, C in enumerate(covariances(model)):
        np.testing.assert_allclose(np.cov(X[labels == k].T), C, atol=0.12)


def test_estimator_methods_agree():
    rng = np.random.default_rng(7)
    X = np.vstack([rng.normal(size=(40, 2)) @ U.T for U in bases_of(2, 6, 2, rng)])
    X += 0.05 * rng.normal(size=X.shape)
    fit = LowRankGaussianMixture(2, subspace_dim=[2, 2], random_state=0).fit(X)
    assert np.array_equal(fit.predict_proba(X).argmax(axis=1), fit.labels_)
    assert fit.score(X) == pytest.approx(fit.log_likelihood_)
    assert fit.score(X) == pytest.approx(fit.score_samples(X).mean())
    assert len(fit.history_) == fit.n_iter_
    one, two = (fit.sample(5)[0] for _ in range(2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"subspace_dim": 6}, "The 'subspace_dim' parameter .* Got 6 instead"),
        ({"subspace_dim": [1, 2, 3]}, "or n_components=2 of them"),
        ({"subspace_dim": "auto"}, "subspace_dim"),
        ({"subspace_dim": None}, "subspace_dim"),
        ({"n_components": 0}, "n_components"),
        ({"n_components": 99}, "n_samples=20 must be at least n_components=99"),
        ({"tol": -1}, "tol"),
    ],
)
def test_bad_parameters(params, message):
    X = np.random.default_rng(0).normal(size=(20, 6))
    with pytest.raises(ValueError, match=message):
        LowRankGaussianMixture(**params).fit(X)


def test_too_few_iterations_warn_with_the_gain():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(200, 6))
    with pytest.warns(ConvergenceWarning, match="last gain of the log-likelihood"):
        LowRankGaussianMixture(3, subspace_dim=2, max_iter=1, random_state=0).fit(X)


def test_callbacks_see_usable_estimators_and_can_stop():
    X = np.random.default_rng(9).normal(size=(100, 6))
    scores = []

    class Stop:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            scores.append(fitted_estimator.score(X))
            return True

    model = LowRankGaussianMixture(3, subspace_dim=2, n_init=5, random_state=0)
    model.set_callbacks(Stop())
    with pytest.warns(ConvergenceWarning):
        model.fit(X)
    assert model.n_iter_ == 1
    assert len(scores) == 2, "one iteration and the fit: no other start is tried"
    assert scores[0] == pytest.approx(model.log_likelihood_)


@pytest.mark.parametrize("scale", [0.0, 1e-150, 1.0, 1e150])
def test_any_scale(scale):
    """The density has its units; the components do not change with them."""
    X = np.random.default_rng(10).normal(size=(30, 4))
    model = LowRankGaussianMixture(2, random_state=0).fit(scale * X)
    assert np.isfinite(model.log_likelihood_)
    if scale:
        plain = LowRankGaussianMixture(2, random_state=0).fit(X)
        expected = plain.log_likelihood_ - 4 * np.log(scale)
        assert model.log_likelihood_ == pytest.approx(expected, rel=1e-6)
