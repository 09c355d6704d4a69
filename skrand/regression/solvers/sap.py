"""Sketch-to-precondition: least squares to full accuracy at any condition number."""

from __future__ import annotations

import numpy as np

from skrand.regression.factor import Factor, pass_cost, qr_cost, solve_rows
from skrand.regression.preconditioned import PreconditionedSolver
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import sketch_problem

__all__ = ["SAP"]


class SAP(PreconditionedSolver):
    """Sketch, factor the sketch, and use the factor to precondition conjugate gradients.

    The sketch's factor makes the matrix nearly orthonormal whatever its condition number, so the
    inner iteration converges at the rate ``sqrt(d / m)`` for m sketched rows. The outer iteration
    refines on the true residual, which restores backward stability: two or three rounds.

    Cost: one sketch (``sketch_nnz`` additions an entry), ``2 m d^2 + O(d^3)`` flops for the
    factor, then ``4 n d k`` flops and one pass for every inner step; ``m d`` numbers of memory.

    Parameters
    ----------
    sketch : {"auto", "gaussian", "rademacher", "srht", "countsketch", "sparse-sign"} or operator, \
            default="auto"
        The family of sketches; "auto" is sparse sign.
    sketch_size : int or float, default=None
        Number of rows of the sketch, or, as a float above 1, a multiple of the number of columns.
        None is 6 times the number of columns.
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
    V. Rokhlin and M. Tygert, "A fast randomized algorithm for overdetermined linear least-squares
    regression", PNAS 105, 2008, doi:10.1073/pnas.0804869105 (the preconditioner).
    E. N. Epperly, M. Meier and Y. Nakatsukasa, "Fast randomized least-squares solvers can be just
    as accurate and stable as classical direct solvers", 2024, arXiv:2406.03468 (the refinement).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import SAP
    >>> A = np.vander(np.linspace(0, 1, 1000), 8)
    >>> problem = LeastSquares(A=A, b=A.sum(axis=1, keepdims=True))
    >>> SAP().solve(problem, rng=0).x.ravel().round(6)
    array([1., 1., 1., 1., 1., 1., 1., 1.])
    """

    name = "sap"

    def cost(self, problem: LeastSquares) -> float:
        """Estimate flops; see ``skrand.regression.factor`` for what a pass counts."""
        n, d, _ = problem.shape
        if n <= 6 * d and not problem.issparse:
            return qr_cost(problem) + 2 * pass_cost(problem)
        rows = min(n, 6 * d)
        return 100 * problem.nnz + 35 * pass_cost(problem) + d * d * (2 * rows + 5 * d)

    def _precondition(
        self, problem: LeastSquares, seed: int, threads: int
    ) -> tuple[Factor, np.ndarray]:
        small = sketch_problem(self, problem, 6.0, 4, seed, threads)
        return solve_rows(small.rows, small.target, small.scale)
