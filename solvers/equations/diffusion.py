"""The heat equation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.equations.series import linear_solution
from kanop.solvers.errors import check
from kanop.solvers.geometry import Geometry
from kanop.solvers.grid import Grid

__all__ = ["Diffusion"]


@dataclass(frozen=True)
class Diffusion(Equation[Geometry]):
    r"""∂u/∂t = ν Δu.

    Parameters
    ----------
    nu : diffusivity ν > 0 in length²/time

    Raises
    ------
    KanopError : ν ≤ 0 or not finite

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((32, 32))
    >>> u0 = torch.cos(2 * torch.pi * grid.mesh()[1])[None, None]
    >>> u = solve(Diffusion(0.01), u0, grid, times=[0.0, 1.0], dt=1.0)
    >>> round(float(u.u[0, 1].max()), 6) == round(math.exp(-0.01 * 4 * math.pi**2), 6)
    True
    """

    nu: Constant

    channels = ("u",)
    boundaries = ("periodic", "dirichlet", "neumann", "sphere")
    degree = 1

    def __post_init__(self) -> None:
        check(0 < self.nu < math.inf, f"expected a diffusivity nu > 0, got {self.nu}")

    def linear(self, grid: Geometry) -> Float[Tensor, "1 *k"]:
        """−ν|k|²."""
        return self.nu * grid.laplacian[None]

    def nonlinear(
        self, u_hat: Inexact[Tensor, "b 1 *k"], grid: Geometry, t: float | Tensor
    ) -> Inexact[Tensor, "b 1 *k"]:
        """0."""
        return torch.zeros_like(u_hat)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t − ν Δu."""
        return {"u": D.t(D["u"]) - self.nu * D.laplacian(D["u"])}

    def invariants(self, u: Float[Tensor, "... 1 *x"], grid: Geometry) -> Mapping[str, Float[Tensor, "..."]]:
        """The mean of u, unless a wall holds u = 0."""
        return {} if "dirichlet" in grid.boundaries else {"mean": grid.mean(u.select(-grid.ndim - 1, 0))}

    def exact(self, u0: Float[Tensor, "1 *n"], grid: Geometry) -> Callable[..., Tensor]:
        """Σ_k û₀(k) e^{−ν|k|²t} e^{ik·x}."""
        if not isinstance(grid, Grid):
            return super().exact(u0, grid)
        series = linear_solution(self.linear(grid)[0], u0, grid)
        return lambda t, *x: series(t, *x)[0]
