"""Fits on a cluster of separate processes: the same answer, and the rows never come together."""

import os
import signal
import threading
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from skrand import SketchedRegressor
from skrand.exceptions import IncompatibleSolverError

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pytest.importorskip("distributed")

N, D = 20_000, 8

# The library warns about itself: ports in use, clocks of loaded machines, sockets at shutdown.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)) * np.logspace(0, 5, D) + np.linspace(0, 100, N)[:, None]
    y = X @ rng.standard_normal(D) + rng.standard_normal(N)
    return X, y, rng.integers(0, 3, N).astype(float)


def assert_same(model, whole, rtol=1e-10):
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=rtol)
    # The intercept is what is left of terms of the order of a million.
    np.testing.assert_allclose(model.intercept_, whole.intercept_, atol=1e6 * rtol)


def test_arrays(client, data):
    X, y, weights = data
    whole = SketchedRegressor().fit(X, y, weights)
    chunks = da.from_array(X, chunks=(1777, 3)), da.from_array(y, chunks=3000)
    model = SketchedRegressor().fit(*chunks, da.from_array(weights, chunks=-1))
    assert_same(model, whole)
    assert model.solver_ == "chol"
    # Verified on the rows, by a pass of its own.
    assert model.backward_error_ < 1.2e-15
    assert model.n_passes_ == 1 + model.n_iter_
    assert model.n_features_in_ == D
    np.testing.assert_allclose(model.residual_norm_, whole.residual_norm_, rtol=1e-10)


def test_dataframes(client, data):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=list("abcdefgh")).assign(y=y)
    frame = dd.from_pandas(frame, npartitions=7)
    # Filtered: nobody knows how long the partitions are.
    frame = frame[frame.a > 0]
    model = SketchedRegressor(alpha=3.0).fit(frame[list("abcdefgh")], frame.y)
    kept = X[:, 0] > 0
    assert_same(model, SketchedRegressor(alpha=3.0).fit(X[kept], y[kept]))
    assert_same(model, Ridge(alpha=3.0).fit(X[kept], y[kept]), rtol=1e-6)
    assert list(model.feature_names_in_) == list("abcdefgh")
    assert model.predict(frame[list("abcdefgh")].head()).shape == (5,)


def test_several_targets_in_single_precision(client, data):
    X, y, _ = data
    Y = np.column_stack([y, -y])
    model = SketchedRegressor().fit(da.from_array(X.astype(np.float32), chunks=(6000, D)), Y)
    assert model.coef_.dtype == np.float32
    assert model.coef_.shape == (2, D)
    np.testing.assert_allclose(model.coef_, SketchedRegressor().fit(X, Y).coef_, rtol=1e-3)


def test_sparse_chunks(client):
    rng = np.random.default_rng(1)
    X = sp.random_array((9000, 12), density=0.2, rng=rng, format="csr")
    y = X @ np.arange(12.0) + rng.standard_normal(9000)
    delayed = [dask.delayed(X[i : i + 3000]) for i in range(0, 9000, 3000)]
    blocks = [da.from_delayed(block, (3000, 12), dtype=float) for block in delayed]
    model = SketchedRegressor().fit(da.concatenate(blocks), da.from_array(y, chunks=3000))
    assert_same(model, SketchedRegressor().fit(X, y))


@pytest.mark.parametrize("sketch", ["sparse-sign", "srht"])
def test_sketches(client, data, sketch):
    X, y, _ = data
    model = SketchedRegressor(solver="sketch", sketch=sketch, random_state=0)
    # The same operator, made from counters on every worker.
    whole = SketchedRegressor(solver="sketch", sketch=sketch, random_state=0).fit(X, y)
    model.fit(da.from_array(X, chunks=(1777, D)), da.from_array(y, chunks=1777))
    assert_same(model, whole, rtol=1e-6)
    assert model.coef_error_.shape == (D,)


def test_a_worker_dies_midway(client, data):
    X, y, _ = data

    # Functions of a test module mean nothing on a worker: those inside travel whole.
    def slow(block):
        time.sleep(0.1)
        return block

    chunks = da.from_array(X, chunks=(500, D)).map_blocks(slow, dtype=X.dtype)
    victim = next(iter(client.run(os.getpid).values()))
    killed = []

    def kill():
        # Some forty chunks of a tenth of a second each are shared by two workers.
        time.sleep(0.7)
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    model = SketchedRegressor().fit(chunks, da.from_array(y, chunks=500))
    killer.join()
    assert killed
    assert victim not in client.run(os.getpid).values()
    assert_same(model, SketchedRegressor().fit(X, y))


def test_the_rows_do_not_come_together(client):
    def rows(block_id):
        return np.random.default_rng(block_id[0]).standard_normal((50_000, 10))

    X = da.map_blocks(rows, chunks=((50_000,) * 6, (10,)), dtype=float)
    tracemalloc.start()
    model = SketchedRegressor().fit(X, X[:, 0] + 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(model.coef_, np.eye(10)[0], atol=1e-13)
    # The data are 24 MB, its targets 2.4 MB.
    assert peak < 2e6


def test_bad_data(client, data):
    X, y, weights = data
    chunks = da.from_array(X, chunks=(5000, D))
    with pytest.raises(ValueError, match=r"y must have as many rows as X. Got 19999 for 20000"):
        SketchedRegressor().fit(chunks, y[1:])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        SketchedRegressor().fit(da.where(chunks > 200, np.nan, chunks), y)
    with pytest.raises(ValueError, match=r"sample_weight must be non-negative. Got -1.0"):
        SketchedRegressor().fit(chunks, y, da.from_array(weights - 1, chunks=5000))
    with pytest.raises(ValueError, match="must have a positive entry"):
        SketchedRegressor().fit(chunks, y, 0 * weights)
    with pytest.raises(IncompatibleSolverError, match=r"'sap' cannot work on a stream or a clus"):
        SketchedRegressor(solver="sap").fit(chunks, y)
    twice = da.concatenate([chunks, chunks[:, :1]], axis=1)
    with pytest.warns(ConvergenceWarning, match="half of the digits"):
        SketchedRegressor().fit(twice, y)
