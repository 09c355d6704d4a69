"""Subspace clustering: its task, its solvers, its estimators and measures of quality."""

from skrand.clustering.coding_rate import (
    coding_rate,
    coding_rate_reduction,
    conditional_coding_rate,
    refine_membership,
)
from skrand.clustering.estimator import SubspaceClusterer
from skrand.clustering.graph import Graph, GraphSolver, symmetric_affinity
from skrand.clustering.linearization import ManifoldLinearization, ManifoldLinearizationTask
from skrand.clustering.linearizer import ManifoldLinearizer
from skrand.clustering.metrics import (
    class_bases,
    clustering_accuracy,
    principal_angles,
    subspace_coherence,
    subspace_preserving_error,
)
from skrand.clustering.mixture import LowRankGaussianMixture
from skrand.clustering.problem import SubspaceClustering, SubspaceClusteringTask, finish
from skrand.clustering.spectral import Embedding, SpectralResult, spectral_clustering
from skrand.clustering.stochastic import StochasticResult, doubly_stochastic_projection
from skrand.clustering.subspaces import Subspaces
from skrand.clustering.torch_features import TorchFeatureMap

__all__ = [
    "Embedding",
    "Graph",
    "GraphSolver",
    "LowRankGaussianMixture",
    "ManifoldLinearization",
    "ManifoldLinearizationTask",
    "ManifoldLinearizer",
    "SpectralResult",
    "StochasticResult",
    "SubspaceClusterer",
    "SubspaceClustering",
    "SubspaceClusteringTask",
    "Subspaces",
    "TorchFeatureMap",
    "class_bases",
    "clustering_accuracy",
    "coding_rate",
    "coding_rate_reduction",
    "conditional_coding_rate",
    "doubly_stochastic_projection",
    "finish",
    "principal_angles",
    "refine_membership",
    "spectral_clustering",
    "subspace_coherence",
    "subspace_preserving_error",
    "symmetric_affinity",
]
