"""The least-squares solvers against mpmath, exact algebra and LAPACK."""

import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp

from skrand.exceptions import IncompatibleSolverError, InvalidParameterError
from skrand.regression import LeastSquares
from skrand.regression.solvers import (
    PNE,
    SAP,
    SPIR,
    Auto,
    Cholesky,
    ConjugateGradients,
    Lapack,
    SketchAndSolve,
)

EXACT = [Lapack(), Cholesky(), SAP(), SPIR(), PNE(), Auto()]
UNIT = np.finfo(float).eps / 2


def conditioned(n, d, condition, residual, seed):
    """A, b, x with singular values 1..1/condition and a residual orthogonal to A."""
    rng = np.random.default_rng(seed)
    U = scipy.linalg.qr(rng.standard_normal((n, d)), mode="economic")[0]
    V = scipy.linalg.qr(rng.standard_normal((d, d)))[0]
    A = (U * np.logspace(0, -np.log10(condition), d)) @ V.T
    x = rng.standard_normal((d, 1))
    noise = rng.standard_normal((n, 1))
    for _ in range(2):
        noise -= U @ (U.T @ noise)
    fit = A @ x
    return A, fit + residual * np.linalg.norm(fit) * noise / np.linalg.norm(noise), x


def exact_solution(A, b):
    """Solve the normal equations in 60 digits."""
    with mpmath.workdps(60):
        A, b = mpmath.matrix(A.tolist()), mpmath.matrix(b.tolist())
        x = mpmath.lu_solve(A.T * A, A.T * b)
        return np.array([[float(value)] for value in x])


def karlson_walden(A, b, x):
    """Backward error of x, relative to the Frobenius norm of A, by the full SVD."""
    r = b - A @ x
    _, s, Vt = np.linalg.svd(A, full_matrices=False)
    theta = np.linalg.norm(A) / np.linalg.norm(b)
    x2 = theta**2 * np.linalg.norm(x) ** 2
    mu = theta**2 * np.linalg.norm(r) ** 2 / (1 + x2)
    g = Vt @ (A.T @ r).ravel()
    error = theta / np.sqrt(1 + x2) * np.linalg.norm(g / np.sqrt(s**2 + mu))
    return error / np.linalg.norm(A)


@pytest.mark.parametrize("solver", EXACT, ids=lambda s: s.name)
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_agrees_with_sixty_digits(solver, ridge):
    A, b, _ = conditioned(40, 4, 1e4, 0.5, seed=1)
    augmented = np.vstack([A, np.sqrt(ridge) * np.eye(4)])
    expected = exact_solution(augmented, np.vstack([b, np.zeros((4, 1))]))
    solution = solver.solve(LeastSquares(A=A, b=b, ridge=ridge), rng=0)
    assert solution.converged
    # Forward error is at most the condition number (squared, for a residual this large) times u.
    bound = 10 * UNIT * (1e8 if ridge == 0 else 1e2)
    np.testing.assert_allclose(solution.x, expected, rtol=0, atol=bound * np.abs(expected).max())


@pytest.mark.parametrize("solver", [Lapack(), SAP(), SPIR(), PNE(), Auto()], ids=lambda s: s.name)
@pytest.mark.parametrize("condition", [1.0, 1e4, 1e7, 1e10, 1e12, 1e14])
@pytest.mark.parametrize("residual", [1e-8, 1e-1])
def test_backward_stable_at_any_condition(solver, condition, residual):
    A, b, _ = conditioned(2000, 20, condition, residual, seed=2)
    solution = solver.solve(LeastSquares(A=A, b=b), rng=0)
    assert solution.converged, solution.message
    assert karlson_walden(A, b, solution.x) <= 20 * UNIT


@pytest.mark.parametrize("solver", [Lapack(), SAP(), SPIR(), PNE(), Auto()], ids=lambda s: s.name)
def test_backward_error_on_the_grid_of_conditions(solver):
    # Ten unit roundoffs, by an independent measure, for twenty seeds at every condition.
    worst = 0.0
    for seed in range(20):
        for condition in 10.0 ** np.arange(0, 15, 2):
            A, b, _ = conditioned(300, 8, condition, 10.0 ** -(seed % 8), seed=100 + seed)
            solution = solver.solve(LeastSquares(A=A, b=b), rng=seed)
            assert solution.converged, (seed, condition, solution.message)
            worst = max(worst, karlson_walden(A, b, solution.x))
    assert worst <= 10 * UNIT


@pytest.mark.parametrize("solver", EXACT, ids=lambda solver: solver.name)
def test_convergence_is_a_plain_truth_value(solver):
    A, b, _ = conditioned(200, 8, 10, 0.1, seed=2)
    assert solver.solve(LeastSquares(A=A, b=b), rng=0).converged is True


def test_cholesky_says_when_the_gram_matrix_is_singular():
    A, b, _ = conditioned(2000, 20, 1e12, 1e-1, seed=3)
    solution = Cholesky().solve(LeastSquares(A=A, b=b))
    assert not solution.converged
    assert "numerically singular" in solution.message
    assert np.isfinite(solution.x).all()


def test_auto_escalates_and_records_its_path():
    # Three rows dwarf all others, which a sample of the rows does not show.
    A = np.random.default_rng(4).standard_normal((20_000, 100))
    A[:3] *= 1e10
    solution = Auto().solve(LeastSquares(A=A, b=A.sum(axis=1, keepdims=True)), rng=0)
    assert solution.extra["solver_path"] == ["chol", "pne"]
    assert solution.solver == "pne"
    assert solution.converged

    # A callback's stop ends the search too, not only the solver whose turn it is.
    problem = LeastSquares(A=A, b=A.sum(axis=1, keepdims=True))
    stopped = Auto().solve(problem, rng=0, callback=lambda state: True)
    assert stopped.extra["solver_path"] == ["chol"]
    assert not stopped.converged
    assert stopped.message == "A callback asked it to stop."


@pytest.mark.parametrize("shape", [(20_000, 100), (1000, 400), (300, 10)])
def test_auto_sees_ill_conditioned_data_at_once(shape):
    A, b, _ = conditioned(*shape, 1e12, 1e-1, seed=4)
    solution = Auto().solve(LeastSquares(A=A, b=b), rng=0)
    assert len(solution.extra["solver_path"]) == 1
    assert solution.solver != "chol"
    assert solution.converged


def test_auto_reads_the_data_no_more_often_than_the_solver_it_takes():
    A, b, _ = conditioned(1000, 100, 10.0, 1e-1, seed=5)
    auto = Auto().solve(LeastSquares(A=A, b=b), rng=0)
    alone = Cholesky().solve(LeastSquares(A=A, b=b), rng=0)
    assert auto.solver == "chol"
    assert np.array_equal(auto.x, alone.x)
    # The look at the Gram matrix is not wasted.
    assert auto.oracles["passes"] == alone.oracles["passes"]


def test_auto_leaves_ill_conditioned_sparse_data_to_a_preconditioner():
    A = sp.random_array((1000, 150), density=0.02, format="csr", rng=0)
    twins = A + 1e-9 * sp.random_array(A.shape, density=0.005, rng=1)
    A = sp.hstack([A, twins]).tocsr()
    problem = LeastSquares(A=A, b=A.sum(axis=1)[:, None])
    solution = Auto().solve(problem, rng=0)
    assert solution.extra["solver_path"] == ["sap"]
    # Where steps are cheap beside any square matrix, conjugate gradients come first.
    A = sp.random_array((5000, 1000), density=0.01, format="csr", rng=0)
    solution = Auto().solve(LeastSquares(A=A, b=A.sum(axis=1)[:, None]), rng=0)
    assert solution.extra["solver_path"] == ["cg"]


@pytest.mark.parametrize("solver", EXACT, ids=lambda s: s.name)
def test_indifferent_to_units(solver):
    A, b, _ = conditioned(500, 8, 10, 0.1, seed=5)
    units = np.logspace(0, 12, 8)
    plain = solver.solve(LeastSquares(A=A, b=b), rng=0)
    scaled = solver.solve(LeastSquares(A=A * units, b=b), rng=0)
    np.testing.assert_allclose(scaled.x * units[:, None], plain.x, rtol=1e-11)


@pytest.mark.parametrize("solver", EXACT, ids=lambda s: s.name)
def test_indifferent_to_large_offsets(solver):
    rng = np.random.default_rng(6)
    A = rng.integers(-8, 8, (300, 5)).astype(float)
    b = A @ np.arange(1.0, 6.0)[:, None] + rng.integers(-1, 2, (300, 1))
    plain = solver.solve(LeastSquares(A=A, b=b, intercept=True), rng=0)
    moved = solver.solve(LeastSquares(A=A + 1e7, b=b, intercept=True), rng=0)
    np.testing.assert_allclose(moved.x, plain.x, rtol=1e-9)


@pytest.mark.parametrize("solver", EXACT, ids=lambda s: s.name)
def test_weights_are_repetitions(solver):
    A, b, _ = conditioned(200, 5, 10, 0.3, seed=7)
    weights = np.random.default_rng(7).integers(0, 4, 200)
    repeated = LeastSquares(
        A=np.repeat(A, weights, axis=0), b=np.repeat(b, weights, axis=0), intercept=True
    )
    weighted = LeastSquares(A=A, b=b, weights=weights.astype(float), intercept=True)
    one, two = solver.solve(repeated, rng=0), solver.solve(weighted, rng=0)
    np.testing.assert_allclose(one.x, two.x, rtol=1e-11)
    np.testing.assert_allclose(repeated.offset(one.x), weighted.offset(two.x), rtol=1e-11)


@pytest.mark.parametrize("solver", [Lapack(), SAP(), SPIR(), PNE(), Auto()], ids=lambda s: s.name)
def test_rank_deficient_data_get_the_minimum_norm_answer(solver):
    A, b, _ = conditioned(400, 4, 10, 0.1, seed=8)
    A = np.hstack([A, A[:, :1], np.zeros((400, 1))])
    solution = solver.solve(LeastSquares(A=A, b=b), rng=0)
    assert solution.converged
    assert solution.extra["rank"] == 4
    assert solution.x[5] == 0
    np.testing.assert_allclose(solution.x[0], solution.x[4], rtol=1e-10)


@pytest.mark.parametrize("solver", [Cholesky(), SAP(), SPIR(), Auto()], ids=lambda s: s.name)
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_equals_dense(solver, weighted):
    rng = np.random.default_rng(9)
    A = sp.csr_array(rng.standard_normal((600, 10)) * (rng.random((600, 10)) < 0.3))
    b = rng.standard_normal((600, 2))
    weights = rng.uniform(0, 2, 600) if weighted else None
    sparse = LeastSquares(A=A, b=b, weights=weights, intercept=True, ridge=0.1)
    dense = LeastSquares(A=A.toarray(), b=b, weights=weights, intercept=True, ridge=0.1)
    np.testing.assert_allclose(
        solver.solve(sparse, rng=0).x, Lapack().solve(dense).x, rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("ridge", [0.0, 0.1])
@pytest.mark.parametrize("shape", [(300, 12), (12, 300)])
@pytest.mark.parametrize("sparse", [False, True])
def test_conjugate_gradients_equal_singular_values(ridge, shape, sparse):
    rng = np.random.default_rng(16)
    A = rng.standard_normal(shape) * (rng.random(shape) < 0.5)
    b = rng.standard_normal((shape[0], 2))
    weights = rng.uniform(0.5, 2, shape[0])
    problem = {"b": b, "weights": weights, "ridge": ridge, "intercept": True}
    solution = ConjugateGradients().solve(
        LeastSquares(A=sp.csr_array(A) if sparse else A, **problem)
    )
    expected = Lapack().solve(LeastSquares(A=A, **problem))
    assert solution.converged
    np.testing.assert_allclose(solution.x, expected.x, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("condition", [1e2, 1e5])
def test_conjugate_gradients_are_backward_stable(condition):
    A, b, _ = conditioned(400, 20, condition, 1e-2, seed=17)
    solution = ConjugateGradients().solve(LeastSquares(A=A, b=b))
    assert solution.converged
    # What it promises: a hundred unit roundoffs, as it has no factor to correct with.
    assert karlson_walden(A, b, solution.x) <= 100 * UNIT


def test_sparse_data_with_very_many_columns():
    # A dense copy would take 30 GiB, a Gram matrix 300.
    rng = np.random.default_rng(18)
    A = sp.random_array((20_000, 200_000), density=1e-4, format="csr", rng=rng)
    b = A @ np.ones((200_000, 1))
    with pytest.raises(IncompatibleSolverError, match=r"dense rows, \d+ GiB.*cg"):
        SAP().solve(LeastSquares(A=A, b=b))
    solution = Auto(tol=1e-12).solve(LeastSquares(A=A, b=b, ridge=1.0), rng=0)
    assert solution.solver == "cg"
    assert solution.converged
    residual = b - A @ solution.x
    np.testing.assert_allclose(A.T @ residual, solution.x, atol=1e-9)  # ridge is 1


@pytest.mark.parametrize("kind", ["gaussian", "rademacher", "srht", "countsketch", "sparse-sign"])
def test_sketch_and_solve_estimates_its_error(kind):
    A, b, _ = conditioned(4000, 10, 10, 1.0, seed=10)
    problem = LeastSquares(A=A, b=b)
    best = Lapack().solve(problem)
    ratios = []
    for seed in range(20):
        size = 300 if kind == "countsketch" else 80
        solution = SketchAndSolve(sketch=kind, sketch_size=size).solve(problem, rng=seed)
        ratios.append(
            solution.extra["error_estimate"][0] / np.linalg.norm(A @ (solution.x - best.x))
        )
    assert 0.8 < np.median(ratios) < 1.25
    low, high = np.quantile(ratios, [0.1, 0.9])
    assert low > 0.5
    assert high < 2


def test_sketch_with_as_many_rows_as_the_data_is_exact():
    A, b, _ = conditioned(60, 5, 10, 1.0, seed=11)
    problem = LeastSquares(A=A, b=b)
    solution = SketchAndSolve(sketch_size=1000).solve(problem, rng=0)
    assert solution.extra["error_estimate"][0] == 0
    np.testing.assert_allclose(solution.x, Lapack().solve(problem).x, rtol=1e-12)


def test_passes_are_counted():
    # Orthogonal columns: the first answer needs no refinement, however the sums are rounded.
    A = np.tile(np.eye(20), (100, 1))
    problem = LeastSquares(A=A, b=np.random.default_rng(12).standard_normal((2000, 1)))
    # The Gram matrix, then the residual that certifies the answer.
    assert Cholesky().solve(problem).oracles["passes"] == 2
    assert SketchAndSolve().solve(problem, rng=0).oracles["passes"] == 2  # sketch, then residual


def test_refusals_name_the_solvers_that_fit():
    problem = LeastSquares(A=sp.eye_array(30, 3, format="csr"), b=np.ones((30, 1)))
    with pytest.raises(IncompatibleSolverError, match=r"'lapack'.*dense data.*chol.*sap"):
        Lapack().solve(problem)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sketch": "foo"}, "'sketch' parameter of SAP must be .*'countsketch'.* Got 'foo'"),
        ({"sketch_size": 3}, "'sketch_size' parameter of SAP must be at least 9.* Got 3"),
        ({"sketch_size": 0.5}, "'sketch_size' parameter of SAP must be None, an int"),
        ({"sketch_nnz": 0}, "'sketch_nnz' parameter of SAP must be None or an int in the"),
        ({"tol": -1}, r"'tol' parameter of SAP must be None or a float in the range \(0, inf"),
        ({"max_iter": 0}, "'max_iter' parameter of SAP must be an int"),
        ({"n_jobs": 0}, "'n_jobs' parameter of SAP must be None or a non-zero int"),
    ],
)
def test_bad_parameters(params, message):
    A, b, _ = conditioned(200, 8, 10, 0.1, seed=13)
    with pytest.raises(InvalidParameterError, match=message):
        SAP(**params).solve(LeastSquares(A=A, b=b))


@pytest.mark.parametrize(("size", "allowed"), [(3, "at least 9"), (0.5, "None, an int")])
def test_auto_speaks_of_its_own_parameters(size, allowed):
    A, b, _ = conditioned(200, 8, 10, 0.1, seed=13)
    with pytest.raises(
        InvalidParameterError, match=f"'sketch_size' parameter of Auto must be {allowed}"
    ):
        Auto(sketch_size=size).solve(LeastSquares(A=A, b=b))


@pytest.mark.parametrize("solver", EXACT, ids=lambda s: s.name)
@pytest.mark.parametrize("offset", [0.0, 1.0, 3.9, 4.1, 1e3])
def test_both_ways_of_centring_agree(solver, offset):
    rng = np.random.default_rng(14)
    A = rng.standard_normal((1000, 6)) + offset
    b = A @ np.ones((6, 1)) + rng.standard_normal((1000, 1)) + 7
    expected = np.linalg.lstsq(A - A.mean(axis=0), b - b.mean(), rcond=None)[0]
    solution = solver.solve(LeastSquares(A=A, b=b, intercept=True), rng=0)
    assert solution.converged
    np.testing.assert_allclose(solution.x, expected, rtol=1e-11)


@pytest.mark.parametrize("solver", [PNE, SAP, SPIR], ids=lambda s: s.name)
def test_a_sketch_that_loses_directions_is_reported(solver):
    # On identity-like data CountSketch maps several columns to one row: the worst case.
    A = np.vstack([np.eye(60), 1e-9 * np.random.default_rng(15).standard_normal((2000, 60))])
    problem = LeastSquares(A=A, b=A.sum(axis=1, keepdims=True))
    solution = solver(sketch="countsketch", sketch_size=61, max_iter=5).solve(problem, rng=0)
    assert np.isfinite(solution.x).all()
    assert solution.converged or solution.message
