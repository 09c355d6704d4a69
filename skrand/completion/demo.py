"""The rows of ``skrand demo`` for this domain's estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skrand.completion.entries import LowRankEntryRegressor
from skrand.completion.estimator import LowRankCompleter
from skrand.testing import DemoResult, run_demo

__all__ = ["low_rank_completer", "low_rank_entry_regressor"]


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


def low_rank_entry_regressor() -> DemoResult:
    """Predict measurements of tumours from a few others, as pairs of a sample and a feature.

    The baseline knows biases alone: ridge regression on indicators of samples and features.
    """
    table = StandardScaler().fit_transform(load_breast_cancer().data)
    places = np.random.default_rng(0).permutation(np.argwhere(np.isfinite(table)))
    values = table[tuple(places.T)]
    ours = GridSearchCV(
        make_pipeline(
            FunctionTransformer(),
            LowRankEntryRegressor(alpha=1.0, shape=table.shape, random_state=0),
        ),
        {"lowrankentryregressor__rank": [2, 4, 6]},
        cv=3,
    )
    theirs = GridSearchCV(
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()),
        {"ridge__alpha": [1.0, 10.0]},
        cv=3,
    )
    return run_demo(
        ours,
        theirs,
        (places[:8000], values[:8000]),
        (places[8000:], values[8000:]),
        task="entries of a table from others",
        data=f"breast cancer, 8000 of {len(values)} entries",
        certified="relative gradient {model.stationarity_:.0e}",
    )
