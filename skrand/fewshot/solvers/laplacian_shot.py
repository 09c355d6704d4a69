"""Fixed prototypes and a Laplacian: LaplacianShot."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from skrand._validation import check_boolean, check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.graph import nearest_others
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import NeighbourRule, prototype_rule
from skrand.fewshot.solvers._iterate import iterate, rectified

__all__ = ["LaplacianShot"]


class LaplacianShot(Solver):
    """Distances to prototypes that stay where they are, plus the labels of nearest queries.

    Differs from solver "clustering" in its prototypes (rectified once, then fixed) and its graph
    (directed, among queries). Updates of all queries at once on a directed graph need not lower the
    objective; the paper's bound supposes a positive semi-definite one.

    Cost: ``2 n d k`` flops, the search for neighbours, and ``2 n k n_neighbors`` an iteration.
    Memory: a copy of the rows.

    Parameters
    ----------
    laplacian : float, default=0.7
        Weight of the label of a neighbour.
    n_neighbors : int, default=3
        Nearest queries of a query.
    temperature : float, default=1.0
        What squared distances are divided by.
    rectify : bool, default=True
        Whether queries are shifted to the support's mean and pull the prototypes first.
    max_iter : int, default=20
        Most iterations.
    tol : float, default=1e-3
        Share of the labels that may still move at convergence.

    References
    ----------
    I. Ziko, J. Dolz, E. Granger, I. Ben Ayed, "Laplacian Regularized Few-Shot Learning", ICML 2020,
    arXiv:2006.15486.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import LaplacianShot
    >>> X = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.2, 0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> LaplacianShot(n_neighbors=1, laplacian=0.1).solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "laplacian-shot"

    def __init__(
        self,
        *,
        laplacian: float = 0.7,
        n_neighbors: int = 3,
        temperature: float = 1.0,
        rectify: bool = True,
        max_iter: int = 20,
        tol: float = 1e-3,
    ) -> None:
        self.laplacian = laplacian
        self.n_neighbors = n_neighbors
        self.temperature = temperature
        self.rectify = rectify
        self.max_iter = max_iter
        self.tol = tol

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        laplacian = check_real(self, "laplacian", self.laplacian, 0)
        k = check_integer(self, "n_neighbors", self.n_neighbors, 1)
        T = check_real(self, "temperature", self.temperature, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol, 0)
        if check_boolean(self, "rectify", self.rectify):
            Q, shift, M = rectified(problem, 10.0)
        else:
            Q, shift, M = problem.X[problem.queries].astype(float), 0.0, problem.means
        k = min(k, len(Q) - 1)
        near = nearest_others(Q, k) if k > 0 else np.empty((len(Q), 0), dtype=int)
        rule = prototype_rule(M, T)
        unary = rule.logits(Q)
        Z = softmax(unary, axis=1)

        def update() -> np.ndarray:
            nonlocal Z
            Z = softmax(unary + laplacian * Z[near].sum(axis=1), axis=1)
            return Z

        answer = iterate(problem, update, monitor, max_iter, tol)
        rule = prototype_rule(M - shift, T)
        if k > 0:
            weight = laplacian * k
            rule = NeighbourRule(rule, problem, answer["x"].astype(float), k + 1, weight)
        extra = {"rule": rule, "prototypes": M - shift, "temperature": T}
        return Solution(**answer, extra=extra)
