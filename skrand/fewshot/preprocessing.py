"""Rows as few-shot methods want them: centred, of unit length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Preprocessing", "fit_preprocessing"]


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What is done to rows, with all that was learnt for it.

    Parameters
    ----------
    power : bool
        Whether the signed square root is taken first.
    center : ndarray of shape (d,), optional
        What is subtracted from queries and new rows; None leaves rows as they are.
    support_center : ndarray of shape (d,), optional
        What is subtracted from the support.
    """

    power: bool = False
    center: np.ndarray | None = None
    support_center: np.ndarray | None = None

    def __call__(self, X: np.ndarray, support: np.ndarray | None = None) -> np.ndarray:
        """Return rows of unit length, those of zero as they are; `support` marks labelled ones."""
        if self.center is None:
            return X
        center = self.center
        if support is not None and self.support_center is not self.center:
            center = np.where(support[:, None], self.support_center, center)
        rows = powered(X) - center if self.power else X - center
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        # What is left of a row that equals the center is rounding, not a direction.
        norms[norms <= 1e-6 * np.abs(X).max(axis=1, initial=0.0)] = np.inf
        rows /= norms[:, None].astype(X.dtype, copy=False)
        return rows


def powered(X: np.ndarray) -> np.ndarray:
    """Return the signed square root: makes the skewed features of ReLU layers more symmetric."""
    return np.sign(X) * np.sqrt(np.abs(X))


def fit_preprocessing(
    X: np.ndarray,
    support: np.ndarray,
    base: np.ndarray | None,
    preprocess: str | None,
    center: str,
) -> Preprocessing:
    """Learn the centers.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Support and queries.
    support : ndarray of bool of shape (n,)
        Which rows are labelled.
    base : ndarray of shape (n_base, d) or None
        Rows of other classes.
    preprocess, center
        Parameters of :class:`skrand.TransductiveFewShot`.
    """
    if preprocess is None:
        return Preprocessing()
    power = preprocess == "power-cl2"

    def mean(rows: np.ndarray) -> np.ndarray:
        rows = powered(rows) if power else rows
        return rows.mean(axis=0, dtype=np.float64).astype(X.dtype)

    if center == "base":
        whole = mean(base)
    elif center == "separate" and not support.all():
        return Preprocessing(power, mean(X[~support]), mean(X[support]))
    else:
        whole = mean(X)
    return Preprocessing(power, whole, whole)
