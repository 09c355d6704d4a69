"""Few-shot classification of a batch: its task, its solvers, its estimator and its validation."""

from skrand.fewshot.estimator import TransductiveFewShot
from skrand.fewshot.model_selection import TransductiveSplit
from skrand.fewshot.problem import TransductiveLabelling, TransductiveLabellingTask

__all__ = [
    "TransductiveFewShot",
    "TransductiveLabelling",
    "TransductiveLabellingTask",
    "TransductiveSplit",
]
