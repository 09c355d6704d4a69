"""Sketching operators against their own dense matrix, bit for bit across threads and chunks."""

import doctest
import importlib
import itertools
import pickle
import re

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from skrand.exceptions import InvalidParameterError
from skrand.linalg import (
    SKETCHES,
    SRHT,
    CountSketch,
    Gaussian,
    Rademacher,
    SketchState,
    SparseSign,
    make_sketch,
)

KINDS = list(SKETCHES)


def build(kind, m, seed=0, **options):
    if kind == "sparse-sign":
        options.setdefault("nnz", min(8, m))
    return make_sketch(kind, m, random_state=seed, **options)


def layouts(X):
    wide = np.zeros((2 * X.shape[0], 3 * X.shape[1]), dtype=X.dtype)
    wide[::2, ::3] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    long = sp.csr_array(X)
    long.indices, long.indptr = long.indices.astype(np.int64), long.indptr.astype(np.int64)
    return {
        "C": np.ascontiguousarray(X),
        "F": np.asfortranarray(X),
        "strided": wide[::2, ::3],
        "reversed": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
        "read-only": frozen,
        "csr-int32": sp.csr_matrix(X),
        "csr-int64": long,
        "csc": sp.csc_array(X),
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row_offset", [0, 77, 2**40 + 5])
@pytest.mark.parametrize("m", [1, 37, 300])
def test_apply_equals_dense(kind, dtype, row_offset, m):
    rng = np.random.default_rng(1)
    X = (rng.standard_normal((700, 6)) * (rng.random((700, 6)) < 0.5)).astype(dtype)
    scale = rng.random(700)
    S = build(kind, m)
    dense = S.dense(700, row_offset)
    assert dense.shape == (m, 700)
    rtol = 1e-13 if dtype == np.float64 else 2e-6
    for weights in (None, scale):
        factor = 1.0 if weights is None else weights[:, None]
        expected = dense @ (factor * X.astype(np.float64))
        for name, data in layouts(X).items():
            got = S.apply(data, row_offset, weights)
            assert got.dtype == dtype
            assert got.shape == (m, 6)
            error = np.abs(got - expected).max() / np.abs(expected).max()
            assert error < rtol, (name, error)


@pytest.mark.parametrize("kind", KINDS)
def test_layout_changes_no_bit(kind):
    X = np.random.default_rng(0).standard_normal((900, 20))
    S = build(kind, 64)
    whole = layouts(X)
    expected = S.apply(X)
    for name in ("F", "strided", "reversed", "read-only"):
        np.testing.assert_array_equal(S.apply(whole[name]), expected, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_one_dimension(kind):
    x = np.random.default_rng(0).standard_normal(500)
    S = build(kind, 40)
    assert S.apply(x).shape == (40,)
    np.testing.assert_array_equal(S.apply(x), S.apply(x[:, None])[:, 0])
    np.testing.assert_allclose(S.apply(x), S.dense(500) @ x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_change_no_bit(kind, dtype):
    X = np.random.default_rng(0).standard_normal((5000, 43)).astype(dtype)
    sparse = sp.random_array((5000, 43), density=0.2, format="csr", rng=1, dtype=dtype)
    scale = np.random.default_rng(1).random(5000)
    for data in (X, np.asfortranarray(X), sparse):
        one, two, five = (build(kind, 300, n_jobs=jobs).apply(data, 3, scale) for jobs in (1, 2, 5))
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, five)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chunks_change_no_bit(kind, sparse, dtype):
    rng = np.random.default_rng(2)
    n = 1500
    X = (rng.standard_normal((n, 7)) * (rng.random((n, 7)) < 0.3)).astype(dtype)
    scale = rng.random(n)
    X = sp.csr_array(X) if sparse else np.asfortranarray(X)
    S = build(kind, 100)
    for offset in (0, 61):
        total = np.zeros((100, 7))
        S.apply(X, offset, scale, out=total)
        for cuts in ([], [1], [700], [3, 4, 5, 130, 131, 900], list(range(0, n, 64))):
            state = S.state()
            edges = [0, *cuts, n]
            for start, stop in itertools.pairwise(edges):
                place = offset if start == 0 else None
                state.update(X[start:stop], scale[start:stop], place)
            np.testing.assert_array_equal(state.sketch(), total)


@pytest.mark.parametrize("kind", ["countsketch", "sparse-sign"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_out_accumulates_with_the_same_bits(kind, dtype):
    X = np.random.default_rng(2).standard_normal((1000, 9)).astype(dtype)
    S = build(kind, 50)
    whole, parts = np.zeros((50, 9)), np.zeros((50, 9))
    assert S.apply(X, out=whole) is whole
    for start in range(0, 1000, 171):
        S.apply(X[start : start + 171], row_offset=start, out=parts)
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_array_equal(S.apply(X), whole.astype(dtype))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    m=st.integers(1, 70),
    n=st.integers(0, 200),
    d=st.integers(0, 5),
    offset=st.integers(0, 300),
    cut=st.integers(0, 200),
    seed=st.integers(0, 2**64 - 1),
)
def test_any_shape(kind, m, n, d, offset, cut, seed):
    X = np.random.default_rng(0).standard_normal((n, d))
    S = build(kind, m, seed)
    expected = S.dense(n, offset) @ X
    np.testing.assert_allclose(S.apply(X, offset), expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(S.apply(sp.csr_array(X), offset), expected, rtol=0, atol=1e-11)
    cut = min(cut, n)
    halves = S.merge(S.apply(X[:cut], offset), S.apply(X[cut:], offset + cut))
    np.testing.assert_allclose(halves, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_map_and_inputs_unchanged(kind, tmp_path):
    X = np.random.default_rng(0).standard_normal((300, 5))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    scale = np.random.default_rng(1).random(300)
    scale.flags.writeable = False
    S = build(kind, 30)
    np.testing.assert_array_equal(S.apply(mapped, 0, scale), S.apply(X, 0, scale))
    frozen = sp.csr_array(X)
    for part in (frozen.data, frozen.indices, frozen.indptr):
        part.flags.writeable = False
    np.testing.assert_allclose(S.apply(frozen), S.apply(X), rtol=0, atol=1e-13 * 300)
    np.testing.assert_array_equal(X, np.load(tmp_path / "X.npy"))


@pytest.mark.parametrize("kind", KINDS)
def test_other_types_are_converted(kind):
    X = np.arange(60).reshape(20, 3)
    S = build(kind, 10)
    expected = S.apply(X.astype(float))
    assert expected.dtype == np.float64
    for data in (X, X.tolist(), X.astype(np.uint8), X.astype(">f8"), X.astype(np.float16)):
        np.testing.assert_array_equal(S.apply(data), expected)
    np.testing.assert_allclose(S.apply(sp.coo_array(X)), expected, rtol=1e-12, atol=1e-12)
    record = np.zeros(20, dtype=[("flag", "i1"), ("x", "f8")])
    record["x"] = X[:, 0]
    np.testing.assert_allclose(S.apply(record["x"]), expected[:, 0], rtol=1e-12, atol=1e-12)


# ---- laws ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_mean_of_gram_is_identity(kind):
    n, seeds = 24, 400
    gram = np.zeros((n, n))
    for seed in range(seeds):
        S = build(kind, 16, seed).dense(n)
        gram += S.T @ S / seeds
    np.testing.assert_allclose(np.diag(gram).mean(), 1.0, atol=0.02)
    assert np.abs(gram - np.eye(n)).max() < 5 * np.sqrt(2 / 16 / seeds)


@pytest.mark.parametrize("kind", KINDS)
def test_squared_norms_are_kept_on_average(kind):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2000)
    x /= np.linalg.norm(x)
    squares = np.array([np.sum(build(kind, 64, seed).apply(x) ** 2) for seed in range(300)])
    assert abs(squares.mean() - 1) < 3 * squares.std() / np.sqrt(300)
    # Of a vector without large entries, every family has the variance 2 / m of the Gaussian.
    assert 0.6 < squares.var() / (2 / 64) < 1.5


def orthonormal(kind, n, d, block):
    rng = np.random.default_rng(0)
    Q = np.zeros((n, d))
    if kind == "identity-like":
        Q[np.arange(d) * (n // d), np.arange(d)] = 1
    elif kind == "first row of each block":
        Q[np.arange(d) % (n // block) * block + np.arange(d) // (n // block), np.arange(d)] = 1
    elif kind == "incoherent":
        Q = np.linalg.qr(rng.standard_normal((n, d)))[0]
    else:
        Q[: 2 * d] = np.linalg.qr(rng.standard_normal((2 * d, d)))[0]
    return Q


@pytest.mark.parametrize("kind", ["srht", "sparse-sign"])
@pytest.mark.parametrize(
    "data", ["identity-like", "first row of each block", "incoherent", "single block"]
)
def test_subspace_embedding(kind, data):
    # The limit for a Gaussian matrix of four times as many rows as columns is 3.
    d = 64
    Q = orthonormal(data, 16 * d, d, 4 * d)
    conditions = [np.linalg.cond(build(kind, 4 * d, seed).apply(Q)) for seed in range(200)]
    assert np.quantile(conditions, 0.95) < 3.2
    assert np.max(conditions) < 3.6


def test_countsketch_needs_more_rows_on_coherent_data():
    # What the docstring warns of: with 4 d rows two of d rows meet, and the sketch is singular.
    Q = orthonormal("identity-like", 1024, 64, 256)
    assert np.linalg.cond(CountSketch(256, random_state=0).apply(Q)) > 1e12
    Q = orthonormal("incoherent", 1024, 64, 256)
    assert np.linalg.cond(CountSketch(256, random_state=0).apply(Q)) < 4


def test_srht_needs_its_output_signs():
    # Row 0 of every block: without signs after the transform, all of them have the same image.
    d, B = 16, 64
    Q = np.zeros((d * B, d))
    Q[np.arange(d) * B, np.arange(d)] = 1
    S = SRHT(64, random_state=0)
    assert S.block_rows == B
    assert np.linalg.cond(S.apply(Q)) < 4
    dense = S.dense(d * B)
    for block in range(d):
        image = dense[:, block * B] * np.sqrt(64)
        assert set(np.unique(image)) == {-1.0, 1.0}
        assert abs(image.sum()) < 40


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 4, 8, 16, 64, 128, 1024])
@pytest.mark.parametrize("width", [1, 3, 16])
def test_walsh_hadamard(dtype, size, width):
    from skrand._ext.sketch import walsh_hadamard

    X = np.random.default_rng(0).standard_normal((size, width)).astype(dtype)
    expected = scipy.linalg.hadamard(size).astype(np.float64) @ X
    walsh_hadamard(X)
    tolerance = 1e-12 if dtype == np.float64 else 2e-4
    np.testing.assert_allclose(X, expected, rtol=0, atol=tolerance)


def test_float32_is_accumulated_in_double():
    # A float32 sum of a million terms near 1 would be off by 1e-4 or more.
    x = np.full(1_000_000, np.float32(0.1))
    scale = np.ones(1_000_000)
    S = CountSketch(1, random_state=0)
    signs = S.dense(1_000_000)[0]
    scale[signs < 0] = -1
    np.testing.assert_allclose(S.apply(x, scale=scale), np.float32(0.1) * 1e6, rtol=1e-7)


# ---- objects ---------------------------------------------------------------------------------


def test_repr_pickle_equality():
    operators = [
        Gaussian(10, random_state=1),
        Rademacher(10, random_state=1),
        CountSketch(10, random_state=1),
        SparseSign(10, random_state=1),
        SparseSign(10, 4, random_state=1, n_jobs=2),
        SRHT(10, random_state=1),
    ]
    assert len(set(operators)) == len(operators)
    X = np.random.default_rng(0).standard_normal((100, 2))
    for S in operators:
        copies = (pickle.loads(pickle.dumps(S)), eval(repr(S)))
        for copy in copies:
            assert copy == S
            assert repr(copy) == repr(S)
            np.testing.assert_array_equal(copy.apply(X), S.apply(X))
    assert repr(operators[4]) == "SparseSign(10, nnz=4, random_state=1, n_jobs=2)"
    assert SRHT(10, random_state=1) == SRHT(10, random_state=1, n_jobs=2)
    assert SRHT(10, random_state=1) != SRHT(10, random_state=2)
    assert SRHT(10, random_state=1) != 10


def test_without_a_seed_every_operator_is_another_one():
    S = CountSketch(5)
    assert CountSketch(5) != S
    assert CountSketch(5, random_state=S.seed) == S
    assert f"random_state={S.seed}" in repr(S)


@pytest.mark.parametrize("kind", KINDS)
def test_state_pickles_in_mid_stream_and_merges(kind):
    X = np.random.default_rng(0).standard_normal((1000, 4))
    S = build(kind, 60)
    whole = np.zeros((60, 4))
    S.apply(X, out=whole)
    state = S.state().update(X[:333])
    state = pickle.loads(pickle.dumps(state)).update(X[333:])
    np.testing.assert_array_equal(state.sketch(), whole)

    def parts():
        edges = [0, 100, 333, 1000]
        return [S.state().update(X[i:j], row_offset=i) for i, j in itertools.pairwise(edges)]

    a, b, c = parts()
    left = a.merge(b).merge(c)
    a, b, c = parts()
    right = b.merge(c).merge(a)
    for merged in (left, right):
        assert merged.rows_seen == [(0, 1000)]
        assert merged.next_row == 1000
        np.testing.assert_allclose(merged.sketch(), whole, rtol=0, atol=1e-12)
    more = np.random.default_rng(1).standard_normal((50, 4))
    expected = S.apply(np.vstack([X, more]))
    np.testing.assert_allclose(right.update(more).sketch(), expected, rtol=0, atol=1e-12)
    assert S.state().merge(right).rows_seen == [(0, 1050)]
    assert right.merge(S.state()).rows_seen == [(0, 1050)]
    assert "1050 rows" in repr(right)


def test_state_of_vectors_and_gaps():
    x = np.random.default_rng(0).standard_normal(400)
    S = SRHT(20, random_state=0)
    state = S.state().update(x[:50]).update(x[300:], row_offset=300).update(x[50:300], None, 50)
    np.testing.assert_allclose(state.sketch(), S.apply(x), rtol=0, atol=1e-12)
    assert state.sketch().shape == (20,)
    assert state.rows_seen == [(0, 400)]


def test_state_mixes_weights_and_formats():
    X = np.random.default_rng(0).standard_normal((90, 3))
    weights = np.concatenate([np.ones(40), np.full(50, 2.0)])
    S = SRHT(60, random_state=0)
    state = S.state().update(X[:40]).update(sp.csr_array(X[40:]), weights[40:])
    np.testing.assert_allclose(state.sketch(), S.apply(X, scale=weights), rtol=0, atol=1e-12)


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: CountSketch(0),
            "The 'sketch_size' parameter of CountSketch must be an int in the range "
            "[1, 1073741824]. Got 0 instead.",
        ),
        (lambda: SRHT(2.5), "The 'sketch_size' parameter of SRHT must be an int"),
        (
            lambda: SparseSign(4, 5),
            "The 'nnz' parameter of SparseSign must be an int in the range [1, 4]. Got 5 instead.",
        ),
        (lambda: SRHT(4, random_state=-1), "The 'random_state' parameter of SRHT must be"),
        (
            lambda: SRHT(4, random_state="a"),
            "must be None or an int in the range [0, 18446744073709551615]. Got 'a'",
        ),
        (lambda: SRHT(4, n_jobs=0), "The 'n_jobs' parameter of SRHT must be"),
        (
            lambda: make_sketch("fjlt", 4),
            "The 'kind' parameter of make_sketch must be one of 'countsketch', 'gaussian', "
            "'rademacher', 'sparse-sign', 'srht'. Got 'fjlt' instead.",
        ),
        (
            lambda: SRHT(4).apply(np.ones((2, 2, 2))),
            "The 'X' parameter of SRHT must be a real array of shape (n,) or (n, d) or a real "
            "sparse matrix. Got an array of shape (2, 2, 2) and dtype float64 instead.",
        ),
        (lambda: SRHT(4).apply(np.ones(3) * 1j), "dtype complex128 instead."),
        (lambda: SRHT(4).apply(sp.csr_array(np.eye(2) * 1j)), "a sparse matrix of shape (2, 2)"),
        (lambda: SRHT(4).apply([[1, 2], [3]]), "Got [[1, 2], [3]] instead."),
        (lambda: SRHT(4).apply(np.ones(3), -1), "The 'row_offset' parameter of SRHT must be"),
        (
            lambda: SRHT(4).apply(np.ones((3, 2)), scale=np.ones(2)),
            "The 'scale' parameter of SRHT must be None or a real array of shape (3,), one factor "
            "for each row of X. Got an array of shape (2,) and dtype float64 instead.",
        ),
        (
            lambda: SRHT(4).apply(np.ones((3, 2)), out=np.zeros((4, 2), np.float32)),
            "The 'out' parameter of SRHT must be None or a writeable float64 array of shape (4, 2) "
            "in C order. Got an array of shape (4, 2) and dtype float32 instead.",
        ),
        (lambda: SRHT(4).dense(-1), "The 'n' parameter of SRHT must be"),
        (lambda: SRHT(4).merge(np.ones((4, 2)), np.ones((4, 3))), "The 'B' parameter of SRHT"),
        (lambda: SRHT(4).merge(np.ones((3, 2)), np.ones((4, 2))), "a sketch with 4 rows"),
        (lambda: SketchState("srht"), "The 'operator' parameter of SketchState must be a Sketch"),
        (
            lambda: SRHT(4).state().update(np.ones((3, 2))).update(np.ones((3, 2)), row_offset=2),
            "The 'row_offset' parameter of SketchState must be such that no row is added twice. "
            "Got rows 2 to 2 again instead.",
        ),
        (
            lambda: SRHT(4).state().update(np.ones((3, 2))).update(np.ones((3, 3))),
            "The 'X' parameter of SketchState must be of shape (n, 2), as before. Got (n, 3)",
        ),
        (
            lambda: SRHT(4, random_state=0).state().merge(SRHT(4, random_state=1).state()),
            "The 'other' parameter of SketchState must be a SketchState of the same operator, "
            "SRHT(4, random_state=0). Got SRHT(4, random_state=1) instead.",
        ),
    ],
)
def test_errors_name_the_parameter_the_value_and_what_is_allowed(call, message):
    with pytest.raises(InvalidParameterError, match=re.escape(message)):
        call()


def test_an_empty_state_has_no_sketch():
    with pytest.raises(ValueError, match="has seen no rows"):
        SRHT(4).state().sketch()


def test_a_refused_update_changes_nothing():
    state = SRHT(4, random_state=0).state().update(np.ones((3, 2)))
    before = state.sketch()
    with pytest.raises(InvalidParameterError):
        state.update(np.ones((3, 2)), row_offset=1)
    with pytest.raises(InvalidParameterError):
        state.merge(state)
    np.testing.assert_array_equal(state.sketch(), before)
    assert state.rows_seen == [(0, 3)]


@pytest.mark.parametrize("name", ["skrand.linalg.sketch", "skrand.linalg.random"])
def test_examples_in_docstrings(name):
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert attempted > 0
    assert failed == 0
