"""Entries on a cluster: the bits of a fit in memory, and the entries never come together."""

import os
import signal
import threading
import time
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from skrand import LowRankCompleter
from skrand.completion.solvers import AlternatingLeastSquares
from skrand.exceptions import IncompatibleSolverError
from tests.completion.matrices import dense, low_rank

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
pytest.importorskip("distributed")

# The library warns about itself: ports in use, clocks of loaded machines, sockets at shutdown.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(180)]


@pytest.fixture
def data():
    """Return noisy entries; a row and two columns have none."""
    A = dense(low_rank(300, 200, 3, 6.0, noise=0.1)[1])
    A[:, [0, 100]] = A[7] = np.nan
    return A


def make(**options):
    return LowRankCompleter(**{"rank": 3, "alpha": 0.5, "random_state": 0, **options})


def in_sparse_blocks(X, rows):
    """Return a CSR array as a dask array whose chunks are CSR matrices."""
    meta = sp.csr_matrix((0, 0), dtype=X.dtype)
    blocks = [
        da.from_delayed(dask.delayed(sp.csr_matrix(part)), part.shape, meta=meta)
        for part in (X[start : start + rows] for start in range(0, X.shape[0], rows))
    ]
    return da.concatenate(blocks)


def assert_same_bits(model, whole):
    for name in ("U_", "V_", "row_bias_", "col_bias_", "singular_values_"):
        assert np.array_equal(getattr(model, name), getattr(whole, name)), name
    for name in ("intercept_", "rmse_", "stationarity_", "n_iter_", "loss_curve_"):
        assert getattr(model, name) == getattr(whole, name), name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"biases": "both", "alpha_scaling": "count", "alpha": 0.02},
        {"biases": "none", "rank": 20, "tol": 1e-4},
        {"biases": "none", "keep_empty_features": True, "solver": "als"},
    ],
)
def test_same_bits_as_in_memory(data, options):
    whole = make(**options).fit(data)
    for chunks in ((300, 200), (37, 90), ((1, 149, 150), 200)):
        model = make(**options).fit(da.from_array(data, chunks=chunks))
        assert_same_bits(model, whole)
    assert model.n_features_in_ == 200
    chunks = da.from_array(data, chunks=(70, 200))
    shape = chunks.chunks[0], (len(model.V_),)
    filled = chunks.map_blocks(model.transform, dtype=float, chunks=shape)
    np.testing.assert_allclose(filled.compute(), whole.transform(data), rtol=1e-12)


def test_sparse_blocks_with_stored_zeros(data):
    rows, columns = np.nonzero(~np.isnan(data))
    X = sp.csr_array((data[rows, columns].astype(np.float32), (rows, columns)), shape=data.shape)
    X.data[::9] = 0.0
    model = make().fit(in_sparse_blocks(X, 55))
    assert model.V_.dtype == np.float32
    assert model.observed_counts_[0].sum() == X.nnz
    assert_same_bits(model, make().fit(X))


def test_factors_that_may_not_be_negative(data):
    A = np.abs(data)
    options = {"biases": "none", "nonneg": True, "tol": 1e-3}
    assert_same_bits(make(**options).fit(da.from_array(A, chunks=90)), make(**options).fit(A))
    with pytest.raises(ValueError, match="entries must not be negative"):
        make(**options).fit(da.from_array(data, chunks=90))


def test_dataframes(data):
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    A = data[:, :8]
    frame = pd.DataFrame(A, columns=list("abcdefgh"))
    parts = dd.from_pandas(frame, npartitions=4)
    # Filtered: nobody knows how long the partitions are.
    kept = frame[~(frame.b > 1)]
    model = make(rank=1).fit(parts[~(parts.b > 1)])
    assert_same_bits(model, make(rank=1).fit(kept))
    assert list(model.feature_names_in_) == list("abcdefgh")


def test_what_is_refused(data):
    X = da.from_array(data, chunks=(100, 200))
    for name in ("rank", "alpha"):
        with pytest.raises(ValueError, match=f"'{name}' parameter .* a number for a dask coll"):
            make(**{name: "auto"}).fit(X)
    for solver in ("softimpute", "softimpute-als", "scaledgd", "lrgeomcg"):
        with pytest.raises(IncompatibleSolverError, match="needs the entries in one place"):
            make(solver=solver).fit(X)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        make().fit(da.where(X > 2, np.inf, X))
    with pytest.raises(ValueError, match="X has no observed entry"):
        make().fit(np.nan * X)
    with pytest.raises(ValueError, match=r"'rank' .* range \[1, 198\] for this data"):
        make(rank=199).fit(X)
    twice = sp.csr_array(
        (np.ones(2), np.array([1, 1]), np.concatenate([[0], np.full(9, 2)])), shape=(9, 4)
    )
    with pytest.raises(ValueError, match="stores 1 places more than once"):
        make(rank=1).fit(in_sparse_blocks(twice, 9))


def test_the_entries_do_not_come_together(client):
    def rows(block_id):
        rng = np.random.default_rng(block_id[0])
        A = np.outer(rng.standard_normal(4000), np.arange(1.0, 501))
        return np.where(rng.uniform(size=A.shape) < 0.5, A, np.nan)

    X = da.map_blocks(rows, chunks=((4000,) * 6, (500,)), dtype=float)
    options = {"rank": 1, "biases": "none", "solver": AlternatingLeastSquares(max_iter=2)}
    tracemalloc.start()
    model = make(**options).fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The entries by row alone are 72 MB.
    assert peak < 24e6
    assert_same_bits(model, make(**options).fit(X.compute()))


def test_a_worker_dies_midway(client, data):
    X = da.from_array(data, chunks=(30, 200)).persist()
    victim = next(iter(client.run(os.getpid).values()))
    killed = []

    def kill():
        time.sleep(1.0)
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    options = {"alpha": 0.01, "solver": AlternatingLeastSquares(tol=1e-12, max_iter=20)}
    model = make(**options).fit(X)
    killer.join()
    assert victim not in client.run(os.getpid).values()
    assert_same_bits(model, make(**options).fit(data))
