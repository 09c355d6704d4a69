"""A matrix of low rank from linear measurements of it: the task, its solvers, its estimator."""

from skrand.completion.sensing.estimator import MatrixSensingRegressor
from skrand.completion.sensing.measurements import RankOneMeasurements
from skrand.completion.sensing.problem import MatrixSensing, MatrixSensingTask

__all__ = [
    "MatrixSensing",
    "MatrixSensingRegressor",
    "MatrixSensingTask",
    "RankOneMeasurements",
]
