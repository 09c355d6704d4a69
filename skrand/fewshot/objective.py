"""Sweeps over a soft labelling: the objective that solvers descend, in tiles of rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import xlogy

from skrand._ext import fewshot as _kernels
from skrand.fewshot.graph import Graph
from skrand.fewshot.problem import TransductiveLabelling
from skrand.linalg.threads import ordered_map

__all__ = ["Labelling", "with_support"]

#: Rows of a tile: what is made of it (scores, a block of labels) stays in the cache.
TILE = 2048

#: A labelling of more bytes is not in the cache of a processor, where order would not matter.
CACHED = 2**25


class Labelling:
    """A soft labelling Z of a problem's rows, and the steps that improve it.

    The objective of Z and prototypes M, for temperature T, graph W and prior p, is ::

        sum_q z_q . d(x_q, M) / T + sum_q z_q . log z_q  +  s sum_l d(x_l, m_y(l)) / T
            - (c / 2) sum_pq w_pq z_p . z_q  +  r sum_k m_k log(m_k / n p_k)

    with q over the queries, l over the support and m the sums of the columns of Z over the n
    queries. The third term weights the support by s. The fourth is concave as far as W has negative
    eigenvalues; these are not below -1. A sweep therefore minimises, exactly and for each query on
    its own, the objective with that term linearised, plus ``(c / 2) KL(z_q | old z_q)``. As
    ``KL >= |z - z'|_1^2 / 2 >= |z - z'|_2^2`` for two distributions, that is an upper bound which
    touches the objective at the old Z, so no sweep increases the objective.

    Parameters
    ----------
    problem : TransductiveLabelling
        What is labelled.
    graph : Graph, optional
        W, from :func:`skrand.fewshot.graph.neighbour_graph`.
    coupling : float, default=0.0
        c.
    prior : ndarray of shape (n_classes,), optional
        p, of sum 1; None for no prior.
    strength : float, default=0.0
        r; infinite to force the class masses to the prior.
    threads : int, default=1
        Threads. The result does not depend on it.
    """

    def __init__(
        self,
        problem: TransductiveLabelling,
        graph: Graph | None = None,
        coupling: float = 0.0,
        prior: np.ndarray | None = None,
        strength: float = 0.0,
        threads: int = 1,
    ) -> None:
        self.problem = problem
        self.X = problem.features
        self.labels = problem.labels
        self.order: np.ndarray | None = None
        self.coupling = coupling
        self.threads = threads
        self.strength = strength if prior is not None else 0.0
        self.target = None if prior is None else prior * len(problem.queries)
        self.Z = problem.one_hot()
        self.offset = np.zeros(problem.n_classes)
        self.links: tuple[Any, ...] = (None, None, None)
        self.linked = graph is not None and coupling > 0
        if self.linked:
            dtype = self.X.dtype
            weights = graph.weights * dtype.type(coupling)
            self.links = (graph.indptr, graph.indices, weights)
        self._ones = np.ones(min(TILE, len(self.X)), dtype=self.X.dtype)
        # Scores of a tile, made once a thread: fresh memory costs as much as the product.
        self._room = threading.local()
        self._spare = self.Z.copy() if self.linked else self.Z

    def sort_by_class(self) -> None:
        """Order the rows by class, which brings neighbours near each other in memory.

        It takes a copy of the rows, and pays within a few sweeps: one that finds the labels of
        neighbours anywhere waits for memory. Nothing is done where labels fit in the cache.
        """
        if not self.linked or self.Z.nbytes <= CACHED:
            return
        self.order = order = self.Z.argmax(axis=1).argsort(kind="stable")
        self.X, self.labels = self.X[order], self.labels[order]
        np.take(self.Z, order, axis=0, out=self._spare, mode="clip")
        # Labelled rows are not written by a sweep: both arrays hold them.
        self.Z[:] = self._spare
        indptr, indices, weights = self.links
        W = sp.csr_array((weights, indices, indptr), shape=(len(order), len(order)))[order]
        place = np.empty(len(order), dtype=indices.dtype)
        place[order] = np.arange(len(order), dtype=indices.dtype)
        self.links = (W.indptr.astype(indptr.dtype), place[W.indices], W.data)

    def answer(self) -> np.ndarray:
        """Return a copy of Z with its rows in the problem's order."""
        return self.Z.copy() if self.order is None else self._restore(np.empty_like(self.Z))

    def last_answer(self) -> np.ndarray:
        """Return what `answer` does without a third labelling. No sweep can follow."""
        return self.Z if self.order is None else self._restore(self._spare)

    def _restore(self, out: np.ndarray) -> np.ndarray:
        out[self.order] = self.Z
        return out

    def assign(self, A: np.ndarray, b: np.ndarray, scale: float, *, linked: bool = True) -> float:
        """Sweep once over the queries; return the share of their mass that moved to other classes.

        Distances are ``-scale (x . A_k + b_k)``, up to what does not depend on the class.
        """
        links = self.links if linked else (None, None, None)
        damping = 0.5 * self.coupling if links[0] is not None else 0.0
        old = self.Z
        out = self._spare if links[0] is not None else old
        offset = (scale * b + self.offset).astype(self.X.dtype)
        At = A.T.astype(self.X.dtype)
        k = len(b)

        def tile(rows: slice) -> tuple[float, Any]:
            sums = None if self.target is None else np.empty(k)
            moved = _kernels.assign(
                self._scores(rows, At),
                scale,
                offset,
                self.labels,
                *links,
                damping,
                old,
                out,
                rows.start,
                sums,
            )
            return moved, sums

        parts = list(self._tiles(tile))
        if out is not old:
            self.Z, self._spare = out, old
        self.problem.oracles["passes"] += 1
        if self.target is not None:
            self._match_prior(sum(part[1] for part in parts), damping)
        return float(sum(part[0] for part in parts)) / max(1, len(self.problem.queries))

    def _match_prior(self, mass: np.ndarray, damping: float) -> None:
        """Scale the columns of Z to where the penalty on their sums has its minimum.

        What is added to the logits, `offset`, solves ``target exp(-offset / r) = mass(offset)``,
        the condition for the minimum: by Newton's method, or a step of alternating scaling where
        that does not help. It starts from the last sweep's.
        """
        target, r, n = self.target, self.strength, len(self.problem.queries)
        assert target is not None
        single = self.X.dtype == np.float32
        tol = n * (3e-7 if single else 1e-10)
        # Where rounding of the labels leaves their sums.
        floor = n * (1e-5 if single else 1e-8)
        error = np.inf
        for _ in range(100):
            # No offset beyond these can be the answer.
            wanted = target * np.exp(np.clip(-self.offset / r, -50.0, 50.0))
            gap = wanted - mass
            last, error = error, float(np.abs(gap).max())
            if error <= tol or (error <= floor and error > 0.5 * last):
                break
            if error < 0.9 * last:
                H = np.diag(mass + wanted * ((1 + damping) / r)) - self._products()
                # Adding to all offsets changes no label: the ridge picks one of the solutions.
                step = np.linalg.solve(H + 1e-9 * n * np.eye(len(gap)), gap)
                step = np.clip(step, -1.0, 1.0)
            else:
                share = 1.0 / (1.0 + (1.0 + damping) / r)
                step = share * np.log(wanted / np.maximum(mass, 1e-300))
            mass = self._rescale(np.exp(step))
            self.offset = self.offset + (1 + damping) * step

    def _products(self) -> np.ndarray:
        """Return ``sum_q z_q z_q^T`` over the queries."""

        def tile(rows: slice) -> np.ndarray:
            return (self.Z[rows].T @ self.Z[rows]).astype(np.float64)

        return sum(self._tiles(tile)) - np.diag(self.problem.shots)

    def _rescale(self, factor: np.ndarray) -> np.ndarray:
        """Multiply columns by `factor`, normalise rows; return the column sums of the queries."""
        factor = factor.astype(self.X.dtype)

        def tile(rows: slice) -> np.ndarray:
            sums = np.empty(len(factor))
            _kernels.rescale(self.Z[rows], self.labels[rows], factor, sums)
            return sums

        return sum(self._tiles(tile))

    def sums(self, support_weight: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of rows by class, (n_classes, d), and of their labels; float64.

        Rows are weighted by Z, and those of the support also by `support_weight`.
        """

        def tile(rows: slice) -> tuple[np.ndarray, np.ndarray]:
            Z = self.Z[rows]
            return Z.T @ self.X[rows], self._ones[: len(Z)] @ Z

        total, mass = 0.0, 0.0
        for rows_sum, rows_mass in self._tiles(tile):
            total = total + rows_sum.astype(np.float64)
            mass = mass + rows_mass.astype(np.float64)
        return with_support(self.problem, total, mass, support_weight)

    def energy(
        self, A: np.ndarray, b: np.ndarray, scale: float, sums: np.ndarray, mass: np.ndarray
    ) -> float:
        """Return the objective, without what neither Z nor the prototypes change.

        `sums` and `mass` are what :meth:`sums` returns: distances are linear in them.
        """
        distances = -scale * (float(np.vdot(A, sums)) + float(b @ mass))
        # Labelled rows, which are certain, add nothing to the entropy.
        negentropy = sum(self._tiles(lambda rows: _kernels.entropy(self.Z[rows])))
        value = distances + float(negentropy)
        if self.linked:
            value -= 0.5 * self._agreement()
        if self.target is not None and np.isfinite(self.strength):
            mass = self.class_mass()
            value += self.strength * float((xlogy(mass, mass) - mass * np.log(self.target)).sum())
        return value

    def disagreement(self) -> float:
        """Return how much neighbours disagree, from 0 (not at all) to 1; 0 without a graph."""
        return 1.0 - self._agreement() / (self.coupling * len(self.X)) if self.linked else 0.0

    def _agreement(self) -> float:
        links = self.links

        def tile(rows: slice) -> float:
            return _kernels.agreement(*links, self.Z, rows.start, rows.stop)

        return float(sum(self._tiles(tile)))

    def class_mass(self) -> np.ndarray:
        """Return the sums of the columns of Z over the queries, float64."""
        return self.Z.sum(axis=0, dtype=np.float64) - self.problem.shots

    def _scores(self, rows: slice, At: np.ndarray) -> np.ndarray:
        """Return the product of a tile's rows with `At`, in memory that the next call reuses."""
        room = getattr(self._room, "scores", None)
        if room is None:
            shape = (min(TILE, len(self.X)), self.problem.n_classes)
            room = self._room.scores = np.empty(shape, dtype=self.X.dtype)
        return np.matmul(self.X[rows], At, out=room[: rows.stop - rows.start])

    def _tiles(self, function: Callable[[slice], Any]) -> Iterator[Any]:
        n = len(self.X)
        if n <= TILE:
            return iter((function(slice(0, n)),))
        starts = range(0, n, TILE)
        tiles = [slice(start, min(start + TILE, n)) for start in starts]
        return ordered_map(function, tiles, self.threads)


def with_support(
    problem: TransductiveLabelling, sums: np.ndarray, mass: np.ndarray, weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Let the support count `weight` times in sums of rows by class, and in those of labels."""
    return (
        sums + (weight - 1.0) * problem.support_sums,
        mass + (weight - 1.0) * problem.shots,
    )
