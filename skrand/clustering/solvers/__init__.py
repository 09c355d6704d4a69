"""The core's solvers of the tasks subspace-clustering and manifold-linearization."""

from skrand.clustering.solvers.adssc import ADSSC
from skrand.clustering.solvers.auto import Auto
from skrand.clustering.solvers.ekss import EKSS
from skrand.clustering.solvers.ensc import SSC, EnSC
from skrand.clustering.solvers.kss import KSS
from skrand.clustering.solvers.laplacian import LaplacianBound
from skrand.clustering.solvers.lrsc import LRSC
from skrand.clustering.solvers.lsr import LSR
from skrand.clustering.solvers.mcr2 import MCR2
from skrand.clustering.solvers.molrg import MoLRG
from skrand.clustering.solvers.omp import SSCOMP
from skrand.clustering.solvers.pairwise import Pairwise
from skrand.clustering.solvers.precomputed import Precomputed
from skrand.clustering.solvers.prototype import Prototype
from skrand.clustering.solvers.sampled import Sampled
from skrand.clustering.solvers.tsc import TSC

__all__ = [
    "ADSSC",
    "EKSS",
    "KSS",
    "LRSC",
    "LSR",
    "MCR2",
    "SSC",
    "SSCOMP",
    "TSC",
    "Auto",
    "EnSC",
    "LaplacianBound",
    "MoLRG",
    "Pairwise",
    "Precomputed",
    "Prototype",
    "Sampled",
]
