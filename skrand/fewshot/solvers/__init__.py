"""The core's solvers of the task transductive-labelling."""

from skrand.fewshot.solvers.auto import Auto
from skrand.fewshot.solvers.bd_cspn import BDCSPN
from skrand.fewshot.solvers.clustering import Clustering
from skrand.fewshot.solvers.label_spreading import Spreading
from skrand.fewshot.solvers.laplacian_shot import LaplacianShot
from skrand.fewshot.solvers.niw import NIW
from skrand.fewshot.solvers.paddle import Paddle
from skrand.fewshot.solvers.prototype import Prototype
from skrand.fewshot.solvers.pt_map import PTMAP
from skrand.fewshot.solvers.tim import TIM, AlphaTIM

__all__ = [
    "BDCSPN",
    "NIW",
    "PTMAP",
    "TIM",
    "AlphaTIM",
    "Auto",
    "Clustering",
    "LaplacianShot",
    "Paddle",
    "Prototype",
    "Spreading",
]
