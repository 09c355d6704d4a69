"""Coding rates against direct algebra and finite differences; refinement never rises."""

import numpy as np
import pytest

from skrand.clustering.coding_rate import (
    code_lengths,
    coding_rate,
    coding_rate_reduction,
    conditional_coding_rate,
    membership_of,
    refine_membership,
)


def union(n_each=30, d=12, dim=2, n_clusters=4, seed=0, noise=0.05):
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(n_clusters):
        U = np.linalg.qr(rng.normal(size=(d, dim)))[0]
        parts.append(rng.normal(size=(n_each, dim)) @ U.T)
    Z = np.vstack(parts) + noise * rng.normal(size=(n_each * n_clusters, d)) / np.sqrt(d)
    return Z / np.linalg.norm(Z, axis=1)[:, None], np.repeat(np.arange(n_clusters), n_each)


def damaged(labels, share, seed=0):
    rng = np.random.default_rng(seed)
    labels = labels.copy()
    wrong = rng.choice(len(labels), int(share * len(labels)), replace=False)
    labels[wrong] = rng.integers(labels.max() + 1, size=len(wrong))
    return labels


def direct(Z, P, eps2):
    """Return R and R_c as they are printed in the paper."""
    n, d = Z.shape
    rate = 0.5 * np.linalg.slogdet(np.eye(d) + d / (n * eps2) * Z.T @ Z)[1]
    part = 0.0
    for p in P.T:
        S = np.eye(d) + d / (p.sum() * eps2) * Z.T @ np.diag(p) @ Z
        part += p.sum() / (2 * n) * np.linalg.slogdet(S)[1]
    return rate, part


@pytest.mark.parametrize("shape", [(50, 6), (9, 20)])
@pytest.mark.parametrize("eps2", [0.1, 1.0])
def test_rates_as_printed(shape, eps2):
    rng = np.random.default_rng(0)
    Z, P = rng.normal(size=shape), rng.dirichlet(np.ones(3), size=shape[0])
    rate, part = direct(Z, P, eps2)
    assert coding_rate(Z, eps2) == pytest.approx(rate, rel=1e-12)
    assert conditional_coding_rate(Z, P, eps2) == pytest.approx(part, rel=1e-12)
    assert coding_rate_reduction(Z, P, eps2) == pytest.approx(rate - part, rel=1e-10)


@pytest.mark.parametrize("shape", [(50, 6), (9, 20)])
def test_code_lengths_are_the_gradient(shape):
    rng = np.random.default_rng(1)
    n = shape[0]
    Z, P = rng.normal(size=shape), rng.dirichlet(np.ones(3), size=n)
    G = code_lengths(Z, P, 0.3)
    step = 1e-6
    for i, k in [(0, 0), (3, 2), (n - 1, 1)]:
        up, down = P.copy(), P.copy()
        up[i, k] += step
        down[i, k] -= step
        slope = n * (direct(Z, up, 0.3)[1] - direct(Z, down, 0.3)[1]) / (2 * step)
        assert G[i, k] == pytest.approx(slope, rel=1e-6)
    # Homogeneity (Euler), and concavity: the tangent at P lies above R_c everywhere.
    assert (P * G).sum() / n == pytest.approx(direct(Z, P, 0.3)[1], rel=1e-12)
    for seed in range(20):
        other = np.random.default_rng(seed).dirichlet(np.full(3, 0.2), size=n)
        assert (other * G).sum() / n >= direct(Z, other, 0.3)[1] - 1e-12


def test_few_points_in_a_cluster_cost_the_same_by_either_gram_matrix():
    Z, labels = union()
    P = membership_of(labels, 4)
    sparse, dense = code_lengths(Z, P), code_lengths(Z, np.maximum(P, 1e-14))
    np.testing.assert_allclose(sparse, dense, rtol=1e-8)
    new = np.random.default_rng(0).normal(size=(5, Z.shape[1]))
    np.testing.assert_allclose(code_lengths(Z, P, at=new)[0], code_lengths(Z, P, at=new[:1])[0])
    assert np.isinf(code_lengths(Z, np.c_[P, np.zeros(len(P))])[:, 4]).all()


@pytest.mark.parametrize("mode", ["free", "soft", "balanced"])
@pytest.mark.parametrize("eps2", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_refinement_never_rises_and_repairs(mode, eps2, seed):
    Z, labels = union(seed=seed)
    start = membership_of(damaged(labels, 0.4, seed), 4)
    result = refine_membership(Z, start, eps2=eps2, mode=mode)
    path = np.array(result.objective_path)
    assert (np.diff(path) <= 1e-12 * np.abs(path[:-1])).all()
    assert result.converged
    assert result.n_iter == len(path) - 1
    np.testing.assert_allclose(result.membership.sum(axis=1), 1)
    assert (result.labels == labels).mean() > 0.97
    if mode == "free":
        assert path[-1] == pytest.approx(conditional_coding_rate(Z, result.membership, eps2))
    if mode == "balanced":
        np.testing.assert_allclose(result.membership.sum(axis=0), len(Z) / 4, atol=1e-6)


def test_unequal_shares():
    Z, labels = union()
    keep = np.r_[0:30, 30:45, 60:70, 90:95]
    share = np.array([6, 3, 2, 1])
    result = refine_membership(
        Z[keep], membership_of(labels[keep], 4), mode="balanced", balance=share
    )
    np.testing.assert_allclose(result.membership.sum(axis=0), 60 * share / 12, atol=1e-6)
    assert np.array_equal(result.labels, labels[keep])


@pytest.mark.parametrize("mode", ["free", "soft", "balanced"])
def test_more_dimensions_than_points_change_nothing_under_rotation(mode):
    Z, labels = union(n_each=8)
    start = membership_of(damaged(labels, 0.2), 4)
    wide = np.hstack([Z, np.zeros((32, 60))])
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(72, 72)))[0]
    # The dimension enters the rate, so eps2 grows with it to keep the same coefficients.
    plain = refine_membership(Z, start, eps2=0.1, mode=mode)
    turned = refine_membership(wide @ Q, start, eps2=0.1 * 72 / 12, mode=mode)
    np.testing.assert_allclose(turned.membership, plain.membership, atol=1e-7)
    np.testing.assert_allclose(turned.objective_path, plain.objective_path, rtol=1e-9)


def test_a_cluster_that_dies_is_filled_again():
    Z, labels = union(n_clusters=3)
    start = membership_of(np.minimum(labels, 1), 3)
    result = refine_membership(Z, start)
    assert (np.bincount(result.labels, minlength=3) > 0).all()
    assert (np.diff(result.objective_path) <= 1e-12).all()


def test_identical_points_and_fewer_points_than_clusters():
    Z = np.ones((2, 3)) / np.sqrt(3)
    for mode in ("free", "soft", "balanced"):
        result = refine_membership(Z, np.full((2, 3), 1 / 3), mode=mode)
        assert np.isfinite(result.membership).all()


def test_callback_stops():
    Z, labels = union()
    seen = []
    start = membership_of(damaged(labels, 0.5), 4)
    result = refine_membership(Z, start, callback=lambda *state: not seen.append(state))
    assert len(seen) == result.n_iter == 1
    assert seen[0][1] == result.objective_path[-1]
