"""Burgers' equation for a velocity in the plane."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["Burgers2D"]


@dataclass(frozen=True)
class Burgers2D(Equation):
    r"""∂u/∂t + (u·∇)u = ν Δu for a velocity (u, v).

    Parameters
    ----------
    nu : viscosity ν > 0 in length²/time

    Raises
    ------
    KanopError : ν ≤ 0 or not finite

    Notes
    -----
    A gradient stays one: u = −2ν ∇ log φ with ∂φ/∂t = ν Δφ (Cole 1951, doi:10.1090/qam/42889).

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((32, 32))
    >>> u0 = torch.sin(2 * torch.pi * torch.stack(grid.mesh()))[None]
    >>> u = solve(Burgers2D(nu=0.05), u0, grid, times=[0.0, 0.1], dt=0.002)
    >>> bool((u.u[0, 1, 0] - u.u[0, 1, 1].T).abs().max() < 1e-13)
    True
    """

    nu: Constant

    channels = ("u", "v")
    ndim = (2,)
    degree = 2

    def __post_init__(self) -> None:
        check(0 < self.nu < math.inf, f"expected a viscosity nu > 0, got {self.nu}: without it shocks form")

    def linear(self, grid: Grid) -> Float[Tensor, "2 *k"]:
        """−ν|k|²."""
        return (self.nu * grid.laplacian).expand(2, *grid.spectral_shape)

    def nonlinear(self, u_hat: Inexact[Tensor, "b 2 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 2 *k"]:
        """−(u·∇)u."""
        both = torch.cat([u_hat, grid.derivative(0) * u_hat, grid.derivative(1) * u_hat], 1)
        velocity, along_x, along_y = grid.to_physical(both).chunk(3, 1)
        return grid.to_spectral(-(velocity[:, :1] * along_x + velocity[:, 1:] * along_y))

    def speed(self, u_hat: Inexact[Tensor, "b 2 *k"], grid: Grid) -> Float[Tensor, "b 2"]:
        """|u| and |v|."""
        return grid.to_physical(u_hat).abs().amax((-2, -1))

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t + (u·∇)u − ν Δu, by component."""
        u, v = D["u"], D["v"]
        return {name: D.t(f) + u * D.x(f) + v * D.y(f) - self.nu * D.laplacian(f) for name, f in (("u", u), ("v", v))}
