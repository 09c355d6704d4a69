"""SketchedFit and SketchTransformer against the full fit, the explicit matrix and scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.pipeline import make_pipeline

from skrand import SketchedFit, SketchTransformer
from skrand.exceptions import InvalidParameterError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 10)) + 5
    return X, X @ np.r_[np.ones(3), np.zeros(7)] + 40 + rng.standard_normal(20_000)


@pytest.mark.parametrize("sketch", ["sparse-sign", "srht", "sample"])
@pytest.mark.parametrize(
    ("estimator", "loss"),
    [
        (LinearRegression(), "sum"),
        (Ridge(alpha=5000.0), "sum"),
        (Lasso(alpha=0.3), "mean"),
        (ElasticNet(alpha=0.2), "mean"),
    ],
)
def test_near_the_full_fit(data, sketch, estimator, loss):
    X, y = data
    full = estimator.fit(X, y)
    model = SketchedFit(estimator, sketch=sketch, sketch_size=1000, loss=loss, random_state=0)
    model.fit(X, y)
    np.testing.assert_allclose(model.coef_, full.coef_, atol=0.2)
    # The mean prediction is that of the targets: the intercept is right.
    assert model.predict(X).mean() == pytest.approx(full.predict(X).mean(), abs=0.2)


def test_as_many_rows_as_the_data_is_the_full_fit(data):
    X, y = data[0][:50], data[1][:50]
    model = SketchedFit(Ridge(), sketch_size=100).fit(X, y)
    np.testing.assert_allclose(model.predict(X), Ridge().fit(X, y).predict(X))


@pytest.mark.parametrize("kind", ["gaussian", "rademacher", "srht", "countsketch", "sparse-sign"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_transform_is_the_product_with_the_matrix(kind, dtype):
    X = np.random.default_rng(1).standard_normal((30, 200)).astype(dtype)
    transformer = SketchTransformer(20, kind=kind, random_state=0).fit(X)
    expected = X @ transformer.sketch_.dense(200).T
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for data in (X, np.asfortranarray(X), sp.csr_array(X)):
        found = transformer.transform(data)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, atol=tolerance * 20)


def test_automatic_number_of_components():
    X = np.ones((10, 5000))
    assert SketchTransformer("auto", eps=0.5).fit(X).n_components_ == 110
    with pytest.raises(ValueError, match="more than the 50 features there are"):
        SketchTransformer("auto", eps=0.1).fit(X[:, :50])


def test_in_a_pipeline(data):
    X, y = data
    model = make_pipeline(SketchTransformer(8, kind="srht", random_state=0), Ridge()).fit(X, y)
    assert model.score(X, y) > 0.2


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SketchedFit(sketch="foo"), "'sketch' parameter of SketchedFit must be one of"),
        (SketchedFit(sketch_size=0), "'sketch_size' parameter of SketchedFit must be an int"),
        (SketchedFit(sketch_size=0.5), r"'sketch_size' parameter .* range \(1, inf\)"),
        (SketchedFit(loss="median"), "'loss' parameter of SketchedFit must be one of"),
        (SketchTransformer(0), "'n_components' parameter of SketchTransformer"),
        (SketchTransformer(2, kind="foo"), "'kind' parameter of SketchTransformer"),
    ],
)
def test_bad_parameters(data, model, message):
    with pytest.raises(InvalidParameterError, match=message):
        model.fit(*data)
