"""Optimal transport with entropic regularisation: its task, its solvers and its estimator."""

from skrand.transport.adapter import OTAdapter
from skrand.transport.divergence import Divergence, barycenter, sinkhorn_divergence
from skrand.transport.estimator import SinkhornNewtonOT
from skrand.transport.functions import TransportResult, solve
from skrand.transport.problem import EntropicTransport, EntropicTransportTask

__all__ = [
    "Divergence",
    "EntropicTransport",
    "EntropicTransportTask",
    "OTAdapter",
    "SinkhornNewtonOT",
    "TransportResult",
    "barycenter",
    "sinkhorn_divergence",
    "solve",
]
