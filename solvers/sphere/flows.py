"""Given winds on a sphere, by their stream functions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from kanop.solvers.sphere.axis import axial_sine

__all__ = ["Deformation", "Flow", "SolidRotation"]


class Flow(ABC):
    """A wind v = k × ∇ψ. A subclass is a frozen dataclass."""

    radius: float
    """a of the sphere that it blows on."""

    @abstractmethod
    def __call__(self, t: float | Tensor, latitude: Tensor, longitude: Tensor) -> Tensor:
        """ψ in length²/time."""


@dataclass(frozen=True)
class SolidRotation(Flow):
    r"""ψ = −a²ω (sin φ cos α − cos λ cos φ sin α): once around in 2π/ω.

    Parameters
    ----------
    rate : ω in 1/time (2π: once in a unit of time)
    tilt : α in radians between its axis and the pole, towards longitude π; π/2 leads over the poles
    radius : a (1)

    Reference: Williamson et al. 1992, doi:10.1016/S0021-9991(05)80016-6.
    """

    rate: float = 2 * math.pi
    tilt: float = 0.0
    radius: float = 1.0

    def __call__(self, t: float | Tensor, latitude: Tensor, longitude: Tensor) -> Tensor:
        return -self.rate * self.radius**2 * axial_sine(latitude, longitude, self.tilt)


@dataclass(frozen=True)
class Deformation(Flow):
    r"""ψ = a² (k/T) sin²λ' cos²φ cos(πt/T) − a² (2π/T) sin φ, λ' = λ − 2πt/T: stretched, and back at t = T.

    Parameters
    ----------
    period : T in time (1)
    strength : k (10)
    radius : a (1)

    Reference: Nair and Lauritzen 2010, doi:10.1016/j.jcp.2010.08.014, case 4.
    """

    period: float = 1.0
    strength: float = 10.0
    radius: float = 1.0

    def __call__(self, t: float | Tensor, latitude: Tensor, longitude: Tensor) -> Tensor:
        turn = 2 * math.pi * t / self.period
        swing = torch.cos(turn / 2) if isinstance(turn, Tensor) else math.cos(turn / 2)
        shape = torch.sin(longitude - turn) ** 2 * torch.cos(latitude) ** 2
        angles = self.strength * swing * shape - 2 * math.pi * torch.sin(latitude)
        return self.radius**2 / self.period * angles
