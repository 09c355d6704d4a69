"""Solver sketch-project: each projection by exact algebra, its answers, its bound, its memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from skrand import SketchedRegressor, make_solver
from skrand.exceptions import IncompatibleSolverError
from skrand.regression import LeastSquares
from skrand.regression.problem import LeastSquaresTask
from skrand.regression.solvers import SketchProject


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((50, 7)) * np.logspace(-2, 2, 7)
    return LeastSquares(A=A, b=rng.standard_normal((50, 2)), ridge=0.3)


def test_a_sweep_is_projections_by_the_formula(problem):
    """x += S (S^T H S)^+ S^T (c - H x), for the blocks that the seed draws."""
    seen = []

    def look(state):
        seen.append(state["x"]().copy())
        return True

    SketchProject(block_size=3).solve(problem, rng=5, callback=look)
    H = problem.A.T @ problem.A + problem.ridge * np.eye(7)
    c, x, eye = problem.A.T @ problem.b, np.zeros((7, 2)), np.eye(7)
    order = np.random.default_rng(5).permutation(7)
    for block in (order[:3], order[3:6], order[6:]):
        S = eye[:, block]
        x = x + S @ np.linalg.pinv(S.T @ H @ S) @ S.T @ (c - H @ x)
        error = np.linalg.solve(H, c) - x
        # A projection: what is left is orthogonal, in the norm of H, to what was looked at.
        np.testing.assert_allclose(S.T @ H @ error, 0, atol=1e-9)
    np.testing.assert_allclose(seen[0], x, rtol=1e-10)


@pytest.mark.parametrize("block_size", [1, 2, 4])
def test_small_blocks_reach_the_reference(block_size):
    task = LeastSquaresTask()
    for instance in task.instances("tiny", seed=1):
        solution = SketchProject(block_size=block_size, max_iter=400).solve(instance.problem, rng=0)
        assert solution.converged, instance.name
        assert solution.n_iter > 1
        reference = task.reference(instance.problem)
        assert task.objection(instance.problem, solution, reference) is None, instance.name


def test_the_objective_never_rises(problem):
    values = []

    def look(state):
        values.append(problem.objective(state["x"]()))
        return False

    SketchProject(block_size=2).solve(problem, rng=0, callback=look)
    values = np.array(values)
    assert len(values) > 3
    assert np.all(np.diff(values, axis=0) <= 1e-13 * values[0])


def test_the_backward_error_is_bounded_by_an_actual_change():
    rng = np.random.default_rng(2)
    A = rng.standard_normal((30, 6))
    A = A / np.linalg.norm(A, axis=0)
    for b in (rng.standard_normal((30, 1)), A @ np.ones((6, 1))):
        problem = LeastSquares(A=A, b=b)
        solution = SketchProject(block_size=2, max_iter=2).solve(problem, rng=0)
        x = solution.x[:, 0]
        r = b[:, 0] - A @ x
        changes = [
            -np.outer(r, A.T @ r) / (r @ r),  # makes the residual orthogonal to the columns
            np.outer(r, x) / (x @ x),  # makes it vanish
        ]
        sizes = []
        for E in changes:
            changed = A + E
            assert np.linalg.norm(changed.T @ (b[:, 0] - changed @ x)) < 1e-13
            sizes.append(np.linalg.norm(E) / np.linalg.norm(A))
        assert solution.residual == pytest.approx(min(sizes), rel=1e-6)


def test_many_sparse_columns_need_no_square_matrix():
    n, d = 200, 3000
    A = sp.random_array((n, d), density=0.01, rng=3, format="csr")
    b = np.random.default_rng(3).standard_normal((n, 1))
    problem = LeastSquares(A=A, b=b, ridge=10.0)
    dual = A.T @ np.linalg.solve((A @ A.T).toarray() + 10.0 * np.eye(n), b)
    solution = SketchProject().solve(problem, rng=0)
    assert solution.converged
    np.testing.assert_allclose(solution.x, dual, atol=1e-14)
    tracemalloc.start()
    SketchProject(max_iter=1).solve(problem, rng=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A fiftieth of the 72 MB of the Gram matrix.
    assert peak < 0.02 * 8 * d * d


def test_estimator():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((200, 10)) + 100.0
    y = X @ rng.standard_normal(10) + rng.standard_normal(200)
    solver = make_solver("least-squares", "sketch-project", block_size=3)
    ours = SketchedRegressor(alpha=2.0, solver=solver, random_state=0).fit(X, y)
    exact = SketchedRegressor(alpha=2.0, solver="lapack").fit(X, y)
    np.testing.assert_allclose(ours.coef_, exact.coef_, atol=1e-10)
    assert ours.intercept_ == pytest.approx(exact.intercept_, abs=1e-8)
    assert ours.solver_ == "sketch-project"
    assert ours.backward_error_ <= 2e-15
    assert ours.objective_ == pytest.approx(exact.objective_)
    # It gives no cost, so "auto" leaves it alone.
    assert SketchProject().cost(None) is None


def test_what_it_cannot_do_is_said(problem):
    wide = replace(problem, A=np.ones((5, 7)), b=np.ones((5, 1)), ridge=0.0)
    with pytest.raises(IncompatibleSolverError, match="no answer of minimum norm, as 5 rows for 7"):
        SketchProject().solve(wide)
    rng = np.random.default_rng(5)
    X = np.vander(np.linspace(0, 1, 100), 9)
    model = SketchedRegressor(solver=SketchProject(block_size=2, max_iter=20), random_state=0)
    with pytest.warns(ConvergenceWarning, match="max_iter was reached; a ridge, a larger block_s"):
        model.fit(X, rng.standard_normal(100))
    assert np.isfinite(model.coef_).all()
    with pytest.warns(ConvergenceWarning, match="was asked for: rounding allows no better"):
        SketchedRegressor(solver=SketchProject(tol=1e-30), random_state=0).fit(
            X[:, 5:], rng.standard_normal(100)
        )


@pytest.mark.parametrize(
    ("name", "allowed", "value"),
    [
        ("block_size", "an int in the range [1, inf)", 0),
        ("tol", "a float in the range (0, inf)", 0),
        ("max_iter", "an int in the range [1, inf)", 1.5),
    ],
)
def test_parameter_errors(problem, name, allowed, value):
    with pytest.raises(ValueError) as error:
        SketchProject(**{name: value}).solve(problem)
    expected = f"The {name!r} parameter of SketchProject must be {allowed}. Got {value!r} instead."
    assert str(error.value) == expected
