"""Shared pieces of linear algebra: sketches, random numbers, threads that change no result."""

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
    "Gaussian",
    "Rademacher",
    "Sketch",
    "SketchState",
    "SparseSign",
    "make_sketch",
]
