"""Low-rank matrices from some of their entries, or from linear measurements of them."""

from skrand.completion.entries import LowRankEntryRegressor
from skrand.completion.estimator import LowRankCompleter
from skrand.completion.problem import Factors, MatrixCompletion, MatrixCompletionTask

__all__ = [
    "Factors",
    "LowRankCompleter",
    "LowRankEntryRegressor",
    "MatrixCompletion",
    "MatrixCompletionTask",
]
