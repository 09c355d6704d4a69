"""Solvers of the tasks of this domain."""

from skrand.completion.solvers.als import AlternatingLeastSquares
from skrand.completion.solvers.am import AlternatingMinimisation
from skrand.completion.solvers.auto import Auto

__all__ = ["AlternatingLeastSquares", "AlternatingMinimisation", "Auto"]
