"""scikit-learn's LabelSpreading, as a solver."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelSpreading

from skrand._validation import check_integer, check_option, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import ModelRule
from skrand.linalg.threads import single_threaded_blas

__all__ = ["Spreading"]


class Spreading(Solver):
    """Labels spread along a graph by scikit-learn's LabelSpreading, given labels kept.

    Cost: with kernel "rbf" ``O(n^2 d)`` flops and n x n memory, then ``2 n^2 k`` an iteration;
    with "knn" the search, then ``2 n n_neighbors k`` an iteration.

    Parameters
    ----------
    kernel : {"knn", "rbf"}, default="rbf"
        What edges weigh.
    gamma : float, default=4.0
        Of kernel "rbf", for rows of unit length.
    n_neighbors : int, default=7
        Of kernel "knn".
    alpha : float, default=0.2
        How much of its label a row takes from its neighbours, between 0 and 1. The default is
        scikit-learn's. With a few labels a class, which have far to go, 0.8 is better: of 0.2 and
        0.8 it was chosen for each of six sets of features, by the accuracy on the others.
    max_iter : int, default=1000
        Most iterations.
    tol : float, default=1e-4
        Change at which the labels have converged.

    References
    ----------
    D. Zhou, O. Bousquet, T. N. Lal, J. Weston, B. Schoelkopf, "Learning with Local and Global
    Consistency", NIPS 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import Spreading
    >>> X = np.array([[0.0], [0.3], [1.0], [0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> Spreading().solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "label-spreading"

    def __init__(
        self,
        *,
        kernel: str = "rbf",
        gamma: float = 4.0,
        n_neighbors: int = 7,
        alpha: float = 0.2,
        max_iter: int = 1000,
        tol: float = 1e-4,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol

    @property
    def max_steps(self) -> int | None:
        """Unknown: scikit-learn iterates without telling."""
        return 0

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        check_option(self, "kernel", self.kernel, ("knn", "rbf"))
        check_real(self, "gamma", self.gamma, 0, closed="neither")
        neighbours = check_integer(self, "n_neighbors", self.n_neighbors, 1)
        check_real(self, "alpha", self.alpha, 0, 1, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol, 0)
        model = LabelSpreading(
            self.kernel,
            gamma=self.gamma,
            n_neighbors=min(neighbours, len(problem.y) - 1),
            alpha=self.alpha,
            max_iter=max_iter,
            tol=tol,
        )
        with single_threaded_blas(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(problem.features, problem.y)
        converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
        Z = model.label_distributions_[problem.queries].astype(problem.X.dtype)
        # A row that no label reaches knows nothing of its class.
        total = Z.sum(axis=1, keepdims=True)
        Z = np.where(total > 0, Z / np.where(total > 0, total, 1), 1 / problem.n_classes)
        monitor({"iteration": model.n_iter_, "residual": tol})
        return Solution(
            x=problem.complete(Z),
            converged=converged,
            n_iter=model.n_iter_,
            residual=tol if converged else float("inf"),
            message="" if converged else "Raise max_iter or tol.",
            extra={"rule": ModelRule(model)},
        )
