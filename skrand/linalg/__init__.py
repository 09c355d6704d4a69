"""Shared linear algebra: sketches, eigenvalues, random numbers, threads that change no result."""

from skrand.linalg.eigen import EigenResult, block_chebyshev_eigsh
from skrand.linalg.sketch import (
    SKETCHES,
    SRHT,
    CountSketch,
    Gaussian,
    Rademacher,
    Sketch,
    SketchState,
    SparseSign,
    make_sketch,
)

__all__ = [
    "SKETCHES",
    "SRHT",
    "CountSketch",
    "EigenResult",
    "Gaussian",
    "Rademacher",
    "Sketch",
    "SketchState",
    "SparseSign",
    "block_chebyshev_eigsh",
    "make_sketch",
]
