"""The rows of ``skrand demo`` for this domain's estimators."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrand.regression.estimator import SketchedRegressor
from skrand.testing import DemoResult, run_demo

__all__ = ["sketched_regressor"]


def sketched_regressor() -> DemoResult:
    """Predict the pixels of handwritten digits from the pixels around them."""
    X, y, test = _neighbourhoods()
    ours = GridSearchCV(
        make_pipeline(StandardScaler(), SketchedRegressor(random_state=0)),
        {"sketchedregressor__solver": ["auto", "sketch"]},
        cv=3,
    )
    theirs = GridSearchCV(
        make_pipeline(StandardScaler(), LinearRegression()),
        {"linearregression__fit_intercept": [True, False]},
        cv=3,
    )
    return run_demo(
        ours,
        theirs,
        (X[~test], y[~test]),
        (X[test], y[test]),
        task="predict a pixel from its 48 neighbours",
        data=f"digits, {(~test).sum()} x {X.shape[1]}",
        certified="backward error {model.backward_error_:.0e}",
    )


def _neighbourhoods() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the 7 x 7 windows around all pixels without their middle, the middles, and a split.

    Images are black beyond their border. The last fifth of the images is for testing.
    """
    images = np.pad(load_digits().images, ((0, 0), (3, 3), (3, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(images, (7, 7), axis=(1, 2))
    pixels = windows.reshape(-1, 49)
    middle = pixels.shape[1] // 2
    test = np.arange(len(pixels)) >= 0.8 * len(pixels)
    return np.delete(pixels, middle, axis=1), pixels[:, middle].copy(), test
