"""Manifold linearization: gradients, monotonicity, the goal on digits, the estimator."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, PolynomialFeatures
from threadpoolctl import threadpool_limits

from skrand import ManifoldLinearizer, make_solver
from skrand.clustering import (
    SubspaceClustering,
    TorchFeatureMap,
    class_bases,
    clustering_accuracy,
    subspace_coherence,
)
from skrand.clustering.coding_rate import (
    cluster_covariances,
    code_lengths,
    code_lengths_of_covariances,
    coding_rate,
    coding_rate_reduction,
    membership_of,
    reduction_and_gradient,
)
from skrand.clustering.linearization import pull_back, unit_rows_and_norms
from skrand.clustering.pairwise_rate import (
    kernel_membership,
    pairwise_rate,
    rate_and_gradient,
    through_kernel,
)
from skrand.exceptions import IncompatibleSolverError, InvalidParameterError


def numerical(function, x, step=1e-6):
    """Return the gradient of a function of an array by central differences."""
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


def unit(rng, *shape):
    return unit_rows_and_norms(rng.normal(size=shape))[0]


@pytest.mark.parametrize("hard", [False, True])
def test_gradient_of_the_reduction(hard):
    rng = np.random.default_rng(0)
    Z = unit(rng, 12, 4)
    P = membership_of(rng.integers(3, size=12), 4) if hard else rng.dirichlet(np.ones(3), size=12)
    value, gradient = reduction_and_gradient(Z, P, 0.3)
    assert value == pytest.approx(coding_rate_reduction(Z, P, 0.3), rel=1e-12)
    expected = numerical(lambda Z: coding_rate_reduction(Z, P, 0.3), Z)
    np.testing.assert_allclose(gradient, expected, atol=1e-7)


def test_pull_back_through_unit_length():
    rng = np.random.default_rng(1)
    Y, weights = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    Z, norms = unit_rows_and_norms(Y)
    expected = numerical(lambda Y: (weights * unit_rows_and_norms(Y)[0]).sum(), Y)
    np.testing.assert_allclose(pull_back(weights, Z, norms), expected, atol=1e-8)


def test_pairwise_rate_and_its_gradients():
    rng = np.random.default_rng(2)
    Z, P = unit(rng, 8, 3), kernel_membership(unit(rng, 8, 3), 0.3)[0]
    rate, by_points, by_membership = pairwise_rate(Z, P, 0.3)
    by_hand = np.mean(
        [0.5 * np.linalg.slogdet(np.eye(3) + 3 / 0.3 * Z.T @ np.diag(p) @ Z)[1] for p in P.T]
    )
    assert rate == pytest.approx(by_hand, rel=1e-12)
    np.testing.assert_allclose(
        by_points, numerical(lambda Z: pairwise_rate(Z, P, 0.3)[0], Z), atol=1e-7
    )
    np.testing.assert_allclose(
        by_membership, numerical(lambda P: pairwise_rate(Z, P, 0.3)[0], P), atol=1e-7
    )
    value, gradient = rate_and_gradient(Z, 0.3)
    assert value == pytest.approx(coding_rate(Z, 0.3))
    np.testing.assert_allclose(gradient, numerical(lambda Z: coding_rate(Z, 0.3), Z), atol=1e-7)


def test_gradient_through_the_doubly_stochastic_kernel():
    rng = np.random.default_rng(3)
    C, weights = unit(rng, 7, 3), rng.normal(size=(7, 7))
    P, cosines = kernel_membership(C, 0.3)
    np.testing.assert_allclose(P.sum(axis=0), 1, atol=1e-7)
    np.testing.assert_allclose(P, P.T)
    expected = numerical(lambda C: (weights * kernel_membership(C, 0.3)[0]).sum(), C, 1e-5)
    np.testing.assert_allclose(through_kernel(weights, P, cosines, C, 0.3), expected, atol=1e-6)


def test_code_lengths_of_covariances():
    rng = np.random.default_rng(4)
    Z, P = unit(rng, 30, 5), rng.dirichlet(np.ones(3), size=30)
    new = unit(rng, 6, 5)
    lengths = code_lengths_of_covariances(new, cluster_covariances(Z, P), 0.2)
    np.testing.assert_allclose(lengths, code_lengths(Z, P, 0.2, at=new), rtol=1e-10)


def arcs(seed=0, n=100):
    """Two arcs of a circle, which one plane holds, and labels of which a fifth is wrong."""
    rng = np.random.default_rng(seed)
    angle = np.r_[rng.uniform(0, 1, n), rng.uniform(2, 3, n)]
    X, y = np.c_[np.cos(angle), np.sin(angle)], np.repeat([0, 1], n)
    return X, y, np.where(rng.uniform(size=2 * n) < 0.2, 1 - y, y)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return Normalizer().fit_transform(X), y


@pytest.mark.parametrize("balance", [None, "uniform"])
@pytest.mark.parametrize("feature_map", ["rff", "nystroem"])
def test_objective_never_falls_and_arcs_become_orthogonal(balance, feature_map):
    X, y, rough = arcs()
    model = ManifoldLinearizer(
        2, n_components=8, init=rough, balance=balance, feature_map=feature_map, random_state=0
    ).fit(X)
    path = np.array(model.objective_path_)
    assert (np.diff(path) >= 0).all()
    assert clustering_accuracy(y, model.labels_) == 1
    assert np.array_equal(model.predict(X), model.labels_)
    Z = model.transform(X)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1)
    assert subspace_coherence(class_bases(X, y, 2)) > 0.99
    assert subspace_coherence(class_bases(Z, y, 2)) < 0.05
    reduction = coding_rate_reduction(Z, model.membership_, model.eps2)
    assert model.coding_rate_reduction_ == pytest.approx(reduction)
    if balance:
        np.testing.assert_allclose(model.membership_.sum(axis=0), 100, atol=1e-6)
    else:
        assert path[-1] == pytest.approx(reduction)
        assert model.score(X) == pytest.approx(reduction)


def test_digits_are_linearised_without_loss(digits):
    """Class subspaces of dimension 3: from a mean cosine of 0.86 to less than 0.10."""
    X, y = digits
    model = ManifoldLinearizer(10, random_state=0).fit(X)
    start = make_solver("subspace-clustering", "auto")
    before = start.solve(SubspaceClustering(X=X, n_clusters=10), rng=0).x
    gain = clustering_accuracy(y, model.labels_) - clustering_accuracy(y, before)
    assert gain > -0.01
    assert subspace_coherence(class_bases(X, y, 3)) > 0.8
    assert subspace_coherence(class_bases(model.transform(X), y, 3)) < 0.10


def test_pairwise_needs_no_start_and_agrees_with_prototypes(digits):
    """The published membership, from nothing; its partition is one that prototypes keep."""
    X, y = digits
    pairwise = make_solver("manifold-linearization", "pairwise", batch_size=250)
    options = {"n_components": 32, "random_state": 0}
    model = ManifoldLinearizer(10, solver=pairwise, **options).fit(X)
    found = clustering_accuracy(y, model.labels_)
    assert found > 0.85
    assert subspace_coherence(class_bases(model.transform(X), y, 3)) < 0.12
    prototypes = ManifoldLinearizer(10, init=model.labels_, **options).fit(X)
    assert abs(clustering_accuracy(y, prototypes.labels_) - found) < 0.02
    assert clustering_accuracy(model.labels_, prototypes.labels_) > 0.98


def test_threads_of_blas_change_no_bit():
    X, _, rough = arcs()
    X = np.hstack([X, np.random.default_rng(0).normal(size=(200, 30))])
    fits = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fits.append(ManifoldLinearizer(2, init=rough, random_state=0).fit(X))
    for name in ("components_", "membership_", "covariances_"):
        assert np.array_equal(getattr(fits[0], name), getattr(fits[1], name)), name
    assert np.array_equal(fits[0].transform(X), fits[1].transform(X))


def test_batches_reach_what_all_rows_do():
    X, y, rough = arcs(n=200)
    batched = make_solver("manifold-linearization", "prototype", batch_size=50, n_steps=60)
    options = {"n_components": 8, "init": rough, "random_state": 0}
    full, part = (
        ManifoldLinearizer(2, solver=solver, **options).fit(X) for solver in ("prototype", batched)
    )
    assert clustering_accuracy(y, part.labels_) == 1
    assert part.coding_rate_reduction_ > 0.97 * full.coding_rate_reduction_
    assert (np.diff(part.objective_path_) >= 0).all()


def test_feature_maps():
    X, _, rough = arcs()
    linear = ManifoldLinearizer(2, init=rough, feature_map="linear", random_state=0).fit(X)
    assert linear.n_components_ == 2
    given = PolynomialFeatures(3)
    model = ManifoldLinearizer(2, init=rough, feature_map=given, random_state=0).fit(X)
    assert model.components_.shape == (10, 10)
    assert not hasattr(given, "n_output_features_")
    assert model.transform(X.astype(np.float32)).dtype == np.float32
    single = clone(model).fit(X.astype(np.float32))
    assert clustering_accuracy(model.labels_, single.labels_) > 0.98


def test_init_by_a_clusterer_and_in_a_grid_search():
    X, y, _ = arcs(n=60)
    X = X + 0.01 * np.random.default_rng(0).normal(size=X.shape)
    pipeline = make_pipeline(
        ManifoldLinearizer(2, n_components=6, init=KMeans(2, n_init=3, random_state=0)),
        LogisticRegression(),
    )
    search = GridSearchCV(
        pipeline.set_params(manifoldlinearizer__random_state=0),
        {"manifoldlinearizer__feature_map": ["rff", "nystroem"]},
        cv=2,
    )
    assert search.fit(X, y).best_score_ > 0.95


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 0}, "'n_clusters' parameter .* Got 0"),
        ({"n_components": 9999}, "'n_components' .* must be None or an int in the range .1, 512."),
        (
            {"feature_map": "cubic"},
            "'feature_map' .* 'linear', 'nystroem', 'rff', a transformer or",
        ),
        ({"gamma": -1.0}, "gamma"),
        ({"eps2": 0}, "eps2"),
        ({"balance": [1, 2]}, "balance"),
        ({"init": [0, 1]}, "'init' .* one a sample"),
        ({"init": np.full(20, 5)}, "'init' .* in the range .0, 2"),
        ({"init": np.full(20, 0.5)}, "init"),
    ],
)
def test_bad_parameters(params, message):
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(InvalidParameterError, match=message):
        ManifoldLinearizer(**{"n_clusters": 3, **params}).fit(X)


def test_pairwise_refuses_what_it_cannot_use():
    X, _, rough = arcs(n=20)
    with pytest.raises(IncompatibleSolverError, match=r"given labels.*Solvers that can: prototype"):
        ManifoldLinearizer(2, init=rough, solver="pairwise").fit(X)
    with pytest.raises(IncompatibleSolverError, match="cannot be prescribed"):
        ManifoldLinearizer(2, balance="uniform", solver="pairwise").fit(X)


def test_too_few_iterations_warn():
    X, _, rough = arcs(n=30)
    with pytest.warns(ConvergenceWarning, match="achieved residual 1.00e.00.*Raise max_iter"):
        ManifoldLinearizer(2, init=rough, n_components=6, max_iter=1).fit(X)


def test_zero_rows_stay_zero():
    X, _, rough = arcs(n=30)
    X[0] = 0
    model = ManifoldLinearizer(2, init=rough, feature_map="linear", random_state=0).fit(X)
    assert not model.transform(X)[0].any()
    assert np.isfinite(model.transform(X)).all()


def test_callbacks_see_usable_estimators():
    X, _, rough = arcs(n=30)
    seen = []

    class Watch:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            seen.append(fitted_estimator.transform(X).shape)

    model = ManifoldLinearizer(2, init=rough, n_components=6, random_state=0)
    model.set_callbacks(Watch()).fit(X)
    assert seen[0] == (60, 6)
    assert len(seen) >= model.n_iter_


def test_missing_torch_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "skrand\[torch\]"'):
        ManifoldLinearizer(2, feature_map=TorchFeatureMap()).fit(arcs()[0])


def test_torch_is_imported_by_nobody_else():
    code = (
        "from skrand import ManifoldLinearizer as M; M(2, feature_map='rff').fit([[1, 0], [0, 1]])"
    )
    script = f"import sys; {code}; sys.exit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=False).returncode == 0
    )
