"""The non-linear Schrödinger equation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation, finite
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["NonlinearSchroedinger"]


@dataclass(frozen=True)
class NonlinearSchroedinger(Equation):
    r"""i ∂ψ/∂t + a Δψ + κ|ψ|²ψ = 0 for ψ = u + iv.

    Parameters
    ----------
    dispersion : a > 0 in length²/time (default ½, as in the PINN literature)
    focusing : κ, positive for a focusing medium (default 1), negative for a defocusing one

    Raises
    ------
    KanopError : a ≤ 0, a constant that is not finite

    References
    ----------
    Zakharov and Shabat 1972, JETP 34, 62; Raissi et al. 2019, doi:10.1016/j.jcp.2018.10.045, §3.1.

    Examples
    --------
    The soliton sech(x) e^{it/2}:

    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((256,), lengths=[40.0], origin=[-20.0])
    >>> sech = 1 / torch.cosh(grid.points[0])
    >>> u0 = torch.stack([sech, 0 * sech])[None]
    >>> u = solve(NonlinearSchroedinger(), u0, grid, times=[0.0, math.pi], dt=math.pi / 512)
    >>> bool((u.u[0, 1, 1] - sech).abs().max() < 1e-5)
    True
    """

    dispersion: Constant = 0.5
    focusing: Constant = 1.0

    channels = ("u", "v")
    boundaries = ("periodic", "dirichlet", "neumann")
    degree = 3

    def __post_init__(self) -> None:
        check(0 < self.dispersion < math.inf, f"expected a dispersion > 0, got {self.dispersion}")
        check(finite(self.focusing), f"expected a finite focusing, got {self.focusing}")

    def linear(self, grid: Grid) -> Float[Tensor, "2 2 *k"]:
        """−ia|k|² as a real 2 × 2 block."""
        turn, zero = self.dispersion * grid.laplacian, torch.zeros_like(grid.laplacian)
        return torch.stack([torch.stack([zero, -turn]), torch.stack([turn, zero])])

    def nonlinear(self, u_hat: Inexact[Tensor, "b 2 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 2 *k"]:
        """iκ|ψ|²ψ."""
        u, v = grid.to_physical(u_hat).unbind(1)
        size = self.focusing * (u * u + v * v)
        return grid.to_spectral(torch.stack([-size * v, size * u], 1))

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂ψ/∂t − iaΔψ − iκ|ψ|²ψ, its real part as "u" and its imaginary part as "v"."""
        u, v = D["u"], D["v"]
        size = self.focusing * (u * u + v * v)
        return {
            "u": D.t(u) + self.dispersion * D.laplacian(v) + size * v,
            "v": D.t(v) - self.dispersion * D.laplacian(u) - size * u,
        }

    def invariants(self, u: Float[Tensor, "... 2 *x"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """Mass ⟨|ψ|²⟩ and energy ⟨a|∇ψ|² − κ|ψ|⁴/2⟩."""
        axes = tuple(range(-grid.ndim, 0))
        size = u.square().sum(-grid.ndim - 1)
        kinetic = -(grid.laplacian * grid.parseval * grid.to_spectral(u).abs() ** 2).sum((-grid.ndim - 1, *axes))
        energy = self.dispersion * kinetic - 0.5 * self.focusing * size.square().mean(axes)
        return {"mass": size.mean(axes), "energy": energy}
