"""Which rows have a label."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["unlabelled"]


def unlabelled(y: np.ndarray, mark: Any) -> np.ndarray:
    """Return which entries of `y` are the mark of a row without a label.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Labels.
    mark : object
        -1, as in :mod:`sklearn.semi_supervised`, or a string or None among labels that are not
        numbers.

    Returns
    -------
    mask : ndarray of bool of shape (n,)

    Raises
    ------
    ValueError
        If the mark is a number that NumPy has turned into a string among string labels.
    """
    if y.dtype.kind == "O":
        return np.array([v is mark or (type(v) is not bool and v == mark) for v in y], dtype=bool)
    if y.dtype.kind in "US":
        if isinstance(mark, str):
            return y == mark
        if (y == str(mark)).any():
            raise ValueError(
                f"y holds strings, among them {str(mark)!r}, while rows without a label are marked "
                f"by the {type(mark).__name__} {mark!r}. Give y as an array of dtype object, or "
                f"set unlabeled={str(mark)!r}."
            )
        return np.zeros(len(y), dtype=bool)
    if mark is None or isinstance(mark, str):
        return np.zeros(len(y), dtype=bool)
    return y == mark
