"""Optimal transport with entropic regularisation: its task, its solvers and its estimator."""

from skrand.transport.adapter import OTAdapter
from skrand.transport.divergence import Divergence, barycenter, sinkhorn_divergence
from skrand.transport.estimator import SinkhornNewtonOT
from skrand.transport.functions import TransportResult, solve
from skrand.transport.problem import EntropicTransport, EntropicTransportTask
from skrand.transport.unbalanced import UnbalancedResult, solve_unbalanced

__all__ = [
    "Divergence",
    "EntropicTransport",
    "EntropicTransportTask",
    "OTAdapter",
    "SinkhornNewtonOT",
    "TransportResult",
    "UnbalancedResult",
    "barycenter",
    "sinkhorn_divergence",
    "solve",
    "solve_unbalanced",
]
