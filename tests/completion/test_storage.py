"""Entries in memory and in files: how much is held of them, and that it changes no bit."""

import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skrand import LowRankCompleter
from skrand.completion.storage import by_column, column_counts, renumbered, sums_of_powers
from tests.completion.matrices import dense, low_rank


def large(m=4000, n=2000, k=2, share=0.5):
    """Return many entries of a matrix of rank k, in float32."""
    rng = np.random.default_rng(0)
    U, V = (rng.standard_normal((size, k)).astype(np.float32) for size in (m, n))
    count = int(share * n)
    columns = np.sort(rng.permuted(np.tile(np.arange(n, dtype=np.int32), (m, 1)), axis=1))
    columns = np.sort(rng.permuted(columns, axis=1)[:, :count], axis=1)
    values = np.einsum("ik,ijk->ij", U, V[columns])
    indptr = np.arange(0, m * count + 1, count, dtype=np.int32)
    return sp.csr_array((values.ravel(), columns.ravel(), indptr), shape=(m, n))


def mapped(X, folder):
    """Return a CSR array on files."""
    parts = []
    for name in ("data", "indices", "indptr"):
        np.save(folder / name, getattr(X, name))
        parts.append(np.load(folder / f"{name}.npy", mmap_mode="r"))
    return sp.csr_array(tuple(parts), shape=X.shape)


def make(**options):
    return LowRankCompleter(**{"rank": 2, "random_state": 0, "n_jobs": 1, **options})


@pytest.mark.parametrize("biases", ["none", "both"])
def test_no_third_copy(biases):
    X = large()
    copy = X.nnz * 8
    model = make(biases=biases)
    tracemalloc.start()
    try:
        model.fit(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The second copy, by column, and what is less than a third.
    assert copy <= peak < 1.7 * copy


def test_entries_in_files_give_the_same_bits(tmp_path):
    _M, X = low_rank(300, 250, 3, 5.0, noise=0.1)
    # Columns without an entry, rows without an entry.
    A = dense(X)
    A[:, [0, 100]] = A[7] = np.nan
    rows, columns = np.nonzero(~np.isnan(A))
    X = sp.csr_array((A[rows, columns], (rows, columns)), shape=A.shape)
    model = make(rank=3, alpha=0.5, biases="both").fit(X)
    other = make(rank=3, alpha=0.5, biases="both").fit(mapped(X, tmp_path))
    for name in ("U_", "V_", "row_bias_", "col_bias_"):
        assert np.array_equal(getattr(other, name), getattr(model, name))
    assert other.intercept_ == model.intercept_
    assert other.rmse_ == model.rmse_
    assert np.array_equal(other.transform(X), model.transform(A))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_entries_in_files_need_little_memory(tmp_path):
    X = large()
    mapped(X, tmp_path)
    script = f"""
        import resource, sys
        import numpy as np
        import scipy.sparse as sp
        from skrand import LowRankCompleter

        def make():
            return LowRankCompleter(rank=2, random_state=0, n_jobs=1)

        make().fit(np.arange(12.0).reshape(4, 3) ** 2)
        status = open("/proc/self/status").read().split("VmData:")[1]
        limit = int(status.split()[0]) * 1024 + {X.nnz} * 8
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        parts = (
            np.load({str(tmp_path)!r} + f"/{{name}}.npy", mmap_mode="r")
            for name in ("data", "indices", "indptr")
        )
        model = make().fit(sp.csr_array(tuple(parts), shape={X.shape}))
        np.save({str(tmp_path)!r} + "/V.npy", model.V_)
        try:
            np.ones(2 * {X.nnz})
        except MemoryError:
            print("the limit holds")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "the limit holds\n", done.stderr
    assert np.array_equal(np.load(tmp_path / "V.npy"), make().fit(X).V_)


@pytest.mark.parametrize("where", ["memory", "files"])
def test_by_column_equals_scipy(tmp_path, where):
    rng = np.random.default_rng(0)
    X = sp.random_array((3000, 500), density=0.3, format="csr", rng=rng)
    want = X.tocsc()
    if where == "files":
        X = mapped(X, tmp_path)
    got = by_column(X)
    for name in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(got, name), getattr(want, name))
    assert np.array_equal(column_counts(X), np.diff(want.indptr))
    weights = rng.uniform(size=X.nnz)
    centred = sp.csr_array((weights * (X.data - 0.5) ** 2, X.indices, X.indptr), shape=X.shape)
    np.testing.assert_allclose(sums_of_powers(X, weights, 2, 0.5), centred.sum(axis=1))
    # A row's sum is the same wherever it stands.
    parts = [sums_of_powers(X[i : i + 7], None, 1, 0.1) for i in range(0, 3000, 7)]
    assert np.array_equal(np.concatenate(parts), sums_of_powers(X, None, 1, 0.1))


def test_renumbered():
    X = sp.csr_array(np.array([[0.0, 1, 0, 2], [0, 0, 0, 3]]))
    assert renumbered(X, np.arange(4)) is X
    got = renumbered(X, np.array([1, 3]))
    assert np.array_equal(got.toarray(), [[1, 2], [0, 3]])
    assert np.shares_memory(got.data, X.data)
