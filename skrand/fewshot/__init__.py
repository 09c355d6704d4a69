"""Few-shot classification of a batch: its task, its solvers, its estimator and its validation."""

from skrand.fewshot.episodes import EpisodeSampler, EpisodeScores, evaluate_episodes
from skrand.fewshot.estimator import TransductiveFewShot
from skrand.fewshot.model_selection import TransductiveSplit
from skrand.fewshot.niw import NormalInverseWishart
from skrand.fewshot.problem import TransductiveLabelling, TransductiveLabellingTask

__all__ = [
    "EpisodeSampler",
    "EpisodeScores",
    "NormalInverseWishart",
    "TransductiveFewShot",
    "TransductiveLabelling",
    "TransductiveLabellingTask",
    "TransductiveSplit",
    "evaluate_episodes",
]
