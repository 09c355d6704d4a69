"""The row of ``skrand demo`` for this domain's estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler

from skrand._typing import MatrixLike
from skrand.testing import DemoResult, run_demo
from skrand.transport.estimator import SinkhornNewtonOT

__all__ = ["minus_energy_distance", "sinkhorn_newton_ot"]


def minus_energy_distance(transformer: Any, X: MatrixLike, y: Any = None) -> float:
    """Return minus the squared energy distance of transformed data to a standard normal.

    That of Székely and Rizzo: of mean distances alone, with no parameter, and no transport. Its
    estimate is unbiased but for 2000 normal points that are always the same.
    """
    Z = transformer.transform(X)
    normal = np.random.default_rng(0).standard_normal((2000, Z.shape[1]))
    within = [cdist(S, S).sum() / (len(S) * (len(S) - 1)) for S in (Z, normal)]
    return float(sum(within) - 2.0 * cdist(Z, normal).mean())


def sinkhorn_newton_ot() -> DemoResult:
    """Make measurements of tumours jointly normal by transport.

    scikit-learn's transformers do it one feature at a time; what whitening adds to that, both sides
    are free to use.
    """
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X[:, :10], y, random_state=0)
    whiten = ["passthrough", PCA(whiten=True)]

    def search(step: Any, grid: Any) -> Any:
        pipe = Pipeline([("scale", StandardScaler()), ("step", step), ("whiten", "passthrough")])
        grid = [{**part, "whiten": whiten} for part in grid]
        return GridSearchCV(pipe, grid, cv=3, scoring=minus_energy_distance)

    transport = SinkhornNewtonOT(tol=1e-6, random_state=0)
    one_by_one = [
        PowerTransformer(),
        QuantileTransformer(n_quantiles=100, output_distribution="normal"),
    ]
    return run_demo(
        search(transport, [{"step__reg": [0.1, 0.2, 0.4]}]),
        search(PowerTransformer(), [{"step": one_by_one}]),
        (X_train, y_train),
        (X_test, y_test),
        task="make features jointly normal (energy distance)",
        data=f"tumours, {X_train.shape[0]} x {X_train.shape[1]}",
        certified="marginals within {model.marginal_error_:.0e}",
        step=-2,
    )
