"""LowRankCompleter's contract: what comes back, what is refused, and how it plays with others."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skrand import LowRankCompleter
from skrand.completion.solvers import AlternatingLeastSquares
from skrand.exceptions import RankWarning
from tests.completion.matrices import dense, low_rank, rmse


def make(**options):
    return LowRankCompleter(**{"rank": 4, "biases": "none", "random_state": 0, **options})


@pytest.fixture(scope="module")
def data():
    M, X = low_rank(250, 200, 4, 3.0)
    return M, X


def test_recovers_and_leaves_what_was_observed(data):
    M, X = data
    A = dense(X)
    before = A.copy()
    filled = make().fit_transform(A)
    assert np.linalg.norm(filled - M) <= 1e-7 * np.linalg.norm(M)
    seen = ~np.isnan(A)
    assert filled[seen].tobytes() == A[seen].tobytes()
    assert np.array_equal(A, before, equal_nan=True)


def test_warns_of_features_in_very_different_units():
    M, _ = low_rank(250, 20, 2, 3.0)
    A = np.where(np.random.default_rng(0).uniform(size=M.shape) < 0.2, np.nan, M)
    A[:, 3] = 1e7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(rank=2, biases="col").fit(A)
    A[:, 5] *= 1e5
    with pytest.warns(UserWarning, match="Scale the features first") as caught:
        make(rank=2, biases="col").fit(A)
    assert caught[0].filename == __file__


class Bare(AlternatingLeastSquares):
    """Return the factors and nothing else, as a plugin's solver may."""

    def _solve(self, problem, rng, monitor):
        full = super()._solve(problem, rng, lambda state: monitor({"iteration": 1, "residual": 1}))
        return replace(full, extra={})


def test_a_solver_that_returns_the_factors_alone(data):
    full, bare = (make(solver=cls()).fit(dense(data[1])) for cls in (AlternatingLeastSquares, Bare))
    np.testing.assert_allclose(bare.singular_values_, full.singular_values_, rtol=1e-9)
    assert bare.rmse_ == pytest.approx(full.rmse_, rel=1e-6, abs=1e-14)
    assert bare.loss_curve_ == []


@pytest.mark.parametrize("biases", ["none", "col", "both"])
@pytest.mark.parametrize("scaling", ["constant", "count"])
def test_fit_transform_equals_fit_and_transform(data, biases, scaling):
    A = dense(data[1])[:, :50]
    model = make(rank=2, biases=biases, alpha=0.01, alpha_scaling=scaling)
    together = model.fit_transform(A)
    U = model.U_.copy()
    assert np.array_equal(together, model.fit(A).transform(A))
    assert np.array_equal(model.factors(A), U)


def test_sparse_equals_dense(data):
    _M, X = data
    A = dense(X)
    model = make().fit(A)
    want = model.transform(A)
    for form in (X, X.tocsc(), X.tocoo(), sp.csr_matrix(X)):
        other = make().fit(form)
        assert np.array_equal(other.V_, model.V_)
        assert np.array_equal(other.transform(form), want)
        assert np.array_equal(model.transform(form), want)


def test_explicit_zeros_are_data():
    M, X = low_rank(120, 100, 2, 6.0)
    M[:30] = 0.0
    X.data[X.tocoo().row < 30] = 0.0
    assert np.mean(X.data == 0) > 0.2
    model = make(rank=2).fit(X)
    assert rmse(model.transform(X), M) <= 1e-7
    assert model.observed_counts_[0].sum() == X.nnz
    assert (X.data == 0).any()


def test_new_rows_are_folded_in(data):
    M, X = data
    model = make().fit(X[:200])
    new = X[200:]
    enough = np.diff(new.indptr) >= 6
    assert enough.sum() > 10
    assert rmse(model.transform(new)[enough], M[200:][enough]) <= 1e-6


def test_row_and_column_without_entries():
    _M, X = low_rank(60, 40, 2, 5.0)
    A = dense(X)
    A[3] = np.nan
    A[:, 5] = np.nan
    model = make(rank=2, biases="col").fit(A)
    filled = model.transform(A)
    assert filled.shape == (60, 39)
    np.testing.assert_allclose(filled[3], model.intercept_ + model.col_bias_)
    assert "x5" not in model.get_feature_names_out()
    assert len(model.get_feature_names_out()) == 39
    kept = make(rank=2, biases="col", keep_empty_features=True).fit(A)
    assert kept.transform(A).shape == A.shape
    np.testing.assert_allclose(kept.transform(A)[:, 5], kept.intercept_)
    plain = make(rank=2, keep_empty_features=True).fit(A)
    assert not plain.transform(A)[:, 5].any()


def test_indicator_names_and_pandas():
    pd = pytest.importorskip("pandas")
    M, X = low_rank(30, 6, 1, 4.0)
    A = dense(X)
    A[:, 0] = M[:, 0]
    frame = pd.DataFrame(A, columns=list("abcdef"))
    model = make(rank=1, add_indicator=True).set_output(transform="pandas").fit(frame)
    out = model.transform(frame)
    names = list("abcdef") + [f"missingindicator_{c}" for c in "bcdef"]
    assert list(out.columns) == names
    assert np.array_equal(out.to_numpy()[:, 6:], np.isnan(A[:, 1:]))


def test_missing_values_marked_by_a_number(data):
    A = dense(data[1])
    marked = np.where(np.isnan(A), -99.0, A)
    model = make(missing_values=-99.0)
    assert np.array_equal(model.fit_transform(marked), make().fit_transform(A))
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(A)
    stored = data[1].copy()
    stored.data[:2] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(stored)
    A.flat[np.flatnonzero(~np.isnan(A))[:2]] = np.nan
    assert np.array_equal(make().fit(stored).V_, make().fit(A).V_)


def test_copy_false_fills_in_place(data):
    A = dense(data[1])
    model = make(copy=False).fit(A)
    out = model.transform(A)
    assert np.shares_memory(out, A)
    assert not np.isnan(A).any()


def test_float32(data):
    A = dense(data[1]).astype(np.float32)
    model = make().fit(A)
    filled = model.transform(A)
    assert filled.dtype == model.U_.dtype == model.V_.dtype == np.float32
    assert rmse(filled, data[0]) <= 1e-5


def test_places(data):
    M, X = data
    model = make().fit(X)
    rows, columns = np.divmod(np.arange(0, M.size, 97), M.shape[1])
    assert rmse(model.predict_entries(rows, columns), M[rows, columns]) <= 1e-6
    clipped = make(min_value=-0.5, max_value=0.5).fit(X)
    assert np.abs(clipped.predict_entries(rows, columns)).max() == 0.5
    assert model.predict_entries([], []).shape == (0,)
    for places, message in (
        (([-1], [0]), "The row indices must not be negative. Got -1"),
        (([0], [200]), "The column indices must be less than 200, the size of the matrix. Got 200"),
        (([0.5], [0]), r"The row indices must be integers. Got .*0\.5"),
        (([0, 1], [0]), "as many rows as columns. Got 2 and 1"),
    ):
        with pytest.raises(ValueError, match=message):
            model.predict_entries(*places)


def test_recommend(data):
    M, X = data
    model = make().fit(X)
    seen = X.indices[X.indptr[7] : X.indptr[8]]
    columns, values = model.recommend(7, 5, exclude=seen)
    row = M[7].copy()
    row[seen] = -np.inf
    assert list(columns) == list(np.argsort(-row)[:5])
    np.testing.assert_allclose(values, np.sort(row)[::-1][:5], atol=1e-6)
    assert len(model.recommend(7, 1000)[0]) == M.shape[1]


def test_factors_feed_the_next_step():
    X, y = load_iris(return_X_y=True)
    A = np.where(np.random.default_rng(0).uniform(size=X.shape) < 0.15, np.nan, X)
    for options in ({}, {"output": "factors"}):
        model = make_pipeline(
            make(rank=2, alpha=0.1, biases="col", **options), LogisticRegression(max_iter=1000)
        )
        search = GridSearchCV(
            model,
            {"lowrankcompleter__rank": [1, 2], "lowrankcompleter__solver": ["auto", "als"]},
            cv=2,
            error_score="raise",
        )
        assert search.fit(A, y).best_score_ > 0.8
    names = make(rank=2, alpha=0.1, output="factors").fit(A).get_feature_names_out()
    assert list(names) == ["lowrankcompleter0", "lowrankcompleter1"]


def test_grid_search_without_y_finds_the_rank():
    _M, X = low_rank(90, 40, 3, 5.0, noise=0.05)
    search = GridSearchCV(make(alpha=0.05), {"rank": [1, 2, 3, 4]}, cv=3, error_score="raise")
    assert search.fit(dense(X)).best_params_ == {"rank": 3}
    # Rows of a sparse matrix are its samples, too.
    assert search.fit(X).best_params_ == {"rank": 3}


def test_score_is_on_entries_that_the_model_does_not_see(data):
    _M, X = data
    assert -1e-6 <= make().fit(X).score(X) <= 0
    noise = sp.csr_array(
        (np.random.default_rng(0).standard_normal(X.nnz), X.indices, X.indptr), shape=X.shape
    )
    model = make(alpha=0.3).fit(noise)
    assert model.score(noise) < -0.5 > -model.rmse_ - 1


def test_rank_and_penalty_by_holdout():
    M, X = low_rank(150, 120, 5, 5.0)
    assert make(rank="auto").fit(X).rank_ == 5
    noisy = low_rank(100, 80, 3, 4.0, noise=0.5)[1]
    M = low_rank(100, 80, 3, 4.0, noise=0.5)[0]
    model = make(rank="auto", alpha="auto").fit(noisy)
    assert model.alpha_ > 0
    assert rmse(model.transform(noisy)[noisy.toarray() == 0], M[noisy.toarray() == 0]) < 0.9
    fixed = make(rank=8, alpha="auto").fit(noisy)
    plain = make(rank=8, alpha=1e-3, max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain.fit(noisy)
    hidden = noisy.toarray() == 0
    errors = [rmse(model.transform(noisy)[hidden], M[hidden]) for model in (fixed, plain)]
    assert errors[0] < 0.8 * errors[1]


def test_factors_that_may_not_be_negative():
    # Coordinate descent ends a factor of ten below its tolerance here, and not always elsewhere.
    rng = np.random.default_rng(5)
    M = rng.uniform(size=(60, 2)) @ rng.uniform(size=(2, 40))
    A = np.where(rng.uniform(size=M.shape) < 0.6, M, np.nan)
    model = make(rank=2, nonneg=True, alpha=1e-3)
    filled = model.fit_transform(A)
    assert model.solver_ == "ccd"
    assert min(model.U_.min(), model.V_.min()) >= 0
    assert rmse(filled, M) < 0.01
    assert np.array_equal(model.transform(A), filled)


def test_warm_start(data):
    _M, X = data
    model = make(warm_start=True).fit(X)
    first = model.n_iter_
    assert model.fit(X).n_iter_ <= 2 < first


def test_rows_may_come_in_any_order(data):
    _M, X = data
    order = np.random.default_rng(0).permutation(X.shape[0])
    one, two = make().fit(X), make().fit(X[order])
    np.testing.assert_allclose(two.transform(X), one.transform(X), atol=1e-8)


def test_too_big_to_be_dense(data):
    _M, X = data
    model = make().fit(X)
    with config_context(working_memory=0.1):
        with pytest.raises(ValueError, match=r"Use predict_entries\(rows, columns\)"):
            model.transform(X)
        assert model.transform(X[:10]).shape == (10, 200)


def test_stops_when_it_is_told_to(data):
    with pytest.warns(ConvergenceWarning, match="did not converge in 3 iterations"):
        model = make(max_iter=3).fit(data[1])
    assert not model.converged_
    assert np.isfinite(model.U_).all()
    assert len(model.loss_curve_) == model.n_iter_ == 3


def test_few_entries_are_reported():
    _M, X = low_rank(40, 30, 3, 1.0)
    X.data[:] = np.random.default_rng(0).standard_normal(X.nnz)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.warns(RankWarning, match="fewer than the 825 degrees of freedom"):
            make(rank=15, max_iter=20).fit(X)
    # A penalty determines the answer.
    make(rank=15, alpha=1.0).fit(X)
    short = dense(low_rank(60, 40, 2, 5.0)[1])
    short[:2, 1:] = np.nan
    short[:2, 0] = 1.0
    with pytest.warns(RankWarning, match="2 rows have fewer observed entries than rank=2"):
        assert np.isfinite(make(rank=2).fit_transform(short)).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rank": 0}, "The 'rank' parameter of LowRankCompleter must be 'auto' or an int in the"),
        ({"rank": 31}, r"must be an int in the range \[1, 30\] for this data. Got 31 instead"),
        ({"rank": "big"}, "'rank'"),
        ({"alpha": -1.0}, "'alpha'"),
        ({"alpha_scaling": "rows"}, "'alpha_scaling'"),
        ({"biases": "rows"}, "'biases'"),
        ({"init": "zeros"}, "'init'"),
        ({"init": (np.ones((40, 2)), np.ones((30, 3)))}, r"init must hold arrays of shapes"),
        ({"init": 3}, "'init'"),
        ({"tol": 0}, "'tol'"),
        ({"max_iter": 0}, "'max_iter'"),
        ({"min_value": 2.0, "max_value": 1.0}, "at least min_value=2.0. Got 1.0"),
        ({"output": "U"}, "'output'"),
        ({"missing_values": "?"}, "'missing_values'"),
        ({"add_indicator": 1}, "'add_indicator'"),
        ({"n_jobs": 0}, "'n_jobs'"),
        ({"nonneg": True, "biases": "col"}, "'biases' parameter .* must be 'none' with nonneg"),
        ({"nonneg": True}, "entries must not be negative"),
        ({"solver": "amm"}, "amm"),
    ],
)
def test_bad_parameters(parameters, message):
    _M, X = low_rank(40, 30, 2, 4.0)
    with pytest.raises(ValueError, match=message):
        make(**{"rank": 2, **parameters}).fit(X)


def test_bad_data(data):
    _M, X = data
    model = make().fit(X)
    infinite = dense(X)
    infinite.flat[np.flatnonzero(~np.isnan(infinite))[0]] = np.inf
    for call in (model.fit, model.transform):
        with pytest.raises(ValueError, match="infinity"):
            call(infinite)
    with pytest.raises(ValueError, match="X has no observed entry"):
        make().fit(np.full((5, 5), np.nan))
    with pytest.raises(ValueError, match="X has no observed entry"):
        make().fit(sp.csr_array((5, 5)))
    twice = sp.coo_array(([1.0, 5.0, 2.0], ([0, 0, 1], [1, 1, 0])), shape=(5, 5))
    with pytest.raises(ValueError, match="1 places more than once, the first at row 0, column 1"):
        make(rank=1).fit(twice)
    with pytest.raises(ValueError, match="X has 199 features, but LowRankCompleter is expecting"):
        model.transform(X[:, :199])
    for name in ("transform", "factors", "score"):
        with pytest.raises(NotFittedError):
            getattr(make(), name)(X)
    with pytest.raises(NotFittedError):
        make().predict_entries([0], [0])
    with pytest.raises(ValueError, match="No row of X has two observed entries"):
        model.score(sp.csr_array(([1.0], ([0], [0])), shape=X.shape))
