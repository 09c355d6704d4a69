"""The pictures show the numbers that the estimators hold."""

import matplotlib
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from skrand import SinkhornNewtonOT
from skrand.inspection import ConvergenceDisplay, TransportPlanDisplay

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 2)), rng.normal(size=(40, 2)) + 3.0


@pytest.fixture(scope="module")
def model(data):
    X, Y = data
    return SinkhornNewtonOT(0.1, target=Y).fit(X)


@pytest.fixture(autouse=True)
def _closed():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def test_convergence_curve_is_the_history(model):
    display = ConvergenceDisplay.from_estimator(model, color="red")
    np.testing.assert_array_equal(display.line_.get_xdata(), [r["passes"] for r in model.history_])
    np.testing.assert_array_equal(
        display.line_.get_ydata(), [r["residual"] for r in model.history_]
    )
    assert display.line_.get_color() == "red"
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_xlabel() == "passes"


def test_convergence_curves_share_axes(data, model):
    X, Y = data
    first = ConvergenceDisplay.from_estimator(model)
    other = SinkhornNewtonOT(0.1, target=Y, solver="sinkhorn").fit(X)
    second = ConvergenceDisplay.from_estimator(other, ax=first.ax_, work="iteration")
    assert second.figure_ is first.figure_
    labels = [text.get_text() for text in first.ax_.get_legend().get_texts()]
    assert labels == ["auto", "sinkhorn"]


def test_convergence_of_zero_is_drawn():
    history = [{"iteration": 1, "residual": 1.0}, {"iteration": 2, "residual": 0.0}]
    display = ConvergenceDisplay.from_history(history)
    assert (display.line_.get_ydata() > 0).all()
    assert display.ax_.get_xlabel() == "iterations"


def test_convergence_errors(model):
    with pytest.raises(NotFittedError):
        ConvergenceDisplay.from_estimator(SinkhornNewtonOT())
    with pytest.raises(ValueError, match="keeps no history_"):
        ConvergenceDisplay.from_estimator(StandardScaler().fit(np.ones((3, 2))))
    with pytest.raises(ValueError, match=r"entry of the history .*Got 'seconds'"):
        ConvergenceDisplay.from_estimator(model, work="seconds")
    with pytest.raises(ValueError, match="empty"):
        ConvergenceDisplay.from_history([])


@pytest.mark.parametrize("solver", ["auto", "exact"])
def test_lines_are_the_heaviest_pairs(data, solver):
    X, Y = data
    model = SinkhornNewtonOT(0.1, target=Y, solver=solver).fit(X)
    display = TransportPlanDisplay.from_estimator(model, max_lines=20)
    plan = model.plan_
    least = np.sort(plan, axis=None)[-20]
    segments = np.array(display.lines_.get_segments())
    assert len(segments) == 20
    for start, end in segments:
        i = np.flatnonzero((start == X).all(axis=1))
        j = np.flatnonzero((end == Y).all(axis=1))
        assert plan[i, j].item() >= least


def test_matrix(model):
    display = TransportPlanDisplay.from_estimator(model, kind="matrix", cmap="viridis")
    np.testing.assert_array_equal(display.image_.get_array(), model.plan_)
    assert display.image_.get_cmap().name == "viridis"
    assert display.lines_ is None


def test_matrix_is_what_precomputed_costs_have(data):
    C = ((data[0][:, None] - data[1]) ** 2).sum(axis=2)
    model = SinkhornNewtonOT(0.5, metric="precomputed").fit(C)
    assert TransportPlanDisplay.from_estimator(model).image_ is not None
    with pytest.raises(ValueError, match="costs were precomputed"):
        TransportPlanDisplay.from_estimator(model, kind="points")


def test_features_choose_the_axes():
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = SinkhornNewtonOT(1.0, target=X + 1).fit(X)
    assert TransportPlanDisplay.from_estimator(model).image_ is not None
    display = TransportPlanDisplay.from_estimator(model, kind="points", features=(2, 0))
    assert np.array_equal(display.source, X[:, [2, 0]])


def test_plan_errors(model):
    with pytest.raises(ValueError, match="'kind' parameter"):
        TransportPlanDisplay.from_estimator(model, kind="dots")
    with pytest.raises(ValueError, match="'max_lines' parameter"):
        TransportPlanDisplay.from_estimator(model, max_lines=0)
