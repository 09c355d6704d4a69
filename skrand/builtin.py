"""What the core brings, through the same hook as any plugin: one table a domain, data only."""

from __future__ import annotations

from collections.abc import Iterable

from skrand.registry import Entry, hookimpl

__all__ = ["skrand_entries"]


@hookimpl
def skrand_entries() -> Iterable[Entry]:
    """Declare the core's tasks, solvers and estimators."""
    return [*_least_squares()]


def _least_squares() -> Iterable[Entry]:
    task = "least-squares"
    yield Entry(
        kind="task",
        name=task,
        target="skrand.regression.problem:LeastSquaresTask",
        summary="Fit a linear model: weighted, ridge, several targets",
        since="0.1",
    )
    yield Entry(
        kind="estimator",
        name="SketchedRegressor",
        target="skrand.regression.estimator:SketchedRegressor",
        task=task,
        summary="Linear regression by a solver of your choice, randomized or not",
        capabilities={"sparse", "sample-weight", "multi-output", "float32", "inductive"},
        since="0.1",
    )
    for name, target, can, summary, reference in (
        (
            "auto",
            "auto:Auto",
            "sparse sample-weight multi-output float32",
            "The cheapest solver whose answer is verified",
            "",
        ),
        (
            "lapack",
            "lapack:Lapack",
            "sample-weight multi-output float32 deterministic",
            "Singular values by LAPACK, column-scaled: right at any condition",
            "",
        ),
        (
            "chol",
            "chol:Cholesky",
            "sparse sample-weight multi-output float32 deterministic",
            "Cholesky of the scaled Gram matrix, then refinement",
            "",
        ),
        (
            "sap",
            "sap:SAP",
            "sparse sample-weight multi-output float32",
            "Sketch to precondition: full accuracy, any condition",
            "H. Avron, P. Maymounkov, S. Toledo. Blendenpik: Supercharging LAPACK's Least-Squares "
            "Solver. SIAM J. Sci. Comput. 32, 2010. doi:10.1137/090767911",
        ),
        (
            "sketch",
            "sketch:SketchAndSolve",
            "sparse sample-weight multi-output float32",
            "Solve a sketch of the problem and estimate the error made",
            "T. Sarlos. Improved Approximation Algorithms for Large Matrices via Random "
            "Projections. FOCS 2006. doi:10.1109/FOCS.2006.37",
        ),
    ):
        yield Entry(
            kind="solver",
            name=name,
            target=f"skrand.regression.solvers.{target}",
            task=task,
            summary=summary,
            capabilities=can.split(),
            reference=reference,
            default=name == "auto",
            since="0.1",
        )
