"""The core's solvers of the tasks of :mod:`skrand.regression`."""

from skrand.regression.solvers.auto import Auto
from skrand.regression.solvers.chol import Cholesky
from skrand.regression.solvers.lapack import Lapack
from skrand.regression.solvers.pne import PNE
from skrand.regression.solvers.sap import SAP
from skrand.regression.solvers.sketch import SketchAndSolve

__all__ = ["PNE", "SAP", "Auto", "Cholesky", "Lapack", "SketchAndSolve"]
