"""The nearest mean of the labelled rows."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_real
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import probabilities, prototype_rule
from skrand.fewshot.temperature import scatter_temperature

__all__ = ["Prototype"]


class Prototype(Solver):
    """The class whose labelled rows have the nearest mean (SimpleShot, on centred unit rows).

    It does not look at the other queries but for the temperature of its probabilities, and so is
    what a transductive solver has to beat.

    Cost: ``2 n d k`` flops. Memory: the labelling.

    Parameters
    ----------
    temperature : float or "auto", default="auto"
        What squared distances are divided by before the softmax; "auto" takes it from the scatter
        of the rows about the means.

    References
    ----------
    Y. Wang, W.-L. Chao, K. Q. Weinberger, L. van der Maaten, "SimpleShot: Revisiting
    Nearest-Neighbor Classification for Few-Shot Learning", 2019, arXiv:1911.04623.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import Prototype
    >>> X = np.array([[0.0], [0.3], [1.0], [0.9]])
    >>> problem = TransductiveLabelling(X=X, y=np.array([0, -1, 1, -1]), n_classes=2)
    >>> Prototype().solve(problem).x.argmax(axis=1)
    array([0, 0, 1, 1])
    """

    task = "transductive-labelling"
    name = "prototype"

    def __init__(self, *, temperature: str | float = "auto") -> None:
        self.temperature = temperature

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        temperature = check_real(
            self, "temperature", self.temperature, 0, closed="neither", options=("auto",)
        )
        if temperature == "auto":
            temperature = scatter_temperature(problem, problem.means)
        rule = prototype_rule(problem.means, temperature)
        return Solution(
            x=problem.complete(probabilities(rule, problem.X[problem.queries])),
            converged=True,
            residual=0.0,
            extra={"rule": rule, "prototypes": problem.means, "temperature": temperature},
        )
