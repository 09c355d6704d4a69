"""The row of ``skrand demo`` for each feature map."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skrand.testing import DemoResult

__all__ = ["bandlimited"]


def bandlimited() -> DemoResult:
    """Learn a photograph from 70 % of its pixels, beside random Fourier features."""
    import numpy as np
    from sklearn.datasets import load_sample_image
    from sklearn.kernel_approximation import RBFSampler
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skrand import SketchedRegressor
    from skrand.testing import run_demo
    from skrand_features import BandlimitedFeatures

    # The brightness of a photograph as a function of the place: a surface with sharp edges.
    image = load_sample_image("flower.jpg")[::8, ::8].mean(axis=2)
    X = np.argwhere(np.isfinite(image)).astype(np.float64)
    y = image.ravel()
    test = np.random.default_rng(0).random(len(y)) < 0.3
    alphas = [1e-2, 1.0]
    ours = GridSearchCV(
        make_pipeline(
            StandardScaler(),
            BandlimitedFeatures(300, random_state=0),
            SketchedRegressor(random_state=0),
        ),
        {
            "bandlimitedfeatures__bandwidth": [3.0, 10.0, 30.0],
            "sketchedregressor__alpha": alphas,
            "sketchedregressor__solver": ["chol", "sap"],
        },
        cv=3,
    )
    theirs = GridSearchCV(
        make_pipeline(StandardScaler(), RBFSampler(n_components=300, random_state=0), Ridge()),
        {"ridge__alpha": alphas, "rbfsampler__gamma": [1.0, 10.0, 100.0]},
        cv=3,
    )
    return run_demo(
        ours,
        theirs,
        (X[~test], y[~test]),
        (X[test], y[test]),
        task="learn a picture from 70 % of its pixels",
        data=f"flower.jpg, {(~test).sum()} x 2",
        certified="read-out backward error {model.backward_error_:.0e}",
    )
