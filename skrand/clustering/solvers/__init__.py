"""The core's solvers of the task subspace-clustering."""

from skrand.clustering.solvers.adssc import ADSSC
from skrand.clustering.solvers.auto import Auto
from skrand.clustering.solvers.kss import KSS
from skrand.clustering.solvers.lsr import LSR
from skrand.clustering.solvers.precomputed import Precomputed
from skrand.clustering.solvers.sampled import Sampled

__all__ = ["ADSSC", "KSS", "LSR", "Auto", "Precomputed", "Sampled"]
