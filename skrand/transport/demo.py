"""The row of ``skrand demo`` for this domain's estimator."""

from __future__ import annotations

from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skrand.testing import DemoResult, run_demo
from skrand.transport.estimator import SinkhornNewtonOT

__all__ = ["sinkhorn_newton_ot"]


def sinkhorn_newton_ot() -> DemoResult:
    """Make patients' measurements jointly normal by transport, before a linear model.

    scikit-learn's QuantileTransformer does it one feature at a time.
    """
    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    alphas = [1.0, 10.0]
    ours = GridSearchCV(
        make_pipeline(StandardScaler(), SinkhornNewtonOT(random_state=0), Ridge()),
        {
            "sinkhornnewtonot__reg": [2.0, 5.0],
            "sinkhornnewtonot__solver": ["auto", "sinkhorn"],
            "ridge__alpha": alphas,
        },
        cv=3,
    )
    theirs = GridSearchCV(
        make_pipeline(
            StandardScaler(),
            QuantileTransformer(n_quantiles=100, output_distribution="normal"),
            Ridge(),
        ),
        {"ridge__alpha": alphas},
        cv=3,
    )
    return run_demo(
        ours,
        theirs,
        (X_train, y_train),
        (X_test, y_test),
        task="make features normal, then regress",
        data=f"diabetes, {X_train.shape[0]} x {X_train.shape[1]}",
        certified="marginals within {model.marginal_error_:.0e}",
        step=-2,
    )
