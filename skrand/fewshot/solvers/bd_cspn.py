"""Prototypes rectified by the queries, in one step."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_real
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import probabilities, prototype_rule
from skrand.fewshot.solvers._iterate import rectified, unit

__all__ = ["BDCSPN"]


class BDCSPN(Solver):
    """Shift the queries to the support's mean, move prototypes towards them, take the nearest.

    One step, no iteration. The shift supposes that classes are as frequent among the queries as
    among the support.

    Cost: ``4 n d k`` flops. Memory: a copy of the rows.

    Parameters
    ----------
    sharpness : float, default=10.0
        Factor on the cosines whose softmax weights a row in the prototypes and gives the labels.

    References
    ----------
    J. Liu, L. Song, Y. Qin, "Prototype Rectification for Few-Shot Learning", ECCV 2020,
    arXiv:1911.10713.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import BDCSPN
    >>> X = np.array([[1.0, 0.1], [0.9, 0.2], [0.1, 1.0], [0.2, 0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> BDCSPN().solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "bd-cspn"

    def __init__(self, *, sharpness: float = 10.0) -> None:
        self.sharpness = sharpness

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        sharpness = check_real(self, "sharpness", self.sharpness, 0, closed="neither")
        Q, shift, M = rectified(problem, sharpness)
        # On unit rows, a cosine is half a squared distance away from one.
        directions = unit(M)
        Z = probabilities(prototype_rule(directions, 2.0 / sharpness), unit(Q))
        rule = prototype_rule(directions - shift, 2.0 / sharpness)
        return Solution(
            x=problem.complete(Z),
            converged=True,
            residual=0.0,
            extra={"rule": rule, "prototypes": M - shift, "temperature": 2.0 / sharpness},
        )
