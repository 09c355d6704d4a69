"""Unbalanced transport against POT, against its own optimality, and towards the balanced limit."""

import numpy as np
import pytest

from skrand.transport import solve, solve_unbalanced


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
    with pytest.raises(ValueError, match="positive"):
        solve_unbalanced(C, -a, b)
