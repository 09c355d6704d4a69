"""Balanced and symmetric scaling against linear programs, plain Sinkhorn and closed forms."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import softmax

from skrand.linalg.scaling import balanced_scaling, symmetric_scaling


def sinkhorn(S, r, c, t, steps=20000):
    """Return the scaled kernel, by alternating updates in extended precision."""
    K = np.exp((S.astype(np.longdouble) - S.max()) / t)
    v = np.ones(S.shape[1], dtype=np.longdouble)
    for _ in range(steps):
        u = r / (K @ v)
        v = c / (K.T @ u)
    u = r / (K @ v)
    return (u[:, None] * K * v).astype(float)


@pytest.mark.parametrize("temperature", [10.0, 1.0, 0.2])
def test_agrees_with_sinkhorn(temperature):
    rng = np.random.default_rng(0)
    S = rng.normal(size=(40, 4))
    r, c = rng.uniform(0.5, 2, size=40), rng.uniform(0.5, 2, size=4)
    result = balanced_scaling(S, c, temperature=temperature, row_sums=r)
    expected = sinkhorn(S, r, c * r.sum() / c.sum(), temperature)
    np.testing.assert_allclose(result.P, expected, atol=1e-9)
    np.testing.assert_allclose(result.P.sum(axis=1), r, rtol=1e-14)
    assert result.error < 1e-10
    assert result.potential.mean() == pytest.approx(0, abs=1e-12)


def test_potential_gives_the_membership_of_new_rows():
    rng = np.random.default_rng(1)
    S = rng.normal(size=(30, 3))
    result = balanced_scaling(S, np.ones(3), temperature=0.3)
    np.testing.assert_allclose(result.P, softmax((S + result.potential) / 0.3, axis=1), atol=1e-12)


@pytest.mark.parametrize("spread", [1.0, 1e3])
def test_small_temperature_solves_the_linear_program(spread):
    rng = np.random.default_rng(2)
    S = spread * rng.normal(size=(30, 5))
    result = balanced_scaling(S, np.ones(5), temperature=1e-3 * spread)
    A = np.vstack([np.kron(np.eye(30), np.ones(5)), np.kron(np.ones(30), np.eye(5))])
    b = np.r_[np.ones(30), np.full(5, 6.0)]
    best = -linprog(-S.ravel(), A_eq=A[:-1], b_eq=b[:-1], method="highs").fun
    assert result.error < 1e-9
    # The entropy of n rows over k columns bounds what the penalty can cost.
    assert best - 30 * np.log(5) * 1e-3 * spread <= (result.P * S).sum() <= best * (1 + 1e-9)


def test_rows_without_mass_and_warm_start():
    rng = np.random.default_rng(3)
    S = rng.normal(size=(20, 3))
    r = np.r_[np.zeros(5), np.ones(15)]
    cold = balanced_scaling(S, np.array([1.0, 2.0, 3.0]), temperature=0.1, row_sums=r)
    assert not cold.P[:5].any()
    np.testing.assert_allclose(cold.P.sum(axis=0), [2.5, 5.0, 7.5], atol=1e-8)
    warm = balanced_scaling(
        S, np.array([1.0, 2.0, 3.0]), temperature=0.1, row_sums=r, potential=cold.potential
    )
    assert warm.n_iter <= 2
    np.testing.assert_allclose(warm.P, cold.P, atol=1e-9)


def test_too_few_sweeps_are_reported():
    S = np.random.default_rng(4).normal(size=(50, 4))
    result = balanced_scaling(S, np.array([1.0, 2.0, 3.0, 4.0]), temperature=0.01, max_iter=2)
    assert result.error > 1e-6
    np.testing.assert_allclose(result.P.sum(axis=1), 1)


@pytest.mark.parametrize("width", [1.0, 0.1])
def test_symmetric_scaling(width):
    X = np.random.default_rng(5).normal(size=(30, 4))
    X /= np.linalg.norm(X, axis=1)[:, None]
    kernel = np.abs(X @ X.T) / width
    result = symmetric_scaling(kernel)
    np.testing.assert_allclose(result.P, result.P.T)
    u = result.potential
    np.testing.assert_allclose(result.P, np.exp(kernel + u + u[:, None]), rtol=1e-12)
    np.testing.assert_allclose(result.P, sinkhorn(kernel, np.ones(30), np.ones(30), 1.0), atol=1e-8)
