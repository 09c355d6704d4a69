"""Shared linear algebra: sketches, eigenvalues, random numbers, threads that change no result."""

from skrand.linalg.diagonalize import ApproximateEigen, approx_diagonalize, diagonal_scan
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
    "ApproximateEigen",
    "CountSketch",
    "EigenResult",
    "Gaussian",
    "Rademacher",
    "Sketch",
    "SketchState",
    "SparseSign",
    "approx_diagonalize",
    "block_chebyshev_eigsh",
    "diagonal_scan",
    "make_sketch",
]
