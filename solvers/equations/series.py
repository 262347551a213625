"""Exact solutions of linear equations, as Fourier series that take any point and any time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["linear_solution"]


def linear_solution(symbol: Inexact[Tensor, "*k"], u0: Float[Tensor, "*x"], grid: Grid) -> Callable[..., Tensor]:
    """(t, *x) ↦ Σ_k û₀(k) e^{L(k)t} e^{ik·x} for one field, x of equal shapes; modes below 1e-16 are left out."""
    check(set(grid.boundaries) == {"periodic"}, f"this Fourier series is periodic, the grid is {grid.boundaries}")
    u_hat = grid.to_spectral(u0)
    # Modes of the half spectrum that stand for ±k count twice: the sum is real.
    twice = grid.parseval * u_hat
    keep = twice.abs() > 1e-16 * twice.abs().max()
    coefficients, rates = twice[keep], symbol[keep].to(u_hat.dtype)
    wavenumbers = [k.expand(u_hat.shape)[keep] for k in grid.k]

    def solution(t: float | Tensor, *x: Tensor) -> Tensor:
        time = torch.as_tensor(t, dtype=x[0].dtype).expand(x[0].shape)[..., None]
        phase = sum(k * (axis - start)[..., None] for k, axis, start in zip(wavenumbers, x, grid.origin, strict=True))
        growth = torch.exp(rates.real * time)
        angle = phase + rates.imag * time
        return (growth * (coefficients.real * torch.cos(angle) - coefficients.imag * torch.sin(angle))).sum(-1)

    return solution
