"""Linear systems by projections on random blocks of equations."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp

from skrand import make_solver
from skrand.exceptions import InvalidParameterError
from skrand.regression import LinearSystem
from skrand.regression.solvers import BlockKaczmarz


@pytest.fixture
def system():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 80))
    return A, A @ rng.standard_normal((80, 2))


@pytest.mark.parametrize("block_size", [1, 7, 64])
def test_nearest_solution(system, block_size):
    A, b = system
    start = np.random.default_rng(1).standard_normal((80, 2))
    solver = BlockKaczmarz(block_size=block_size, tol=1e-13, max_iter=1000)
    for begin in (None, start):
        solution = solver.solve(LinearSystem(A=A, b=b, start=begin), rng=0)
        origin = np.zeros((80, 2)) if begin is None else begin
        exact = origin + scipy.linalg.pinv(A) @ (b - A @ origin)
        assert solution.converged
        np.testing.assert_allclose(solution.x, exact, atol=1e-11)
        assert solution.residual == pytest.approx(
            np.max(np.linalg.norm(b - A @ solution.x, axis=0) / np.linalg.norm(b, axis=0)), rel=0.5
        )


def test_one_row_at_a_time_is_the_plain_method(system):
    A, b = system
    solution = BlockKaczmarz(block_size=1, max_iter=2, tol=1e-300).solve(
        LinearSystem(A=A, b=b), rng=3
    )
    rng, x = np.random.default_rng(3), np.zeros((80, 2))
    for _ in range(2):
        for i in rng.permutation(30):
            x += np.outer(A[i], b[i] - A[i] @ x) / (A[i] @ A[i])
    np.testing.assert_allclose(solution.x, x, atol=1e-12)


def test_distance_never_rises(system):
    A, b = system
    exact = scipy.linalg.pinv(A) @ b
    distances = []
    BlockKaczmarz(block_size=5).solve(
        LinearSystem(A=A, b=b),
        rng=0,
        callback=lambda state: distances.append(np.linalg.norm(state["x"]() - exact)),
    )
    assert len(distances) > 3
    assert all(after <= before for before, after in pairwise(distances))


def test_repeated_equations(system):
    A, b = np.vstack([system[0]] * 3), np.vstack([system[1]] * 3)
    exact = scipy.linalg.pinv(system[0]) @ system[1]
    for block_size in (8, 90):
        solution = BlockKaczmarz(block_size=block_size, tol=1e-13).solve(
            LinearSystem(A=A, b=b), rng=0
        )
        assert solution.converged
        np.testing.assert_allclose(solution.x, exact, atol=1e-11)


def test_sparse_is_dense(system):
    A, b = system
    A = np.where(np.random.default_rng(2).random(A.shape) < 0.2, A, 0.0) + np.eye(*A.shape)
    b = A @ np.ones((80, 2))
    answers = [
        BlockKaczmarz(block_size=10).solve(LinearSystem(A=matrix, b=b), rng=0).x
        for matrix in (A, sp.csr_array(A))
    ]
    np.testing.assert_allclose(*answers, atol=1e-10)


def test_contradictions_are_said():
    A = np.ones((2, 3))
    solution = BlockKaczmarz(max_iter=5, block_size=1).solve(
        LinearSystem(A=A, b=np.array([[1.0], [2.0]])), rng=0
    )
    assert not solution.converged
    assert "contradict each other" in solution.message
    assert solution.residual > 0.1


def test_same_seed_same_bits_and_stopping(system):
    A, b = system
    problem = LinearSystem(A=A, b=b)
    one, two = (BlockKaczmarz(block_size=4).solve(problem, rng=5) for _ in range(2))
    assert one.x.tobytes() == two.x.tobytes()
    stopped = BlockKaczmarz(block_size=4).solve(problem, rng=5, callback=lambda state: True)
    assert (stopped.n_iter, stopped.converged) == (1, False)
    assert stopped.message == "A callback asked it to stop."


@pytest.mark.parametrize(
    ("name", "allowed", "value"),
    [
        ("block_size", "an int in the range [1, inf)", 0),
        ("tol", "a float in the range (0, inf)", 0),
        ("max_iter", "an int in the range [1, inf)", 1.5),
    ],
)
def test_bad_parameters(system, name, allowed, value):
    A, b = system
    solver = make_solver("linear-system", "sketch-project", **{name: value})
    with pytest.raises(InvalidParameterError) as error:
        solver.solve(LinearSystem(A=A, b=b), rng=0)
    assert str(error.value) == (
        f"The {name!r} parameter of BlockKaczmarz must be {allowed}. Got {value!r} instead."
    )
