"""Clustering that starts from a few labels: the general objective of transductive labelling."""

from __future__ import annotations

from typing import Any

import numpy as np

from skrand._validation import (
    check_integer,
    check_n_jobs,
    check_option,
    check_real,
    fail_parameter,
)
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.graph import Graph
from skrand.fewshot.metrics import METRICS, SquaredEuclidean
from skrand.fewshot.objective import Labelling, with_support
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import LinearRule, NeighbourRule
from skrand.fewshot.temperature import scatter_temperature
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas

__all__ = ["PRIORS", "Clustering", "class_prior_of"]

PRIORS = ("balanced", "free", "relaxed")


class Clustering(Solver):
    """Soft clusters seeded by the support, smooth over a graph of nearest neighbours.

    Descends, over labels of the queries and prototypes of the classes, the sum of four parts: the
    distances of rows to the prototypes, over the temperature, minus the entropy of the labels; the
    same for the labelled rows, with a weight; the disagreement of neighbours (Laplacian); and a
    penalty on class masses that stray from a prior. Labels of all queries are updated at once: the
    concave part is replaced by an upper bound that touches it, so that each update has a closed
    form and none increases the objective, which is checked at each iteration.

    Cost: an iteration is `n_sweeps` sweeps, each a product of the rows with the prototypes, ``2 n d
    k`` flops, ``n k`` exponentials and as many logarithms, and a product with the graph; then the
    prototypes, ``2 n d k`` flops. The graph: see ``skrand.fewshot.graph.neighbour_graph``.
    Memory: two labellings, n x k, one of them if `laplacian` is 0. Where one takes over 32 MiB,
    rows are put in the order of their first labels, which takes a copy of them and of the graph,
    and makes a sweep over neighbours about twice as fast.

    Parameters
    ----------
    temperature : float or "auto", default="auto"
        T: what distances are divided by. "auto" sets it from the scatter of the rows about the
        prototypes, ``2 tr(S^2) / tr(S)`` for their covariance S within classes: the temperature at
        which a Gaussian of that scatter, cut to its effective dimensions, has its likelihood.
    laplacian : float, default=0.7
        Weight of the disagreement of a pair of neighbours; 0 is soft k-means.
    n_neighbors : int or "auto", default="auto"
        Nearest neighbours of a row in the graph; "auto" is 5 for 75 rows, and one more each time
        that rows double.
    class_prior : {"free", "balanced", "relaxed"} or array of shape (n_classes,), default="free"
        What is known of the classes' shares among the queries: nothing; that they are equal; that
        they are about equal, by a penalty; or that they are about those of an array. Labels that
        are forced to balance are wrong where the queries are not balanced.
    prior_strength : float, default=0.1
        Weight of the penalty, relative to a query's, with a prior that is "relaxed" or an array.
    support_weight : float, default=2.0
        What a labelled row counts in the prototypes, against a query: labels are certain, and keep
        prototypes where they are.
    init : {"support", "spread"}, default="support"
        Where the prototypes start: at the means of the support; or at those of all rows, by labels
        spread from the support (``skrand.fewshot.spreading.spread_labels``), which know of
        classes that are not round, and take longer.
    metric : {"sqeuclidean", "kullback-leibler", "mahalanobis"}, default="sqeuclidean"
        Distance of a row to a prototype: squared Euclidean (k-means); the Kullback-Leibler
        divergence, for rows that are distributions; squared Euclidean after whitening by the
        covariance within the base classes, or of all rows if there are none, shrunk.
    n_sweeps : int, default=3
        Updates of the labels between two updates of the prototypes.
    max_iter : int, default=100
        Most updates of the prototypes.
    tol : float, default=1e-3
        The solve has converged when an update moves no more than this share of all labels to other
        classes. Labels at a small tolerance are hardly other ones.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    I. Ziko, J. Dolz, E. Granger, I. Ben Ayed, "Laplacian Regularized Few-Shot Learning", ICML 2020,
    arXiv:2006.15486. The bound used here, by the Kullback-Leibler divergence, is our own: it holds
    for any graph.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import Clustering
    >>> X = np.array([[0.0], [0.1], [0.2], [1.0], [0.9], [0.8]])
    >>> y = np.array([0, -1, -1, 1, -1, -1])
    >>> problem = TransductiveLabelling(X=X, y=y, n_classes=2)
    >>> solution = Clustering(n_neighbors=2).solve(problem)
    >>> solution.x.argmax(axis=1)
    array([0, 0, 0, 1, 1, 1])
    """

    task = "transductive-labelling"
    name = "clustering"

    def __init__(
        self,
        *,
        temperature: str | float = "auto",
        laplacian: float = 0.7,
        n_neighbors: str | int = "auto",
        class_prior: Any = "free",
        prior_strength: float = 0.1,
        support_weight: float = 2.0,
        init: str = "support",
        metric: str = "sqeuclidean",
        n_sweeps: int = 3,
        max_iter: int = 100,
        tol: float = 1e-3,
        n_jobs: int | None = None,
    ) -> None:
        self.temperature = temperature
        self.laplacian = laplacian
        self.n_neighbors = n_neighbors
        self.class_prior = class_prior
        self.prior_strength = prior_strength
        self.support_weight = support_weight
        self.init = init
        self.metric = metric
        self.n_sweeps = n_sweeps
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        laplacian = check_real(self, "laplacian", self.laplacian, 0.0)
        n_neighbors = self.neighbours(len(problem.X))
        prior, strength = class_prior_of(self, problem.n_classes)
        check_option(self, "init", self.init, ("spread", "support"))
        check_option(self, "metric", self.metric, tuple(METRICS))
        with single_threaded_blas():
            metric = METRICS[self.metric](problem)
            inner = metric.problem
            graph, coupling = None, 0.0
            if laplacian > 0 and len(problem.queries):
                graph, coupling = inner.graph(n_neighbors), laplacian * n_neighbors
            labelling = Labelling(inner, graph, coupling, prior, strength, threads)
            return self._descend(labelling, metric, graph, monitor)

    def neighbours(self, n: int) -> int:
        """Return the number of neighbours of a row among `n` rows."""
        k = check_integer(self, "n_neighbors", self.n_neighbors, 1, options=("auto",))
        return max(2, round(np.log2(n)) - 1) if k == "auto" else k

    def _descend(
        self,
        labelling: Labelling,
        metric: SquaredEuclidean,
        graph: Graph | None,
        monitor: Monitor,
    ) -> Solution:
        weight = check_real(self, "support_weight", self.support_weight, 0, closed="neither")
        sweeps = check_integer(self, "n_sweeps", self.n_sweeps, 1)
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        tol = check_real(self, "tol", self.tol, 0.0)
        temperature = check_real(
            self, "temperature", self.temperature, 0, closed="neither", options=("auto",)
        )
        problem = labelling.problem
        M = problem.means
        if self.init == "spread":
            F = problem.spread(self.neighbours(len(problem.X)))
            mass = F.sum(axis=0, dtype=np.float64)
            sums, mass = with_support(problem, F.T @ problem.X, mass, weight)
            M = sums / mass[:, None]
        if temperature == "auto":
            temperature = scatter_temperature(problem, M)
        scale = 1.0 / temperature
        constant = metric.constant(weight) * scale
        A, b = metric.scores(M)
        change, value, n_iter, converged = 0.0, float("nan"), 0, False
        if labelling.linked:
            labelling.assign(A, b, scale, linked=False)
            labelling.sort_by_class()
        while not converged and n_iter < max_iter:
            n_iter += 1
            change = labelling.assign(A, b, scale)
            for _ in range(sweeps - 1 if labelling.linked else 0):
                labelling.assign(A, b, scale)
            sums, mass = labelling.sums(weight)
            M = sums / mass[:, None]
            A, b = metric.scores(M)
            value = constant + labelling.energy(A, b, scale, sums, mass)
            # The first labels are those that the support alone gives.
            converged = n_iter > 1 and change <= tol
            record = {
                "iteration": n_iter,
                "residual": change,
                "objective": value,
                "x": labelling.answer,
            }
            if monitor(record):
                break
        disagreement, Z = labelling.disagreement(), labelling.last_answer()
        return Solution(
            x=Z,
            converged=converged,
            n_iter=n_iter,
            residual=change,
            message="" if converged else "Raise max_iter or tol.",
            extra={
                "rule": self._rule(labelling, Z, metric, A, b, scale),
                "prototypes": M,
                "graph": graph,
                "temperature": temperature,
                "objective": value,
                "disagreement": disagreement,
            },
        )

    def _rule(
        self,
        labelling: Labelling,
        Z: np.ndarray,
        metric: SquaredEuclidean,
        A: np.ndarray,
        b: np.ndarray,
        scale: float,
    ) -> Any:
        problem, dtype = labelling.problem, labelling.X.dtype
        weights, intercept = (A * scale).astype(dtype), (b * scale + labelling.offset).astype(dtype)
        rule = LinearRule(weights, intercept, metric.projection)
        if not labelling.linked:
            return rule
        # Rows of the problem are their own nearest neighbours.
        return NeighbourRule(
            rule, problem, Z, self.neighbours(len(problem.X)) + 1, labelling.coupling
        )


def class_prior_of(solver: Any, n_classes: int) -> tuple[np.ndarray | None, float]:
    """Return the shares that a solver's `class_prior` means, or None, and the penalty's weight."""
    prior = solver.class_prior
    strength = check_real(solver, "prior_strength", solver.prior_strength, 0, closed="neither")
    if isinstance(prior, str) and prior in PRIORS:
        if prior == "free":
            return None, 0.0
        uniform = np.full(n_classes, 1.0 / n_classes)
        return uniform, np.inf if prior == "balanced" else strength
    try:
        shares = np.asarray(prior, dtype=np.float64)
    except (TypeError, ValueError):
        shares = np.empty(0)
    if shares.shape != (n_classes,) or not (np.isfinite(shares) & (shares > 0)).all():
        allowed = "'balanced', 'free', 'relaxed' or an array of positive numbers, one a class"
        fail_parameter(solver, "class_prior", allowed, prior)
    return shares / shares.sum(), strength
