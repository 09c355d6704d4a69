"""The solver of the plugin."""

from skrand.regression.solvers import Cholesky


class Twin(Cholesky):
    """Twin b."""

    name = "twin"
