"""The row of ``skrand demo`` for each feature map."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skrand.testing import DemoResult

__all__ = ["bandlimited", "state_space"]


def bandlimited() -> DemoResult:
    """Predict pixels of digits from their neighbours, beside random Fourier features."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.kernel_approximation import RBFSampler
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skrand import SketchedRegressor
    from skrand.testing import run_demo
    from skrand_features import BandlimitedFeatures

    images = load_digits().images
    windows = np.lib.stride_tricks.sliding_window_view(images, (5, 5), axis=(1, 2))[:, ::3, ::3]
    pixels = windows.reshape(-1, 25)
    X, y = np.delete(pixels, 12, axis=1), pixels[:, 12].copy()
    test = np.arange(len(y)) >= 0.8 * len(y)
    alphas = [1.0, 10.0]
    ours = GridSearchCV(
        make_pipeline(
            StandardScaler(),
            BandlimitedFeatures(300, random_state=0),
            SketchedRegressor(random_state=0),
        ),
        {
            "bandlimitedfeatures__bandwidth": [0.1, 0.3, 1.0],
            "sketchedregressor__alpha": alphas,
            "sketchedregressor__solver": ["auto", "sketch"],
        },
        cv=3,
    )
    theirs = GridSearchCV(
        make_pipeline(StandardScaler(), RBFSampler(n_components=300, random_state=0), Ridge()),
        {"ridge__alpha": alphas, "rbfsampler__gamma": [0.001, 0.01, 0.1]},
        cv=3,
    )
    return run_demo(
        ours,
        theirs,
        (X[~test], y[~test]),
        (X[test], y[test]),
        task="predict a pixel from its 24 neighbours",
        data=f"digits, {(~test).sum()} x {X.shape[1]}",
        certified="read-out backward error {model.backward_error_:.0e}",
    )


def state_space() -> DemoResult:
    """Continue columns of digits, one after another, beside as many principal components."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skrand import SketchedRegressor
    from skrand.testing import run_demo
    from skrand_features import PTDStateSpaceFeatures

    past, future = 128, 8
    series = load_digits().images.transpose(0, 2, 1).ravel()
    windows = np.lib.stride_tricks.sliding_window_view(series, past + future)[::24]
    cut = int(0.8 * len(windows))
    train, test = ((part[:, :past], part[:, past:]) for part in (windows[:cut], windows[cut:]))
    alphas = [1.0, 100.0]
    ours = GridSearchCV(
        make_pipeline(
            PTDStateSpaceFeatures(random_state=0),
            StandardScaler(),
            SketchedRegressor(random_state=0),
        ),
        {
            "ptdstatespacefeatures__order": [8, 16],
            "ptdstatespacefeatures__timescales": [(8,), (64,)],
            "sketchedregressor__alpha": alphas,
        },
        cv=3,
    )
    theirs = GridSearchCV(
        make_pipeline(PCA(svd_solver="covariance_eigh"), StandardScaler(), Ridge()),
        {"pca__n_components": [16, 32], "ridge__alpha": alphas},
        cv=3,
    )
    return run_demo(
        ours,
        theirs,
        train,
        test,
        task=f"continue columns of digits by {future} pixels",
        data=f"digits, {len(train[0])} x {past}",
        certified="read-out backward error {model.backward_error_:.0e}",
    )
