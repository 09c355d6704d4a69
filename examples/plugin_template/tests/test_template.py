"""The conformance checks on everything this package registers, and one test of each thing."""

import numpy as np
import pytest

from skrand import SketchedRegressor, make_solver, registry
from skrand.testing import check_entry
from skrand_template import TrendRegressor

OURS = [entry for entry in registry.entries() if entry.dist == "skrand-template"]


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.name)
def test_conformance(entry):
    failed = [result for result in check_entry(entry) if result.status == "failed"]
    assert not failed, failed


def test_both_are_registered():
    assert {entry.name for entry in OURS} == {"conjugate-gradient", "TrendRegressor"}


def test_solver_agrees_with_cholesky():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 5)), rng.standard_normal(200)
    ours = SketchedRegressor(solver="conjugate-gradient").fit(X, y)
    np.testing.assert_allclose(ours.coef_, SketchedRegressor(solver="chol").fit(X, y).coef_)


def test_solver_object_with_parameters():
    solver = make_solver("least-squares", "conjugate-gradient", max_iter=5)
    assert solver.max_iter == 5


def test_estimator_recovers_a_parabola():
    X = np.linspace(-3, 3, 50)[:, None]
    model = TrendRegressor(degree=2, solver="conjugate-gradient").fit(X, 1 + X[:, 0] ** 2)
    np.testing.assert_allclose(model.predict([[2.0]]), [5.0])
