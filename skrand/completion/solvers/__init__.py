"""Solvers of the tasks of this domain."""

from skrand.completion.solvers.als import AlternatingLeastSquares
from skrand.completion.solvers.am import AlternatingMinimisation
from skrand.completion.solvers.auto import Auto
from skrand.completion.solvers.ccd import CoordinateDescent
from skrand.completion.solvers.scaledgd import RiemannianCG, ScaledGradientDescent
from skrand.completion.solvers.softimpute import SoftImpute, SoftImputeALS

__all__ = [
    "AlternatingLeastSquares",
    "AlternatingMinimisation",
    "Auto",
    "CoordinateDescent",
    "RiemannianCG",
    "ScaledGradientDescent",
    "SoftImpute",
    "SoftImputeALS",
]
