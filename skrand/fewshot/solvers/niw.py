"""Labels by the posterior of a Normal-Inverse-Wishart hierarchy, and its EM over the queries."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax

from skrand._validation import check_integer, check_real, fail_parameter
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.labels import class_sums
from skrand.fewshot.niw import NormalInverseWishart
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import LinearRule, ShiftedRule
from skrand.fewshot.solvers._iterate import iterate
from skrand.linalg.threads import single_threaded_blas

__all__ = ["NIW"]


class NIW(Solver):
    """Gaussian classes whose means and spread are known from base classes, up to the few shots.

    The hierarchy (:class:`skrand.fewshot.NormalInverseWishart`) is fitted on the problem's base
    classes, or given. Labels of queries are then found by EM: the posterior of each class from its
    shots and the queries' labels, then the labels from the posterior predictive densities. Their
    probabilities are calibrated on the base classes for ``max_iter=1``; EM makes them far too
    certain. Without base classes, the hierarchy is fitted on the rows themselves, grouped by the
    nearest mean of the support, and is not calibrated.

    Cost: fitting ``2 n_base d^2 + 10 d^3`` flops, unless `head` is given; then ``4 n d k`` a round.
    Memory: three d x d matrices and a labelling.

    Parameters
    ----------
    head : NormalInverseWishart, default=None
        A fitted hierarchy; None fits one.
    within_shrinkage : float, default=0.9
        Of the hierarchy to be fitted.
    between_shrinkage : float, default=1.0
        Of the hierarchy to be fitted.
    max_iter : int, default=50
        Most rounds of EM; 1 is the inductive posterior.
    tol : float, default=1e-2
        Share of the labels that may still move at convergence.

    References
    ----------
    M. Kim, T. Hospedales, "A Hierarchical Bayesian Model for Deep Few-Shot Meta Learning", 2023,
    arXiv:2306.09702: the hierarchy; the EM over queries is the textbook's.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import NIW
    >>> X = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.2, 0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> NIW().solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "niw"

    def __init__(
        self,
        *,
        head: Any = None,
        within_shrinkage: float = 0.9,
        between_shrinkage: float = 1.0,
        max_iter: int = 50,
        tol: float = 1e-2,
    ) -> None:
        self.head = head
        self.within_shrinkage = within_shrinkage
        self.between_shrinkage = between_shrinkage
        self.max_iter = max_iter
        self.tol = tol

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol, 0)
        with single_threaded_blas():
            head = self._head(problem)
            T = head.project(problem.X.astype(float))
            Q = T[problem.queries]
            shots = problem.shots.astype(float)
            support = problem.support
            sums = class_sums(T[support], problem.y[support], problem.n_classes)
            posterior = head.posterior(shots, sums)
            first = True

            def update() -> np.ndarray:
                nonlocal posterior, first
                if not first:
                    posterior = head.posterior(shots + Z.sum(axis=0), sums + Z.T @ Q)
                first = False
                return label()

            def label() -> np.ndarray:
                nonlocal Z
                Z = softmax(head.factor_ * posterior.log_likelihood(Q), axis=1)
                return Z

            Z = np.empty(0)
            answer = iterate(problem, update, monitor, max_iter, tol)
            if max_iter == 1:
                # The inductive posterior was asked for, and is what it is.
                answer.update(converged=True, residual=0.0, message="")
        precision = 1.0 / (1.0 + posterior.variance)
        weights = np.hstack([precision * posterior.mean, -0.5 * precision])
        constant = posterior.log_likelihood(np.zeros((1, T.shape[1])))[0]
        rule = LinearRule(
            head.factor_ * weights, head.factor_ * constant, head.projection_, squares=True
        )
        means = posterior.mean @ np.linalg.inv(head.projection_) + head.mean_
        return Solution(
            **answer,
            extra={"rule": ShiftedRule(rule, head.mean_), "prototypes": means, "head": head},
        )

    def _head(self, problem: TransductiveLabelling) -> NormalInverseWishart:
        if self.head is not None:
            if not isinstance(self.head, NormalInverseWishart) or not hasattr(self.head, "mean_"):
                fail_parameter(self, "head", "None or a fitted NormalInverseWishart", self.head)
            if len(self.head.mean_) != problem.X.shape[1]:
                raise ValueError(
                    f"The head was fitted on {len(self.head.mean_)} features, the rows have "
                    f"{problem.X.shape[1]}."
                )
            return self.head
        head = NormalInverseWishart(
            within_shrinkage=self.within_shrinkage, between_shrinkage=self.between_shrinkage
        )
        if problem.X_base is not None:
            n_shots = max(1, int(np.median(problem.shots)))
            head.fit(problem.X_base, problem.y_base)
            n_way = min(problem.n_classes, head.n_classes_seen_)
            return head.calibrate(problem.X_base, problem.y_base, n_shots=n_shots, n_way=n_way)
        M = problem.means
        nearest = (problem.X @ (2 * M.T) - (M**2).sum(axis=1)).argmax(axis=1)
        return head.fit(problem.X, np.where(problem.y >= 0, problem.y, nearest))
