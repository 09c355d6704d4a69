"""Linear regression: the least-squares task, its solvers, its estimators, and samples of rows."""

from skrand.regression.estimator import SketchedRegressor
from skrand.regression.linear_system import LinearSystem, LinearSystemTask
from skrand.regression.lp_problem import LpRegression, LpRegressionTask
from skrand.regression.problem import LeastSquares, LeastSquaresTask
from skrand.regression.sampling import CoresetSampler, row_scores, sample_rows
from skrand.regression.sketched_fit import SketchedFit

__all__ = [
    "CoresetSampler",
    "LeastSquares",
    "LeastSquaresTask",
    "LinearSystem",
    "LinearSystemTask",
    "LpRegression",
    "LpRegressionTask",
    "SketchedFit",
    "SketchedRegressor",
    "row_scores",
    "sample_rows",
]
