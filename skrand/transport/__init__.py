"""Optimal transport with entropic regularisation: its task, its solvers and its estimator."""

from skrand.transport.estimator import SinkhornNewtonOT
from skrand.transport.functions import TransportResult, solve
from skrand.transport.problem import EntropicTransport, EntropicTransportTask

__all__ = [
    "EntropicTransport",
    "EntropicTransportTask",
    "SinkhornNewtonOT",
    "TransportResult",
    "solve",
]
