"""Neural networks as feature maps of ManifoldLinearizer: gradients, training, the contract."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skrand import ManifoldLinearizer, make_solver
from skrand.clustering import (
    ManifoldLinearization,
    TorchFeatureMap,
    class_bases,
    clustering_accuracy,
    subspace_coherence,
)
from skrand.clustering.coding_rate import membership_of
from skrand.exceptions import InvalidParameterError

torch = pytest.importorskip("torch")
nn = torch.nn


def arcs(n=60):
    """Two arcs of a circle, which one plane holds, and labels of which a fifth is wrong."""
    rng = np.random.default_rng(0)
    angle = np.r_[rng.uniform(0, 1, n), rng.uniform(2, 3, n)]
    X, y = np.c_[np.cos(angle), np.sin(angle)], np.repeat([0, 1], n)
    return X, y, np.where(rng.uniform(size=2 * n) < 0.2, 1 - y, y)


def network(n_out=24, dtype=torch.float32):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(2, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, n_out)
        ).to(dtype)


def linearizer(feature_map, init=None, **options):
    if isinstance(feature_map, nn.Module):
        feature_map = TorchFeatureMap(feature_map, learning_rate=0.003)
    options = {"n_components": 8, "init": init, "random_state": 0, **options}
    return ManifoldLinearizer(2, feature_map=feature_map, **options)


def weights(module):
    return [p.detach().numpy().copy() for p in module.parameters()]


def test_gradient_of_the_parameters_is_that_of_the_coding_rate_reduction():
    """Autograd through the whole objective, written in torch, against what training hands on."""
    from skrand.clustering.solvers.prototype import _value_and_gradient

    rng = np.random.default_rng(0)
    X, y, eps2 = rng.normal(size=(30, 2)), rng.integers(2, size=30), 0.3
    W = rng.normal(size=(24, 6))
    features = TorchFeatureMap(network(dtype=torch.float64)).fit(X)
    problem = ManifoldLinearization(
        F=features.transform(X),
        X=X,
        n_clusters=2,
        n_components=6,
        eps2=eps2,
        backbone=features.trainer(),
    )
    problem.backbone.start(0)
    F = problem.batch(slice(None))
    value, gradient = _value_and_gradient(F, W, membership_of(y, 2), eps2)
    problem.train(gradient, W)
    seen = [p.grad.numpy() for p in features.module_.parameters()]

    module = network(dtype=torch.float64)
    Z = nn.functional.normalize(module(torch.tensor(X)) @ torch.tensor(W))

    def rate(Z):
        return 0.5 * torch.logdet(torch.eye(6) + 6 / (eps2 * len(Z)) * Z.T @ Z)

    parts = [Z[torch.tensor(y == k)] for k in range(2)]
    objective = rate(Z) - sum(len(part) / len(Z) * rate(part) for part in parts)
    objective.backward()
    assert value == pytest.approx(objective.item(), rel=1e-10)
    for ours, parameter in zip(seen, module.parameters(), strict=True):
        np.testing.assert_allclose(ours, parameter.grad.numpy(), atol=1e-10)


@pytest.mark.parametrize("solver", ["prototype", "pairwise"])
def test_arcs_become_orthogonal(solver):
    X, y, rough = arcs()
    given = network()
    before = weights(given)
    init = rough if solver == "prototype" else None
    model = linearizer(given, init, solver=solver).fit(X)
    assert clustering_accuracy(y, model.labels_) == 1
    assert subspace_coherence(class_bases(model.transform(X), y, 2)) < 0.1
    assert np.array_equal(model.predict(X), model.labels_)
    np.testing.assert_allclose(np.linalg.norm(model.transform(X), axis=1), 1)
    # What was given is as it was; its copy was trained.
    for old, now, trained in zip(
        before, weights(given), weights(model.feature_map_.module_), strict=True
    ):
        assert np.array_equal(old, now)
        assert not np.array_equal(old, trained)


def test_training_the_network_reduces_the_rate_further_than_the_map_alone():
    X, _, rough = arcs()
    frozen = network(3)
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    fixed = linearizer(frozen, rough, n_components=3).fit(X)
    trained = linearizer(network(3), rough, n_components=3).fit(X)
    assert (np.diff(trained.objective_path_) >= 0).all()
    assert trained.coding_rate_reduction_ > 1.01 * fixed.coding_rate_reduction_
    for old, now in zip(weights(frozen), weights(fixed.feature_map_.module_), strict=True):
        assert np.array_equal(old, now)


def test_a_module_is_taken_as_it_is():
    X, _, rough = arcs()
    options = {"n_components": 8, "init": rough, "random_state": 0}
    plain = ManifoldLinearizer(2, feature_map=network(), **options).fit(X)
    wrapped = ManifoldLinearizer(2, feature_map=TorchFeatureMap(network()), **options).fit(X)
    assert np.array_equal(plain.components_, wrapped.components_)


def test_perceptron_on_features_made_before():
    X, y, rough = arcs()
    model = linearizer(TorchFeatureMap(n_units=64), rough).fit(X)
    assert model.components_.shape == (8, 64)
    assert clustering_accuracy(y, model.labels_) == 1


def test_same_bits_for_the_same_seed_at_any_number_of_threads():
    X, _, rough = arcs()
    dropout = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 40))
    threads = torch.get_num_threads()
    fits = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            state = torch.get_rng_state()
            fits.append(linearizer(dropout, rough, max_iter=3, tol=0.5).fit(X))
            assert torch.equal(torch.get_rng_state(), state)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(fits[0].components_, fits[1].components_)
    for one, other in zip(*(weights(fit.feature_map_.module_) for fit in fits), strict=True):
        assert np.array_equal(one, other)


def test_solving_a_problem_twice_begins_alike():
    X, _, rough = arcs()
    features = TorchFeatureMap(network()).fit(X)
    problem = ManifoldLinearization(
        F=features.transform(X).astype(float),
        X=X,
        n_clusters=2,
        n_components=8,
        eps2=0.5,
        initial=rough,
        backbone=features.trainer(),
    )
    solver = make_solver("manifold-linearization", "prototype", batch_size=30)
    first, second = (solver.solve(problem, rng=0) for _ in range(2))
    assert np.array_equal(first.x[0], second.x[0])
    assert first.extra["objective_path"] == second.extra["objective_path"]


def test_clone_pickle_and_precision():
    X, _, rough = arcs()
    model = linearizer(network(), rough).fit(X.astype(np.float32))
    Z = model.transform(X.astype(np.float32))
    assert Z.dtype == np.float32
    assert np.array_equal(pickle.loads(pickle.dumps(model)).transform(X.astype(np.float32)), Z)
    again = clone(model).fit(X.astype(np.float32))
    assert np.array_equal(again.transform(X.astype(np.float32)), Z)


def test_bad_modules():
    X = np.zeros((4, 2))
    with pytest.raises(InvalidParameterError, match=r"'module' .* None or a torch.nn.Module"):
        TorchFeatureMap(module="resnet").fit(X)
    with pytest.raises(InvalidParameterError, match="learning_rate"):
        TorchFeatureMap(learning_rate=0).fit(X)
    with pytest.raises(NotFittedError):
        TorchFeatureMap().transform(X)
    image = nn.Sequential(nn.Unflatten(1, (1, 1, 2)), nn.Conv2d(1, 3, 1))
    with pytest.raises(
        ValueError, match=r"shape \(4, n_mapped_features\).*Got shape \(4, 3, 1, 2\)"
    ):
        TorchFeatureMap(image).fit(X).transform(X)
