"""Row solves against NumPy, products against SciPy, and threads that change nothing."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls

from skrand._ext import completion as kernels
from skrand.completion import MatrixCompletion
from skrand.completion.alternation import (
    CONJUGATE,
    COORDINATE,
    EXACT,
    MEASURE,
    SKETCHED,
    fold_in_options,
)
from skrand.completion.side import Side, pad


def make(m=60, n=90, k=5, share=0.3, dtype=np.float64, weighted=True, seed=0):
    rng = np.random.default_rng(seed)
    mask = rng.uniform(size=(m, n)) < share
    mask[0] = False
    mask[1, 3:] = False
    values = rng.standard_normal((m, n))
    X = sp.csr_array((values[mask].astype(dtype), np.nonzero(mask)), shape=(m, n))
    weights = rng.uniform(0.5, 2.0, size=X.nnz).astype(dtype) if weighted else None
    fixed = pad(rng.standard_normal((n, k)).astype(dtype))
    offset = rng.standard_normal(n).astype(dtype)
    return X, weights, fixed, offset, pad(rng.standard_normal((m, k)).astype(dtype))


def rows_by_numpy(X, weights, fixed, offset, alpha, k):
    """Solve each row's ridge regression as an ordinary least-squares problem, in float64."""
    W = np.ones(X.nnz) if weights is None else weights.astype(np.float64)
    out = np.zeros((X.shape[0], k))
    for i in range(X.shape[0]):
        part = slice(X.indptr[i], X.indptr[i + 1])
        j, w = X.indices[part], np.sqrt(W[part])
        A = np.vstack([w[:, None] * fixed[j, :k], np.sqrt(alpha) * np.eye(k)])
        b = np.concatenate([w * (X.data[part] - offset[j]), np.zeros(k)])
        out[i] = np.linalg.lstsq(A.astype(np.float64), b.astype(np.float64), rcond=1e-12)[0]
    return out


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("k", [1, 3, 5, 20])
def test_exact_rows(k, alpha, weighted):
    X, weights, fixed, offset, x = make(k=k, weighted=weighted)
    x[:] = 0
    Side.of(X, weights, False).solve(fixed, offset, k, alpha, x, mode=EXACT, steps=3)
    want = rows_by_numpy(X, weights, fixed, offset, alpha, k)
    np.testing.assert_allclose(x[:, :k], want, rtol=1e-8, atol=1e-9)
    assert not x[:, k:].any()


@pytest.mark.parametrize("mode", [EXACT, CONJUGATE])
def test_float32_rows(mode):
    X, weights, fixed, offset, x = make(dtype=np.float32)
    Side.of(X, weights, False).solve(fixed, offset, 5, 0.1, x, mode=mode, steps=20, eta=1e-7)
    want = rows_by_numpy(X, weights, fixed, offset, 0.1, 5)
    np.testing.assert_allclose(x[:, :5], want, rtol=1e-4, atol=1e-4)


def test_conjugate_gradients_from_a_warm_start():
    X, weights, fixed, offset, x = make(k=30, share=0.7)
    side = Side.of(X, weights, False)
    want = rows_by_numpy(X, weights, fixed, offset, 0.5, 30)
    side.solve(fixed, offset, 30, 0.5, x, mode=CONJUGATE, steps=200, eta=1e-12)
    np.testing.assert_allclose(x[:, :30], want, rtol=1e-7, atol=1e-8)
    # One loose call reduces the gradient by what was asked, row by row.
    start = pad(np.random.default_rng(1).standard_normal((len(x), 30)))
    options = {"mode": CONJUGATE, "steps": 200, "eta": 0.1}
    before = side.solve(fixed, offset, 30, 0.5, start, **options)[1]
    after = side.solve(fixed, offset, 30, 0.5, start, mode=MEASURE)[1]
    assert (np.sqrt(after) <= 0.1001 * np.sqrt(before)).all()


def test_sketched_rows():
    X, weights, fixed, offset, x = make(m=30, n=400, k=7, share=0.7)
    side = Side.of(X, weights, False)
    assert np.median(np.diff(X.indptr)) > 4 * fixed.shape[1]
    want = rows_by_numpy(X, weights, fixed, offset, 0.5, 7)
    side.solve(fixed, offset, 7, 0.5, x, mode=SKETCHED, steps=40, eta=1e-11)
    np.testing.assert_allclose(x[:, :7], want, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("weighted", [True, False])
def test_rows_that_may_not_be_negative(weighted):
    X, weights, fixed, offset, x = make(k=5, weighted=weighted)
    side = Side.of(X, weights, False)
    x[:] = 0
    side.solve(fixed, offset, 5, 0.3, x, **fold_in_options(True))
    for i in range(2, len(x)):
        part = slice(X.indptr[i], X.indptr[i + 1])
        j = X.indices[part]
        w = np.sqrt(1.0 if weights is None else weights[part])
        A = np.vstack([(w * fixed[j, :5].T).T, np.sqrt(0.3) * np.eye(5)])
        b = np.concatenate([w * (X.data[part] - offset[j]), np.zeros(5)])
        np.testing.assert_allclose(x[i, :5], nnls(A, b)[0], atol=1e-8)
    assert (x[:, :5] == 0).any()
    free = np.zeros_like(x)
    side.solve(fixed, offset, 5, 0.3, free, mode=COORDINATE, steps=2000, eta=1e-14)
    want = rows_by_numpy(X, weights, fixed, offset, 0.3, 5)
    np.testing.assert_allclose(free[:, :5], want, rtol=1e-6, atol=1e-7)


def test_figures():
    X, weights, fixed, offset, x = make(k=4)
    side = Side.of(X, weights, True)
    misfit, gradient, size = side.solve(fixed, offset, 4, 0.2, x, mode=MEASURE)
    for i in (0, 1, 7):
        part = slice(X.indptr[i], X.indptr[i + 1])
        A, w = fixed[X.indices[part]], weights[part]
        b = X.data[part] - offset[X.indices[part]]
        e = b - A @ x[i]
        assert misfit[i] == pytest.approx(w @ e**2)
        ridge = 0.2 * len(b)
        assert gradient[i] == pytest.approx(np.sum((A.T @ (w * e) - ridge * x[i]) ** 2))
        assert size[i] == pytest.approx(np.sum((A.T @ (w * b)) ** 2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", [EXACT, CONJUGATE])
def test_same_bits_for_any_number_of_threads(mode, dtype):
    X, weights, fixed, offset, start = make(m=500, n=300, k=9, dtype=dtype)
    side = Side.of(X, weights, False)
    assert len(side.cuts) > 4
    results = []
    for threads in (1, 2, 5):
        x = start.copy()
        figures = side.solve(
            fixed, offset, 9, 0.1, x, mode=mode, steps=4, eta=1e-3, threads=threads
        )
        results.append((x, figures))
    for x, figures in results[1:]:
        assert np.array_equal(x, results[0][0])
        assert np.array_equal(figures, results[0][1])


def test_products_and_adjoint_equal_scipy():
    X, _, V, _, U = make(k=6)
    side = MatrixCompletion(X=X, rank=6).sides[0]
    out = np.empty(X.nnz)
    kernels.products(side.indptr, side.indices, U, V, out, 2)
    entries = X.tocoo()
    np.testing.assert_allclose(out, np.sum(U[entries.row] * V[entries.col], axis=1), rtol=1e-12)
    image = np.full_like(U, 7.0)
    none = np.empty(0)
    kernels.adjoint(side.indptr, side.indices, X.data, none, none, none, V, image, 2)
    np.testing.assert_allclose(image, X @ V, rtol=1e-12, atol=1e-14)


def test_adjoint_of_weighted_entries_less_offsets():
    X, weights, V, offset, _ = make(k=6)
    shift = np.random.default_rng(1).standard_normal(X.shape[0])
    entries = X.tocoo()
    content = weights * (X.data - shift[entries.row] - offset[entries.col])
    want = sp.csr_array((content, X.indices, X.indptr), shape=X.shape) @ V[:, :6]
    side = Side.of(X, weights, False)
    got = side.adjoint(V[:, :6], shift=shift, offset=offset)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)
    for wrong in ({"shift": shift[:-1], "offset": offset}, {"shift": shift, "offset": offset[1:]}):
        with pytest.raises(ValueError, match="do not fit the entries"):
            side.adjoint(V[:, :6], **wrong)


def test_bounds_are_checked():
    X, weights, fixed, offset, x = make()
    side = Side.of(X, weights, False)
    with pytest.raises(ValueError, match="not padded"):
        side.solve(fixed[:, :5].copy(), offset, 5, 0.1, x[:, :5].copy())
    with pytest.raises(ValueError, match="one row for each"):
        side.solve(fixed, offset, 5, 0.1, x[:-1])
    with pytest.raises(ValueError, match="do not fit together"):
        side.solve(fixed, offset[:-1], 5, 0.1, x)
    with pytest.raises(ValueError, match="do not fit"):
        kernels.products(side.indptr, side.indices, x[:-1], fixed, np.empty(X.nnz), 1)
