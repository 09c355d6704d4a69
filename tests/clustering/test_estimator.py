"""SubspaceClusterer: what it promises of labels, subspaces, memory and errors."""

import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrand import SubspaceClusterer, make_solver
from skrand.clustering import SubspaceClustering, clustering_accuracy
from skrand.clustering.solvers import KSS, LSR, Auto, Sampled
from skrand.clustering.subspaces import Subspaces
from skrand.datasets import make_union_of_subspaces
from skrand.exceptions import (
    IncompatibleSolverError,
    InvalidParameterError,
    MemoryBudgetError,
    UnknownNameError,
    ZeroRowWarning,
)


@pytest.fixture(scope="module")
def union():
    return make_union_of_subspaces(400, 40, dims=3, n_clusters=5, noise=0.2, random_state=0)


@pytest.fixture(scope="module")
def fitted(union):
    return SubspaceClusterer(5, random_state=0).fit(union[0])


def test_labels_distances_and_bases_agree(union, fitted):
    X, y = union
    assert clustering_accuracy(y, fitted.labels_) == 1.0
    assert np.mean(fitted.predict(X) == fitted.labels_) >= 0.99
    distances = fitted.transform(X)
    assert distances.shape == (400, 5)
    np.testing.assert_array_equal(distances.argmin(axis=1), fitted.predict(X))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    U = fitted.bases_[2]
    np.testing.assert_allclose(
        distances[:, 2], np.linalg.norm(unit - unit @ U @ U.T, axis=1), atol=1e-7
    )
    assert list(fitted.get_feature_names_out()) == [f"subspaceclusterer{k}" for k in range(5)]


def test_digits_out_of_the_box():
    X, y = load_digits(return_X_y=True)
    model = SubspaceClusterer(10, random_state=0).fit(X)
    assert clustering_accuracy(y, model.labels_) >= 0.85
    assert clustering_accuracy(y, KMeans(10, n_init=10, random_state=0).fit(X).labels_) < 0.85
    assert np.mean(model.predict(X) == model.labels_) >= 0.99


@pytest.mark.parametrize(("K", "seed"), [(5, 2), (5, 3), (5, 5), (10, 10), (20, 20)])
def test_number_of_clusters_is_found(K, seed):
    X, y = make_union_of_subspaces(60 * K, 100, dims=4, n_clusters=K, noise=0.4, random_state=seed)
    model = SubspaceClusterer("auto", random_state=0).fit(X)
    assert model.n_clusters_ == K
    assert clustering_accuracy(y, model.labels_) >= 0.99


def test_new_rows_coordinates_and_denoising(union, fitted):
    clean, y = make_union_of_subspaces(400, 40, dims=3, n_clusters=5, random_state=0)
    noisy, _ = union
    np.testing.assert_array_equal(y, union[1])
    before = np.linalg.norm(noisy - clean)
    assert np.linalg.norm(fitted.denoise(noisy) - clean) < 0.4 * before
    labels, parts = fitted.predict(noisy), fitted.coordinates(noisy)
    for k, part in enumerate(parts):
        np.testing.assert_allclose(part, noisy[labels == k] @ fitted.bases_[k])
    assert -1 <= fitted.score(noisy) < 0
    assert fitted.score(clean) > fitted.score(noisy)


@pytest.mark.parametrize("affine", [False, True])
def test_partial_fit_follows_further_rows(affine):
    X, y = make_union_of_subspaces(
        900, 30, dims=3, n_clusters=3, noise=0.1, offset=2.0 * affine, random_state=0
    )
    params = {"solver": "adssc", "subspace_dim": 3, "affine": affine, "random_state": 0}
    model = SubspaceClusterer(3, **params)
    for start in range(0, 900, 300):
        model.partial_fit(X[start : start + 300])
    assert clustering_accuracy(y, model.predict(X)) == 1.0
    whole = SubspaceClusterer(3, **params).fit(X)
    small = SubspaceClusterer(3, **params).fit(X[:300])
    assert abs(model.score(X) - whole.score(X)) < 0.2 * abs(small.score(X) - whole.score(X))


def test_affine_subspaces():
    X, y = make_union_of_subspaces(
        600, 50, dims=3, n_clusters=6, noise=0.1, offset=2.0, random_state=0
    )
    model = SubspaceClusterer(6, affine=True, random_state=0).fit(X)
    assert clustering_accuracy(y, model.labels_) == 1.0
    np.testing.assert_array_equal(model.subspace_dims_, 3)
    moved = SubspaceClusterer(6, affine=True, random_state=0).fit(X + 7.0)
    np.testing.assert_array_equal(moved.labels_, model.labels_)


def test_what_must_not_matter(union, fitted):
    X, _ = union
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    signs = rng.choice([-1.0, 1.0], 400) * rng.uniform(0.5, 2.0, 400)
    order = rng.permutation(400)
    for other in (X @ Q, X * signs[:, None]):
        labels = clone(fitted).fit(other).labels_
        np.testing.assert_array_equal(labels, fitted.labels_)
    assert clustering_accuracy(fitted.labels_[order], clone(fitted).fit(X[order]).labels_) == 1.0


def test_threads_and_seed_and_pickle(union, fitted):
    X, _ = union
    two = clone(fitted).set_params(n_jobs=2).fit(X)
    np.testing.assert_array_equal(two.labels_, fitted.labels_)
    for one, other in zip(two.bases_, fitted.bases_, strict=True):
        np.testing.assert_array_equal(one, other)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))


def test_sampled_labels_are_those_of_the_subspaces():
    X, y = make_union_of_subspaces(6000, 30, dims=3, n_clusters=5, noise=0.3, random_state=0)
    for solver in (Sampled(n_samples=500), Auto(max_samples=400)):
        model = SubspaceClusterer(5, solver=solver, random_state=0).fit(X)
        assert clustering_accuracy(y, model.labels_) == 1.0
        assert np.mean(model.predict(X) == model.labels_) >= 0.99
        assert model.affinity_ is None
        assert len(model.sample_indices_) <= 500


def test_refinement_by_another_solver():
    X, y = make_union_of_subspaces(
        1500, 60, dims=5, shared=4, n_clusters=5, noise=0.1, random_state=0
    )
    alone = SubspaceClusterer(5, solver="adssc", subspace_dim=5, random_state=0).fit(X)
    model = SubspaceClusterer(5, solver="adssc", subspace_dim=5, refine="kss", random_state=0)
    model.fit(X)
    assert clustering_accuracy(y, model.labels_) >= 0.95
    assert model.residual_ < alone.residual_
    assert model.solver_ == "adssc"
    assert model.n_iter_ == len(model.history_)


def test_sizes_of_one_to_forty():
    X, y = make_union_of_subspaces(
        2000, 100, noise=0.1, weights=np.geomspace(1, 40, 10), random_state=0
    )
    assert np.bincount(y).min() < 0.1 * np.bincount(y).mean()
    labels = SubspaceClusterer(10, random_state=0).fit_predict(X)
    assert clustering_accuracy(y, labels) >= 0.999


def test_outlying_components_are_reported():
    X, y = make_union_of_subspaces(300, 30, dims=2, n_clusters=3, random_state=0)
    pair = np.zeros((2, 40))
    pair[:, 35:38] = [[1.0, 0.1, 0.0], [1.0, 0.0, 0.1]]
    X = np.vstack([np.pad(X, ((0, 0), (0, 10))), pair])
    model = SubspaceClusterer(3, solver="adssc", random_state=0).fit(X)
    np.testing.assert_array_equal(np.flatnonzero(model.outlier_mask_), [300, 301])
    assert clustering_accuracy(y, model.labels_[:300]) == 1.0


@pytest.mark.parametrize("solver", ["adssc", "auto", "ensc", "lsr"])
def test_rows_in_no_subspace_are_found(solver):
    X, y = make_union_of_subspaces(
        600, 80, dims=4, n_clusters=5, noise=0.1, outliers=0.3, random_state=0
    )
    model = SubspaceClusterer(5, solver=solver, random_state=0).fit(X)
    inlier = y >= 0
    assert clustering_accuracy(y[inlier], model.labels_[inlier]) == 1.0
    assert model.outlier_mask_[~inlier].mean() >= 0.9
    assert model.outlier_mask_[inlier].mean() <= 0.02


@pytest.mark.parametrize(("dim", "D"), [(3, 60), (5, 100), (12, 64)])
def test_random_directions_are_explained_by_chance(dim, D):
    rng = np.random.default_rng(0)
    subspaces = Subspaces([np.linalg.qr(rng.standard_normal((D, dim)))[0] for _ in range(4)])
    X = rng.standard_normal((5000, D))
    labels = subspaces.assign(X)
    found = subspaces.unexplained(X, labels, subspaces.own_residuals(X, labels))
    assert found.mean() >= 0.985
    X = rng.standard_normal((500, dim)) @ subspaces.bases[0].T
    labels = np.zeros(500, dtype=np.int64)
    assert not subspaces.unexplained(X, labels, subspaces.own_residuals(X, labels)).any()


def test_chance_is_not_judged_where_it_explains_much():
    rng = np.random.default_rng(0)
    subspaces = Subspaces([np.eye(3)[:, :1], np.eye(3)[:, 1:2]])
    X = rng.standard_normal((100, 3))
    labels = subspaces.assign(X)
    assert not subspaces.unexplained(X, labels, subspaces.own_residuals(X, labels)).any()


def test_known_graph(union):
    X, y = union
    graph = sp.csr_array(np.equal.outer(y, y).astype(float))
    model = SubspaceClusterer(5, solver="precomputed", random_state=0).fit(X, affinity=graph)
    assert clustering_accuracy(y, model.labels_) == 1.0
    with pytest.raises(IncompatibleSolverError, match="affinity"):
        SubspaceClusterer(5, solver="precomputed").fit(X)
    for wrong, message in (
        (graph[:5, :5], "shape"),
        (-graph, "negative"),
        (sp.triu(graph, format="csr"), "symmetric"),
    ):
        with pytest.raises(ValueError, match=message):
            SubspaceClusterer(5, solver="precomputed").fit(X, affinity=wrong)


def test_in_a_pipeline_and_a_search(union):
    X, y = union
    search = GridSearchCV(
        make_pipeline(StandardScaler(with_mean=False), SubspaceClusterer(5, random_state=0)),
        {"subspaceclusterer__solver": ["adssc", "tsc", LSR()]},
        cv=2,
    ).fit(X)
    assert clustering_accuracy(y, search.predict(X)) == 1.0


def test_float32_is_kept(union):
    X = union[0].astype(np.float32)
    model = SubspaceClusterer(5, random_state=0).fit(X)
    assert model.transform(X).dtype == np.float32
    assert {U.dtype for U in model.bases_} == {np.dtype(np.float32)}


@pytest.mark.parametrize("solver", ["lsr", "adssc", "ssc-omp", "tsc"])
def test_memory_does_not_grow_with_the_square(solver):
    n, block = 6000, 512
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 8)).astype(np.float32)
    made = make_solver(SubspaceClustering.task, solver)
    problem = SubspaceClustering(X=X, n_clusters=5)
    problem.directions  # noqa: B018 (made before the count starts)
    tracemalloc.start()
    made.graph(problem, rng, lambda state: False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 6 * block * n * 4 < n * n * 4


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("solver", [Sampled(n_samples=100), Auto(max_samples=100)])
def test_memory_maps_are_read_in_blocks(tmp_path, solver, affine):
    X, y = make_union_of_subspaces(
        200_000, 64, dims=3, n_clusters=2, noise=0.1, offset=affine, random_state=0
    )
    np.save(tmp_path / "rows.npy", X.astype(np.float32))
    del X
    X = np.load(tmp_path / "rows.npy", mmap_mode="r")
    model = SubspaceClusterer(2, solver=solver, affine=affine, random_state=0).fit(X[:1000])
    tracemalloc.start()
    try:
        model.fit(X)
        distances = model.transform(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A group of the rows in float64 alone would be as much as X.
    assert peak < 0.4 * X.nbytes
    assert clustering_accuracy(y, model.labels_) > 0.999
    np.testing.assert_array_equal(distances.argmin(axis=1), model.labels_)
    np.testing.assert_array_equal(clone(model).fit(np.array(X)).labels_, model.labels_)


def test_memory_guard_names_the_way_out(union):
    with pytest.raises(MemoryBudgetError, match=r"needs about [\d,]+ bytes .* 'sampled'"):
        SubspaceClusterer(5, solver="adssc", memory_limit="10KB").fit(union[0])
    SubspaceClusterer(5, solver="adssc", memory_limit=None).fit(union[0])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"n_clusters": 0}, InvalidParameterError, "'n_clusters' parameter of SubspaceClusterer"),
        ({"n_clusters": 2.5}, InvalidParameterError, "'n_clusters'"),
        ({"n_clusters": "many"}, InvalidParameterError, "'auto' or an int"),
        ({"n_clusters": 401}, ValueError, "n_samples=400 should be >= n_clusters=401"),
        ({"subspace_dim": 40}, InvalidParameterError, "less than 40"),
        ({"subspace_dim": [3, 3]}, InvalidParameterError, "as long as there are clusters"),
        ({"subspace_dim": 0}, InvalidParameterError, "'subspace_dim'"),
        ({"solver": "addsc"}, UnknownNameError, "adssc"),
        ({"refine": "lsr"}, IncompatibleSolverError, "does not start from given labels"),
        ({"balance": "uniform"}, InvalidParameterError, "'balance'"),
        ({"eps2": 0.5}, InvalidParameterError, "'eps2'"),
        ({"memory_limit": "lots"}, InvalidParameterError, "'500MB'"),
        ({"min_component": -1.0}, InvalidParameterError, "'min_component'"),
        ({"n_clusters": "auto", "solver": "kss"}, IncompatibleSolverError, "number of clusters"),
        ({"solver": make_solver(SubspaceClustering.task, "lsr", lam=0.0)}, ValueError, "'lam'"),
        ({"solver": make_solver(SubspaceClustering.task, "ensc", tau=2.0)}, ValueError, "'tau'"),
    ],
)
def test_errors_name_the_argument(union, params, error, message):
    with pytest.raises(error, match=message):
        SubspaceClusterer(**{"n_clusters": 5, **params}).fit(union[0])


def test_errors_of_data(union, fitted):
    X, _ = union
    bad = X.copy()
    bad[3, 3] = np.nan
    for wrong in (bad, np.where(np.isnan(bad), np.inf, bad)):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            SubspaceClusterer(5).fit(wrong)
    with pytest.raises(ValueError, match=r"[Cc]omplex"):
        SubspaceClusterer(5).fit(X + 1j)
    with pytest.raises(ValueError, match="minimum of 2"):
        SubspaceClusterer(1).fit(X[:1])
    with pytest.raises(TypeError, match="TruncatedSVD"):
        SubspaceClusterer(5).fit(sp.csr_array(X))
    with pytest.raises(NotFittedError):
        SubspaceClusterer(5).predict(X)
    with pytest.raises(ValueError, match="features"):
        fitted.predict(X[:, :10])


def test_rows_of_zeros(union):
    X = union[0].copy()
    X[7] = 0
    with pytest.warns(ZeroRowWarning, match="1 rows of X are zero"):
        model = SubspaceClusterer(5, solver="adssc", random_state=0).fit(X)
    assert np.isfinite(model.transform(X)).all()


def test_too_few_links_are_warned_of():
    X = np.eye(12)
    with pytest.warns(ConvergenceWarning, match="links 0 of 12 rows"):
        SubspaceClusterer(3, solver="tsc", random_state=0).fit(X)


def test_too_few_iterations_are_warned_of(union):
    solver = make_solver(SubspaceClustering.task, "adssc", max_iter=1)
    with pytest.warns(ConvergenceWarning, match="row sums are off"):
        SubspaceClusterer(5, solver=solver).fit(union[0])


def test_empty_clusters_are_filled(union):
    problem = SubspaceClustering(
        X=union[0], n_clusters=5, subspace_dim=3, initial=np.zeros(400, dtype=int)
    )
    solution = KSS(max_iter=50).solve(problem, rng=0)
    assert len(np.unique(solution.x)) == 5


def test_solver_objects_are_not_changed(union):
    solver = LSR(lam=2.0)
    SubspaceClusterer(5, solver=solver, n_jobs=2, random_state=0).fit(union[0])
    assert solver.get_params() == LSR(lam=2.0).get_params()
