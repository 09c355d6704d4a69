"""The row of ``skrand demo`` for this domain's imputer."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skrand.completion.estimator import LowRankCompleter
from skrand.testing import DemoResult, run_demo

__all__ = ["low_rank_completer"]


def low_rank_completer() -> DemoResult:
    """Classify digits of which half the pixels are missing.

    scikit-learn's SimpleImputer fills in means; its KNNImputer does better than either here.
    """
    X, y = load_digits(return_X_y=True)
    X = np.where(np.random.default_rng(0).uniform(size=X.shape) < 0.5, np.nan, X)
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=600, random_state=0)

    def search(imputer: Any, grid: Any) -> Any:
        classifier = LogisticRegression(C=0.05, max_iter=1000)
        return GridSearchCV(make_pipeline(StandardScaler(), imputer, classifier), grid, cv=3)

    return run_demo(
        search(
            LowRankCompleter(alpha=3.0, tol=1e-4, keep_empty_features=True, random_state=0),
            {"lowrankcompleter__rank": [5, 10]},
        ),
        search(SimpleImputer(keep_empty_features=True), {"simpleimputer__strategy": ["mean"]}),
        (X_train, y_train),
        (X_test, y_test),
        task="fill in, then classify",
        data=f"digits, half missing, {X_train.shape[0]} x {X_train.shape[1]}",
        certified="relative gradient {model.stationarity_:.0e}",
        step=-2,
    )
