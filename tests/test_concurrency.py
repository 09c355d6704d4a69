"""Threads, processes and interruptions: the same bits, no more threads than asked, no debris."""

import multiprocessing
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from threadpoolctl import ThreadpoolController

from skrand import LowRankEntryRegressor, SketchedRegressor, registry
from skrand._ext.threads import max_threads
from skrand.base import Monitor
from skrand.testing._conformance import _same

ESTIMATORS = [
    pytest.param(registry.load(entry), id=entry.name)
    for entry in registry.entries(kind="estimator")
]
#: Less work for the same code.
QUICK = {
    "n_clusters": 2,
    "n_components": 2,
    "n_init": 2,
    "n_map_features": 16,
    "max_iter": 20,
    "random_state": 0,
    # Its default has a tree, which cannot be compared.
    "estimator": LogisticRegression(),
}


def make(cls):
    estimator = cls()
    names = estimator.get_params(deep=False)
    if cls.__name__ == "SketchedFit":
        # Labels are for classifiers.
        names.pop("estimator")
    return estimator.set_params(**{k: v for k, v in QUICK.items() if k in names})


def data(estimator=None):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 6))
    if isinstance(estimator, LowRankEntryRegressor):
        # Its samples are places of a matrix.
        X = np.argwhere(np.ones((8, 5)))
    return X, np.where(np.arange(40) < 12, np.arange(40) % 2, -1)


def fitted(estimator):
    """Return the fitted attributes, whatever fit has to say on so little data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(*data(estimator))
    return {name: value for name, value in vars(estimator).items() if name.endswith("_")}


def pools():
    return {pool["filepath"]: pool["num_threads"] for pool in ThreadpoolController().info()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_eight_threads_at_once_give_the_bits_of_one(cls):
    alone, before = fitted(make(cls)), pools()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: fitted(make(cls)), range(8)))
    assert all(_same(one, alone) for one in together)
    assert pools().items() >= before.items()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_pickles(cls):
    model = make(cls)
    attributes = fitted(model)
    loaded = pickle.loads(pickle.dumps(model))
    assert _same({k: v for k, v in vars(loaded).items() if k.endswith("_")}, attributes)
    X, _ = data(model)
    for method in ("predict", "transform"):
        if hasattr(model, method):
            assert _same(getattr(loaded, method)(X), getattr(model, method)(X))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_skops(cls):
    skops = pytest.importorskip("skops.io")
    model = make(cls)
    fitted(model)
    written = skops.dumps(model)
    # Nothing of ours but classes that a reader can look up.
    foreign = [
        name
        for name in skops.get_untrusted_types(data=written)
        if name.partition(".")[0] not in ("skrand", "skrand_features", "scipy", "numpy")
    ]
    assert set(foreign) <= {"builtins.slice", "collections.Counter"}, foreign
    loaded = skops.loads(written, trusted=skops.get_untrusted_types(data=written))
    X, _ = data(model)
    for method in ("predict", "transform"):
        if hasattr(model, method):
            assert _same(getattr(loaded, method)(X), getattr(model, method)(X))


class Counting(SketchedRegressor):
    """Tell how many threads a fit would use where it runs."""

    def fit(self, X, y):
        super().fit(X, y)
        self.seen_ = max_threads()
        return self

    def score(self, X, y):
        return -self.seen_


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_inner_threads_share_the_cores_with_a_grid_search(backend):
    X, y = data()
    search = GridSearchCV(
        Counting(random_state=0), {"alpha": [0.1, 1.0]}, cv=2, n_jobs=2, refit=False
    )
    with joblib.parallel_config(backend=backend, n_jobs=2):
        search.fit(X, y.astype(float))
    seen = -search.cv_results_["mean_test_score"]
    if backend == "threading":
        # Threads of one process cannot be told apart: each has what OpenMP would use.
        assert (seen == max_threads()).all()
    else:
        assert (seen * 2 <= max(2, joblib.cpu_count())).all()


def _fit_in_child(cls):
    return fitted(make(cls).set_params(n_jobs=2))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_fits_after_its_parent_has(method):
    # GNU's OpenMP waits for ever in a fork of a process that has used threads.
    names = ("SketchedRegressor", "LowRankCompleter", "SinkhornNewtonOT")
    classes = [registry.load(registry.get(name)) for name in names]
    parent = [fitted(make(cls).set_params(n_jobs=2)) for cls in classes]
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        children = [pool.apply_async(_fit_in_child, (cls,)).get(timeout=120) for cls in classes]
    assert all(_same(one, two) for one, two in zip(children, parent, strict=True))


class Interrupted(Exception):  # noqa: N818 (stands for KeyboardInterrupt, which pytest obeys)
    """Raised in the middle of a fit."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_an_interrupted_fit_leaves_an_estimator_that_can_be_used(cls, error, monkeypatch):
    model, before = make(cls), pools()
    attributes = fitted(model)
    X, _ = data(model)
    method = "predict" if hasattr(model, "predict") else "transform"
    answer = getattr(model, method)(X)
    interrupted = []

    def interrupt(self, state):
        interrupted.append(state)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Monitor, "__call__", interrupt)
        try:
            fitted(model)
        except error:
            assert interrupted
    if interrupted:
        # What was fitted before is still there.
        assert _same(getattr(model, method)(X), answer)
    assert pools().items() >= before.items()
    assert _same(fitted(model), attributes)
    assert _same(fitted(clone(model)), attributes)


LONG = """
import numpy as np, signal, sys, threading, time, _thread
from skrand import SketchedRegressor
# A suite that runs in the background of a shell hands down that interrupts are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
rng = np.random.default_rng(0)
X = rng.standard_normal((200_000, 100)); y = X.sum(axis=1)
model = SketchedRegressor(n_jobs=2)
interrupted = threading.Event()
def interrupt():
    time.sleep(0.2)
    # Again, since Python loses one that arrives in a destructor or a callback from C.
    while not interrupted.is_set():
        _thread.interrupt_main()
        interrupted.wait(5.0)
threading.Thread(target=interrupt, daemon=True).start()
try:
    while True:
        model.fit(X, y)
except KeyboardInterrupt:
    interrupted.set()
    print("interrupted")
small = slice(0, 500)
np.testing.assert_allclose(SketchedRegressor().fit(X[small], y[small]).coef_, 1.0)
model.fit(X[small], y[small])
np.testing.assert_allclose(model.coef_, 1.0)
print("usable")
"""


def test_a_real_interruption():
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, timeout=240)
    assert done.stdout.split() == ["interrupted", "usable"], done.stderr
