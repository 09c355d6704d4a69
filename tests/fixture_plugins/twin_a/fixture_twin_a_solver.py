"""The solver of the plugin."""

from skrand.regression.solvers import Cholesky


class Twin(Cholesky):
    """Twin a."""

    name = "twin"
