"""The Korteweg-de Vries equation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Complex, Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation, finite
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["KortewegDeVries"]


@dataclass(frozen=True)
class KortewegDeVries(Equation):
    r"""∂u/∂t + a u ∂u/∂x + b ∂³u/∂x³ = 0.

    Parameters
    ----------
    steepening : a; 6 in the soliton literature (default), 1 in Zabusky and Kruskal's
    dispersion : b ≠ 0 in length³/time; 1 in the soliton literature (default), 0.022² in Zabusky and Kruskal's

    Raises
    ------
    KanopError : a constant that is not finite, b = 0

    References
    ----------
    Zabusky and Kruskal 1965, doi:10.1103/PhysRevLett.15.240.

    Examples
    --------
    A soliton of speed c = 16 after one trip of c·t = L = 4π:

    >>> import math
    >>> import torch
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((256,), lengths=[4 * math.pi], origin=[-2 * math.pi])
    >>> u0 = (8 / torch.cosh(2 * grid.points[0]) ** 2)[None, None]
    >>> u = solve(KortewegDeVries(), u0, grid, times=[0.0, math.pi / 4], dt=math.pi / 8192)
    >>> bool((u.u[0, 1] - u0[0]).abs().max() < 1e-4)
    True
    """

    steepening: Constant = 6.0
    dispersion: Constant = 1.0

    channels = ("u",)
    ndim = (1,)
    degree = 2

    def __post_init__(self) -> None:
        good = finite(self.steepening, self.dispersion) and bool(self.dispersion != 0)
        check(good, f"expected finite steepening and dispersion ≠ 0, got {self.steepening}, {self.dispersion}")

    def linear(self, grid: Grid) -> Complex[Tensor, "1 k"]:
        """−b(ik)³ = ibk³."""
        return -self.dispersion * grid.derivative(0, 3)[None]

    def nonlinear(self, u_hat: Inexact[Tensor, "b 1 k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 1 k"]:
        """−a ∂(u²/2)/∂x."""
        u = grid.to_physical(u_hat)
        return (-0.5 * self.steepening * grid.derivative(0)) * grid.to_spectral(u * u)

    def speed(self, u_hat: Inexact[Tensor, "b 1 k"], grid: Grid) -> Float[Tensor, "b 1"]:
        """|a u|."""
        return (self.steepening * grid.to_physical(u_hat)).abs().amax(-1)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t + a u ∂u/∂x + b ∂³u/∂x³."""
        u = D["u"]
        return {"u": D.t(u) + self.steepening * D.x(u * u / 2) + self.dispersion * D.x(u, 3)}

    def invariants(self, u: Float[Tensor, "... 1 n"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """Mass ⟨u⟩, momentum ⟨u²⟩ and energy ⟨b(∂u/∂x)²/2 − a u³/6⟩."""
        u_x = grid.to_physical(grid.derivative(0) * grid.to_spectral(u))
        energy = 0.5 * self.dispersion * u_x**2 - self.steepening / 6 * u**3
        return {"mass": u.mean((-2, -1)), "momentum": u.square().mean((-2, -1)), "energy": energy.mean((-2, -1))}
