"""The core's solvers of the task transductive-labelling."""

from skrand.fewshot.solvers.auto import Auto
from skrand.fewshot.solvers.clustering import Clustering
from skrand.fewshot.solvers.label_spreading import Spreading
from skrand.fewshot.solvers.prototype import Prototype

__all__ = ["Auto", "Clustering", "Prototype", "Spreading"]
