"""Class masses forced to balance by optimal transport: PT-MAP."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import prototype_rule
from skrand.fewshot.solvers._iterate import iterate
from skrand.linalg.scaling import balanced_scaling

__all__ = ["PTMAP"]


class PTMAP(Solver):
    """Transport queries to prototypes, each of which takes equally many; move prototypes slowly.

    Right where queries are balanced; where they are not it forces wrong labels, and the nearest
    prototype is better. The paper's preprocessing is that of
    ``TransductiveFewShot(preprocess="power-cl2", center="separate")``.

    Cost: ``4 n d k`` flops an iteration and some ten sweeps of ``n k`` exponentials for the
    transport. Memory: a few labellings.

    Parameters
    ----------
    temperature : float, default=0.1
        What squared distances are divided by: the regularisation of the transport.
    rate : float, default=0.2
        How far prototypes move towards the means, at each iteration.
    max_iter : int, default=100
        Most iterations; the paper takes 20, after which labels hardly move.
    tol : float, default=1e-3
        Share of the labels that may still move at convergence.

    References
    ----------
    Y. Hu, V. Gripon, S. Pateux, "Leveraging the Feature Distribution in Transfer-based Few-Shot
    Learning", ICANN 2021, arXiv:2006.03806.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import PTMAP
    >>> X = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.2, 0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> PTMAP().solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "pt-map"

    def __init__(
        self, *, temperature: float = 0.1, rate: float = 0.2, max_iter: int = 100, tol: float = 1e-3
    ) -> None:
        self.temperature = temperature
        self.rate = rate
        self.max_iter = max_iter
        self.tol = tol

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        T = check_real(self, "temperature", self.temperature, 0, closed="neither")
        rate = check_real(self, "rate", self.rate, 0, 1, closed="right")
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol, 0)
        Q = problem.X[problem.queries].astype(float)
        M, potential = problem.means, None
        equal = np.ones(problem.n_classes)

        def update() -> np.ndarray:
            nonlocal M, potential
            scores = prototype_rule(M, T).logits(Q)
            scaled = balanced_scaling(scores, equal, potential=potential, tol=1e-7)
            potential = scaled.potential
            mass = problem.shots + scaled.P.sum(axis=0)
            means = (problem.support_sums + scaled.P.T @ Q) / mass[:, None]
            M = M + rate * (means - M)
            return scaled.P

        if len(Q):
            answer = iterate(problem, update, monitor, max_iter, tol)
        else:
            answer = {"x": problem.one_hot(), "converged": True, "residual": 0.0}
        offset = equal * 0.0 if potential is None else potential
        extra = {"rule": prototype_rule(M, T, offset), "prototypes": M, "temperature": T}
        return Solution(**answer, extra=extra)
