"""The Gram matrix of a least-squares problem: what it costs, whether it will do, and its factor."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from skrand.linalg.threads import single_threaded_blas
from skrand.regression.factor import UNIT, Factor, cholesky, column_scale
from skrand.regression.problem import LeastSquares
from skrand.regression.sketching import sample_problem

__all__ = ["gram_cost", "is_singular", "needs_rows", "normal_equations"]

# Flops of a Gram matrix below which to form it costs less than to look at a sample first.
_WORTH_A_SAMPLE = 1 << 24


def gram_cost(problem: LeastSquares) -> float:
    """Estimate what the Gram matrix and its Cholesky factor cost, in flops of a dense product."""
    n, d, _ = problem.shape
    if problem.issparse:
        # A multiplication of a sparse product takes as long as some 100 of a dense one.
        return 100 * problem.nnz**2 / n + d**3
    return n * d * d + d**3 / 3


def needs_rows(problem: LeastSquares) -> bool:
    """Whether the Gram matrix is singular by its shape."""
    n, d, _ = problem.shape
    return n - problem.intercept < d and problem.ridge == 0


def is_singular(problem: LeastSquares, threads: int) -> bool:
    """Whether the scaled Gram matrix is numerically singular, as far as a look can tell.

    A sample of the rows is looked at where that is cheaper, else the Gram matrix itself, whose
    factor is kept if it is any good. It needs as many rows as columns, or a ridge.
    """
    if "singular" not in problem.found:
        problem.found["singular"] = _look(problem, threads)
    return problem.found["singular"]


def _look(problem: LeastSquares, threads: int) -> bool:
    n, d, _ = problem.shape
    sample = sample_problem(problem) if n * d * d >= _WORTH_A_SAMPLE else None
    if sample is not None:
        with single_threaded_blas():
            _, rcond = cholesky(sample.rows.T @ sample.rows)
        # A sample of 2 d rows is up to 6 times worse conditioned than what it was drawn from.
        return rcond < _smallest_rcond(len(sample.scale)) / 36
    gram, right = problem.gram(threads)
    with single_threaded_blas():
        factor = _by_cholesky(*_scaled(gram, problem))
    if factor is None:
        return True
    problem.found["factor"] = factor, right
    return False


def _smallest_rcond(d: int) -> float:
    """Return the reciprocal condition number below which a Gram matrix has no correct digits."""
    return 10 * d * UNIT


def normal_equations(problem: LeastSquares, threads: int) -> tuple[Factor, np.ndarray]:
    """Return a factor of the Gram matrix, and the product of the transpose with the target.

    By Cholesky if the matrix is definite in floating point, else by eigenvalues. These give a
    finite answer of minimum norm; the rank is below the number of columns that are used.
    """
    if "factor" in problem.found:
        return problem.found.pop("factor")
    gram, right = problem.gram(threads)
    with single_threaded_blas():
        scale, scaled = _scaled(gram, problem)
        return _by_cholesky(scale, scaled) or _by_eigenvalues(scale, scaled), right


def _by_cholesky(scale: np.ndarray, scaled: np.ndarray) -> Factor | None:
    R, rcond = cholesky(scaled)
    if not rcond > _smallest_rcond(len(scaled)):
        return None
    return Factor.from_triangle(scale, R, condition=rcond**-0.5)


def _by_eigenvalues(scale: np.ndarray, scaled: np.ndarray) -> Factor:
    values, vectors = scipy.linalg.eigh(scaled, check_finite=False)
    Vt = np.zeros((len(scaled), len(scale)))
    Vt[:, np.flatnonzero(scale)] = vectors[:, ::-1].T
    singular_values = np.sqrt(np.maximum(values[::-1], 0.0))
    return Factor.from_svd(scale, singular_values, Vt, cut=np.sqrt(10 * len(scaled) * UNIT))


def _scaled(gram: np.ndarray, problem: LeastSquares) -> tuple[np.ndarray, np.ndarray]:
    """Return what makes the columns unit, and the Gram matrix of those that are used, scaled."""
    scale = column_scale(np.sqrt(np.maximum(gram.diagonal(), 0.0)), problem)
    scaled = scale[:, None] * gram * scale
    np.fill_diagonal(scaled, scale != 0)
    used = np.flatnonzero(scale)
    return scale, scaled if len(used) == len(gram) else scaled[np.ix_(used, used)]
