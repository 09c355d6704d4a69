"""How a solved problem labels new rows, one by one: the inductive rule that a solver leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import softmax

from skrand.fewshot.graph import DENSE, neighbours
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.spreading import affinity, affinity_scale

__all__ = [
    "LinearRule",
    "MixtureRule",
    "ModelRule",
    "NeighbourRule",
    "Rule",
    "ShiftedRule",
    "SpreadRule",
    "probabilities",
    "prototype_rule",
]


class Rule(Protocol):
    """Maps rows of features to logits, one a class: what ``Solution.extra["rule"]`` holds."""

    def logits(self, X: np.ndarray) -> np.ndarray:
        """Return logits of shape (len(X), n_classes); each row's depend on that row alone."""
        ...


def probabilities(rule: Rule, X: np.ndarray) -> np.ndarray:
    """Return the distributions over classes that a rule gives to rows, in the dtype of `X`."""
    return softmax(rule.logits(X), axis=1).astype(X.dtype, copy=False)


@dataclass(frozen=True, eq=False)
class LinearRule:
    """Logits that are affine in the features, or in the features and their squares.

    Parameters
    ----------
    weights : ndarray of shape (n_classes, n_terms)
        One row a class.
    intercept : ndarray of shape (n_classes,)
        Added to the products.
    projection : ndarray of shape (d, r), optional
        What the features are multiplied by first.
    squares : bool, default=False
        Whether the squares of the (projected) features follow them as further terms.
    """

    weights: np.ndarray
    intercept: np.ndarray
    projection: np.ndarray | None = None
    squares: bool = False

    def logits(self, X: np.ndarray) -> np.ndarray:
        """Return the logits of rows."""
        F = X if self.projection is None else X @ self.projection
        if self.squares:
            F = np.hstack([F, F**2])
        return F @ self.weights.T + self.intercept


@dataclass(frozen=True, eq=False)
class NeighbourRule:
    """A rule, plus `weight` times the mean label of the nearest rows of the solved problem.

    Parameters
    ----------
    rule : LinearRule
        What is added to.
    problem : TransductiveLabelling
        The solved problem, its rows projected as the rule does it.
    Z : ndarray of shape (n, n_classes)
        Their labels.
    n_neighbors : int
        Number of nearest rows.
    weight : float
        Factor on the mean of their labels.
    """

    rule: LinearRule
    problem: TransductiveLabelling
    Z: np.ndarray
    n_neighbors: int
    weight: float

    def logits(self, X: np.ndarray) -> np.ndarray:
        """Return the logits of rows."""
        stored, projection = self.problem.features, self.rule.projection
        rows = X if projection is None else X @ projection
        near = neighbours(stored, rows, min(self.n_neighbors, len(stored)))
        return self.rule.logits(X) + self.weight * self.Z[near].mean(axis=1)


@dataclass(frozen=True, eq=False)
class MixtureRule:
    """The logarithms of a mixture of the distributions that several rules give.

    Parameters
    ----------
    rules : tuple of Rule
        What is mixed.
    shares : tuple of float
        Of sum 1.
    """

    rules: tuple[Any, ...]
    shares: tuple[float, ...]

    def logits(self, X: np.ndarray) -> np.ndarray:
        """Return the logits of rows."""
        parts = [
            share * softmax(rule.logits(X), axis=1)
            for rule, share in zip(self.rules, self.shares, strict=True)
        ]
        total = sum(parts)
        return np.log(np.maximum(total, np.finfo(total.dtype).tiny))


@dataclass(frozen=True, eq=False)
class SpreadRule:
    """The logarithms of the mean of labels spread over a problem's rows, by affinity to a row.

    Parameters
    ----------
    problem : TransductiveLabelling
        The problem whose labels were spread.
    Z : ndarray of shape (n, n_classes)
        These labels.
    n_neighbors : int
        Nearest rows that count, where the labels were spread in a sparse graph.
    offset : ndarray of shape (n_classes,) or float, default=0.0
        Added to the logits.
    """

    problem: TransductiveLabelling
    Z: np.ndarray
    n_neighbors: int
    offset: np.ndarray | float = 0.0

    def logits(self, X: np.ndarray) -> np.ndarray:
        """Return the logits of rows."""
        stored = self.problem.features
        if len(stored) > DENSE:
            F = self.Z[neighbours(stored, X, self.n_neighbors)].mean(axis=1)
        else:
            F = affinity(X, stored, affinity_scale(stored)) @ self.Z
        return np.log(np.maximum(F, np.finfo(F.dtype).tiny)) + self.offset


@dataclass(frozen=True, eq=False)
class ShiftedRule:
    """A rule for rows less a shift."""

    rule: Any
    shift: np.ndarray

    def logits(self, X: np.ndarray) -> np.ndarray:
        """Return the logits of rows."""
        return self.rule.logits(X - self.shift)


@dataclass(frozen=True, eq=False)
class ModelRule:
    """The logarithms of a fitted classifier's probabilities."""

    model: Any

    def logits(self, X: np.ndarray) -> np.ndarray:
        """Return the logits of rows."""
        P = self.model.predict_proba(X)
        return np.log(np.maximum(P, np.finfo(P.dtype).tiny))


def prototype_rule(
    prototypes: np.ndarray, temperature: float, offset: np.ndarray | float = 0.0
) -> LinearRule:
    """Return the rule with logits ``offset - |x - prototype|^2 / temperature``, up to a constant.

    Parameters
    ----------
    prototypes : ndarray of shape (n_classes, d)
        One a class.
    temperature : float
        Positive.
    offset : ndarray of shape (n_classes,) or float, default=0.0
        Added to the logits.
    """
    intercept = offset - (prototypes**2).sum(axis=1) / temperature
    return LinearRule(prototypes * (2.0 / temperature), intercept)
