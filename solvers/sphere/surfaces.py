"""The ground under shallow water: surfaces of given height."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Cone", "Surface"]


class Surface(ABC):
    """A height over the sphere. A subclass is a frozen dataclass, so that its values are made once a grid."""

    @abstractmethod
    def __call__(self, latitude: Tensor, longitude: Tensor) -> Tensor:
        """Height at points, in the unit of length of the problem."""


@dataclass(frozen=True)
class Cone(Surface):
    r"""h = H (1 − min(r, R)/R) with r² = (φ − φ_c)² + (λ − λ_c)²: the mountain of Williamson's fifth case.

    Parameters
    ----------
    height : H in metres (2000)
    width : R in radians (π/9)
    latitude, longitude : of the top, in radians (π/6 and 3π/2)

    Reference: Williamson et al. 1992, doi:10.1016/S0021-9991(05)80016-6.
    """

    height: float = 2000.0
    width: float = math.pi / 9
    latitude: float = math.pi / 6
    longitude: float = 1.5 * math.pi

    def __call__(self, latitude: Tensor, longitude: Tensor) -> Tensor:
        r = torch.hypot(latitude - self.latitude, longitude - self.longitude)
        return self.height * (1 - r.clamp_max(self.width) / self.width)
