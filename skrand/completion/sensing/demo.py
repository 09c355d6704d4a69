"""The row of ``skrand demo`` for matrix sensing."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skrand.completion.sensing.estimator import MatrixSensingRegressor
from skrand.testing import DemoResult, run_demo

__all__ = ["matrix_sensing_regressor"]


def matrix_sensing_regressor() -> DemoResult:
    """Predict the variance of tumour measurements along new directions from that along some.

    The variance along a is the inner product of ``a a^T`` with the covariance matrix, which is
    nearly of low rank: the sketching of covariances.
    """
    data = load_breast_cancer().data
    data = (data - data.mean(axis=0)) / data.std(axis=0)
    directions = np.random.default_rng(0).standard_normal((600, data.shape[1]))
    X = np.einsum("ni,nj->nij", directions, directions).reshape(600, -1)
    y = (data @ directions.T).var(axis=0)
    side = data.shape[1]
    sensing = MatrixSensingRegressor(
        matrix_shape=(side, side), parameterization="symmetric", random_state=0
    )
    ours = GridSearchCV(
        make_pipeline(FunctionTransformer(), sensing),
        {"matrixsensingregressor__rank": [2, 4, 6], "matrixsensingregressor__tol": [1e-6]},
        cv=3,
    )
    theirs = GridSearchCV(
        make_pipeline(FunctionTransformer(), Ridge()), {"ridge__alpha": [0.1, 1.0, 10.0]}, cv=3
    )
    return run_demo(
        ours,
        theirs,
        (X[:300], y[:300]),
        (X[300:], y[300:]),
        task="variance along new directions",
        data=f"breast cancer, 300 directions in {side} features",
        certified="gradient {model.gradient_norm_:.0e} of that at zero",
    )
