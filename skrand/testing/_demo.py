"""Tuning an estimator and a scikit-learn baseline by one rule, for a row of ``skrand demo``."""

from __future__ import annotations

import statistics
import time
from typing import Any

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skrand.testing._results import DemoResult

__all__ = ["run_demo"]

_REPEATS = 3


def run_demo(
    ours: GridSearchCV,
    baseline: GridSearchCV,
    train: tuple[Any, Any],
    test: tuple[Any, Any],
    *,
    task: str,
    data: str,
    certified: str,
    step: int = -1,
) -> DemoResult:
    """Search both grids on the training data, and score and time the winners.

    Parameters
    ----------
    ours, baseline : GridSearchCV
        Searches over Pipelines with scikit-learn's baseline at the same place as our estimator.
        Their `scoring` is that of the row.
    train, test : tuple of (X, y)
        What is searched on, and what the winners are scored on.
    task, data : str
        Words for the row.
    certified : str
        A format with our fitted estimator as ``model``, such as
        ``"backward error {model.backward_error_:.0e}"``.
    step : int, default=-1
        Where in the Pipelines our estimator is, counted from the end.

    Returns
    -------
    DemoResult
        Whose time ratio is that of the two steps alone, fitted on what the steps before make of the
        training data, in CPU time, in turn.
    """
    winners = [search.fit(*train).best_estimator_ for search in (ours, baseline)]
    chosen = winners[0][step]
    scores = [search.score(*test) for search in (ours, baseline)]
    times: list[list[float]] = [[], []]
    inputs = [winner[:step].transform(train[0]) for winner in winners]
    for _ in range(_REPEATS):
        for winner, X, seconds in zip(winners, inputs, times, strict=True):
            candidate = clone(winner[step])
            start = time.process_time()
            candidate.fit(X, train[1])
            seconds.append(time.process_time() - start)
    mine, theirs = map(statistics.median, times)
    return DemoResult(
        task=task,
        data=data,
        solver=chosen.solver_,
        score=scores[0],
        baseline=type(winners[1][step]).__name__,
        baseline_score=scores[1],
        time_ratio=theirs / mine,
        certified=certified.format(model=chosen),
    )
