"""The rows of ``skrand demo`` for this domain's estimators."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrand.regression.estimator import SketchedRegressor
from skrand.testing import DemoResult, run_demo

__all__ = ["sketched_regressor"]

_RADIUS = 2


def sketched_regressor() -> DemoResult:
    """Predict the green of a photograph's pixels from the red and blue around them."""
    X, y = _neighbourhoods(load_sample_image("china.jpg"))
    test = np.arange(len(y)) % 5 == 0
    ours = GridSearchCV(
        make_pipeline(StandardScaler(copy=False), SketchedRegressor(random_state=0)),
        {"sketchedregressor__solver": ["chol", "sap", "sketch"]},
        cv=3,
    )
    theirs = GridSearchCV(
        make_pipeline(StandardScaler(copy=False), LinearRegression()),
        {"linearregression__fit_intercept": [True, False]},
        cv=3,
    )
    return run_demo(
        ours,
        theirs,
        (X[~test], y[~test]),
        (X[test], y[test]),
        task="predict a pixel from its neighbours",
        data=f"china.jpg, {(~test).sum()} x {X.shape[1]}",
        certified="backward error {model.backward_error_:.0e}",
    )


def _neighbourhoods(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the red and blue of the pixels around each pixel, and its green; every second row."""
    side = 2 * _RADIUS + 1
    windows = np.lib.stride_tricks.sliding_window_view(
        image[..., [0, 2]].astype(np.float64), (side, side), axis=(0, 1)
    )[::2]
    y = image[_RADIUS:-_RADIUS:2, _RADIUS:-_RADIUS, 1].astype(np.float64)
    return windows.reshape(y.size, -1), y.ravel()
