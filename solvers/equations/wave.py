"""The wave equation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["Wave"]


@dataclass(frozen=True)
class Wave(Equation):
    r"""∂²u/∂t² = c² Δu, as ∂u/∂t = v, ∂v/∂t = c² Δu.

    Parameters
    ----------
    c : speed of sound > 0 in length/time

    Raises
    ------
    KanopError : c ≤ 0 or not finite

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((32,))
    >>> u0 = torch.stack([torch.sin(2 * torch.pi * grid.points[0]), torch.zeros(32)])[None]
    >>> u = solve(Wave(c=2.0), u0, grid, times=[0.0, 0.25], dt=0.25)
    >>> bool((u.u[0, 1, 0] + u0[0, 0]).abs().max() < 1e-12)
    True
    """

    c: Constant

    channels = ("u", "v")
    boundaries = ("periodic", "dirichlet", "neumann")
    degree = 1

    def __post_init__(self) -> None:
        check(0 < self.c < math.inf, f"expected a speed c > 0, got {self.c}")

    def linear(self, grid: Grid) -> Float[Tensor, "2 2 *k"]:
        """[[0, 1], [−c²|k|², 0]], defective at k = 0."""
        zero = torch.zeros_like(grid.laplacian)
        return torch.stack([torch.stack([zero, zero + 1]), torch.stack([self.c**2 * grid.laplacian, zero])])

    def nonlinear(self, u_hat: Inexact[Tensor, "b 2 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 2 *k"]:
        """0."""
        return torch.zeros_like(u_hat)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t − v and ∂v/∂t − c² Δu."""
        u, v = D["u"], D["v"]
        return {"u": D.t(u) - v, "v": D.t(v) - self.c**2 * D.laplacian(u)}

    def invariants(self, u: Float[Tensor, "... 2 *x"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """Energy ½⟨v² + c²|∇u|²⟩ and, without a wall that holds u = 0, momentum ⟨v⟩."""
        u_hat = grid.to_spectral(u)
        axes = tuple(range(-grid.ndim, 0))
        density = grid.parseval * u_hat.abs() ** 2
        energy = 0.5 * (
            density.select(-grid.ndim - 1, 1) - self.c**2 * grid.laplacian * density.select(-grid.ndim - 1, 0)
        )
        kept = {"energy": energy.sum(axes)}
        if "dirichlet" not in grid.boundaries:
            kept["momentum"] = u.select(-grid.ndim - 1, 1).mean(axes)
        return kept
