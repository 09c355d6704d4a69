"""Sketch-to-precondition: least squares to full accuracy at any condition number."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_integer, check_n_jobs, check_real
from skrand.base import Monitor, Solution, Solver
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.factor import TOLERANCE, refine, solve_rows
from skrand.regression.inner import InnerSolver
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import check_sketch_parameters, objection_to_size, sketch_problem

__all__ = ["SAP"]


class SAP(Solver):
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

    task = "least-squares"
    name = "sap"

    def __init__(
        self,
        *,
        sketch="auto",
        sketch_size=None,
        sketch_nnz=None,
        tol=None,
        max_iter=100,
        n_jobs=None,
    ):
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.sketch_nnz = sketch_nnz
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def supports(self, problem: LeastSquares) -> str | None:
        """Refuse sparse data whose sketch would be huge."""
        n, d, _ = problem.shape
        return objection_to_size(problem, min(n, 6 * d))

    def cost(self, problem: LeastSquares) -> float:
        """Estimate flops; see :mod:`skrand.regression.factor` for what a pass counts."""
        n, d, k = problem.shape
        return (100 + 35 * 35 * k) * problem.nnz + 12 * d**3 + 12 * d * d * min(n, d)

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        check_sketch_parameters(self)
        tol = check_real(self, "tol", self.tol, 0, closed="neither", options=(None,))
        max_iter = check_integer(self, "max_iter", self.max_iter, 1)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        seed = int(rng.integers(1 << 63))
        with single_threaded_blas():
            small = sketch_problem(self, problem, 6.0, 4, seed, threads)
            factor, x = solve_rows(small.rows, small.target, small.scale)
            return refine(
                problem,
                factor,
                x,
                monitor,
                tol=TOLERANCE if tol is None else tol,
                max_iter=max_iter,
                threads=threads,
                step=InnerSolver(problem, factor, threads).conjugate_gradients,
            )
