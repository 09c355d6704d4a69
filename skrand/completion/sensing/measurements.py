"""Linear measurements of a matrix that are products of two vectors, never stored as matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator
from sklearn.utils import check_array

__all__ = ["RankOneMeasurements"]


class RankOneMeasurements(LinearOperator):
    """Measurements ``left_i^T M right_i`` of a matrix M, one for each row of two arrays.

    A linear operator on the entries of M in row order that stores ``n (d1 + d2)`` numbers instead
    of ``n d1 d2``. Rows can be selected, so it can be split for cross-validation.

    Parameters
    ----------
    left : array-like of shape (n_measurements, d1)
        Left vectors. float32 stays float32.
    right : array-like of shape (n_measurements, d2)
        Right vectors.

    Raises
    ------
    ValueError
        If the arrays differ in length, or are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.completion.sensing import RankOneMeasurements
    >>> A = RankOneMeasurements([[1.0, 0.0], [1.0, 1.0]], [[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    >>> A @ np.arange(6.0)
    array([ 1., 15.])
    """

    def __init__(self, left: Any, right: Any) -> None:
        numbers = [np.float64, np.float32]
        self.left = check_array(left, dtype=numbers, input_name="left")
        self.right = check_array(right, dtype=numbers, input_name="right")
        if len(self.left) != len(self.right):
            raise ValueError(
                "left and right must have as many rows as each other. Got "
                f"{len(self.left)} and {len(self.right)}."
            )
        self.matrix_shape = self.left.shape[1], self.right.shape[1]
        size = self.matrix_shape[0] * self.matrix_shape[1]
        super().__init__(np.result_type(self.left, self.right), (len(self.left), size))

    def __getitem__(self, rows: Any) -> RankOneMeasurements:
        """Select measurements."""
        rows = rows[0] if isinstance(rows, tuple) else rows
        return RankOneMeasurements(self.left[rows], self.right[rows])

    def products(self, F: np.ndarray, G: np.ndarray) -> np.ndarray:
        """Measure ``F G^T`` without forming it: 2 n k (d1 + d2) flops for k columns."""
        return np.einsum("ik,ik->i", self.left @ F, self.right @ G)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        M = x.reshape(self.matrix_shape)
        return np.einsum("ij,ij->i", self.left @ M, self.right)

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return (self.left.T @ (x.reshape(-1, 1) * self.right)).ravel()
