"""The core's solvers of the tasks of :mod:`skrand.regression`."""

from skrand.regression.solvers.auto import Auto
from skrand.regression.solvers.cg import ConjugateGradients
from skrand.regression.solvers.chol import Cholesky
from skrand.regression.solvers.coreset import Coreset
from skrand.regression.solvers.ipm import InteriorPoint
from skrand.regression.solvers.kaczmarz import BlockKaczmarz
from skrand.regression.solvers.lapack import Lapack
from skrand.regression.solvers.lp_auto import LpAuto
from skrand.regression.solvers.newton import Newton
from skrand.regression.solvers.pne import PNE
from skrand.regression.solvers.sampling import Sampling
from skrand.regression.solvers.sap import SAP
from skrand.regression.solvers.sketch import SketchAndSolve
from skrand.regression.solvers.sketch_project import SketchProject
from skrand.regression.solvers.spir import SPIR

__all__ = [
    "PNE",
    "SAP",
    "SPIR",
    "Auto",
    "BlockKaczmarz",
    "Cholesky",
    "ConjugateGradients",
    "Coreset",
    "InteriorPoint",
    "Lapack",
    "LpAuto",
    "Newton",
    "Sampling",
    "SketchAndSolve",
    "SketchProject",
]
