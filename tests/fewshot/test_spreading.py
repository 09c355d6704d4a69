"""Labels spread from the support, and queries from another source: against exact algebra."""

import numpy as np
import pytest
from sklearn.semi_supervised import LabelSpreading

from skrand.fewshot import TransductiveLabelling
from skrand.fewshot import spreading as module
from skrand.fewshot.rules import SpreadRule, probabilities
from skrand.fewshot.solvers import Auto, Clustering
from skrand.fewshot.solvers.auto import source_shift


def problem(seed, counts=(30,) * 4, shots=3, noise=0.5, d=6, shift=0.0, dtype=np.float64):
    """Return classes around random centres, queries moved along the first axis."""
    rng = np.random.default_rng(seed)
    ways = len(counts)
    truth = np.concatenate([np.repeat(np.arange(ways), shots), np.repeat(np.arange(ways), counts)])
    y = truth.copy()
    y[ways * shots :] = -1
    X = rng.standard_normal((ways, d))[truth] + noise * rng.standard_normal((len(y), d))
    X[y < 0, 0] += shift
    return TransductiveLabelling(X=X.astype(dtype), y=y, n_classes=ways), truth


def rings(n=400):
    """Return two rings, one in the other, with eight labels each."""
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 2
    angle = rng.uniform(0, 2 * np.pi, n)
    X = (1.0 + 2.0 * truth)[:, None] * np.c_[np.cos(angle), np.sin(angle)]
    X += 0.1 * rng.standard_normal((n, 2))
    y = np.where(np.arange(n) < 16, truth, -1)
    return TransductiveLabelling(X=X, y=y, n_classes=2), truth


def test_all_pairs_are_scikit_learns_label_spreading():
    given, _ = problem(0)
    gamma = module.affinity_scale(given.X)
    assert gamma == pytest.approx(8.0 / ((given.X - given.X.mean(axis=0)) ** 2).sum(axis=1).mean())
    model = LabelSpreading("rbf", gamma=gamma, alpha=0.8, max_iter=1000, tol=1e-12)
    expected = model.fit(given.X, given.y).label_distributions_
    F = given.spread(5)
    np.testing.assert_allclose(F, expected, atol=1e-8)
    rng = np.random.default_rng(1)
    new = rng.standard_normal((20, 6))
    P = probabilities(SpreadRule(given, F, 6), new)
    np.testing.assert_allclose(P, model.predict_proba(new), atol=1e-7)


def test_sparse_graph_against_a_dense_solve(monkeypatch):
    given, _ = problem(2)
    W = given.graph(5).matrix().toarray()
    a = module.SPARSE_SHARE
    exact = np.linalg.solve(np.eye(len(W)) - a * W, (1 - a) * given.one_hot())
    monkeypatch.setattr(module, "DENSE", 10)
    F = module.spread_labels(given, 5)
    np.testing.assert_allclose(F, exact / exact.sum(axis=1, keepdims=True), atol=3e-3)


def test_labels_follow_classes_that_are_not_round(monkeypatch):
    monkeypatch.setattr(module, "DENSE", 10)
    given, truth = rings()
    assert np.mean(given.spread(6).argmax(axis=1) == truth) == 1.0
    assert np.mean(Clustering().solve(given).x.argmax(axis=1) == truth) < 0.9


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spread_labels_keep_the_dtype_and_stand_rows_far_from_all(dtype):
    given, _ = problem(3, dtype=dtype)
    X = given.X.copy()
    X[-1] = 1e3
    far = TransductiveLabelling(X=X, y=given.y, n_classes=4)
    F = far.spread(5)
    assert F.dtype == dtype
    assert np.isfinite(F).all()
    np.testing.assert_allclose(F.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("prior", ["free", "balanced"])
def test_objective_never_rises_from_spread_labels(prior):
    for seed in range(10):
        given, _ = problem(seed, shots=1, noise=1.0)
        solver = Clustering(init="spread", class_prior=prior, temperature=0.5)
        values = np.array([r["objective"] for r in solver.solve(given).history])
        assert np.diff(values).max(initial=0.0) <= 1e-8 * np.abs(values).max()


def test_a_shift_is_found_and_only_where_there_is_one():
    lengths = {}
    for shift in (0.0, 2.0):
        found = []
        for seed in range(20):
            # Shares far from equal move the mean of the queries, too, and are no shift.
            given, truth = problem(seed, counts=(60, 30, 20, 10), shots=5, shift=shift, d=12)
            F = np.eye(4)[truth]
            vector, share = source_shift(given, F)
            found.append(vector)
            assert 0 < share <= 1
        lengths[shift] = np.abs(np.mean(found, axis=0))
    assert lengths[0.0].max() < 0.1
    assert lengths[2.0][0] == pytest.approx(2.0, abs=0.2)
    assert lengths[2.0][1:].max() < 0.2


def test_a_shift_is_undone():
    right, left = [], []
    for seed in range(10):
        given, truth = problem(seed, shots=5, noise=0.3, shift=2.5)
        hidden = given.queries
        solution = Auto().solve(given)
        right.append(np.mean(solution.x.argmax(axis=1)[hidden] == truth[hidden]))
        nearest = ((given.X[:, None] - given.means) ** 2).sum(axis=2).argmin(axis=1)
        left.append(np.mean(nearest[hidden] == truth[hidden]))
        P = probabilities(solution.extra["rule"], given.X[hidden])
        assert np.mean(P.argmax(axis=1) == solution.x.argmax(axis=1)[hidden]) >= 0.98
    assert np.mean(right) > np.mean(left) + 0.1


def test_other_starts_are_refused():
    with pytest.raises(ValueError, match="'init' parameter of Clustering must be one of 'spread'"):
        Clustering(init="random").solve(problem(0)[0])
