"""Subspace clustering: coding rates and measures of quality."""

from skrand.clustering.coding_rate import (
    coding_rate,
    coding_rate_reduction,
    conditional_coding_rate,
    refine_membership,
)
from skrand.clustering.metrics import (
    class_bases,
    clustering_accuracy,
    principal_angles,
    subspace_coherence,
    subspace_preserving_error,
)
from skrand.clustering.mixture import LowRankGaussianMixture

__all__ = [
    "LowRankGaussianMixture",
    "class_bases",
    "clustering_accuracy",
    "coding_rate",
    "coding_rate_reduction",
    "conditional_coding_rate",
    "principal_angles",
    "refine_membership",
    "subspace_coherence",
    "subspace_preserving_error",
]
