"""Standard states on a sphere: Williamson et al. 1992 and Galewsky et al. 2004, in metres and seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.sphere.axis import axial_sine
from kanop.solvers.sphere.grid import SphereGrid

__all__ = ["DAY", "EARTH", "GRAVITY", "OMEGA", "Jet", "cosine_bell", "rossby_haurwitz", "williamson_2", "williamson_5"]

EARTH = 6.37122e6
"""Radius in m."""

OMEGA = 7.292e-5
"""Rotation in 1/s."""

GRAVITY = 9.80616
"""In m/s²."""

DAY = 86400.0
"""In s."""


def cosine_bell(
    grid: SphereGrid,
    height: float = 1000.0,
    width: float = 1 / 3,
    latitude: float = 0.0,
    longitude: float = 1.5 * math.pi,
) -> Float[Tensor, "1 1 y x"]:
    """h/2 (1 + cos πr/w) for angles r < w from its centre: the first case of Williamson et al."""
    phi, lam = grid.mesh()
    cosine = math.sin(latitude) * torch.sin(phi) + math.cos(latitude) * torch.cos(phi) * torch.cos(lam - longitude)
    r = torch.acos(cosine.clamp(-1, 1))
    return torch.where(r < width, height / 2 * (1 + torch.cos(math.pi * r / width)), 0)[None, None]


def williamson_2(
    grid: SphereGrid, tilt: float = 0.0, speed: float = 2 * math.pi * EARTH / (12 * DAY), geopotential: float = 2.94e4
) -> Float[Tensor, "1 3 y x"]:
    """A solid rotation about the axis of `tilt` and the depth that balances it: steady.

    speed : at the equator of the rotation, in m/s
    geopotential : at that equator, in m²/s²
    """
    phi, lam = grid.mesh()
    sine = axial_sine(phi, lam, tilt)
    vorticity = 2 * speed / grid.radius * sine
    depth = geopotential - (grid.radius * OMEGA * speed + speed**2 / 2) * sine**2
    return torch.stack([depth, vorticity, torch.zeros_like(phi)])[None]


def williamson_5(grid: SphereGrid) -> Float[Tensor, "1 3 y x"]:
    """A zonal flow of 20 m/s and a surface at 5960 m, to meet a mountain (`Cone()`): the depth lacks its height."""
    from kanop.solvers.sphere.surfaces import Cone

    state = williamson_2(grid, speed=20.0, geopotential=5960 * GRAVITY)
    state[:, 0] -= GRAVITY * Cone()(*grid.mesh())
    return state


def rossby_haurwitz(
    grid: SphereGrid, number: int = 4, omega: float = 7.848e-6, k: float = 7.848e-6, depth: float = 8000.0
) -> Float[Tensor, "1 3 y x"]:
    """ψ = −a²ω sin φ + a²K cos^R φ sin φ cos Rλ in balance with the depth: Williamson's sixth case.

    number : R
    omega, k : ω and K in 1/s
    depth : h₀ in m, at the poles
    """
    phi, lam = grid.mesh()
    a, r, c = grid.radius, number, torch.cos(phi)
    vorticity = 2 * omega * torch.sin(phi) - k * torch.sin(phi) * c**r * (r * r + 3 * r + 2) * torch.cos(r * lam)
    mean = (omega / 2 * (2 * OMEGA + omega)) * c**2 + k**2 / 4 * c ** (2 * r) * (
        (r + 1) * c**2 + (2 * r * r - r - 2) - 2 * r * r / c**2
    )
    once = 2 * (OMEGA + omega) * k / ((r + 1) * (r + 2)) * c**r * ((r * r + 2 * r + 2) - (r + 1) ** 2 * c**2)
    twice = k**2 / 4 * c ** (2 * r) * ((r + 1) * c**2 - (r + 2))
    geopotential = GRAVITY * depth + a * a * (mean + once * torch.cos(r * lam) + twice * torch.cos(2 * r * lam))
    return torch.stack([geopotential, vorticity, torch.zeros_like(phi)])[None]


@dataclass(frozen=True)
class Jet:
    r"""u = u_max exp(4/(φ₁ − φ₀)²) exp(1/((φ − φ₀)(φ − φ₁))) between φ₀ and φ₁, in balance with its depth.

    Parameters
    ----------
    speed : u_max in m/s (80)
    south, north : φ₀ and φ₁ in radians (π/7 and π/2 − π/7)
    depth : mean, in m (10 000)
    bump : ĥ of the perturbation ĥ cos φ exp(−((λ − λ₂)/α)²) exp(−((φ − φ₂)/β)²) of the depth, in m (120; 0 for none)
    alpha, beta : α and β in radians (1/3 and 1/15)
    centre, longitude : φ₂ (π/4) and λ₂ (0)

    Reference: Galewsky et al. 2004, doi:10.3402/tellusa.v56i5.14436.
    """

    speed: float = 80.0
    south: float = math.pi / 7
    north: float = math.pi / 2 - math.pi / 7
    depth: float = 10000.0
    bump: float = 120.0
    alpha: float = 1 / 3
    beta: float = 1 / 15
    centre: float = math.pi / 4
    longitude: float = 0.0

    def state(self, grid: SphereGrid) -> Float[Tensor, "1 3 y x"]:
        """Geopotential, vorticity and divergence on a grid of the Earth's size."""
        phi, lam = (x.double() for x in grid.mesh())
        latitude = grid.points[0].double().cpu().numpy()
        wind, slope = self._wind(latitude)
        vorticity, balanced = (
            torch.tensor(values).to(phi)[:, None].expand(grid.shape)
            for values in ((wind * np.tan(latitude) - slope) / grid.radius, self._balanced(latitude, grid.radius))
        )
        angle = torch.remainder(lam - self.longitude + math.pi, 2 * math.pi) - math.pi
        hill = torch.exp(-((angle / self.alpha) ** 2) - ((self.centre - phi) / self.beta) ** 2)
        geopotential = balanced - grid.mean(balanced) + GRAVITY * (self.depth + self.bump * torch.cos(phi) * hill)
        return torch.stack([geopotential, vorticity, torch.zeros_like(phi)])[None].to(grid.dtype)

    def _wind(self, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """u and ∂u/∂φ."""
        product = (latitude - self.south) * (latitude - self.north)
        inside = product < 0
        product = np.where(inside, product, -1.0)
        u = self.speed * np.exp(4 / (self.north - self.south) ** 2 + 1 / product)
        slope = -u * (2 * latitude - self.south - self.north) / product**2
        return np.where(inside, u, 0.0), np.where(inside, slope, 0.0)

    def _balanced(self, latitude: np.ndarray, radius: float) -> np.ndarray:
        """Φ with ∂Φ/∂φ = −u (2Ωa sin φ + u tan φ), by Gauss' rule on pieces of the jet."""
        nodes, weights = np.polynomial.legendre.leggauss(32)
        cuts = (np.arange(16)[:, None] + (nodes + 1) / 2).ravel() / 16
        span = np.clip(latitude, self.south, self.north)[:, None] - self.south
        phi = self.south + span * cuts
        u = self._wind(phi)[0]
        slope = u * (2 * OMEGA * radius * np.sin(phi) + u * np.tan(phi))
        return -(slope @ np.tile(weights, 16)) * span[:, 0] / 32
