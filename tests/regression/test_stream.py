"""partial_fit and merge: the same bits for any chunking, and the answer that fit gives."""

import copy
import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge

from skrand import SketchedRegressor
from skrand.exceptions import IncompatibleSolverError, InvalidParameterError, RankWarning
from skrand.linalg import CountSketch
from skrand.regression.solvers import SAP

N, D = 30_000, 20
UNIT = np.finfo(float).eps / 2

STREAMS = {
    "auto": {},
    "chol": {"solver": "chol", "alpha": 2.0},
    "sparse-sign": {"solver": "sketch", "random_state": 1},
    "srht": {"solver": "sketch", "sketch": "srht", "random_state": 1},
    "countsketch": {"solver": "sketch", "sketch": "countsketch", "random_state": 1},
    "gaussian": {"solver": "sketch", "sketch": "gaussian", "random_state": 1, "alpha": 2.0},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    # A mean that drifts far: neither the first rows nor the last tell where the middle is.
    X = rng.standard_normal((N, D)) + np.linspace(0, 300, N)[:, None]
    y = X @ rng.standard_normal(D) + rng.standard_normal(N)
    return X, y, rng.integers(0, 3, N).astype(float)


def stream(params, X, y, weights=None, edges=(), offset=None):
    """Feed the rows in the pieces between `edges`."""
    model = SketchedRegressor(**params)
    for i, j in zip([0, *edges], [*edges, len(y)], strict=True):
        part = None if weights is None else weights[i:j]
        model.partial_fit(X[i:j], y[i:j], part, row_offset=offset if i == 0 else None)
    return model


def bits(model):
    return np.append(model.coef_, model.intercept_).tobytes()


@pytest.mark.parametrize("name", STREAMS)
def test_same_bits_for_any_chunks(data, name):
    X, y, weights = data
    whole = bits(stream(STREAMS[name], X, y, weights))
    for edges in ([1, 2, 20_000], range(777, N, 777), [N - 1], range(8192, N, 8192)):
        assert bits(stream(STREAMS[name], X, y, weights, edges)) == whole
    assert bits(stream(STREAMS[name], np.asfortranarray(X), y, weights, [5000])) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_same_bits_for_any_number_of_threads(data, name):
    X, y, weights = data
    one, two = (stream({**STREAMS[name], "n_jobs": n}, X, y, weights, [500]) for n in (1, 2))
    assert bits(one) == bits(two)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, N - 1), max_size=6, unique=True).map(sorted))
def test_same_bits_for_drawn_chunks(edges):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((N, 4)), rng.standard_normal(N)
    params = {"solver": "sketch", "sketch": "srht", "sketch_size": 100, "random_state": 0}
    for each in ({}, params):
        assert bits(stream(each, X, y, edges=edges)) == bits(stream(each, X, y))


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_equals_fit(data, name, fit_intercept):
    X, y, weights = data
    params = {**STREAMS[name], "fit_intercept": fit_intercept}
    whole = SketchedRegressor(**params).fit(X, y, weights)
    model = stream(params, X, y, weights, [100, 20_000])
    # The drift makes all columns nearly the same: the condition number is about 400.
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-8)
    np.testing.assert_allclose(model.intercept_, whole.intercept_, rtol=1e-7)
    np.testing.assert_allclose(model.residual_norm_, whole.residual_norm_, rtol=0.15)
    assert model.solver_ == whole.solver_
    assert model.n_passes_ <= 1


def test_auto_follows_a_sketch_that_is_asked_for(data):
    X, y, _ = data
    params = {"sketch": "countsketch", "sketch_size": 600, "random_state": 1}
    assert stream(params, X, y).solver_ == "sketch"


def test_equals_scikit_learn_with_weights_and_several_targets(data):
    X, y, weights = data
    Y = np.column_stack([y, y**2])
    model = stream({"alpha": 3.0}, X, Y, weights, [10, 999])
    peer = Ridge(alpha=3.0, solver="svd").fit(X, Y, weights)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-8)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=1e-7)
    residual = np.sqrt(weights @ (Y - peer.predict(X)) ** 2)
    np.testing.assert_allclose(model.residual_norm_, residual, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), peer.predict(X), rtol=1e-8, atol=1e-6)


def test_large_offsets_cost_no_digits(data):
    rng = np.random.default_rng(2)
    X = rng.integers(-8, 8, (N, 4)).astype(float)
    y = X @ [1.0, 2.0, 3.0, 4.0] + rng.integers(-1, 2, N)
    plain, moved = (stream({}, X + c, y, edges=[3]) for c in (0.0, 1e8))
    np.testing.assert_allclose(moved.coef_, plain.coef_, rtol=1e-12)


@pytest.mark.parametrize("name", ["auto", "sparse-sign"])
def test_sparse_and_float32(name):
    rng = np.random.default_rng(3)
    X = sp.random_array((N, 10), density=0.1, rng=rng, format="csr")
    y = X @ np.arange(10.0) + 0.1 * rng.standard_normal(N)
    whole = SketchedRegressor(**STREAMS[name]).fit(X, y)
    model = stream(STREAMS[name], X, y, edges=[7, 12_000])
    assert bits(model) == bits(stream(STREAMS[name], X, y, edges=range(500, N, 500)))
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-9)
    single = stream(STREAMS[name], X.toarray().astype(np.float32), y, edges=[7])
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, whole.coef_, rtol=1e-3, atol=1e-3)


def test_sparse_and_dense_chunks_can_alternate():
    rng = np.random.default_rng(9)
    X = sp.random_array((N, 10), density=0.1, rng=rng, format="csr")
    y = X @ np.arange(10.0) + 0.1 * rng.standard_normal(N)
    for first in (0, 1):
        model = SketchedRegressor()
        for i in range(0, N, 5000):
            chunk = X[i : i + 5000]
            model.partial_fit(chunk if i // 5000 % 2 == first else chunk.toarray(), y[i : i + 5000])
        np.testing.assert_allclose(model.coef_, SketchedRegressor().fit(X, y).coef_, rtol=1e-9)


@pytest.mark.parametrize("name", ["auto", "srht"])
def test_pickled_in_midstream(data, name):
    X, y, weights = data
    model = stream(STREAMS[name], X[:777], y[:777], weights[:777])
    other = pickle.loads(pickle.dumps(model))
    for each in (model, other):
        each.partial_fit(X[777:], y[777:], weights[777:])
    assert bits(model) == bits(other) == bits(stream(STREAMS[name], X, y, weights))


@pytest.mark.parametrize("name", STREAMS)
def test_merge_is_associative_and_commutative(data, name):
    X, y, weights = data
    edges = [0, 5_001, 17_000, N]

    def parts():
        pieces = [slice(i, j) for i, j in itertools.pairwise(edges)]
        return [stream(STREAMS[name], X[p], y[p], weights[p], offset=p.start) for p in pieces]

    a, b, c = parts()
    left = a.merge(b).merge(c)
    a, b, c = parts()
    right = a.merge(b.merge(c))
    a, b, c = parts()
    turned = c.merge(copy.deepcopy(b)).merge(a)
    whole = stream(STREAMS[name], X, y, weights)
    for model in (left, right, turned):
        np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-9)
        np.testing.assert_allclose(model.intercept_, whole.intercept_, rtol=1e-8)


def test_merged_streams_go_on(data):
    X, y, _ = data
    model = stream({}, X[:100], y[:100])
    model.merge(stream({}, X[100:9000], y[100:9000], offset=100))
    model.partial_fit(X[9000:], y[9000:])
    np.testing.assert_allclose(model.coef_, stream({}, X, y).coef_, rtol=1e-9)


def test_alpha_can_change_along_the_stream(data):
    X, y, _ = data
    model = stream({}, X[:20_000], y[:20_000])
    model.set_params(alpha=50.0).partial_fit(X[20_000:], y[20_000:])
    assert bits(model) == bits(stream({"alpha": 50.0}, X, y))


def test_few_rows_are_solved_as_fit_would(data):
    X, y, _ = data
    model = stream({}, X[:200], y[:200], edges=[4, 30])
    assert bits(model) == bits(SketchedRegressor().fit(X[:200], y[:200]))
    assert model.backward_error_ < 10 * UNIT
    with pytest.warns(RankWarning, match="rank 3, fewer than their 20"):
        stream({}, X[:4], y[:4]).coef_  # noqa: B018 (that solves)


def karlson_walden(A, b, x):
    _, s, Vt = np.linalg.svd(A, full_matrices=False)
    theta = np.linalg.norm(A) / np.linalg.norm(b)
    x2 = theta**2 * np.linalg.norm(x) ** 2
    mu = theta**2 * np.linalg.norm(b - A @ x) ** 2 / (1 + x2)
    error = theta / np.sqrt(1 + x2) * np.linalg.norm(Vt @ (A.T @ (b - A @ x)) / np.sqrt(s**2 + mu))
    return error / np.linalg.norm(A)


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e5])
@pytest.mark.parametrize("seed", range(3))
def test_reported_backward_error_bounds_the_true_one(condition, seed):
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((N, 10)))[0]
    V = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    A = U * np.logspace(0, -np.log10(condition), 10) @ V
    b = A @ rng.standard_normal(10) + 1e-3 * rng.standard_normal(N) / np.sqrt(N)
    model = stream({"fit_intercept": False}, A, b, edges=[1234])
    true = karlson_walden(A, b, model.coef_)
    assert true <= model.backward_error_ <= 1e-10


def test_ill_conditioned_streams_are_reported():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((N, 9))
    X[:, 8] = X[:, 0] + 1e-6 * rng.standard_normal(N)
    model = stream({}, X, X @ np.ones(9), edges=[10])
    with pytest.warns(ConvergenceWarning, match=r"1.0e-10 was asked.*half of the digits"):
        assert not model.converged_
    assert model.backward_error_ > 1e-10
    X[:, 8] = X[:, 0]
    singular = stream({}, X, X @ np.ones(9), edges=[10])
    with (
        pytest.warns(RankWarning, match="rank 8, fewer than"),
        pytest.warns(ConvergenceWarning, match="half of the digits"),
    ):
        np.testing.assert_allclose(singular.coef_, np.ones(9), rtol=1e-6)


def test_memory_does_not_grow_with_the_stream(tmp_path):
    rng = np.random.default_rng(4)
    mapped = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float64, (400_000, 20))
    for start in range(0, len(mapped), 50_000):
        mapped[start : start + 50_000] = rng.standard_normal((50_000, 20))
    mapped.flush()
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    y = np.load(tmp_path / "X.npy", mmap_mode="r")[:, 3]
    for params in ({}, {"solver": "sketch", "random_state": 0}):
        model = SketchedRegressor(n_jobs=1, **params)
        tracemalloc.start()
        for start in range(0, len(X), 50_000):
            model.partial_fit(X[start : start + 50_000], y[start : start + 50_000])
        np.testing.assert_allclose(model.coef_, np.eye(20)[3], atol=1e-9)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # The data are 64 MB; blocks of a megabyte, and some numbers for each row of a chunk.
        assert peak < 6e6


def test_memmaps_are_fitted_out_of_core(tmp_path):
    rng = np.random.default_rng(5)
    np.save(tmp_path / "X.npy", rng.standard_normal((200_000, 40)))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    y = rng.standard_normal(200_000)
    for params in ({}, {"solver": "sketch", "random_state": 0}):
        tracemalloc.start()
        model = SketchedRegressor(n_jobs=1, **params).fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # The data are 64 MB, a number for each row 1.6 MB.
        assert peak < 16e6, params
        assert model.coef_.shape == (40,)


@pytest.mark.parametrize("solver", ["sap", "pne", "lapack", SAP()])
def test_solvers_that_read_twice_refuse(data, solver):
    X, y, _ = data
    with pytest.raises(
        IncompatibleSolverError, match=r"more than once, or.*can: auto, chol, sketch\."
    ):
        SketchedRegressor(solver=solver).partial_fit(X, y)


def test_bad_streams(data):
    X, y, _ = data
    model = stream({}, X[:100], y[:100])
    with pytest.raises(ValueError, match=r"X has 19 features, but .* expecting 20"):
        model.partial_fit(X[100:200, 1:], y[100:200])
    with pytest.raises(ValueError, match=r"shape \('n_samples',\) of the first .* Got \(100, 1\)"):
        model.partial_fit(X[100:200], y[100:200, None])
    with pytest.raises(InvalidParameterError, match=r"row_offset.*twice. Got rows 50 to 99 again"):
        model.partial_fit(X[50:200], y[50:200], row_offset=50)
    with pytest.raises(InvalidParameterError, match=r"row_offset.*\[0, inf\). Got -1"):
        model.partial_fit(X[50:200], y[50:200], row_offset=-1)
    with pytest.raises(ValueError, match=r"twice. Got rows 0 to 99 again"):
        model.merge(stream({}, X[:100], y[:100]))
    with pytest.raises(ValueError, match=r"begun with solver 'auto'.*Got solver 'sap' now"):
        model.set_params(solver="sap").coef_  # noqa: B018
    model.set_params(solver="auto")
    assert bits(model) == bits(stream({}, X[:100], y[:100]))
    with pytest.raises(ValueError, match=r"must be a SketchedRegressor. Got LinearRegression"):
        model.merge(LinearRegression())
    with pytest.raises(ValueError, match=r"other has no stream to merge: call partial_fit"):
        model.merge(SketchedRegressor().fit(X, y))
    for what, params, Z in (
        ("number of features", {}, X[:, :3]),
        ("fit_intercept", {"fit_intercept": False}, X),
        ("solver", {"solver": "chol"}, X),
    ):
        with pytest.raises(ValueError, match=f"merged if they have the same {what}. Got"):
            model.merge(stream(params, Z, y, offset=200))
    operator = CountSketch(100, random_state=0)
    with pytest.raises(ValueError, match=r"the same sketch. Got CountSketch.100.*101"):
        stream({"sketch": operator}, X, y).merge(
            stream({"sketch": CountSketch(101, random_state=0)}, X, y, offset=N)
        )
    with pytest.raises(ValueError, match="sample_weight must have a positive entry"):
        stream({}, X[:9], y[:9], np.zeros(9)).coef_  # noqa: B018


def test_what_is_not_finite_is_named_and_the_stream_goes_on(data):
    X, y, _ = data
    broken = X.copy()
    broken[20_000, 3] = np.nan
    model = stream({}, X[:100], y[:100])
    with pytest.raises(ValueError, match=r"(?s)NaN.*rows 16384 to 24575 .* before row 16384 have"):
        model.partial_fit(broken[100:], y[100:])
    model.partial_fit(X[16_384:], y[16_384:])
    assert bits(model) == bits(stream({}, X, y))


def test_attributes_follow_only_when_asked_for(data):
    X, y, _ = data
    model = stream({}, X, y)
    assert "coef_" not in vars(model)
    first = model.coef_
    assert model.coef_ is first
    assert model.partial_fit(X, y).coef_ is not first
    with pytest.raises(AttributeError, match="object has no attribute 'coef_'"):
        SketchedRegressor().coef_  # noqa: B018
    model.fit(X, y)
    np.testing.assert_allclose(model.partial_fit(X[:99], y[:99]).predict(X[:1]), y[:1], atol=5)
