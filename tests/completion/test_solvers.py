"""Solvers against truths that they must recover, and against NumPy."""

import numpy as np
import pytest
import scipy.sparse as sp

from skrand.completion import MatrixCompletion, MatrixCompletionTask
from skrand.completion.problem import stationarity, value_and_gradient
from skrand.completion.solvers import (
    AlternatingLeastSquares,
    AlternatingMinimisation,
    Auto,
    CoordinateDescent,
    RiemannianCG,
    ScaledGradientDescent,
    SoftImpute,
    SoftImputeALS,
)
from skrand.exceptions import IncompatibleSolverError
from tests.completion.matrices import low_rank, rmse


def solve(solver, X, rank, rng=0, **problem):
    return solver.solve(MatrixCompletion(X=X, rank=rank, **problem), rng=rng)


@pytest.mark.parametrize("seed", range(3))
def test_recovers_from_few_entries_where_a_fixed_penalty_fails(seed):
    M, X = low_rank(300, 350, 5, 1.2, seed=seed)
    solution = solve(AlternatingMinimisation(), X, 5)
    assert solution.converged
    assert rmse(solution.x.dense(), M) <= 1e-6
    plain = solve(AlternatingLeastSquares(max_iter=300), X, 5)
    assert rmse(plain.x.dense(), M) > 0.1
    assert not plain.converged
    assert "Raise max_iter" in plain.message


def test_recovers_at_condition_10_and_oversampling_1_5():
    done, plain = 0, 0
    for seed in range(5):
        M, X = low_rank(300, 350, 5, 1.5, condition=10, seed=seed)
        done += rmse(solve(Auto(), X, 5).x.dense(), M) <= 1e-6
        answer = solve(AlternatingLeastSquares(max_iter=100), X, 5)
        plain += rmse(answer.x.dense(), M) <= 1e-6
    assert done >= 4
    assert plain == 0


@pytest.mark.parametrize(
    "solver",
    [
        AlternatingLeastSquares(),
        AlternatingMinimisation(),
        AlternatingMinimisation(inner="cg"),
        AlternatingMinimisation(inner="sketch"),
        AlternatingMinimisation(continuation=10),
        AlternatingMinimisation(continuation=None),
        AlternatingLeastSquares(inner="cg"),
    ],
    ids=str,
)
def test_recovers_at_condition_100(solver):
    # The plain method is stuck on some other seeds, 0 and 2 among them.
    M, X = low_rank(400, 400, 6, 4.0, condition=100, seed=1)
    solution = solve(solver, X, 6)
    assert solution.converged
    assert rmse(solution.x.dense(), M) <= 1e-6


def test_noise_is_averaged_out():
    M, X = low_rank(1000, 1000, 10, 4.0, noise=1e-2)
    solution = solve(AlternatingMinimisation(), X, 10)
    assert solution.converged
    # The floor is sqrt(1 / oversampling) times the noise, 5e-3, up to the unevenness of the mask.
    assert rmse(solution.x.dense(), M) <= 6.0e-3


def test_float32():
    M, X = low_rank(200, 150, 3, 4.0)
    solution = solve(AlternatingMinimisation(), X.astype(np.float32), 3)
    assert solution.converged
    assert {part.dtype for part in solution.x[:4]} == {np.dtype(np.float32)}
    assert rmse(solution.x.dense(), M) <= 1e-5


@pytest.mark.parametrize("biases", ["none", "global", "row", "col", "both"])
def test_biases_are_those_of_the_objective(biases):
    rng = np.random.default_rng(0)
    _M, X = low_rank(80, 60, 2, 5.0, noise=0.1)
    X.data += 2.0 + rng.standard_normal(80)[X.tocoo().row] + rng.standard_normal(60)[X.indices]
    problem = MatrixCompletion(X=X, rank=2, alpha=0.7, biases=biases)
    solution = Auto().solve(problem, rng=0)
    assert stationarity(problem, solution.x) <= 2e-9
    assert bool(solution.x.row_bias.any()) == (biases in ("row", "both"))
    assert bool(solution.x.col_bias.any()) == (biases in ("col", "both"))
    assert (solution.x.intercept == 0) == (biases == "none")


def test_ridge_by_count_and_weights():
    _M, X = low_rank(80, 60, 3, 5.0, noise=0.1)
    weights = np.random.default_rng(0).uniform(0.2, 3.0, size=X.nnz)
    problem = MatrixCompletion(X=X, weights=weights, rank=3, alpha=0.05, alpha_scaling="count")
    assert stationarity(problem, Auto().solve(problem, rng=0).x) <= 2e-9


def test_gradient_of_the_reference_is_that_of_its_objective():
    problem = next(i.problem for i in MatrixCompletionTask().instances() if i.name == "biased")
    rng = np.random.default_rng(0)
    x, step = rng.standard_normal((2, sum(problem.shape) * (problem.rank + 1)))
    _, gradient = value_and_gradient(problem, x)
    h = 1e-6
    ends = [value_and_gradient(problem, x + s * step)[0] for s in (h, -h)]
    assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(gradient @ step, rel=1e-6)


def test_start_from_given_factors():
    M, X = low_rank(200, 150, 3, 4.0)
    cold = solve(AlternatingMinimisation(), X, 3)
    warm = solve(AlternatingMinimisation(), X, 3, init=(cold.x.U, cold.x.V))
    assert warm.n_iter <= 2 < cold.n_iter
    random = solve(AlternatingMinimisation(), X, 3, init="random")
    assert rmse(random.x.dense(), M) <= 1e-6


def test_history_and_report():
    _M, X = low_rank(100, 80, 2, 3.0, noise=0.05)
    problem = MatrixCompletion(X=X, rank=2, alpha=0.1)
    solution = Auto().solve(problem, rng=0)
    assert solution.solver == "am"
    assert len(solution.history) == solution.n_iter
    assert solution.extra["objective"] == pytest.approx(problem.objective(solution.x), rel=1e-12)
    values = solution.x.at(X.tocoo().row, X.indices)
    assert solution.extra["rmse"] == pytest.approx(rmse(values, X.data), rel=1e-10)
    s = np.linalg.svd(solution.x.dense(), compute_uv=False)[:2]
    np.testing.assert_allclose(solution.extra["singular_values"], s, rtol=1e-6)


def test_nothing_below_the_penalty_at_which_zero_is_the_answer():
    _M, X = low_rank(60, 50, 2, 3.0)
    norm = np.linalg.svd(X.toarray(), compute_uv=False)[0]
    zero = solve(Auto(), X, 2, alpha=1.5 * norm)
    assert np.abs(zero.x.dense()).max() < 1e-3
    assert np.abs(solve(Auto(), X, 2, alpha=0.5 * norm).x.dense()).max() > 0.1


def test_duller_matrices():
    """A constant, a single entry, one row, one column, and zeros."""
    for values in (np.full((6, 5), 3.0), np.zeros((4, 4)), np.ones((1, 5)), np.ones((5, 1))):
        rows, columns = np.indices(values.shape).reshape(2, -1)
        X = sp.csr_array((values.ravel(), (rows, columns)), shape=values.shape)
        answer = solve(Auto(), X, 1)
        np.testing.assert_allclose(answer.x.dense(), values, atol=1e-7)
        assert answer.converged
    single = sp.csr_array(([2.0], ([1], [2])), shape=(3, 4))
    answer = solve(Auto(), single, 1).x.dense()
    assert answer[1, 2] == pytest.approx(2.0)
    assert np.isfinite(answer).all()


@pytest.mark.parametrize(
    "solver", [SoftImpute(), SoftImputeALS(), ScaledGradientDescent(), RiemannianCG()], ids=str
)
def test_others_find_the_same_answer(solver):
    _M, X = low_rank(120, 90, 3, 4.0, noise=0.1)
    X.data += np.random.default_rng(0).standard_normal(90)[X.indices]
    problem = MatrixCompletion(X=X, rank=3, alpha=0.3, biases="col")
    want = AlternatingMinimisation().solve(problem, rng=0)
    got = solver.solve(problem, rng=0)
    assert got.converged
    np.testing.assert_allclose(got.x.dense(), want.x.dense(), atol=1e-6)


def test_soft_thresholding_finds_the_rank():
    M, X = low_rank(120, 90, 3, 6.0)
    solution = solve(SoftImpute(tol=1e-8), X, 30, alpha=2.0)
    assert (solution.extra["singular_values"] > 1e-8).sum() == 3
    # The optimality of a convex problem: the residual's spectral norm is the penalty.
    E = np.zeros(M.shape)
    entries = X.tocoo()
    places = entries.row, entries.col
    E[places] = X.data - solution.x.at(*places)
    assert np.linalg.norm(E, 2) == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("solver", [ScaledGradientDescent(), RiemannianCG()], ids=str)
def test_gradients_recover_at_condition_10(solver):
    M, X = low_rank(200, 200, 3, 6.0, condition=10)
    assert rmse(solve(solver, X, 3).x.dense(), M) <= 1e-6


def test_factors_that_may_not_be_negative():
    rng = np.random.default_rng(0)
    M = rng.uniform(size=(80, 3)) @ rng.uniform(size=(3, 60))
    X = sp.csr_array(np.where(rng.uniform(size=M.shape) < 0.5, M, 0.0))
    problem = MatrixCompletion(X=X, rank=3, nonneg=True, alpha=0.1)
    for solver in (CoordinateDescent(), Auto()):
        solution = solver.solve(problem, rng=0)
        assert solution.converged
        assert solution.solver == "ccd"
        assert solution.x.U.min() >= 0
        assert solution.x.V.min() >= 0
        assert rmse(solution.x.dense(), M) < 0.02
        assert stationarity(problem, solution.x) <= 2 * solution.residual + 1e-12
    for solver in (AlternatingMinimisation(), SoftImpute(), RiemannianCG()):
        with pytest.raises(IncompatibleSolverError, match=r"non-negative.*Solvers that can.*ccd"):
            solver.solve(problem)


def test_work_grows_linearly_with_the_rank():
    # A pass costs as many steps as are allowed, at most, of entries times rank each.
    _M, X = low_rank(300, 200, 8, 4.0, noise=0.1)
    work, solutions = {}, {}
    for rank, inner in ((16, "cg"), (64, "cg"), (64, "auto")):
        problem = MatrixCompletion(X=X, rank=rank, alpha=2.0)
        solution = AlternatingMinimisation(inner=inner).solve(problem, rng=0)
        assert solution.converged
        work[rank] = rank * problem.oracles["passes"]
        solutions[rank, inner] = solution
    # Cholesky at rank 64 would take 16 times the work of rank 16 in each pass.
    assert work[64] <= 5 * work[16]
    # It is what users get above rank 16.
    assert np.array_equal(solutions[64, "auto"].x.U, solutions[64, "cg"].x.U)


def test_penalties_by_count_have_no_nuclear_norm():
    X = sp.csr_array(np.ones((4, 4)))
    problem = MatrixCompletion(X=X, rank=1, alpha=1.0, alpha_scaling="count")
    with pytest.raises(IncompatibleSolverError, match="nuclear norm"):
        SoftImpute().solve(problem)
