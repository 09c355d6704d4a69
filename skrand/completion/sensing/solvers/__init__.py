"""Solvers of the task ``matrix-sensing``."""

from skrand.completion.sensing.solvers.auto import Auto
from skrand.completion.sensing.solvers.gd import GD
from skrand.completion.sensing.solvers.rgn import RGN
from skrand.completion.sensing.solvers.scaledgd import ScaledGD

__all__ = ["GD", "RGN", "Auto", "ScaledGD"]
