"""Information maximisation: TIM by alternation, and alpha-TIM by gradients."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.solvers._iterate import finish, iterate

__all__ = ["TIM", "AlphaTIM"]


def _labels(X: np.ndarray, M: np.ndarray, T: float) -> np.ndarray:
    """Return the softmax of minus the squared distances over T; norms of rows cancel."""
    P = X @ (M.T * (2 / T))
    P -= (M**2).sum(axis=1) / T
    P -= P.max(axis=1, keepdims=True)
    np.exp(P, out=P)
    P /= P.sum(axis=1, keepdims=True)
    return P


class TIM(Solver):
    """Maximise the mutual information of rows and labels, by alternating closed-form updates.

    The entropy of the class masses is part of it, which supposes that classes are balanced: with
    queries that are not, the nearest prototype is better.

    Cost: ``6 n d k`` flops an iteration. Memory: two labellings.

    Parameters
    ----------
    temperature : float, default=0.1333
        What squared distances are divided by; the paper's 2/15.
    confidence : float, default=0.1
        Weight of the entropy of the labels.
    supervision : float, default=0.1
        Weight of the labelled rows' cross-entropy.
    max_iter : int, default=150
        Most iterations.
    tol : float, default=1e-4
        Share of the labels that may still move at convergence.

    References
    ----------
    M. Boudiaf, I. Ziko, J. Rony, J. Dolz, P. Piantanida, I. Ben Ayed, "Transductive Information
    Maximization For Few-Shot Learning", NeurIPS 2020, arXiv:2008.11297; TIM-ADM.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import TIM
    >>> X = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.2, 0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> TIM().solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "tim"

    def __init__(
        self,
        *,
        temperature: float = 0.1333,
        confidence: float = 0.1,
        supervision: float = 0.1,
        max_iter: int = 150,
        tol: float = 1e-4,
    ) -> None:
        self.temperature = temperature
        self.confidence = confidence
        self.supervision = supervision
        self.max_iter = max_iter
        self.tol = tol

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        T = check_real(self, "temperature", self.temperature, 0, closed="neither")
        confidence = check_real(self, "confidence", self.confidence, 0)
        supervision = check_real(self, "supervision", self.supervision, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol, 0)
        S, Q = problem.X[problem.support].astype(float), problem.X[problem.queries].astype(float)
        Y = np.eye(problem.n_classes)[problem.y[problem.support]]
        M = problem.means
        pq = _labels(Q, M, T)
        share = len(S) / max(1, len(Q))
        weight = supervision / (1 + confidence)

        def update() -> np.ndarray:
            nonlocal M, pq
            ps = _labels(S, M, T)
            q = pq ** (1 + confidence)
            q /= np.sqrt(np.maximum(q.sum(axis=0), 1e-300))
            q /= q.sum(axis=1, keepdims=True)
            pull = weight * (Y - ps).T @ S + share * (q - pq).T @ Q
            stay = weight * ps.sum(axis=0) + share * pq.sum(axis=0)
            M = (pull + stay[:, None] * M) / (weight * Y.sum(axis=0) + share * q.sum(axis=0))[
                :, None
            ]
            pq = _labels(Q, M, T)
            return pq

        return finish(problem, iterate(problem, update, monitor, max_iter, tol), M, T)


class AlphaTIM(Solver):
    """TIM with Tsallis entropies, which bind the class masses less; by gradients (Adam).

    Cost: ``6 n d k`` flops an iteration. Memory: two labellings.

    Parameters
    ----------
    temperature : float, default=0.1333
        What squared distances are divided by; the paper's 2/15.
    alpha : float, default=2.0
        Order of the entropies, above 1; at 1 they would be Shannon's.
    supervision : float, default=1.0
        Weight of the labelled rows' cross-entropy.
    step : float, default=0.01
        Step size of Adam.
    max_iter : int, default=200
        Most iterations.
    tol : float, default=1e-3
        Share of the labels that may still move at convergence.

    References
    ----------
    O. Veilleux, M. Boudiaf, P. Piantanida, I. Ben Ayed, "Realistic evaluation of transductive
    few-shot learning", NeurIPS 2021, arXiv:2204.11181.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import AlphaTIM
    >>> X = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.2, 0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> AlphaTIM().solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "alpha-tim"

    def __init__(
        self,
        *,
        temperature: float = 0.1333,
        alpha: float = 2.0,
        supervision: float = 1.0,
        step: float = 0.01,
        max_iter: int = 200,
        tol: float = 1e-3,
    ) -> None:
        self.temperature = temperature
        self.alpha = alpha
        self.supervision = supervision
        self.step = step
        self.max_iter = max_iter
        self.tol = tol

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        T = check_real(self, "temperature", self.temperature, 0, closed="neither")
        alpha = check_real(self, "alpha", self.alpha, 1, closed="neither")
        supervision = check_real(self, "supervision", self.supervision, 0)
        step = check_real(self, "step", self.step, 0, closed="neither")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol, 0)
        S, Q = problem.X[problem.support].astype(float), problem.X[problem.queries].astype(float)
        Y = np.eye(problem.n_classes)[problem.y[problem.support]]
        M = problem.means
        pq = _labels(Q, M, T)
        first, second, count = np.zeros_like(M), np.zeros_like(M), 0

        def update() -> np.ndarray:
            nonlocal M, pq, first, second, count
            count += 1
            ps = _labels(S, M, T)
            n = max(1, len(Q))
            # Slopes of the entropy of labels less that of their mean, by the labels, then logits.
            mean = pq.sum(axis=0) / n
            slope = alpha / (alpha - 1) / n * (mean ** (alpha - 1) - pq ** (alpha - 1))
            slope = pq * (slope - (pq * slope).sum(axis=1, keepdims=True))
            known = supervision * (ps - Y) / len(S)
            gradient = (slope.T @ Q + known.T @ S) * (2 / T)
            gradient -= (slope.sum(axis=0) + known.sum(axis=0))[:, None] * M * (2 / T)
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            M = M - step * (first / (1 - 0.9**count)) / (
                np.sqrt(second / (1 - 0.999**count)) + 1e-8
            )
            pq = _labels(Q, M, T)
            return pq

        return finish(problem, iterate(problem, update, monitor, max_iter, tol), M, T)
