"""The solver of the plugin."""

from skrand.regression.solvers import Cholesky


class Sap(Cholesky):
    """Not the core's."""

    name = "sap"
