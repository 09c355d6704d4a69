"""What the search has found, each in its smallest form."""

import numpy as np
import pytest
import scipy.sparse as sp

import skrand
from skrand.regression import sample_rows


def data(n=30, d=4):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


@pytest.mark.parametrize(
    "name",
    [
        "LowRankCompleter",
        "ManifoldLinearizer",
        "MatrixSensingRegressor",
        "SinkhornNewtonOT",
        "SketchedFit",
        "SubspaceClusterer",
        "TransductiveFewShot",
    ],
)
@pytest.mark.parametrize(("dtype", "factor"), [("float64", 1e300), ("float32", 1e36)])
def test_squares_that_overflow_are_refused(name, dtype, factor):
    X, y = data()
    if name == "TransductiveFewShot":
        y = np.arange(len(y)) % 3 - 1
    with pytest.raises(ValueError, match=r"X has an entry of magnitude .* Divide X by a power"):
        getattr(skrand, name)().fit((factor * X).astype(dtype), y)


@pytest.mark.parametrize("solver", ["auto", "chol", "lapack", "sap", "cg", "sketch"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("intercept", [False, True])
def test_least_squares_refuses_what_overflows(solver, form, intercept):
    X, y = data()
    if solver == "lapack" and form is sp.csr_array:
        pytest.skip("needs dense data")
    model = skrand.SketchedRegressor(solver=solver, fit_intercept=intercept, random_state=0)
    with pytest.raises(ValueError, match="sums of squares of X are not finite"):
        model.fit(form(1e200 * X), y)
    with pytest.raises(ValueError, match="sums of squares of y are not finite"):
        model.fit(form(X), 1e200 * y)
    with pytest.raises(ValueError, match="or the sample weights, are too large"):
        model.fit(form(X), 1e10 * y, sample_weight=np.full(len(y), 1e300))


def test_least_squares_of_data_whose_squares_are_just_finite():
    X, y = data()
    plain = skrand.SketchedRegressor().fit(X, y)
    large = skrand.SketchedRegressor().fit(2.0**480 * X, 2.0**480 * y)
    np.testing.assert_allclose(large.coef_, plain.coef_, rtol=1e-12)


@pytest.mark.parametrize("name", ["MatrixSensingRegressor", "SketchedFit", "SketchedRegressor"])
def test_targets_must_be_numbers(name):
    X, y = data()
    with pytest.raises(ValueError, match="y must hold real numbers"):
        getattr(skrand, name)().fit(X, np.where(y > 0, "ant", "bee"))


def test_a_completer_of_float32_takes_rows_of_float64():
    X = data()[0]
    X[::3, 0] = np.nan
    model = skrand.LowRankCompleter(1, random_state=0).fit(X.astype(np.float32))
    filled = model.transform(X)
    assert filled.dtype == np.float64
    np.testing.assert_allclose(filled, model.transform(X.astype(np.float32)), rtol=1e-5)
    model.partial_fit(X)
    with pytest.raises(ValueError, match="in float32: at most"):
        model.transform(1e30 * X)


def test_a_stream_of_zeros():
    model = skrand.LowRankCompleter(1, biases="none", random_state=0)
    model.partial_fit(np.zeros((3, 2))).partial_fit(np.zeros((3, 2)))
    assert np.isfinite(model.transform(np.array([[0.0, np.nan]]))).all()


@pytest.mark.parametrize("solver", ["auto", "softimpute", "scaledgd"])
def test_squares_that_underflow(solver):
    X = 1e-200 * data()[0]
    X[::3, 0] = np.nan
    model = skrand.LowRankCompleter(1, solver=solver, random_state=0)
    assert np.isfinite(model.fit(X).transform(X)).all()


def test_an_index_that_no_factor_can_have():
    X = np.array([[0, 0], [1, 10**18]])
    with pytest.raises(ValueError, match="An index of 1000000000000000000"):
        skrand.LowRankEntryRegressor(1).fit(X, [1.0, 2.0])


def test_weights_that_are_all_subnormal():
    with pytest.raises(ValueError, match="sample_weight must have an entry of at least"):
        skrand.LowRankEntryRegressor(1).fit(
            [[0, 0], [1, 1]], [1.0, 2.0], sample_weight=[5e-324, 5e-324]
        )


def test_points_too_far_from_a_mixture_for_numbers():
    X = 1e-150 * data()[0]
    model = skrand.LowRankGaussianMixture(2, random_state=0).fit(X)
    assert np.isfinite(model.predict_proba(1e140 * data()[0])).all()


def test_rows_are_not_sampled_from_squares_that_overflow():
    X, y = data()
    with pytest.raises(ValueError, match="X has an entry of magnitude"):
        sample_rows(1e200 * X, y, m=5)


@pytest.mark.parametrize("p", [1, 1.5])
@pytest.mark.parametrize("weight", [1e-300, 1e300])
def test_weights_whose_roots_have_no_squares(p, weight):
    X, y = data()
    with pytest.raises(ValueError, match="Multiply all weights by one factor"):
        skrand.SketchedRegressor(p=p).fit(X, y, np.full(len(y), weight))


@pytest.mark.parametrize("kind", ["sparse-sign", "countsketch", "gaussian", "rademacher", "srht"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_projection_that_overflows_is_refused(kind, form, dtype):
    X = form(np.full((4, 50), np.finfo(dtype).max))
    model = skrand.SketchTransformer(8, kind=kind, random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"raised to the power of 1 in float.*Divide X"):
        model.transform(X)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_coefficients_of_a_wrapped_model_that_are_not_finite():
    X, y = data()
    model = skrand.SketchedFit(sketch="sample", sketch_size=8, random_state=0)
    # The squares are finite, but not their products, which scikit-learn's Ridge forms.
    with pytest.raises(ValueError, match="Ridge returned coefficients that are not finite"):
        model.fit(sp.csr_array(X * [1e104, 1e130, 1.0, 1e-60]), y)


@pytest.mark.filterwarnings("ignore::skrand.exceptions.RankWarning")
def test_coefficients_whose_squares_overflow():
    X, y = data(5, 30)
    X[:, :15] *= 1e-250
    model = skrand.SketchedRegressor(fit_intercept=False).fit(sp.csr_array(1e-20 * X), y)
    assert np.isfinite(model.coef_).all()
    X, y = data(40, 3)
    model = skrand.SketchedRegressor(solver="pne", random_state=0)
    model.fit(X, y, sample_weight=np.full(40, 5e-324))
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("name", ["MatrixSensingRegressor", "SketchedFit"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_predictions_that_overflow_are_refused(name, form):
    X, y = data()
    params = {"matrix_shape": (2, 2)} if name == "MatrixSensingRegressor" else {}
    model = getattr(skrand, name)(**params).fit(X, 1e3 * y)
    largest = np.finfo(np.float64).max * np.sign(model.coef_)[None]
    with pytest.raises(ValueError, match="Predictions are not finite: X is too large"):
        model.predict(form(largest))


def test_targets_that_float32_does_not_hold():
    X, y = data()
    model = skrand.MatrixSensingRegressor(matrix_shape=(2, 2))
    with pytest.raises(ValueError, match=r"y has an entry of magnitude .* convert it to float64"):
        model.fit(X.astype(np.float32), 1e300 * y)


def test_weights_that_float32_does_not_hold():
    places, y = np.array([[0, 0], [1, 1]]), np.array([0.3, 0.8], dtype=np.float32)
    model = skrand.LowRankEntryRegressor(alpha=0.1, random_state=0)
    with pytest.raises(ValueError, match="sample_weight has an entry of magnitude"):
        model.fit(places, y, sample_weight=[1e124, 1e-166])


def test_a_scatter_whose_fourth_powers_overflow():
    X, _ = data()
    y = np.arange(len(X)) % 3 - 1
    plain, large = (
        skrand.TransductiveFewShot(preprocess=None).fit(scale * X, y) for scale in (1.0, 1e114)
    )
    np.testing.assert_allclose(large.label_distributions_, plain.label_distributions_, rtol=1e-6)


@pytest.mark.parametrize("name", ["alpha-tim", "auto", "tim"])
def test_no_query_at_all(name):
    X, _ = data()
    model = skrand.TransductiveFewShot(solver=name)
    with pytest.warns(UserWarning, match="nothing to transduce"):
        model.fit(X, np.arange(len(X)) % 2)
    assert set(model.transduction_) == {0, 1}


def test_queries_that_are_far_from_a_support_of_one_place():
    rng = np.random.default_rng(0)
    support = 1e9 + rng.standard_normal((5, 30))
    model = skrand.TransductiveFewShot().fit(support, [-1, 0, 1, -1, 0])
    assert np.isfinite(model.transduce(rng.standard_normal((3, 30)))).all()


def test_an_adapter_needs_labels():
    X, _ = data()
    with pytest.raises(ValueError, match="requires y to be passed"):
        skrand.OTAdapter().fit(X, None)


@pytest.mark.parametrize("p", [1.5, 3.0])
def test_powers_of_targets_whose_squares_vanish(p):
    X, y = data()
    plain, small = (skrand.SketchedRegressor(p=p).fit(X, scale * y) for scale in (1.0, 2.0**-1000))
    np.testing.assert_allclose(np.ldexp(small.coef_, 1000), plain.coef_, rtol=1e-9)
