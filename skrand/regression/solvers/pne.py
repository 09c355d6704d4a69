"""Normal equations made safe by a randomized preconditioner: any condition number, few passes."""

from __future__ import annotations

import numpy as np

from skrand.regression.factor import Factor, orthonormalise, pass_cost, solve_rows
from skrand.regression.preconditioned import PreconditionedSolver
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import sample_problem, sketch_problem

__all__ = ["PNE"]


class PNE(PreconditionedSolver):
    """Precondition by a few rows, then form and factor the Gram matrix.

    The triangular factor of some ``2 d`` of the rows, or of a sketch if those turn out to be
    untypical, makes the columns of the whole matrix nearly orthonormal, whatever their condition.
    Their Gram matrix is then safe to form, even in single precision, and its Cholesky factor
    finishes the preconditioner. What is left to do is refinement on the true residual. All of it
    is products of matrices, which makes it the fastest way for ill-conditioned dense data of up to
    some hundreds of columns.

    Cost: ``n d^2`` flops in double and half of that in single precision, in one pass, plus
    ``O(d^3)``; one more such pass and a sketch (``sketch_nnz`` additions an entry) if the rows
    taken were untypical; ``4 n d k`` flops and one pass a refinement. Memory: ``O(d^2)`` numbers
    and a block of rows.

    Parameters
    ----------
    sketch : {"auto", "gaussian", "rademacher", "srht", "countsketch", "sparse-sign"} or operator, \
            default="auto"
        The family of sketches; "auto" takes rows of the data first, then sparse sign.
    sketch_size : int or float, default=None
        Number of rows of the sketch, or, as a float above 1, a multiple of the number of columns.
        None is 3 times the number of columns: the sketch is only a preconditioner.
    sketch_nnz : int, default=None
        Entries in each column of a sparse sign sketch; None is 4, enough to precondition.
    tol : float, default=None
        Relative backward error to reach, as estimated; None is 5 unit roundoffs, ``5.6e-16``, which
        keeps the true one below 10.
    max_iter : int, default=100
        Most refinements. Two or three are the rule.
    n_jobs : int, default=None
        Threads; None is what OpenMP would use. The result does not depend on it.

    References
    ----------
    V. Rokhlin and M. Tygert, "A fast randomized algorithm for overdetermined linear least-squares
    regression", PNAS 105, 2008, doi:10.1073/pnas.0804869105 (the preconditioner).

    Examples
    --------
    >>> import numpy as np
    >>> from skrand.regression import LeastSquares
    >>> from skrand.regression.solvers import PNE
    >>> A = np.vander(np.linspace(0, 1, 1000), 8)
    >>> problem = LeastSquares(A=A, b=A.sum(axis=1, keepdims=True))
    >>> PNE().solve(problem, rng=0).x.ravel().round(6)
    array([1., 1., 1., 1., 1., 1., 1., 1.])
    """

    name = "pne"

    def supports(self, problem: LeastSquares) -> str | None:
        """Refuse sparse data, whose preconditioned rows would be dense."""
        return "it needs dense data" if problem.issparse else None

    def cost(self, problem: LeastSquares) -> float:
        """Estimate flops; see ``skrand.regression.factor`` for what a pass counts."""
        n, d, _ = problem.shape
        return n * d * (1.3 * d + 150) + 2 * pass_cost(problem) + 12 * d**3

    def _precondition(
        self, problem: LeastSquares, seed: int, threads: int
    ) -> tuple[Factor, np.ndarray]:
        sample = sample_problem(problem) if self._is_free() else None
        if sample is not None:
            answer = solve_rows(sample.rows, sample.target, sample.scale)
            finished = self._finish(*answer, problem, threads)
            if finished is not None:
                return finished
        small = sketch_problem(self, problem, 3.0, 4, seed, threads)
        factor, x = solve_rows(small.rows, small.target, small.scale)
        # Without: the sketch lost directions of the data. Refinement will show how far its factor
        # alone goes, and report it.
        return self._finish(factor, x, problem, threads) or (factor, x)

    def _step(self, problem: LeastSquares, factor: Factor, threads: int) -> None:
        """Leave the normal equations to the factor, which is right to six digits."""

    def _finish(
        self, factor: Factor, x: np.ndarray, problem: LeastSquares, threads: int
    ) -> tuple[Factor, np.ndarray] | None:
        problem.oracles["passes"] += 1
        matrix = problem.matrix(threads)
        return orthonormalise(factor, x, matrix, problem.target, problem.ridge)

    def _is_free(self) -> bool:
        """Whether nobody asked for a sketch."""
        return isinstance(self.sketch, str) and self.sketch == "auto" and self.sketch_size is None
