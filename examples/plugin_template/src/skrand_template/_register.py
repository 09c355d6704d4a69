"""What this package brings to skrand: data only, checked whole before any of it is used."""

from skrand.registry import Entry, hookimpl


@hookimpl
def skrand_entries():
    """Declare a solver and an estimator."""
    return [
        Entry(
            kind="solver",
            name="conjugate-gradient",
            target="skrand_template.solver:ConjugateGradient",
            task="least-squares",
            summary="Conjugate gradients on the normal equations, columns scaled",
            # What `skrand check` holds the solver to: it must solve the instances that need these,
            # and refuse the others in words.
            capabilities={"sparse", "sample-weight", "multi-output", "float32", "deterministic"},
            reference=(
                "M. R. Hestenes, E. Stiefel. Methods of Conjugate Gradients for Solving Linear "
                "Systems. J. Res. Natl. Bur. Stand. 49, 1952. doi:10.6028/jres.049.044"
            ),
            since="0.1",
        ),
        Entry(
            kind="estimator",
            name="TrendRegressor",
            target="skrand_template.estimator:TrendRegressor",
            task="least-squares",
            summary="Polynomial trend of each feature, fitted by any least-squares solver",
            capabilities={"float32", "inductive"},
            since="0.1",
        ),
    ]
