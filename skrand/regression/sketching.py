"""Sketching the rows of a least-squares problem: what every randomized solver of it shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skrand._validation import check_integer, fail_parameter
from skrand.linalg import SKETCHES, make_sketch
from skrand.regression.factor import row_scale, with_ridge_rows
from skrand.regression.problem import LeastSquares

__all__ = [
    "SketchedRows",
    "check_sketch_parameters",
    "objection_to_size",
    "resolve_size",
    "sample_problem",
    "sketch_operator",
    "sketch_problem",
]

# What solvers make of sparse data without being asked: a square matrix of 16384 columns.
_MOST_BYTES = 1 << 31


@dataclass(frozen=True, eq=False)
class SketchedRows:
    """A few rows that stand for all rows of a problem, columns scaled, ridge rows appended.

    Parameters
    ----------
    rows : ndarray of shape (sketch_size [+ d], d)
        The sketch of the problem's matrix, times `scale`.
    target : ndarray of shape (sketch_size [+ d], k)
        The same sketch of the target.
    scale : ndarray of shape (d,)
        What makes the columns of `rows` unit.
    sketch_size : int
        Number of rows of the sketch, without the ridge.
    exact : bool
        Whether the "sketch" is the problem itself, because it has no more rows than that.
    """

    rows: np.ndarray
    target: np.ndarray
    scale: np.ndarray
    sketch_size: int
    exact: bool


def check_sketch_parameters(solver: Any) -> None:
    """Check ``sketch``, ``sketch_size`` and ``sketch_nnz`` of a solver, as far as they go alone."""
    if not (isinstance(solver.sketch, str) and solver.sketch in {"auto", *SKETCHES}):
        if not hasattr(solver.sketch, "apply"):
            names = ", ".join(repr(name) for name in ("auto", *SKETCHES))
            fail_parameter(solver, "sketch", f"a sketch operator or one of {names}", solver.sketch)
    size = solver.sketch_size
    whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 1
    multiple = isinstance(size, (float, np.floating)) and 1 < size < np.inf
    if not (size is None or whole or multiple):
        allowed = "None, an int in the range [1, inf) or a float in the range (1, inf)"
        fail_parameter(solver, "sketch_size", allowed, size)
    check_integer(solver, "sketch_nnz", solver.sketch_nnz, 1, options=(None,))


def objection_to_size(problem: LeastSquares, rows: int) -> str | None:
    """Say in one sentence why sparse data are not made `rows` dense rows, or None."""
    size = 8 * rows * problem.shape[1]
    if not problem.issparse or size <= _MOST_BYTES:
        return None
    return (
        f"of sparse data with {problem.shape[1]} columns it would make {rows} dense rows, "
        f"{size / 2**30:.0f} GiB"
    )


def sketch_problem(
    solver: Any, problem: LeastSquares, multiple: float, nnz: int, seed: int, threads: int
) -> SketchedRows:
    """Sketch a problem as `solver` asks for.

    Parameters
    ----------
    solver : Solver
        Has parameters ``sketch``, ``sketch_size`` and ``sketch_nnz``.
    problem : LeastSquares
        Read once.
    multiple : float
        Sketch size, as a multiple of the number of columns, that stands for None.
    nnz : int
        Entries in each column of a sparse sign sketch that stand for None.
    seed : int
        Determines the sketch.
    threads : int
        Does not change the result.

    Raises
    ------
    InvalidParameterError
        If the sketch has fewer rows than the problem has columns, plus one.
    """
    n, d, _ = problem.shape
    size = resolve_size(solver, d, multiple)
    matrix = problem.matrix(threads)
    problem.oracles["passes"] += 1
    exact = size >= n
    if exact:
        rows, target = matrix.toarray(), problem.target
    else:
        operator = sketch_operator(solver, size, nnz, seed, threads)
        rows = matrix.sketch(operator)
        target = np.asarray(operator.apply(problem.target), dtype=np.float64)
    scale = row_scale(rows, problem)
    rows, target = with_ridge_rows(rows * scale, target, scale, problem.ridge)
    return SketchedRows(rows, target, scale, min(size, n), exact)


def sample_problem(problem: LeastSquares) -> SketchedRows | None:
    """Let a few of the problem's own rows stand for it, if there are many and no column is 0 there.

    Nothing but a look at the whole problem tells how well they do.
    """
    if problem.row_sample is None:
        return None
    rows, target = problem.row_sample
    growth = np.sqrt(len(problem.b) / len(rows))
    scale = row_scale(rows, problem, growth)
    if not scale.all():
        return None
    sample = with_ridge_rows(growth * rows * scale, growth * target, scale, problem.ridge)
    return SketchedRows(*sample, scale, len(rows), exact=False)


def resolve_size(solver: Any, d: int, multiple: float) -> int:
    """Return the sketch size for d columns; the additive part keeps tiny sketches reliable."""
    size = solver.sketch_size
    if not isinstance(solver.sketch, str):
        size = solver.sketch.sketch_size
    elif size is None:
        size = int(np.ceil(multiple * d)) + 16
    elif isinstance(size, float):
        size = int(np.ceil(size * d))
    if size < d + 1:
        allowed = f"at least {d + 1}, the number of columns plus one"
        fail_parameter(solver, "sketch_size", allowed, int(size))
    return int(size)


def sketch_operator(solver: Any, size: int, nnz: int, seed: int, threads: int) -> Any:
    """Return the operator that `solver` asks for; `nnz` stands for None."""
    if not isinstance(solver.sketch, str):
        return solver.sketch
    kind = "sparse-sign" if solver.sketch == "auto" else solver.sketch
    options = {"nnz": min(solver.sketch_nnz or nnz, size)} if kind == "sparse-sign" else {}
    return make_sketch(kind, size, random_state=seed, n_jobs=threads, **options)
