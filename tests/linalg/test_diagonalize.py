"""Perturbed eigenpairs against the matrices they are of, and the scan against its definition."""

import numpy as np
import pytest
from scipy.linalg import expm
from threadpoolctl import threadpool_limits

from skrand.linalg import approx_diagonalize, diagonal_scan


def jordan(n, value, link=1.0):
    return np.diag(np.full(n, value)) + np.diag(np.full(n - 1, link), 1)


@pytest.mark.parametrize("n", [1, 2, 13, 40])
@pytest.mark.parametrize("eps", [1e-6, 1e-2])
@pytest.mark.parametrize("kind", [float, complex])
def test_pairs_are_those_of_a_matrix_within_eps(n, eps, kind):
    A = jordan(n, -3.0).astype(kind)
    result = approx_diagonalize(A, eps, rng=0)
    V = result.vectors
    near = np.linalg.solve(V.T, (V * result.values).T).T
    assert np.linalg.norm(near - A, 2) == pytest.approx(result.backward_error, rel=1e-3)
    assert result.backward_error == pytest.approx(eps, rel=1e-2)
    assert result.condition == pytest.approx(np.linalg.cond(V), rel=1e-6)
    np.testing.assert_allclose(np.linalg.norm(V, axis=0), 1.0)
    assert (result.eps, result.n_draws) == (eps, 1)


def test_functions_of_a_matrix_without_eigenbasis():
    J = jordan(10, -1.0)
    result = approx_diagonalize(J, 1e-6, rng=0)
    ours = np.linalg.solve(result.vectors.T, (result.vectors * np.exp(result.values)).T).T
    np.testing.assert_allclose(ours, expm(J), atol=1e-5)
    _, vectors = np.linalg.eig(J)
    assert np.linalg.cond(vectors) > 1e15 > 1e7 * result.condition


def test_a_smaller_perturbation_means_worse_condition():
    J = jordan(20, -2.0)
    conditions = [approx_diagonalize(J, eps, rng=0).condition for eps in (1e-1, 1e-3, 1e-5)]
    assert conditions == sorted(conditions)


def test_eigenvalues_of_a_real_matrix_come_in_pairs():
    values = approx_diagonalize(jordan(9, 1.0), 1e-3, rng=0).values
    np.testing.assert_array_equal(np.sort_complex(values), np.sort_complex(values.conj()))
    values = approx_diagonalize(jordan(9, 1.0) + 0j, 1e-3, rng=0).values
    assert np.abs(values.imag).min() > 0


def test_a_stable_matrix_stays_stable():
    # Eigenvalues of a perturbed Jordan block move by about eps^(1/n), here across the axis.
    A = jordan(5, -0.05)
    assert np.linalg.eigvals(A + 1e-3 * np.eye(5, k=-4)).real.max() > 0
    result = approx_diagonalize(A, 1e-3, rng=0)
    assert result.values.real.max() < 0
    assert result.n_draws > 4
    assert result.eps < 1e-3
    assert result.backward_error == pytest.approx(result.eps, rel=1e-2)
    # Nothing is asked of one that is not stable.
    assert approx_diagonalize(jordan(5, 0.05), 1e-3, rng=0).n_draws == 1


def test_stability_that_no_draw_keeps_is_an_error():
    with pytest.raises(np.linalg.LinAlgError, match="order 30 is stable, and no random"):
        approx_diagonalize(jordan(30, -1e-3), 1e-2, rng=0)


def test_same_seed_same_bits_at_any_thread_count():
    A = np.random.default_rng(0).normal(size=(120, 120))
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            results.append(approx_diagonalize(A, 1e-4, rng=7))
    np.testing.assert_array_equal(results[0].vectors, results[1].vectors)
    assert results[0].backward_error == results[1].backward_error


@pytest.mark.parametrize(
    ("A", "eps", "message"),
    [
        (np.zeros((2, 3)), 0.1, r"square matrix. Got shape \(2, 3\)"),
        (np.zeros((0, 0)), 0.1, "square matrix"),
        (np.full((2, 2), np.nan), 0.1, "must be finite"),
        (np.eye(2), 0.0, "'eps' parameter of approx_diagonalize must be a float in the range"),
    ],
)
def test_bad_arguments_are_named(A, eps, message):
    with pytest.raises(ValueError, match=message):
        approx_diagonalize(A, eps)


# The scan


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (5, 7, 3, 9), (4, 64, 16, 32), (3, 10, 2, 0)])
@pytest.mark.parametrize("pooling", ["last", "rms"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scan_against_its_definition(shape, pooling, dtype):
    n_series, n_steps, n_modes, n_outputs = shape
    rng = np.random.default_rng(0)
    U = rng.normal(size=(n_series, n_steps)).astype(dtype)
    decay = np.exp(-rng.random(n_modes) + 3j * rng.random(n_modes))
    gain, *readout = rng.normal(size=(1 + n_outputs, n_modes, 2)) @ [1.0, 1j]
    readout = np.reshape(readout, (n_outputs, n_modes))
    ages = np.arange(n_steps)
    outputs = np.zeros((n_steps, n_series, n_outputs))
    for t in range(n_steps):
        response = gain * decay ** (t - ages[: t + 1, np.newaxis])
        outputs[t] = U[:, : t + 1] @ (response @ readout.T).real
    expected = outputs[-1] if pooling == "last" else np.sqrt(np.mean(outputs**2, axis=0))
    X = diagonal_scan(U, decay, gain, readout, pooling=pooling, n_jobs=1)
    assert X.dtype == dtype
    tolerance = 1e-6 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(X, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(
        X, diagonal_scan(U, decay, gain, readout, pooling=pooling, n_jobs=3)
    )


def test_scan_takes_any_layout_and_no_series():
    U = np.random.default_rng(0).normal(size=(6, 8))
    modes = np.array([0.5, 0.9j]), np.array([1.0, 1.0]), np.ones((3, 2))
    expected = diagonal_scan(U, *modes)
    readonly = np.asfortranarray(U)
    readonly.flags.writeable = False
    np.testing.assert_array_equal(diagonal_scan(readonly, *modes), expected)
    np.testing.assert_array_equal(diagonal_scan(U[::2], *modes), expected[::2])
    assert diagonal_scan(U[:0], *modes).shape == (0, 3)
    assert diagonal_scan(np.arange(4).reshape(1, 4), *modes).dtype == np.float64


@pytest.mark.parametrize(
    ("U", "modes", "message"),
    [
        (np.zeros(3), 1, r"matrix of at least one step"),
        (np.zeros((3, 0)), 1, r"Got shape \(3, 0\) and 1 modes"),
        (np.zeros((2, 2)), 0, "at least one mode"),
    ],
)
def test_scan_refuses(U, modes, message):
    with pytest.raises(ValueError, match=message):
        diagonal_scan(U, np.ones(modes), np.ones(modes), np.ones((1, modes)))


def test_scan_refuses_modes_that_do_not_match():
    with pytest.raises(ValueError, match=r"Got shapes \(2,\), \(3,\) and \(1, 2\)"):
        diagonal_scan(np.ones((1, 1)), np.ones(2), np.ones(3), np.ones((1, 2)))
    with pytest.raises(ValueError, match="'pooling' parameter of diagonal_scan must be one of"):
        diagonal_scan(np.ones((1, 1)), np.ones(2), np.ones(2), np.ones((1, 2)), pooling="sum")
