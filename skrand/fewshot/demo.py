"""The row of ``skrand demo`` for this domain's estimator."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import LabelSpreading

from skrand.fewshot.estimator import TransductiveFewShot
from skrand.fewshot.model_selection import TransductiveSplit
from skrand.testing import DemoResult, run_demo

__all__ = ["transductive_few_shot"]


def transductive_few_shot() -> DemoResult:
    """Label handwritten digits from five of each, beside scikit-learn's LabelSpreading."""
    X, digit = load_digits(return_X_y=True)
    X, rng = X / 16, np.random.default_rng(0)
    y = np.full(len(digit), -1)
    for c in range(10):
        y[rng.permutation(np.flatnonzero(digit == c))[:5]] = c
    hidden = y == -1
    cv = TransductiveSplit(5)
    ours = GridSearchCV(
        make_pipeline(FunctionTransformer(), TransductiveFewShot()),
        [
            {"transductivefewshot__solver": ["auto", "prototype"]},
            {
                "transductivefewshot__solver": ["clustering"],
                "transductivefewshot__class_prior": ["free", "balanced"],
                "transductivefewshot__laplacian": [0.7, 2.0],
                "transductivefewshot__temperature": ["auto", 1.0],
            },
        ],
        cv=cv,
    )
    theirs = GridSearchCV(
        make_pipeline(FunctionTransformer(), LabelSpreading("rbf")),
        {"labelspreading__gamma": [0.5, 1.0, 2.0, 4.0], "labelspreading__alpha": [0.2, 0.8]},
        cv=cv,
    )
    return run_demo(
        ours,
        theirs,
        (X, y),
        (X[hidden], digit[hidden]),
        task="label a batch from five labels a class",
        data=f"digits, {X.shape[0]} x {X.shape[1]}",
        certified="objective never rose in {model.n_iter_} iterations",
    )
