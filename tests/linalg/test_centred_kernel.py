"""The fused residual kernel against plain NumPy."""

import numpy as np
import pytest
import scipy.sparse as sp

from skrand._ext import leastsquares
from skrand.linalg.centred import CentredMatrix


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (3, 5), (7, 2), (1001, 13), (4099, 40)])
def test_agrees_with_numpy_at_any_thread_count(dtype, n, d):
    rng = np.random.default_rng(n)
    A = (rng.standard_normal((n, d)) + 1e5).astype(dtype)
    A.setflags(write=False)
    center, scale = A.mean(axis=0, dtype=float), rng.uniform(0, 2, n)
    b, x = rng.standard_normal((n, 1)), rng.standard_normal((d, 1))
    M = scale[:, None] * (A.astype(float) - center)
    results = []
    for threads in (1, 2):
        R, product = CentredMatrix(A, scale, center, threads).residual(b, x)
        np.testing.assert_allclose(R, b - M @ x, rtol=1e-12, atol=1e-12 * np.abs(M).max())
        np.testing.assert_allclose(
            product, M.T @ (b - M @ x), rtol=1e-11, atol=1e-11 * np.abs(M).sum()
        )
        results.append((R.tobytes(), product.tobytes()))
    assert results[0] == results[1]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e5])
@pytest.mark.parametrize("weighted", [False, True])
def test_gram_agrees_with_numpy_at_any_thread_count(order, dtype, offset, weighted):
    rng = np.random.default_rng(3)
    # Several panels in each of the segments, the last one short.
    A = np.asarray(rng.standard_normal((9001, 150)) + offset, dtype=dtype, order=order)
    A.setflags(write=False)
    scale = rng.uniform(0, 2, len(A)) if weighted else None
    center = np.average(A.astype(float), axis=0, weights=None if scale is None else scale**2)
    M = (1.0 if scale is None else scale[:, None]) * (A.astype(float) - center)
    B = rng.standard_normal((len(A), 2))
    results = []
    for threads in (1, 2):
        matrix = CentredMatrix(A, scale, center, threads)
        gram, product = matrix.gram(B)
        np.testing.assert_allclose(gram, M.T @ M, rtol=1e-12, atol=1e-9)
        assert (gram == gram.T).all()
        np.testing.assert_allclose(product, M.T @ B, rtol=1e-9, atol=1e-8)
        u = B[:, :1]
        np.testing.assert_allclose(matrix.rmatmul(u), M.T @ u, rtol=1e-9, atol=1e-8)
        results.append((gram.tobytes(), product.tobytes(), matrix.rmatmul(u).tobytes()))
    assert results[0] == results[1]


def test_shapes_are_checked():
    arguments = {
        "A": np.ones((4, 2)),
        "center": np.zeros(2),
        "scale": np.ones(4),
        "b": np.ones(4),
        "x": np.ones(2),
        "r": np.empty(4),
        "sums": np.zeros((1, 2)),
        "edges": np.array([0, 4]),
        "threads": 1,
    }
    leastsquares.residual(**arguments)
    for name, wrong in [
        ("center", np.zeros(3)),
        ("scale", np.ones(3)),
        ("b", np.ones(5)),
        ("x", np.ones(1)),
        ("r", np.empty(3)),
        ("sums", np.zeros((2, 2))),
        ("edges", np.array([0, 5])),
    ]:
        with pytest.raises(ValueError, match="Shapes do not match"):
            leastsquares.residual(**{**arguments, name: wrong})
    edges, sums = np.array([0, 5, 4]), np.zeros((2, 2))
    with pytest.raises(ValueError, match="must not fall"):
        leastsquares.residual(**{**arguments, "edges": edges, "sums": sums})


def test_shapes_of_weighted_sums_are_checked():
    arguments = {
        "A": np.ones((4, 2)),
        "center": np.zeros(2),
        "weights": np.ones(4),
        "sums": np.zeros((1, 2)),
        "edges": np.array([0, 4]),
        "threads": 1,
    }
    leastsquares.weighted_sums(**arguments)
    np.testing.assert_array_equal(arguments["sums"], [[4.0, 4.0]])
    for name, wrong in [
        ("center", np.zeros(3)),
        ("weights", np.ones(3)),
        ("sums", np.zeros((2, 2))),
        ("edges", np.array([0, 5])),
    ]:
        with pytest.raises(ValueError, match="Shapes do not match"):
            leastsquares.weighted_sums(**{**arguments, name: wrong})


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (5, 3), (20_000, 30)])
def test_sparse_rows_agree_with_numpy_at_any_thread_count(index, dtype, n, d):
    rng = np.random.default_rng(n)
    A = sp.random_array((n, d), density=0.3, format="csr", rng=rng, dtype=dtype)
    A.indices, A.indptr = A.indices.astype(index), A.indptr.astype(index)
    center, scale = rng.standard_normal(d), rng.uniform(0, 2, n)
    b, x = rng.standard_normal((n, 1)), rng.standard_normal((d, 1))
    M = scale[:, None] * (A.toarray().astype(float) - center)
    results = []
    for threads in (1, 2):
        R, product = CentredMatrix(A, scale, center, threads).residual(b, x)
        np.testing.assert_allclose(R, b - M @ x, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(product, M.T @ (b - M @ x), rtol=1e-9, atol=1e-9)
        results.append((R.tobytes(), product.tobytes()))
    assert results[0] == results[1]


@pytest.mark.parametrize(("part", "value"), [("indices", 3), ("indices", -1), ("indptr", 99)])
def test_indices_out_of_range_are_an_error(part, value):
    A = sp.csr_array(np.ones((4, 3)))
    getattr(A, part)[1] = value
    with pytest.raises(ValueError, match="out of range"):
        CentredMatrix(A).residual(np.ones((4, 1)), np.ones((3, 1)))
