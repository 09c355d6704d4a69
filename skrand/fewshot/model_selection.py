"""Cross-validation where most rows have no label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, check_cv

from skrand._typing import MatrixLike
from skrand.fewshot.labels import unlabelled

__all__ = ["TransductiveSplit"]


class TransductiveSplit(BaseCrossValidator):
    """Split the labelled rows; keep every unlabelled row in each training fold.

    A plain splitter would put unlabelled rows into test folds and score predictions against the
    mark that says that there is no label.

    Parameters
    ----------
    cv : int, splitter or iterable, default=5
        How labelled rows are split, as :func:`sklearn.model_selection.check_cv` takes it; an int
        is a stratified split, so that each training fold has every class.
    unlabeled : object, default=-1
        What marks a row without a label.

    Notes
    -----
    Test rows are not among the queries of the training fold: what is scored is the inductive rule.
    They cannot be, as scikit-learn hands the labels of a training fold's rows to `fit`: test rows
    would be labelled by their own labels. :func:`skrand.fewshot.evaluate_episodes`, which hides
    them, scores `transduction_`.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveSplit
    >>> y = np.array([0, 1, -1, 0, 1, -1])
    >>> for train, test in TransductiveSplit(2).split(np.zeros((6, 1)), y):
    ...     print(train, test)
    [2 3 4 5] [0 1]
    [0 1 2 5] [3 4]
    """

    def __init__(self, cv: Any = 5, *, unlabeled: Any = -1) -> None:
        self.cv = cv
        self.unlabeled = unlabeled

    def split(self, X: MatrixLike, y: Any = None, groups: Any = None) -> Iterator[Any]:
        """Yield positions of training and test rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows; not looked at.
        y : array-like of shape (n_samples,)
            Labels, some of them `unlabeled`.
        groups : array-like of shape (n_samples,), default=None
            Handed to the splitter of the labelled rows.

        Yields
        ------
        train : ndarray of int
            Labelled rows of the training folds, and all unlabelled ones.
        test : ndarray of int
            Labelled rows.

        Raises
        ------
        ValueError
            If no row has a label, or a class is missing from a training fold.
        """
        y, known, hidden, groups = self._parts(y, groups)
        classes = np.unique(y[known])
        cv = check_cv(self.cv, y[known], classifier=True)
        for train, test in cv.split(np.zeros((len(known), 1)), y[known], groups):
            missing = np.setdiff1d(classes, y[known[train]])
            if len(missing):
                raise ValueError(
                    f"A training fold has no label of class {missing[0]}. Give each class at "
                    "least as many labels as there are folds, or fewer folds."
                )
            yield np.sort(np.concatenate([known[train], hidden])), known[test]

    def get_n_splits(self, X: MatrixLike = None, y: Any = None, groups: Any = None) -> Any:
        """Return the number of folds."""
        if isinstance(self.cv, (int, np.integer)):
            return int(self.cv)
        _, known, _, groups = self._parts(y, groups)
        cv = check_cv(self.cv, None if y is None else np.asarray(y)[known], classifier=True)
        return cv.get_n_splits(np.zeros((len(known), 1)), np.asarray(y)[known], groups)

    def _parts(self, y: Any, groups: Any) -> tuple[Any, ...]:
        if y is None:
            raise ValueError("TransductiveSplit needs y: it tells which rows have labels.")
        y = np.asarray(y)
        mask = unlabelled(y, self.unlabeled)
        if mask.all():
            raise ValueError(f"No row has a label: all of y is {self.unlabeled!r}.")
        known, hidden = np.flatnonzero(~mask), np.flatnonzero(mask)
        return y, known, hidden, None if groups is None else np.asarray(groups)[known]
