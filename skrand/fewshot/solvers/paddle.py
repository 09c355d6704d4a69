"""Clusters with a price on the number of classes in use: PADDLE."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import prototype_rule
from skrand.fewshot.solvers._iterate import iterate

__all__ = ["Paddle"]


class Paddle(Solver):
    """Soft k-means whose penalty on the entropy of class masses lets classes go unused.

    Made for queries of a few among many classes; classes that are hard to tell apart collapse.

    Cost: ``4 n d k`` flops an iteration. Memory: two labellings.

    Parameters
    ----------
    temperature : float, default=0.0667
        What squared distances are divided by; the default suits unit rows.
    complexity : float, default=1.0
        Weight of the entropy of the class masses, relative to the number of queries.
    max_iter : int, default=100
        Most iterations.
    tol : float, default=1e-3
        Share of the labels that may still move at convergence.

    References
    ----------
    S. Martin, M. Boudiaf, E. Chouzenoux, J.-C. Pesquet, I. Ben Ayed, "Towards Practical Few-Shot
    Query Sets: Transductive Minimum Description Length Inference", NeurIPS 2022, arXiv:2210.14545.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import Paddle
    >>> X = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.2, 0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> Paddle().solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "paddle"

    def __init__(
        self,
        *,
        temperature: float = 0.0667,
        complexity: float = 1.0,
        max_iter: int = 100,
        tol: float = 1e-3,
    ) -> None:
        self.temperature = temperature
        self.complexity = complexity
        self.max_iter = max_iter
        self.tol = tol

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        T = check_real(self, "temperature", self.temperature, 0, closed="neither")
        complexity = check_real(self, "complexity", self.complexity, 0)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol, 0)
        Q = problem.X[problem.queries].astype(float)
        M, offset = problem.means, np.zeros(problem.n_classes)

        def update() -> np.ndarray:
            nonlocal M, offset
            Z = softmax(prototype_rule(M, T, offset).logits(Q), axis=1)
            mass = Z.sum(axis=0)
            offset = complexity * np.log(np.maximum(mass / max(1, len(Q)), 1e-12))
            M = (problem.support_sums + Z.T @ Q) / (problem.shots + mass)[:, None]
            return Z

        answer = iterate(problem, update, monitor, max_iter, tol)
        extra = {"rule": prototype_rule(M, T, offset), "prototypes": M, "temperature": T}
        return Solution(**answer, extra=extra)
