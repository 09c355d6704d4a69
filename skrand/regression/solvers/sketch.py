"""Sketch-and-solve: an approximate answer from one pass, with an estimate of its error."""

from __future__ import annotations

import numpy as np

from skrand._validation import check_n_jobs, fail_parameter
from skrand.base import Monitor, Solution, Solver
from skrand.linalg import Sketch
from skrand.linalg.threads import effective_n_jobs, single_threaded_blas
from skrand.regression.factor import solution, solve_rows, unscale
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import (
    check_sketch_parameters,
    resolve_size,
    sketch_operator,
    sketch_problem,
)
from skrand.regression.summary import SketchProblem, SketchSummary

__all__ = ["SketchAndSolve"]


class SketchAndSolve(Solver):
    """Solve the sketched problem ``min |S (A x - b)|`` in place of the whole one.

    The objective is larger than the optimum by about the factor ``1 + d / (m - d - 1)`` for a
    sketch of m rows. The residual of the small problem tells how far the fit is from the optimal
    one: ``error_estimate`` is within a few tens of per cent of ``|A (x - x*)|``.

    Cost: one pass over the data, whatever the sketch takes for it (``sketch_nnz`` additions an
    entry for the sparse sign sketch), and ``2 m d^2`` flops; ``m d`` numbers of memory.

    Parameters
    ----------
    sketch : {"auto", "gaussian", "rademacher", "srht", "countsketch", "sparse-sign"} or operator, \
            default="auto"
        The family of sketches; "auto" is sparse sign.
    sketch_size : int or float, default=None
        Number of rows of the sketch, or, as a float above 1, a multiple of the number of columns.
        None is 8 times the number of columns, which makes the objective about 14 % too large.
    sketch_nnz : int, default=8
        Entries in each column of a sparse sign sketch.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    D. P. Woodruff, "Sketching as a Tool for Numerical Linear Algebra", 2014, arXiv:1411.4357,
    section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import SketchAndSolve
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((5000, 3))
    >>> problem = LeastSquares(A=A, b=A @ np.ones((3, 1)) + rng.standard_normal((5000, 1)))
    >>> bool(abs(SketchAndSolve(sketch_size=500).solve(problem, rng=0).x - 1).max() < 0.3)
    True
    """

    task = "least-squares"
    name = "sketch"

    def __init__(self, *, sketch="auto", sketch_size=None, sketch_nnz=8, n_jobs=None):
        self.sketch = sketch
        self.sketch_size = sketch_size
        self.sketch_nnz = sketch_nnz
        self.n_jobs = n_jobs

    def supports(self, problem: LeastSquares) -> str | None:
        """Refuse problems with fewer rows than columns, where a row sketch saves nothing."""
        n, d, _ = problem.shape
        return f"it needs more rows than columns, and has {n} for {d}" if n <= d else None

    def summary(
        self, n_features: int, n_targets: int, intercept: bool, rng: np.random.Generator
    ) -> SketchSummary:
        """Return an empty summary, for rows that come in chunks."""
        check_sketch_parameters(self)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        size = resolve_size(self, n_features, 8.0)
        operator = sketch_operator(self, size, int(rng.integers(1 << 63)), threads)
        if not isinstance(operator, Sketch):
            allowed = "a name or an operator of skrand.linalg, to follow a stream"
            fail_parameter(self, "sketch", allowed, operator)
        return SketchSummary(n_features, n_targets, intercept, operator)

    def _solve(self, problem: LeastSquares, rng: np.random.Generator, monitor: Monitor) -> Solution:
        check_sketch_parameters(self)
        threads = effective_n_jobs(check_n_jobs(self, self.n_jobs))
        seed = int(rng.integers(1 << 63))
        with single_threaded_blas():
            if isinstance(problem, SketchProblem):
                small = problem.sketched()
            else:
                small = sketch_problem(self, problem, 8.0, seed, threads)
            factor, x = solve_rows(small.rows, small.target, small.scale)
            sketched = small.target - small.rows @ unscale(x, small.scale)
        estimate = _error_estimate(sketched, small.sketch_size, factor.rank)
        if isinstance(problem, SketchProblem):
            # The rows are gone. The fit took `rank` of the degrees of freedom of the sketch, so
            # this is the least residual, to which the error is orthogonal.
            free = max(small.sketch_size - factor.rank, 1)
            least = np.linalg.norm(sketched[: small.sketch_size], axis=0)
            residual = np.hypot(np.sqrt(small.sketch_size / free) * least, estimate)[None]
        else:
            residual, _ = problem.residual(x, threads)
        if small.exact:
            estimate = np.zeros_like(estimate)
        size = np.maximum(np.linalg.norm(residual, axis=0), np.finfo(np.float64).tiny)
        return solution(
            problem,
            factor,
            x,
            residual,
            True,
            0,
            float(np.max(estimate / size)),
            error_estimate=estimate,
            sketch_size=small.sketch_size,
        )


def _error_estimate(residual: np.ndarray, sketch_size: int, rank: int) -> np.ndarray:
    """Estimate ``|A (x - x*)|`` for every target from the residual of the sketched problem.

    ``|S (A x - b)|`` underestimates ``|A x* - b|`` by ``sqrt((m - d) / m)``, the degrees of
    freedom that the fit took, and the error is ``sqrt(d / (m - d))`` of it.
    """
    free = max(sketch_size - rank, 1)
    return np.linalg.norm(residual, axis=0) * np.sqrt(sketch_size * rank) / free
