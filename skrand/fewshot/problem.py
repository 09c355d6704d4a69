"""The task ``transductive-labelling``: what it asks, instances to try, how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from skrand.base import Instance, Problem, Solution, Task
from skrand.fewshot.graph import Graph, neighbour_graph
from skrand.fewshot.labels import class_sums
from skrand.fewshot.spreading import spread_labels

__all__ = ["TransductiveLabelling", "TransductiveLabellingTask"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TransductiveLabelling(Problem):
    """Label all rows of X, given the labels of a few: the support. The other rows are the queries.

    The answer is a matrix of shape (n, n_classes) whose rows are distributions over the classes;
    those of the support are their labels. `extra` of a solution has to hold ``"rule"``, an
    object whose ``logits(X)`` has a row for each of X and a column for each class: how rows that
    come later are labelled.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Features of support and queries, float32 or float64, finite.
    y : ndarray of int of shape (n,)
        Class of a row, from 0 to ``n_classes - 1``; -1 marks a query. Every class has a row.
    n_classes : int
        Number of classes.
    X_base : ndarray of shape (n_base, d), optional
        Rows of other classes, for solvers that learn from them how classes differ.
    y_base : ndarray of int of shape (n_base,), optional
        Their classes.
    """

    task = "transductive-labelling"

    X: np.ndarray
    y: np.ndarray
    n_classes: int
    X_base: np.ndarray | None = None
    y_base: np.ndarray | None = None
    _graphs: dict[int, Graph] = field(default_factory=dict, init=False, repr=False)
    _spread: dict[int, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check that there are classes, that each has a labelled row, and that there are no others.

        Kernels take this for granted.
        """
        if self.n_classes < 2:
            raise ValueError(
                f"Labelling needs at least 2 classes. Got {self.n_classes} class among the labels."
            )
        if self.y.min() < -1 or self.y.max() >= self.n_classes:
            raise ValueError(
                f"y must hold classes from 0 to {self.n_classes - 1}, and -1 for queries. Got "
                f"{self.y.min()} to {self.y.max()}."
            )
        without = np.flatnonzero(self.shots == 0)
        if len(without):
            raise ValueError(
                "Every class needs a labelled row. Without one: class "
                f"{', '.join(map(str, without[:5]))}{' ...' if len(without) > 5 else ''} of "
                f"{self.n_classes}."
            )

    def graph(self, k: int) -> Graph:
        """Return the graph of `k` nearest neighbours, at most all other rows; made once."""
        k = min(k, len(self.X) - 1)
        if k not in self._graphs:
            self._graphs[k] = neighbour_graph(self.features, k)
        return self._graphs[k]

    def spread(self, k: int) -> np.ndarray:
        """Return labels spread from the support, in the graph of `k` if rows are many; made once.

        See ``skrand.fewshot.spreading.spread_labels``.
        """
        if k not in self._spread:
            self._spread[k] = spread_labels(self, k)
        return self._spread[k]

    @cached_property
    def labels(self) -> np.ndarray:
        """The classes as the kernels take them: int32, contiguous."""
        return np.ascontiguousarray(self.y, dtype=np.int32)

    @cached_property
    def features(self) -> np.ndarray:
        """X in C order."""
        return np.ascontiguousarray(self.X)

    @cached_property
    def support(self) -> np.ndarray:
        """Positions of the labelled rows."""
        return np.flatnonzero(self.y >= 0)

    @cached_property
    def queries(self) -> np.ndarray:
        """Positions of the rows to label."""
        return np.flatnonzero(self.y < 0)

    @cached_property
    def shots(self) -> np.ndarray:
        """Labelled rows of each class, (n_classes,)."""
        return np.bincount(self.y[self.support], minlength=self.n_classes)

    @cached_property
    def support_sums(self) -> np.ndarray:
        """Sums of each class's labelled rows, (n_classes, d) float64."""
        return class_sums(self.X[self.support], self.y[self.support], self.n_classes)

    @cached_property
    def means(self) -> np.ndarray:
        """Mean of each class's labelled rows, (n_classes, d) float64."""
        return self.support_sums / self.shots[:, None]

    def one_hot(self) -> np.ndarray:
        """Return a labelling that is right on the support and zero elsewhere."""
        Z = np.zeros((len(self.y), self.n_classes), dtype=self.X.dtype)
        Z[self.support, self.y[self.support]] = 1.0
        return Z

    def complete(self, query_labels: np.ndarray) -> np.ndarray:
        """Return the labelling of all rows, given that of the queries."""
        Z = self.one_hot()
        Z[self.queries] = query_labels
        return Z


class TransductiveLabellingTask(Task):
    """Label a batch of rows together, from a few labelled rows of each class."""

    name = "transductive-labelling"
    problem = TransductiveLabelling

    #: Classes, queries of each, features.
    _SIZES = {
        "tiny": (4, 12, 8),
        "small": (5, 100, 64),
        "medium": (20, 1000, 64),
        "large": (100, 1000, 64),
    }

    def instances(self, size: str = "tiny", seed: int = 0) -> Iterator[Instance]:
        """Yield separated classes: one shot, five shots, uneven ones, float32, base classes."""
        n_classes, n_queries, d = self._SIZES[size]
        rng = np.random.default_rng(seed)
        centres = rng.standard_normal((2 * n_classes, d))
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)

        def rows(classes: np.ndarray) -> np.ndarray:
            return centres[classes] + 0.15 * rng.standard_normal((len(classes), d)) / np.sqrt(d)

        def problem(shots: np.ndarray, **more: Any) -> TransductiveLabelling:
            support = np.repeat(np.arange(n_classes), shots)
            truth = np.concatenate([support, np.repeat(np.arange(n_classes), n_queries)])
            y = np.concatenate([support, np.full(n_classes * n_queries, -1)])
            order = rng.permutation(len(y))
            return TransductiveLabelling(
                X=rows(truth)[order], y=y[order], n_classes=n_classes, **more
            )

        yield Instance("one-shot", problem(np.full(n_classes, 1)))
        yield Instance("five-shot", problem(np.full(n_classes, 5)))
        yield Instance("uneven-shots", problem(1 + np.arange(n_classes) % 4))
        y_base = np.repeat(np.arange(n_classes), 10)
        base = problem(np.full(n_classes, 2), X_base=rows(y_base + n_classes), y_base=y_base)
        yield Instance("base-classes", base)
        single = problem(np.full(n_classes, 2))
        single = TransductiveLabelling(
            X=single.X.astype(np.float32), y=single.y, n_classes=n_classes
        )
        yield Instance("float32", single, frozenset({"float32"}))

    def reference(self, problem: TransductiveLabelling) -> Solution:
        """Label every query by the nearest mean of the support, in plain NumPy."""
        means = np.stack([problem.X[problem.y == c].mean(axis=0) for c in range(problem.n_classes)])
        nearest = ((problem.X[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        label = np.where(problem.y >= 0, problem.y, nearest)
        Z = np.eye(problem.n_classes, dtype=problem.X.dtype)[label]
        return Solution(x=Z, converged=True, residual=0.0, solver="nearest-mean")

    def measure(
        self, problem: TransductiveLabelling, solution: Solution, reference: Solution
    ) -> dict[str, float]:
        """Measure how far rows are from distributions, and labels from the reference's.

        The reference is right where classes are as far apart as they are in the instances.
        """
        Z = np.asarray(solution.x, dtype=np.float64)
        support = problem.one_hot()[problem.support]
        return {
            "row_error": float(max(np.abs(Z.sum(axis=1) - 1).max(), -Z.min(), 0.0)),
            "support_error": float(np.abs(Z[problem.support] - support).max()),
            "disagreement": float(np.mean(Z.argmax(axis=1) != reference.x.argmax(axis=1))),
        }

    def objection(
        self, problem: TransductiveLabelling, solution: Solution, reference: Solution
    ) -> str | None:
        """Check that rows are distributions, the support is kept and its classes are found."""
        if solution.x.shape != (len(problem.y), problem.n_classes):
            return f"the labelling has shape {solution.x.shape}"
        if solution.x.dtype != problem.X.dtype:
            return f"the labelling is {solution.x.dtype}, the features are {problem.X.dtype}"
        figures = self.measure(problem, solution, reference)
        if figures["row_error"] > 1e-5:
            return f"rows are {figures['row_error']:.1e} away from distributions"
        if figures["support_error"] > 0:
            return f"labels of the support were changed by {figures['support_error']:.1e}"
        if figures["disagreement"] > 0.02:
            return f"{figures['disagreement']:.0%} of the labels differ from the nearest mean's"
        return None

    def peers(self) -> dict[str, Callable[[TransductiveLabelling], np.ndarray]]:
        """scikit-learn's LabelSpreading and LabelPropagation."""
        return {"LabelSpreading": _label_spreading, "LabelPropagation": _label_propagation}


def _label_spreading(problem: TransductiveLabelling) -> np.ndarray:
    from sklearn.semi_supervised import LabelSpreading

    model = LabelSpreading("knn", n_neighbors=min(7, len(problem.y) - 1))
    return model.fit(problem.X, problem.y).label_distributions_


def _label_propagation(problem: TransductiveLabelling) -> np.ndarray:
    from sklearn.semi_supervised import LabelPropagation

    model = LabelPropagation("knn", n_neighbors=min(7, len(problem.y) - 1))
    return model.fit(problem.X, problem.y).label_distributions_
