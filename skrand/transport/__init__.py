"""Optimal transport with entropic regularisation: its task, its solvers and its estimator.

Choosing a solver
-----------------
=========== ====================================================================================
`auto`      the default, at any regularisation: 10 to 60 sweeps over the costs to 1e-9
`sinkhorn`  a large regularisation, a violation of 1e-3, or no memory to spare
`sns`       to compare with its paper
`exact`     no regularisation, to a certified gap. Network simplex codes are faster below about a
            thousand points, and give a vertex
=========== ====================================================================================

A smaller regularisation brings the cost nearer to the unregularised one. It does not make the map
of :class:`SinkhornNewtonOT` a better one: tune it. Rounding limits the violation to about 1e-15
times the range of the costs over the regularisation.
"""

from skrand.transport.adapter import OTAdapter
from skrand.transport.divergence import Divergence, barycenter, sinkhorn_divergence
from skrand.transport.estimator import SinkhornNewtonOT
from skrand.transport.functions import TransportResult, solve
from skrand.transport.partial import PartialResult, solve_partial
from skrand.transport.problem import EntropicTransport, EntropicTransportTask
from skrand.transport.unbalanced import UnbalancedResult, solve_unbalanced

__all__ = [
    "Divergence",
    "EntropicTransport",
    "EntropicTransportTask",
    "OTAdapter",
    "PartialResult",
    "SinkhornNewtonOT",
    "TransportResult",
    "UnbalancedResult",
    "barycenter",
    "sinkhorn_divergence",
    "solve",
    "solve_partial",
    "solve_unbalanced",
]
