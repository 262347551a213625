"""The axis of rotation of a sphere, which may be another one than the axis of its latitudes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kanop.solvers.equation import Constant

__all__ = ["axial_sine", "coriolis"]


def axial_sine(latitude: Tensor, longitude: Tensor, tilt: float) -> Tensor:
    """Sine of the latitude about the axis tilted by α towards longitude π: sin φ cos α − cos λ cos φ sin α."""
    return torch.sin(latitude) * math.cos(tilt) - torch.cos(longitude) * torch.cos(latitude) * math.sin(tilt)


def coriolis(latitude: Tensor, longitude: Tensor, rotation: Constant, tilt: float = 0.0) -> Tensor:
    """f, twice the rotation Ω about the vertical."""
    return 2 * rotation * axial_sine(latitude, longitude, tilt)
