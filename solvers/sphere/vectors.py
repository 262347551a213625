"""Vectors on a sphere by scalar transforms: times cos φ, the components of a gradient are series of degree L + 1.

cos φ ∂Y_lm/∂φ = (l + 1) ε_lm Y_{l−1,m} − l ε_{l+1,m} Y_{l+1,m} with ε_lm² = (l² − m²)/(4l² − 1); ∂Y_lm/∂λ = im Y_lm.
The divergence and the curl of a vector field are the adjoints, integrated by parts against the same series.

Reference: Bourke 1972, Monthly Weather Review 100, 683.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn.functional import pad

if TYPE_CHECKING:
    from kanop.solvers.sphere.grid import SphereGrid

__all__ = ["divergence_hat", "slopes", "wind"]


def slopes(grid: SphereGrid, f_hat: Complex[Tensor, "... l m"]) -> Complex[Tensor, "... 2 k m"]:
    """Coefficients, of degrees up to L + 1, of cos φ ∇f along east and north."""
    east = pad(1j * grid.m * f_hat, (0, 0, 0, 1))
    return torch.stack([east, _north(grid, f_hat)], -3) / grid.radius


def wind(
    grid: SphereGrid, vorticity_hat: Complex[Tensor, "... l m"], divergence_hat: Complex[Tensor, "... l m"]
) -> Complex[Tensor, "... 2 k m"]:
    """Coefficients of cos φ (u, v), along east and north, of the field with this vorticity and this divergence."""
    stream, potential = (slopes(grid, grid.inverse_laplacian * f) for f in (vorticity_hat, divergence_hat))
    (stream_east, stream_north), (east, north) = stream.unbind(-3), potential.unbind(-3)
    return torch.stack([east - stream_north, north + stream_east], -3)


def divergence_hat(
    grid: SphereGrid, east: Complex[Tensor, "... k m"], north: Complex[Tensor, "... k m"]
) -> Complex[Tensor, "... l m"]:
    """Coefficients of the divergence of a field, from those, up to L + 1, of its components over cos φ."""
    up, down = _ladder(grid)
    # The adjoint of `_north`, and of ∂/∂λ.
    total = 1j * grid.m * east[..., :-1, :] + down * north[..., 1:, :]
    total = total - pad(up * north[..., : grid.degree, :], (0, 0, 1, 0))
    return total / grid.radius


def _north(grid: SphereGrid, f_hat: Tensor) -> Tensor:
    """Coefficients of cos φ ∂f/∂φ."""
    up, down = _ladder(grid)
    return pad(up * f_hat[..., 1:, :], (0, 0, 0, 2)) - pad(down * f_hat, (0, 0, 1, 0))


@lru_cache(maxsize=16)
def _ladder(grid: SphereGrid) -> tuple[Float[Tensor, "d m"], Float[Tensor, "l m"]]:
    """(l + 1) ε_lm for l = 1 … L, what Y_lm gives to l − 1, and l ε_{l+1,m} for l = 0 … L, what it takes to l + 1."""
    l = torch.arange(grid.degree + 2, dtype=torch.float64, device=grid.device)[:, None]
    epsilon = ((l**2 - grid.m.double() ** 2).clamp_min(0) / (4 * l**2 - 1).abs()).sqrt()
    return ((l + 1) * epsilon)[1:-1].to(grid.dtype), (l[:-1] * epsilon[1:]).to(grid.dtype)
