"""Laws of random states: what the recipes start from."""

from kanop.solvers.distributions.blobs import GaussianBlobs
from kanop.solvers.distributions.fourier import CellNoise, TruncatedFourier
from kanop.solvers.distributions.solenoidal import SolenoidalNoise
from kanop.solvers.distributions.spiral import Spiral
from kanop.solvers.distributions.transformed import LogNormal, Mixture, RandomField, TwoPhase
from kanop.solvers.distributions.vorticity import McWilliams, PeakedVorticity

__all__ = [
    "CellNoise",
    "GaussianBlobs",
    "LogNormal",
    "McWilliams",
    "Mixture",
    "PeakedVorticity",
    "RandomField",
    "SolenoidalNoise",
    "Spiral",
    "TruncatedFourier",
    "TwoPhase",
]
