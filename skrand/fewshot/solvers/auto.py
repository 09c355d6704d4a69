"""Clustering that finds out from the data what the published methods suppose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, softmax

from skrand._validation import check_real
from skrand.base import Monitor, Solution, Solver
from skrand.fewshot.labels import class_sums
from skrand.fewshot.problem import TransductiveLabelling
from skrand.fewshot.rules import MixtureRule, ShiftedRule, SpreadRule, prototype_rule
from skrand.fewshot.solvers.clustering import Clustering
from skrand.linalg.scaling import balanced_scaling
from skrand.linalg.threads import single_threaded_blas

__all__ = ["Auto"]

#: How gradually belief in balance passes from one to zero, in the units of `balance_tolerance`.
WIDTH = 0.02

#: At so many labels a class, their means say as much about balance as the neighbours in the graph.
SHOTS = 10.0

#: Below so many queries a class, nothing can be said of balance.
QUERIES = 5


class Auto(Solver):
    """Clustering, with equal class masses as far as the data bear them out.

    That the classes have equally many queries is worth much where it is true and costs much where
    it is not. So the problem is solved twice: without a prior, and with equal class masses forced.
    If that makes queries disagree no more than before with their neighbours in the graph, and with
    the nearest mean of the support, balance is believed and labels are those of the second; else
    they are those of the first; in between, a mixture. Neighbours move together; the means of the
    support do not move, and count for more the more labels they are made of.

    Both start from labels spread from the support, and the answer is the mean of the mixture and
    these: clusters know what is common to a class, spread labels follow classes that are not round.

    If the means of queries and support differ by more than chance and the classes' shares explain,
    the queries come from another source: they are moved by what is left, as far as it stands out
    from chance, and the support counts less. No label of a query is looked at.

    Cost: twice that of solver "clustering", and labels spread twice
    (``skrand.fewshot.spreading.spread_labels``). Memory: five labellings, a copy of the rows.

    Parameters
    ----------
    balance_tolerance : float, default=0.05
        Balance is believed if forcing it makes queries disagree by less than this share more than
        they did. Zero leaves hardly more than clustering without a prior. The default was set on
        episodes of five sets of features; ``benchmarks/fewshot.py`` tunes it on some sets and
        scores it on the others.
    temperature, laplacian, n_neighbors, prior_strength, support_weight, metric, max_iter, tol, \
n_jobs
        As for :class:`~skrand.fewshot.solvers.Clustering`. Queries are moved for the metric
        "sqeuclidean" only.
    class_prior : "auto", {"free", "balanced", "relaxed"} or array, default="auto"
        "auto" is what is described here. Any other leaves plain clustering with that prior.

    References
    ----------
    The tests of balance and of a shift are our own. The objective: see solver "clustering".

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import TransductiveLabelling
    >>> from skrand.fewshot.solvers import Auto
    >>> X = np.array([[0.0], [0.1], [0.2], [1.0], [0.9], [0.8]])
    >>> y = np.array([0, -1, -1, 1, -1, -1])
    >>> problem = TransductiveLabelling(X=X, y=y, n_classes=2)
    >>> Auto(n_neighbors=2).solve(problem).x.argmax(axis=1)
    array([0, 0, 0, 1, 1, 1])
    """

    task = "transductive-labelling"
    name = "auto"

    def __init__(
        self,
        *,
        balance_tolerance: float = 0.05,
        temperature: str = "auto",
        laplacian: float = 0.7,
        n_neighbors: str = "auto",
        class_prior: Any = "auto",
        prior_strength: float = 0.1,
        support_weight: float = 3.0,
        metric: str = "sqeuclidean",
        max_iter: int = 100,
        tol: float = 1e-2,
        n_jobs: int | None = None,
    ) -> None:
        self.balance_tolerance = balance_tolerance
        self.temperature = temperature
        self.laplacian = laplacian
        self.n_neighbors = n_neighbors
        self.class_prior = class_prior
        self.prior_strength = prior_strength
        self.support_weight = support_weight
        self.metric = metric
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    def _solve(
        self, problem: TransductiveLabelling, rng: np.random.Generator, monitor: Monitor
    ) -> Solution:
        tolerance = check_real(self, "balance_tolerance", self.balance_tolerance)
        weight = check_real(self, "support_weight", self.support_weight, 0, closed="neither")
        params = self.get_params(deep=False)
        del params["balance_tolerance"]
        solver = Clustering(**params)
        if not (isinstance(self.class_prior, str) and self.class_prior == "auto"):
            return solver.solve(problem, rng=rng, callback=monitor)
        solver.set_params(class_prior="free", init="spread")
        if len(problem.queries) == 0 or self.laplacian == 0:
            return solver.solve(problem, rng=rng, callback=monitor)
        k = solver.neighbours(len(problem.X))
        shift = np.zeros(problem.X.shape[1], dtype=problem.X.dtype)
        if self.metric == "sqeuclidean":
            shift, share = source_shift(problem, problem.spread(k))
            if shift.any():
                X = problem.X.copy()
                X[problem.queries] -= shift
                problem = replace(problem, X=X)
                solver.support_weight = weight * share
        free = solver.solve(problem, rng=rng, callback=monitor)
        belief, balanced = 0.0, free
        if len(problem.queries) >= QUERIES * problem.n_classes and not monitor.stopped:
            solver.class_prior = "balanced"
            balanced = solver.solve(problem, rng=rng)
            belief = float(expit((tolerance - _dissent(problem, free, balanced)) / WIDTH))
        return _mixture(problem, k, free, balanced, belief, shift)


class Shift(NamedTuple):
    """How the queries' source differs from the support's.

    Parameters
    ----------
    vector : ndarray of shape (d,)
        What queries are to be moved back by.
    share : float
        What is left of the support's weight: 1 without a shift.
    """

    vector: np.ndarray
    share: float


def source_shift(problem: TransductiveLabelling, F: np.ndarray) -> Shift:
    """Estimate how far the queries are from where the support and their labels F put them.

    The difference of the queries' mean from the support's means, in the queries' shares of the
    classes, is compared with what it would be by chance, by the scatter within classes; what is in
    excess is taken for a shift (as James and Stein shrink a mean). Classes are supposed to differ
    in their shifts as much as the shift is large, which makes the support's means that much less
    certain.
    """
    labels, dtype = F[problem.queries].argmax(axis=1), problem.X.dtype
    Q, n = problem.X[problem.queries].astype(np.float64), len(problem.queries)
    counts = np.bincount(labels, minlength=problem.n_classes)
    means = class_sums(Q, labels, problem.n_classes) / np.maximum(counts, 1)[:, None]
    scatter = float(((Q - means[labels]) ** 2).sum()) / n
    shares = counts / n
    difference = Q.mean(axis=0) - shares @ problem.means
    chance = scatter * float((shares**2 / problem.shots).sum() + 1.0 / n)
    excess = float(difference @ difference) / chance if chance > 0 else 1.0
    if excess <= 1.0:
        return Shift(np.zeros(len(difference), dtype=dtype), 1.0)
    shots = float(problem.shots.mean())
    share = 1.0 / (1.0 + (excess - 1.0) * (1.0 + shots * problem.n_classes / n))
    # Sums over all rows are corrected for the support's weight: a smaller one drowns in rounding.
    share = max(share, 1e-6)
    return Shift(((1.0 - 1.0 / excess) * difference).astype(dtype), share)


def _dissent(problem: TransductiveLabelling, free: Solution, balanced: Solution) -> float:
    """Return how much more the balanced labels disagree with neighbours and nearest means."""
    shots = float(problem.shots.mean())
    share = shots / (shots + SHOTS)
    neighbours = balanced.extra["disagreement"] - free.extra["disagreement"]
    queries = problem.queries
    means = prototype_rule(problem.means.astype(problem.X.dtype), problem.X.dtype.type(1))
    nearest = means.logits(problem.X[queries]).argmax(axis=1)
    left = float((free.x[queries, nearest] - balanced.x[queries, nearest]).mean())
    return (1.0 - share) * neighbours + share * left


def _mixture(
    problem: TransductiveLabelling,
    k: int,
    free: Solution,
    balanced: Solution,
    belief: float,
    shift: np.ndarray,
) -> Solution:
    """Mix the labels of two solutions and those that were spread, and their rules."""
    dtype = problem.X.dtype
    F, equal = problem.spread(k), np.ones(problem.n_classes)
    # A sample does: the potential is one number a class.
    sample = F[problem.queries[:: max(1, len(problem.queries) // 4096)]]
    with single_threaded_blas():
        scaled = balanced_scaling(np.log(sample.astype(np.float64)), equal, tol=1e-3)
    # Classes weigh what makes the masses of the spread labels equal, as far as that is believed.
    offset = (belief * scaled.potential).astype(dtype)
    F_scaled = softmax(np.log(F) + offset, axis=1)
    Z = dtype.type(0.5) * (free.x + dtype.type(belief) * (balanced.x - free.x) + F_scaled)
    Z[problem.support] = free.x[problem.support]
    # Rows of the problem are their own nearest neighbours.
    spread = SpreadRule(problem, F, min(k + 1, len(problem.X)), offset)
    rules = (free.extra["rule"], balanced.extra["rule"], spread)
    rule = MixtureRule(rules, (0.5 - 0.5 * belief, 0.5 * belief, 0.5))
    M = free.extra["prototypes"]
    extra = {
        **free.extra,
        "rule": ShiftedRule(rule, shift) if shift.any() else rule,
        "prototypes": M + belief * (balanced.extra["prototypes"] - M) + shift,
        "balance": belief,
        "shift": shift,
    }
    worse = free if not free.converged else balanced
    return replace(
        worse,
        x=Z,
        n_iter=free.n_iter,
        residual=max(free.residual, balanced.residual),
        extra=extra,
        solver="",
    )
