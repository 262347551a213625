"""The Kuramoto-Sivashinsky equation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Derivatives, Equation
from kanop.solvers.errors import check, nearest
from kanop.solvers.grid import Grid

__all__ = ["KuramotoSivashinsky"]

FORMS = ("conservative", "combustion")


@dataclass(frozen=True)
class KuramotoSivashinsky(Equation):
    r"""∂u/∂t = −N(u) − Δu − Δ²u, with N = ∂(u²/2)/∂x (conservative) or N = |∇u|²/2 (combustion).

    The two forms are one flow in 1D: the slope of a combustion front obeys the conservative form. It is chaotic on
    boxes longer than about 2π√2: at L = 22 the largest Lyapunov exponent is 0.048.

    Parameters
    ----------
    form : "conservative" (default; 1D; the neural-operator sets) or "combustion" (1D and 2D; APEBench). The mean
        of a combustion front drifts.

    Raises
    ------
    KanopError : an unknown form; the conservative form on a grid with two axes

    References
    ----------
    Kassam and Trefethen 2005, doi:10.1137/S1064827502410633; Cvitanović et al. 2010, doi:10.1137/070705623.

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((64,), lengths=[22.0])
    >>> u0 = torch.cos(2 * torch.pi * grid.points[0] / 22)[None, None]
    >>> u = solve(KuramotoSivashinsky(), u0, grid, times=[0.0, 50.0], dt=0.05)
    >>> bool(u.u[0, 1].abs().max() < 4)
    True
    """

    form: str = "conservative"

    channels = ("u",)
    ndim = (1, 2)
    degree = 2

    def __post_init__(self) -> None:
        check(self.form in FORMS, nearest(self.form, FORMS, "form"))

    def linear(self, grid: Grid) -> Float[Tensor, "1 *k"]:
        """|k|² − |k|⁴."""
        one = self.form == "combustion" or grid.ndim == 1
        check(one, f"the conservative form is one-dimensional, the grid has {grid.ndim} axes: take form='combustion'")
        return (-grid.laplacian - grid.laplacian**2)[None]

    def nonlinear(self, u_hat: Inexact[Tensor, "b 1 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 1 *k"]:
        """−∂(u²/2)/∂x or −|∇u|²/2."""
        if self.form == "conservative":
            u = grid.to_physical(u_hat)
            return (-0.5 * grid.derivative(0)) * grid.to_spectral(u * u)
        slopes = grid.to_physical(torch.cat([grid.derivative(i) * u_hat for i in range(grid.ndim)], 1))
        return grid.to_spectral(-0.5 * slopes.square().sum(1, keepdim=True))

    def speed(self, u_hat: Inexact[Tensor, "b 1 *k"], grid: Grid) -> Float[Tensor, "b d"]:
        """|u|, or |∂u/∂x_i| in the combustion form."""
        carried = [u_hat] if self.form == "conservative" else [grid.derivative(i) * u_hat for i in range(grid.ndim)]
        return grid.to_physical(torch.cat(carried, 1)).abs().flatten(2).amax(-1)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t + N(u) + Δu + Δ²u."""
        u = D["u"]
        curvature = D.laplacian(u)
        transport = D.x(u * u / 2) if self.form == "conservative" else torch.stack(D.grad(u)).square().sum(0) / 2
        return {"u": D.t(u) + transport + curvature + D.laplacian(curvature)}

    def invariants(self, u: Float[Tensor, "... 1 *x"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """The mean, in the conservative form."""
        return {"mean": u.mean(tuple(range(-grid.ndim - 1, 0)))} if self.form == "conservative" else {}
