"""The core's solvers of the task entropic-transport."""

from skrand.transport.solvers.auto import AnnealedNewton
from skrand.transport.solvers.exact import Exact
from skrand.transport.solvers.sinkhorn import Sinkhorn
from skrand.transport.solvers.sns import SNS

__all__ = ["SNS", "AnnealedNewton", "Exact", "Sinkhorn"]
