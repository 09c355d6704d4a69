"""Unbalanced transport against POT, against its own optimality, and towards the balanced limit."""

import numpy as np
import pytest

from skrand.transport import solve, solve_partial, solve_unbalanced


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    return rng.uniform(size=(40, 50)), rng.uniform(0.5, 1.5, 40), rng.uniform(0.2, 1.0, 50)


@pytest.mark.parametrize("reg", [0.5, 0.05, 0.01])
@pytest.mark.parametrize("rho", [(1.0, 1.0), (0.1, 3.0), (np.inf, 0.5), (0.5, np.inf)])
def test_optimality(problem, reg, rho):
    C, a, b = problem
    result = solve_unbalanced(C, a, b, reg, rho)
    f, g = result.potentials
    assert result.converged
    # The first-order conditions: marginals are the masses damped by the potentials.
    np.testing.assert_allclose(result.plan.sum(axis=1), a * np.exp(-f / rho[0]), rtol=1e-8)
    np.testing.assert_allclose(result.plan.sum(axis=0), b * np.exp(-g / rho[1]), rtol=1e-7)


@pytest.mark.parametrize("reg", [0.5, 0.05])
def test_equals_pot(problem, reg):
    ot = pytest.importorskip("ot")
    C, a, b = problem
    plan = ot.sinkhorn_unbalanced(
        a,
        b,
        C,
        reg,
        0.7,
        reg_type="kl",
        method="sinkhorn_stabilized",
        numItermax=50_000,
        stopThr=1e-15,
    )
    result = solve_unbalanced(C, a, b, reg, 0.7, tol=1e-13)
    np.testing.assert_allclose(result.plan, plan, atol=1e-9)


def test_tends_to_the_balanced_plan(problem):
    C, a, b = problem
    a, b = a / a.sum(), b / b.sum()
    plan = solve(C, a, b, 0.05).plan
    np.testing.assert_allclose(solve_unbalanced(C, a, b, 0.05, 1e7).plan, plan, atol=1e-7)


def test_errors(problem):
    C, a, b = problem
    with pytest.raises(ValueError, match="finite on one side"):
        solve_unbalanced(C, a, b, reg_marginal=np.inf)
    with pytest.raises(ValueError, match="non-negative"):
        solve_unbalanced(C, -a, b)


@pytest.mark.parametrize("rho", [(1.0, 1.0), (np.inf, 0.5)])
def test_points_without_mass_are_as_dropped(problem, rho):
    C, a, b = problem
    a, b = a.copy(), b.copy()
    a[3], b[:4] = 0, 0
    whole = solve_unbalanced(C, a, b, 0.05, rho)
    part = solve_unbalanced(C[a > 0][:, b > 0], a[a > 0], b[b > 0], 0.05, rho)
    np.testing.assert_allclose(whole.plan[a > 0][:, b > 0], part.plan, atol=1e-12)
    assert whole.plan[3].max() == whole.plan[:, :4].max() == 0
    # Their potentials are those of the limit: a tiny mass changes them by as little.
    tiny = solve_unbalanced(C, np.maximum(a, 1e-6), np.maximum(b, 1e-6), 0.05, rho, tol=1e-14)
    for side in (0, 1):
        np.testing.assert_allclose(whole.potentials[side], tiny.potentials[side], atol=1e-5)


@pytest.mark.parametrize("reg", [0.2, 0.01])
@pytest.mark.parametrize("mass", [1.0, 10.0])
def test_partial_has_the_mass_and_the_form_of_the_optimum(problem, mass, reg):
    C, a, b = problem
    result = solve_partial(C, a, b, mass, reg)
    P = result.plan
    assert result.converged
    assert P.sum() == pytest.approx(mass, abs=1e-8)
    assert (P.sum(axis=1) <= a + 1e-8).all()
    assert (P.sum(axis=0) <= b + 1e-8).all()
    # The rest of a row and of a column are scaled by the same potentials as the plan:
    # P_ij = k rest_i rest_j exp(-C_ij / reg), with one k for all pairs.
    rest_a, rest_b = a - P.sum(axis=1), b - P.sum(axis=0)
    seen = (P > 1e-6) & (rest_a[:, None] > 1e-6) & (rest_b > 1e-6)
    k = np.log(P[seen]) - np.log(np.outer(rest_a, rest_b)[seen]) + C[seen] / reg
    assert seen.sum() > 20
    assert np.ptp(k) < 2e-2


def test_partial_tends_to_the_cheapest_part():
    from scipy.optimize import linprog

    rng = np.random.default_rng(1)
    C = rng.uniform(size=(6, 7))
    a, b = rng.uniform(0.5, 1.5, 6), rng.uniform(0.5, 1.5, 7)
    rows = np.kron(np.eye(6), np.ones(7))
    columns = np.kron(np.ones(6), np.eye(7))
    best = linprog(
        C.ravel(), np.vstack([rows, columns]), np.r_[a, b], np.ones((1, 42)), [2.0], method="highs"
    )
    assert solve_partial(C, a, b, 2.0, 1e-4).cost == pytest.approx(best.fun, abs=1e-4)


@pytest.mark.parametrize("mass", [0.0, -1.0, 1e9, float("nan")])
def test_partial_refuses_other_masses(problem, mass):
    with pytest.raises(ValueError, match="'mass' parameter of solve_partial"):
        solve_partial(*problem, mass)
