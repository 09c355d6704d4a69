"""TransductiveFewShot as scikit-learn has its estimators, and every error with its sentence."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrand import TransductiveFewShot, make_solver
from skrand.exceptions import IncompatibleSolverError
from skrand.fewshot import TransductiveLabelling, TransductiveSplit


@pytest.fixture(scope="module")
def digits():
    X, digit = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.flatnonzero(digit < 5))[:300]
    X, digit = X[rows], digit[rows]
    y = np.full(len(digit), -1)
    for c in range(5):
        y[np.flatnonzero(digit == c)[:5]] = c
    return X, y, digit


def test_labels_a_batch_better_than_the_nearest_prototype():
    X, digit = load_digits(return_X_y=True)
    right = {"auto": [], "clustering": [], "prototype": []}
    rng = np.random.default_rng(0)
    for _ in range(60):
        classes = rng.permutation(10)[:5]
        rows = np.concatenate([rng.permutation(np.flatnonzero(digit == c))[:16] for c in classes])
        y = np.where(np.arange(80) % 16 == 0, digit[rows], -1)
        for solver, values in right.items():
            labels = TransductiveFewShot(solver).fit(X[rows], y).transduction_
            values.append(np.mean((labels == digit[rows])[y == -1]))
    assert np.mean(right["auto"]) > np.mean(right["prototype"]) + 0.08
    assert np.mean(right["clustering"]) > np.mean(right["prototype"]) + 0.06


@pytest.mark.parametrize("solver", ["auto", "clustering", "prototype"])
def test_new_rows_are_labelled_as_the_batch_was(digits, solver):
    X, y, _ = digits
    model = TransductiveFewShot(solver).fit(X, y)
    hidden = y == -1
    assert np.mean(model.predict(X[hidden]) == model.transduction_[hidden]) >= 0.98
    assert model.label_distributions_.shape == (len(X), 5)
    np.testing.assert_allclose(model.label_distributions_.sum(axis=1), 1, atol=1e-9)
    assert np.array_equal(model.transduction_[~hidden], y[~hidden])
    assert model.class_mass_.sum() == pytest.approx(hidden.sum())
    # Row by row: the batch that a row comes in does not matter.
    P = model.predict_proba(X[:40])
    np.testing.assert_allclose(model.predict_proba(X[:7]), P[:7], atol=1e-12)
    D = model.transform(X[:40])
    assert D.shape == (40, 5)
    assert list(model.get_feature_names_out()[:1]) == ["transductivefewshot0"]


def test_history_is_that_of_the_solver(digits):
    X, y, _ = digits
    model = TransductiveFewShot("clustering", tol=1e-4).fit(X, y)
    assert len(model.objective_history_) == model.n_iter_ == len(model.history_)
    assert np.diff(model.objective_history_).max() <= 1e-9 * abs(model.objective_history_[0])
    assert model.graph_.shape == (len(X), len(X))
    assert model.temperature_ > 0
    prototype = TransductiveFewShot("prototype").fit(X, y)
    assert prototype.objective_history_ == []
    with pytest.raises(AttributeError, match="made no graph"):
        _ = prototype.graph_


def test_labels_of_every_kind(digits):
    X, y, _ = digits
    expected = TransductiveFewShot().fit(X, y)
    names = np.array(["zero", "one", "two", "three", "four"])
    order = np.argsort(names)
    for mark in (None, "?", -1):
        named = np.array([names[c] if c >= 0 else mark for c in y], dtype=object)
        model = TransductiveFewShot(unlabeled=mark).fit(X, named)
        assert list(model.classes_) == sorted(names)
        assert np.array_equal(model.transduction_, names[expected.transduction_])
        np.testing.assert_allclose(
            model.label_distributions_, expected.label_distributions_[:, order], atol=1e-9
        )
    strings = np.array([names[c] if c >= 0 else "?" for c in y])
    assert strings.dtype.kind == "U"
    model = TransductiveFewShot(unlabeled="?").fit(X, strings)
    assert np.array_equal(model.predict(X[:5]), names[expected.predict(X[:5])])
    series = pd.Series(strings)
    assert np.array_equal(
        TransductiveFewShot(unlabeled="?").fit(X, series).transduction_, model.transduction_
    )


def test_a_number_that_became_a_string_is_found(digits):
    X, y, _ = digits
    with pytest.raises(ValueError, match=r"dtype object, or set unlabeled='-1'"):
        TransductiveFewShot().fit(X, y.astype(str))


def test_few_features_keep_their_length():
    X, y = load_iris(return_X_y=True)
    rng = np.random.default_rng(0)
    hits = {"auto": [], "cl2": []}
    for _ in range(10):
        seen = np.concatenate([rng.choice(np.flatnonzero(y == c), 2, False) for c in range(3)])
        marked = np.full(len(y), -1)
        marked[seen] = y[seen]
        for preprocess, scores in hits.items():
            model = TransductiveFewShot(preprocess=preprocess).fit(X, marked)
            scores.append(np.mean(model.transduction_ == y))
    assert np.mean(hits["auto"]) > 0.85
    assert np.mean(hits["auto"]) > np.mean(hits["cl2"]) + 0.05


def test_distributions_are_left_as_they_are():
    X = np.random.default_rng(0).dirichlet(np.ones(12), size=40)
    y = np.r_[0, 0, 1, 1, np.full(36, -1)]
    model = TransductiveFewShot("clustering", metric="kullback-leibler").fit(X, y)
    assert np.array_equal(model._problem.X, X)


def test_pipeline_clone_pickle_and_float32(digits):
    X, y, _ = digits
    model = TransductiveFewShot().fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X[:9]), model.predict_proba(X[:9]))
    assert clone(model).get_params()["solver"] == "auto"
    single = TransductiveFewShot().fit(X.astype(np.float32), y)
    assert single.label_distributions_.dtype == np.float32
    assert single.predict_proba(X[:5].astype(np.float32)).dtype == np.float32
    assert np.mean(single.transduction_ == model.transduction_) > 0.99
    outside = make_pipeline(
        FunctionTransformer(lambda Z: Z - X.mean(axis=0)),
        FunctionTransformer(lambda Z: Z / np.linalg.norm(Z, axis=1, keepdims=True)),
        TransductiveFewShot(preprocess=None),
    ).fit(X, y)
    assert np.array_equal(outside[-1].transduction_, model.transduction_)


def test_preprocessing_and_centers(digits):
    X, y, _ = digits
    base = X[y == -1][:50] + 1.0
    support = y >= 0

    def rows(**params):
        return TransductiveFewShot("prototype", **params).fit(X, y)._problem.X

    def unit(Z):
        return Z / np.linalg.norm(Z, axis=1, keepdims=True)

    np.testing.assert_allclose(rows(), unit(X - X.mean(axis=0)), atol=1e-12)
    np.testing.assert_allclose(
        rows(center="base", base=base), unit(X - base.mean(axis=0)), atol=1e-12
    )
    apart = np.where(support[:, None], X - X[support].mean(axis=0), X - X[~support].mean(axis=0))
    np.testing.assert_allclose(rows(center="separate"), unit(apart), atol=1e-12)
    root = np.sqrt(X)
    np.testing.assert_allclose(
        rows(preprocess="power-cl2"), unit(root - root.mean(axis=0)), atol=1e-12
    )
    assert np.array_equal(rows(preprocess=None), X)
    few = TransductiveFewShot("prototype").fit(X[:, 20:29], y)
    assert np.array_equal(few._problem.X, X[:, 20:29])
    separate = TransductiveFewShot("prototype", center="separate").fit(X[:, 20:29], y)
    assert not np.array_equal(separate._problem.X, X[:, 20:29])
    same = np.vstack([X, X.mean(axis=0)])
    model = TransductiveFewShot("prototype").fit(same, np.r_[y, -1])
    assert np.array_equal(model._problem.X[-1], np.zeros(64))


def test_another_batch_is_labelled_together(digits):
    X, y, digit = digits
    half = np.arange(len(y)) % 2 == 0
    keep = half | (y >= 0)
    model = TransductiveFewShot().fit(X[keep], y[keep])
    other = ~keep
    labels = model.transduce(X[other])
    assert np.mean(labels == digit[other]) > 0.9
    alone = TransductiveFewShot().fit(
        np.vstack([X[y >= 0], X[other]]), np.r_[y[y >= 0], np.full(other.sum(), -1)]
    )
    assert np.array_equal(labels, alone.transduction_[(y >= 0).sum() :])


def test_grid_search_over_solvers_with_few_labels():
    X, digit = load_digits(return_X_y=True)
    rng = np.random.default_rng(1)
    y = np.full(len(digit), -1)
    for c in range(10):
        y[rng.permutation(np.flatnonzero(digit == c))[:5]] = c
    spreading = make_solver("transductive-labelling", "label-spreading", gamma=20.0, alpha=0.9)
    grid = [
        {"solver": ["prototype", spreading]},
        {"solver": ["clustering"], "laplacian": [0.7, 2.0, 5.0]},
    ]
    search = GridSearchCV(
        TransductiveFewShot(), grid, cv=TransductiveSplit(5), error_score="raise"
    ).fit(X, y)
    hidden = y == -1
    assert np.mean(search.best_estimator_.transduction_[hidden] == digit[hidden]) >= 0.93
    assert search.best_params_["solver"] is spreading


def test_split_keeps_the_unlabelled_rows():
    y = np.array([0, 1, -1, 0, 1, -1, 0, 1])
    folds = list(TransductiveSplit(3).split(np.zeros((8, 1)), y))
    assert len(folds) == TransductiveSplit(3).get_n_splits(y=y) == 3
    for train, test in folds:
        assert {2, 5} <= set(train)
        assert (y[test] >= 0).all()
        assert not set(train) & set(test)
        assert set(train) | set(test) == set(range(8))
    assert sorted(np.concatenate([test for _, test in folds])) == [0, 1, 3, 4, 6, 7]
    with pytest.raises(ValueError, match="No row has a label"):
        next(TransductiveSplit().split(None, np.full(4, -1)))
    with pytest.raises(ValueError, match="needs y"):
        next(TransductiveSplit().split(np.zeros((4, 1))))
    from sklearn.model_selection import KFold

    with pytest.raises(ValueError, match="no label of class 1"):
        list(TransductiveSplit(KFold(2)).split(None, np.array([0, 0, -1, 0, 1])))


def test_all_rows_labelled_falls_back_with_a_warning(digits):
    X, _, digit = digits
    with pytest.warns(UserWarning, match="falls back to its inductive rule"):
        model = TransductiveFewShot().fit(X, digit)
    assert model.score(X, digit) > 0.9


def test_too_many_neighbours_are_fewer_with_a_warning(digits):
    X, y, _ = digits
    keep = np.flatnonzero((y >= 0) | (np.arange(len(y)) < 20))
    with pytest.warns(
        UserWarning, match=rf"n_neighbors=500 is not fewer than the {len(keep)} rows"
    ):
        model = TransductiveFewShot("clustering", n_neighbors=500).fit(X[keep], y[keep])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fewer = TransductiveFewShot("clustering", n_neighbors=len(keep) - 1).fit(X[keep], y[keep])
    assert model.graph_.nnz == fewer.graph_.nnz


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (
            {"class_prior": "uniform"},
            "'class_prior' parameter .* must be one of 'auto', 'balanced'",
        ),
        ({"class_prior": [0.5, 0.5]}, "'class_prior' parameter .* one a class"),
        ({"class_prior": [1, 1, 1, 1, -1]}, "'class_prior' parameter .* positive numbers"),
        ({"laplacian": -1}, "'laplacian' parameter .* must be 'auto' or a float"),
        ({"temperature": 0}, "'temperature' parameter .* must be 'auto' or a float"),
        ({"n_neighbors": 0}, "'n_neighbors' parameter .* must be 'auto' or an int"),
        ({"prior_strength": 0}, "'prior_strength' parameter"),
        ({"metric": "cosine"}, "'metric' parameter .* must be one of 'kullback-leibler'"),
        ({"preprocess": "pca"}, "'preprocess' parameter .* must be one of"),
        ({"center": "median"}, "'center' parameter .* must be one of"),
        ({"center": "base"}, "needs rows of other classes"),
        ({"base": np.ones((4, 3))}, "base has 3 features, but X has 64"),
        ({"base": (np.ones((4, 64)), [0, 1])}, "base has 2 labels for 4 rows"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"tol": -1}, "'tol' parameter"),
        ({"solver": "prototype", "laplacian": 1.0}, "is not used by solver 'prototype'"),
    ],
)
def test_parameter_errors(digits, params, sentence):
    X, y, _ = digits
    with pytest.raises(ValueError, match=sentence):
        TransductiveFewShot(**params).fit(X, y)


def test_data_errors(digits):
    X, y, _ = digits
    with pytest.raises(ValueError, match="No row has a label: all of y is -1"):
        TransductiveFewShot().fit(X, np.full(len(X), -1))
    with pytest.raises(ValueError, match=r"at least 2 classes\. Got 1 class: 3"):
        TransductiveFewShot().fit(X, np.where(y == 3, 3, -1))
    bad = X.copy()
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        TransductiveFewShot().fit(bad, y)
    with pytest.raises(ValueError, match="299 labels for the 300 rows"):
        TransductiveFewShot().fit(X, y[:-1])
    with pytest.raises(ValueError, match="Without one: class 1 of 3"):
        TransductiveLabelling(X=X[:4], y=np.array([0, 2, -1, -1]), n_classes=3)
    with pytest.raises(ValueError, match="at least 2 classes"):
        TransductiveLabelling(X=X[:4], y=np.array([0, 0, -1, -1]), n_classes=1)


def test_solver_objects(digits):
    X, y, _ = digits
    solver = make_solver("transductive-labelling", "clustering", support_weight=5.0)
    model = TransductiveFewShot(solver, laplacian=0.1).fit(X, y)
    assert model.solver_ == "clustering"
    assert solver.laplacian == 0.7
    assert issubclass(IncompatibleSolverError, ValueError)
