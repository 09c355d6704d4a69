"""Episodes: small problems drawn from labelled data, and how well estimators do on many of them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state, column_or_1d

from skrand._typing import MatrixLike
from skrand._validation import check_integer, check_real, fail_parameter

__all__ = ["Episode", "EpisodeSampler", "EpisodeScores", "evaluate_episodes"]


class Episode(NamedTuple):
    """Rows of one episode.

    Parameters
    ----------
    support : ndarray of int
        Positions of the labelled rows.
    queries : ndarray of int
        Positions of the rows to label.
    """

    support: np.ndarray
    queries: np.ndarray


class EpisodeSampler:
    """Draws classes, labelled rows and queries.

    Parameters
    ----------
    n_way : int, default=5
        Classes of an episode.
    n_shot : int, default=1
        Labelled rows of a class.
    n_query : int, default=15
        Queries a class, on average.
    n_episodes : int, default=600
        Number of episodes.
    query_prior : "balanced" or ("dirichlet", alpha), default="balanced"
        Whether each class has `n_query` queries, or shares are drawn from a Dirichlet distribution
        (the smaller alpha, the less balanced; 2 is usual). A class has at most as many queries as
        it has rows left.
    random_state : int, RandomState instance or None, default=None
        Determines the episodes; each one by its own number, whatever the others.

    References
    ----------
    O. Veilleux, M. Boudiaf, P. Piantanida, I. Ben Ayed, "Realistic evaluation of transductive
    few-shot learning", NeurIPS 2021, arXiv:2204.11181: Dirichlet queries.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.fewshot import EpisodeSampler
    >>> y = np.repeat(np.arange(10), 20)
    >>> sampler = EpisodeSampler(n_shot=2, n_query=3, n_episodes=4, random_state=0)
    >>> [(len(e.support), len(e.queries)) for e in sampler.split(y)]
    [(10, 15), (10, 15), (10, 15), (10, 15)]
    """

    def __init__(
        self,
        n_way: int = 5,
        n_shot: int = 1,
        n_query: int = 15,
        n_episodes: int = 600,
        *,
        query_prior: Any = "balanced",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_way = n_way
        self.n_shot = n_shot
        self.n_query = n_query
        self.n_episodes = n_episodes
        self.query_prior = query_prior
        self.random_state = random_state

    def split(self, y: Any, query_pool: Any = None) -> Iterator[Episode]:
        """Yield episodes.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels of all rows.
        query_pool : array-like of bool of shape (n_samples,), default=None
            Rows that queries are drawn from, the support being drawn from the others: for queries
            from another source. None draws both from all rows.

        Yields
        ------
        Episode

        Raises
        ------
        ValueError
            If a parameter is not allowed, or there are too few classes or rows.
        """
        alpha = self._check()
        y = column_or_1d(y)
        pool = None if query_pool is None else np.asarray(query_pool, dtype=bool)
        if pool is not None and pool.shape != y.shape:
            raise ValueError(f"query_pool has shape {pool.shape}, y has shape {y.shape}.")
        known = np.ones(len(y), dtype=bool) if pool is None else ~pool
        rows, others = {}, {}
        for c in np.unique(y[known]):
            rows[c] = np.flatnonzero(known & (y == c))
            others[c] = rows[c] if pool is None else np.flatnonzero(pool & (y == c))
        least = self.n_shot + (1 if pool is None else 0)
        usable = [c for c in rows if len(rows[c]) >= least and len(others[c]) > 0]
        if len(usable) < self.n_way:
            raise ValueError(
                f"Episodes of {self.n_way} classes with {self.n_shot} labels need as many classes "
                f"with more rows than that. Got {len(usable)}."
            )
        seed = check_random_state(self.random_state).randint(2**31)
        for number in range(self.n_episodes):
            rng = np.random.default_rng([seed, number])
            classes = [usable[i] for i in rng.permutation(len(usable))[: self.n_way]]
            counts = self._counts(rng, alpha)
            support, queries = [], []
            for c, count in zip(classes, counts, strict=True):
                order = rng.permutation(rows[c])
                support.append(order[: self.n_shot])
                rest = order[self.n_shot :] if pool is None else rng.permutation(others[c])
                queries.append(rest[:count])
            yield Episode(np.concatenate(support), np.concatenate(queries))

    def _counts(self, rng: np.random.Generator, alpha: float | None) -> np.ndarray:
        if alpha is None:
            return np.full(self.n_way, self.n_query)
        shares = rng.dirichlet(np.full(self.n_way, alpha))
        return rng.multinomial(self.n_way * self.n_query, shares)

    def _check(self) -> float | None:
        check_integer(self, "n_way", self.n_way, 2)
        for name in ("n_shot", "n_query", "n_episodes"):
            check_integer(self, name, getattr(self, name), 1)
        prior = self.query_prior
        if isinstance(prior, str) and prior == "balanced":
            return None
        if not (isinstance(prior, tuple) and len(prior) == 2 and prior[0] == "dirichlet"):
            fail_parameter(self, "query_prior", "'balanced' or ('dirichlet', alpha)", prior)
        return check_real(self, "query_prior", prior[1], 0, closed="neither")


@dataclass(frozen=True)
class EpisodeScores:
    """Accuracies of one estimator over episodes.

    Parameters
    ----------
    name : str
        The estimator.
    accuracies : ndarray of shape (n_episodes,)
        Share of the queries that are labelled right.
    difference : ndarray of shape (n_episodes,)
        The same less that of the first estimator on the same episode.
    milliseconds : float
        Median CPU time of a fit.
    """

    name: str
    accuracies: np.ndarray
    difference: np.ndarray
    milliseconds: float

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return float(self.accuracies.mean())

    @property
    def interval(self) -> float:
        """Half the width of the mean's 95 % interval."""
        return _half_width(self.accuracies)

    @property
    def mean_difference(self) -> float:
        """Mean difference to the first estimator."""
        return float(self.difference.mean())

    @property
    def difference_interval(self) -> float:
        """Half the width of the mean difference's 95 % interval: episodes are paired."""
        return _half_width(self.difference)

    def __str__(self) -> str:
        """Return a line of a table."""
        return (
            f"{self.name:20} {100 * self.mean:6.2f} +- {100 * self.interval:.2f}   "
            f"{100 * self.mean_difference:+6.2f} +- {100 * self.difference_interval:.2f}   "
            f"{self.milliseconds:8.2f} ms"
        )


def _half_width(values: np.ndarray) -> float:
    if len(values) < 2:
        return float("inf")
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def evaluate_episodes(
    estimators: Mapping[str, Any],
    X: MatrixLike,
    y: Any,
    sampler: EpisodeSampler,
    *,
    query_pool: Any = None,
    inductive: Any = (),
    callback: Any = None,
) -> list[EpisodeScores]:
    """Fit estimators on the same episodes and compare what they make of the queries.

    Parameters
    ----------
    estimators : dict of str to estimator
        Each is cloned for every episode and fitted on support and queries, the queries marked -1;
        its `transduction_` is what counts.
    X : array-like of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Their labels.
    sampler : EpisodeSampler
        What draws the episodes.
    query_pool : array-like of bool of shape (n_samples,), default=None
        See :meth:`EpisodeSampler.split`.
    inductive : collection of str, default=()
        Names of plain classifiers among the estimators: these are fitted on the support alone and
        predict the queries.
    callback : callable, default=None
        Called after each episode with its number and the number of all, for a progress bar.

    Returns
    -------
    list of EpisodeScores
        In the order of `estimators`; print them for a table.

    Notes
    -----
    Warnings that an estimator did not converge are not shown.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skrand import TransductiveFewShot
    >>> from skrand.fewshot import EpisodeSampler, evaluate_episodes
    >>> X, y = load_digits(return_X_y=True)
    >>> sampler = EpisodeSampler(n_episodes=20, random_state=0)
    >>> estimators = {s: TransductiveFewShot(s) for s in ("prototype", "auto")}
    >>> first, second = evaluate_episodes(estimators, X, y, sampler)
    >>> second.mean_difference > 0.05
    True
    """
    if not estimators:
        raise ValueError("evaluate_episodes needs at least one estimator. Got none.")
    unknown = set(inductive) - set(estimators)
    if unknown:
        raise ValueError(f"inductive names {sorted(unknown)[0]!r}, which is not an estimator here.")
    X = check_array(X, dtype=[np.float64, np.float32])
    codes = np.unique(column_or_1d(y), return_inverse=True)[1]
    if len(codes) != len(X):
        raise ValueError(f"y has {len(codes)} labels for the {len(X)} rows of X.")
    accuracies: dict[str, list[float]] = {name: [] for name in estimators}
    seconds: dict[str, list[float]] = {name: [] for name in estimators}
    for number, episode in enumerate(sampler.split(codes, query_pool), start=1):
        rows = np.concatenate(episode)
        truth = codes[episode.queries]
        marked = np.concatenate([codes[episode.support], np.full(len(truth), -1)])
        batch = X[rows]
        for name, estimator in estimators.items():
            start = time.process_time()
            labels = _labels(clone(estimator), batch, marked, name in inductive)
            seconds[name].append(time.process_time() - start)
            accuracies[name].append(float(np.mean(labels == truth)))
        if callback is not None:
            callback(number, sampler.n_episodes)
    first = np.array(accuracies[next(iter(estimators))])
    return [
        EpisodeScores(
            name,
            np.array(values),
            np.array(values) - first,
            1000 * float(np.median(seconds[name])),
        )
        for name, values in accuracies.items()
    ]


def _labels(estimator: Any, X: np.ndarray, y: np.ndarray, inductive: bool) -> np.ndarray:
    """Return the labels that an estimator gives to the rows marked -1."""
    hidden = y == -1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if inductive:
            return estimator.fit(X[~hidden], y[~hidden]).predict(X[hidden])
        estimator.fit(X, y)
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    if not hasattr(last, "transduction_"):
        raise ValueError(
            f"{type(last).__name__} has no transduction_ after fit. Name it in inductive= to fit "
            "it on the support alone."
        )
    return last.transduction_[hidden]
