"""Which rows have a label, and what rows of the same label add up to."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["class_sums", "unlabelled"]

#: Up to this size a matrix of who is in which class is dense: making a sparse one takes longer.
_DENSE = 2**12


def class_sums(X: np.ndarray, codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the sums of the rows of each class, (n_classes, d) float64.

    ``numpy.add.at`` adds the same numbers in the same order, forty times slower.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    codes : ndarray of int of shape (n,)
        Their classes, from 0 to ``n_classes - 1``.
    n_classes : int
        Number of classes.
    """
    n = len(codes)
    if n * n_classes <= _DENSE:
        return (codes == np.arange(n_classes)[:, None]).astype(np.float64) @ X
    member = sp.csc_array((np.ones(n), codes, np.arange(n + 1)), shape=(n_classes, n))
    return member @ X


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
