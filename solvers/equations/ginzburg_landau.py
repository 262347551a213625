"""The complex Ginzburg-Landau equation and the λ-ω system."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation, finite
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["GinzburgLandau"]


@dataclass(frozen=True)
class GinzburgLandau(Equation):
    r"""∂A/∂t = A + (1 + ib) D ΔA − (1 + ic)|A|²A for A = u + iv.

    With b = 0 it is the λ-ω reaction-diffusion system, ∂u/∂t = (1 − |A|²) u + c|A|² v + D Δu and
    ∂v/∂t = −c|A|² u + (1 − |A|²) v + D Δv, whose spirals are the "rd-spiral" set at c = 1, D = 0.1 on (−10, 10)².
    Plane waves are unstable, and the field is chaotic, where 1 + bc < 0.

    Parameters
    ----------
    b : linear dispersion; c : non-linear dispersion
    diffusivity : D > 0 in length²/time (default 1)

    Raises
    ------
    KanopError : a constant that is not finite, D ≤ 0

    References
    ----------
    Aranson and Kramer 2002, doi:10.1103/RevModPhys.74.99; Champion et al. 2019, arXiv:1904.02107 (the spiral set).

    Examples
    --------
    The uniform oscillation A = e^{−ict}:

    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((16,))
    >>> u0 = torch.stack([torch.ones(16), torch.zeros(16)])[None]
    >>> u = solve(GinzburgLandau(b=0.5, c=2.0), u0, grid, times=[0.0, 1.0], dt=0.01)
    >>> round(float(u.u[0, 1, 0, 0]), 5) == round(math.cos(2.0), 5)
    True
    """

    b: Constant
    c: Constant
    diffusivity: Constant = 1.0

    channels = ("u", "v")
    boundaries = ("periodic", "neumann", "dirichlet")
    degree = 3

    def __post_init__(self) -> None:
        check(finite(self.b, self.c), f"expected finite b and c, got {self.b}, {self.c}")
        check(0 < self.diffusivity < math.inf, f"expected a diffusivity > 0, got {self.diffusivity}")

    def linear(self, grid: Grid) -> Float[Tensor, "2 2 *k"]:
        """1 − (1 + ib) D|k|² as a real 2 × 2 block."""
        real = 1 + self.diffusivity * grid.laplacian
        imaginary = self.b * self.diffusivity * grid.laplacian
        return torch.stack([torch.stack([real, -imaginary]), torch.stack([imaginary, real])])

    def nonlinear(self, u_hat: Inexact[Tensor, "b 2 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 2 *k"]:
        """−(1 + ic)|A|²A."""
        u, v = grid.to_physical(u_hat).unbind(1)
        size = u * u + v * v
        return grid.to_spectral(torch.stack([size * (self.c * v - u), -size * (self.c * u + v)], 1))

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂A/∂t − A − (1 + ib) D ΔA + (1 + ic)|A|²A, its real part as "u" and its imaginary part as "v"."""
        u, v = D["u"], D["v"]
        size = u * u + v * v
        lap_u, lap_v = self.diffusivity * D.laplacian(u), self.diffusivity * D.laplacian(v)
        return {
            "u": D.t(u) - u - lap_u + self.b * lap_v + size * (u - self.c * v),
            "v": D.t(v) - v - lap_v - self.b * lap_u + size * (v + self.c * u),
        }
