"""Distances of rows to prototypes, each as a product of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import scipy.linalg
from scipy.special import xlogy

from skrand.fewshot.labels import class_sums
from skrand.fewshot.problem import TransductiveLabelling

__all__ = ["METRICS", "KullbackLeibler", "Mahalanobis", "SquaredEuclidean"]


class SquaredEuclidean:
    """``|x - m|^2``, minus ``x . A + b`` up to ``|x|^2``.

    Parameters
    ----------
    problem : TransductiveLabelling
        Its rows.
    """

    projection: np.ndarray | None = None

    def __init__(self, problem: TransductiveLabelling) -> None:
        self.problem = problem

    def scores(self, M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return A, (n_classes, d), and b, (n_classes,), for prototypes."""
        return 2.0 * M, -np.einsum("ij,ij->i", M, M)

    def constant(self, support_weight: float) -> float:
        """Return what the scores leave out of the sum of distances, rows of the support weighted.

        It depends on the rows alone.
        """
        norms = np.einsum("ij,ij->i", self.problem.X, self.problem.X, dtype=np.float64)
        return float(norms[self.problem.queries].sum()) + support_weight * float(
            norms[self.problem.support].sum()
        )


class KullbackLeibler(SquaredEuclidean):
    """``sum_j x_j log(x_j / m_j)``, for rows that are distributions.

    Raises
    ------
    ValueError
        If a row has a negative entry or a sum that is not 1.
    """

    def __init__(self, problem: TransductiveLabelling) -> None:
        X = problem.X
        if X.size and X.min() < 0:
            raise ValueError(
                "metric='kullback-leibler' takes rows that are distributions, without negative "
                f"entries. Got an entry of {X.min():.3g}; set preprocess=None and give "
                "probabilities."
            )
        off = float(np.abs(X.sum(axis=1, dtype=np.float64) - 1).max(initial=0.0))
        if off > 1e-3:
            raise ValueError(
                "metric='kullback-leibler' takes rows that are distributions, of sum 1. Got a sum "
                f"{off:.3g} away from it; set preprocess=None and give probabilities."
            )
        super().__init__(problem)

    def scores(self, M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return A, (n_classes, d), and b, (n_classes,), for prototypes."""
        return np.log(np.maximum(M, 1e-12)), np.zeros(len(M))

    def constant(self, support_weight: float) -> float:
        """Return the (weighted) sum of ``x log x``."""
        terms = xlogy(self.problem.X, self.problem.X).sum(axis=1, dtype=np.float64)
        return float(terms[self.problem.queries].sum()) + support_weight * float(
            terms[self.problem.support].sum()
        )


class Mahalanobis(SquaredEuclidean):
    """Squared Euclidean after whitening, scaled so that the mean eigenvalue stays what it was.

    The covariance is that within the base classes, or of all rows if there are none, shrunk a tenth
    of the way to a multiple of the identity.
    """

    shrinkage = 0.1

    def __init__(self, problem: TransductiveLabelling) -> None:
        if problem.X_base is None:
            rows = problem.X - problem.X.mean(axis=0)
        else:
            rows = within(problem.X_base, problem.y_base)
        S = (rows.T @ rows).astype(np.float64) / len(rows)
        size = max(float(np.trace(S)) / len(S), np.finfo(np.float64).tiny)
        S = (1 - self.shrinkage) * S + self.shrinkage * size * np.eye(len(S))
        values, vectors = scipy.linalg.eigh(S)
        self.projection = (vectors * np.sqrt(size / values)).astype(problem.X.dtype)
        super().__init__(replace(problem, X=problem.X @ self.projection))


def within(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the rows less the means of their classes."""
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    return X - (class_sums(X, codes, len(counts)) / counts[:, None])[codes]


#: Parameter -> what it means.
METRICS: Mapping[str, type[SquaredEuclidean]] = {
    "sqeuclidean": SquaredEuclidean,
    "kullback-leibler": KullbackLeibler,
    "mahalanobis": Mahalanobis,
}
