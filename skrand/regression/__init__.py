"""Linear regression: the least-squares task, its solvers and its estimator."""

from skrand.regression.estimator import SketchedRegressor
from skrand.regression.problem import LeastSquares, LeastSquaresTask

__all__ = ["LeastSquares", "LeastSquaresTask", "SketchedRegressor"]
