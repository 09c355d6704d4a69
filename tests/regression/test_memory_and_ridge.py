"""Ridge paths against scikit-learn's singular values, and no copy of the data."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from skrand import SketchedRegressor

EXACT = ["chol", "pne", "sap", "spir", "auto"]
SPARSE = ["chol", "sap", "spir", "auto"]


def problem(sparse, n=1500, d=12, k=2):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.4) + 0.5 * (rng.random((n, d)) < 0.2)
    y = X @ rng.standard_normal((d, k)) + 3 + rng.standard_normal((n, k))
    return sp.csr_array(X) if sparse else X, y


@pytest.mark.parametrize(
    ("solver", "sparse"),
    [(name, False) for name in [*EXACT, "lapack"]] + [(name, True) for name in SPARSE],
)
def test_ridge_path(solver, sparse):
    X, y = problem(sparse)
    dense = X.toarray() if sparse else X
    for alpha in [1e-6, 1e-2, 1.0, 1e2, 1e6]:
        ours = SketchedRegressor(solver=solver, alpha=alpha, random_state=0).fit(X, y)
        theirs = Ridge(alpha=alpha, solver="svd").fit(dense, y)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-9)


def peak_of(fit):
    fit()  # imports, caches
    tracemalloc.start()
    try:
        fit()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("solver", EXACT)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_dense_data_are_not_copied(solver, order, weighted):
    rng = np.random.default_rng(1)
    X = np.asarray(rng.standard_normal((100_000, 40)) + 100, order=order)
    y = X.sum(axis=1) + rng.standard_normal(len(X))
    weights = rng.uniform(0.5, 2, len(X)) if weighted else None
    model = SketchedRegressor(solver=solver, n_jobs=1, random_state=0)
    # Vectors of n numbers, blocks of rows of 2 MiB, and a sketch.
    assert peak_of(lambda: model.fit(X, y, sample_weight=weights)) < 0.5 * X.nbytes


@pytest.mark.parametrize("solver", SPARSE)
def test_sparse_data_are_not_made_dense(solver):
    rng = np.random.default_rng(2)
    X = sp.random_array((60_000, 200), density=0.02, format="csr", rng=rng)
    y = X @ rng.standard_normal(200) + rng.standard_normal(60_000)
    model = SketchedRegressor(solver=solver, n_jobs=1, random_state=0)
    assert peak_of(lambda: model.fit(X, y)) < 0.3 * 8 * X.shape[0] * X.shape[1]
