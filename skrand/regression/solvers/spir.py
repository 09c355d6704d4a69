"""Sketched iterative refinement: few passes over large data at any condition number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skrand.linalg.centred import CentredMatrix
from skrand.regression.factor import Factor, orthonormalise, pass_cost, solve_rows
from skrand.regression.preconditioned import PreconditionedSolver
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import SketchedRows, sketch_problem

__all__ = ["SPIR"]


class SPIR(PreconditionedSolver):
    """Sketch-and-precondition with iterative refinement, from a sketch that is large.

    Twenty rows a column let each inner step gain more than half a digit, and a factor of so large a
    sketch need not be dear: it comes from the Gram matrix of its rows after a few of them have
    preconditioned it, in less than a quarter of the time of QR. So there are few passes over the
    data, which is what counts when they are large and have many columns.

    Cost: one sketch (``sketch_nnz`` additions an entry), ``1.5 m d^2 + O(d^3)`` flops for the
    factor, then ``4 n d k`` flops and one pass for every inner step, about 20 in all; ``m d``
    numbers of memory.

    Parameters
    ----------
    sketch : {"auto", "gaussian", "rademacher", "srht", "countsketch", "sparse-sign"} or operator, \
            default="auto"
        The family of sketches; "auto" is sparse sign.
    sketch_size : int or float, default=None
        Number of rows of the sketch, or, as a float above 1, a multiple of the number of columns.
        None is 20 times the number of columns, or a quarter of the rows if that is less, but not
        less than 6 times.
    sketch_nnz : int, default=None
        Entries in each column of a sparse sign sketch; None is 4, enough to precondition.
    tol : float, default=None
        Relative backward error to reach, as estimated; None is 5 unit roundoffs, ``5.6e-16``, which
        keeps the true one below 10.
    max_iter : int, default=100
        Most outer iterations.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    E. N. Epperly, M. Meier and Y. Nakatsukasa, "Fast randomized least-squares solvers can be just
    as accurate and stable as classical direct solvers", 2024, arXiv:2406.03468 (SPIR, with
    conjugate gradients inside; their FOSSILS takes the heavy ball there, whose fixed momentum a
    sketch of few columns can betray).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import SPIR
    >>> A = np.vander(np.linspace(0, 1, 1000), 8)
    >>> problem = LeastSquares(A=A, b=A.sum(axis=1, keepdims=True))
    >>> SPIR().solve(problem, rng=0).x.ravel().round(6)
    array([1., 1., 1., 1., 1., 1., 1., 1.])
    """

    name = "spir"

    def cost(self, problem: LeastSquares) -> float:
        """Estimate flops; see ``skrand.regression.factor`` for what a pass counts."""
        n, d, _ = problem.shape
        rows = min(n, _multiple(problem) * d)
        return 150 * problem.nnz + 21 * pass_cost(problem) + d * d * (2 * rows + 8 * d)

    def _precondition(
        self, problem: LeastSquares, seed: int, threads: int
    ) -> tuple[Factor, np.ndarray]:
        small = sketch_problem(self, problem, _multiple(problem), 4, seed, threads)
        return _factor_in_two(small, threads)


def _multiple(problem: LeastSquares) -> float:
    """Return how many rows a column the sketch has: more where they are few beside the data's."""
    n, d, _ = problem.shape
    return float(np.clip(n / (4 * d), 6, 20))


def _factor_in_two(small: SketchedRows, threads: int) -> tuple[Factor, np.ndarray]:
    """Factor a tall sketch by the Gram matrix of its rows, preconditioned by some of them."""
    d, size = len(small.scale), small.sketch_size
    some = np.linspace(0, size - 1, min(size, 2 * d + 16)).astype(int)
    some = np.concatenate([some, np.arange(size, len(small.rows))])  # the ridge, if there is one
    weight = np.where(some < size, np.sqrt(size / (2 * d + 16)), 1.0)[:, None]
    used = (small.scale > 0).astype(np.float64)
    first, y = solve_rows(weight * small.rows[some], weight * small.target[some], used)
    rows = CentredMatrix(small.rows, threads=threads)
    finished = None
    if first.rank == used.sum():
        finished = orthonormalise(first, y, rows, small.target, 0.0)
    if finished is None:
        return solve_rows(small.rows, small.target, small.scale)
    factor, y = finished
    return replace(factor, scale=small.scale), small.scale[:, None] * y
