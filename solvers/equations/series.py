"""Exact solutions whose modes evolve by themselves, as Fourier series that take any point and any time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Complex, Float, Inexact
from torch import Tensor

from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["linear_solution", "squared_wavenumbers"]


def linear_solution(symbol: Inexact[Tensor, "*k"], u0: Float[Tensor, "c *x"], grid: Grid) -> Callable[..., Tensor]:
    """(t, *x) ↦ Σ_k û₀(k) e^{L(k)t} e^{ik·x}, (c, …) for x of equal shapes; modes below 1e-16 are left out."""
    amplitude, there = _waves(u0, grid, 1e-16)
    rate = symbol[there].to(amplitude.dtype)
    k = torch.stack([axis.expand(there.shape)[there] for axis in grid.k])

    def solution(t: float | Tensor, *x: Tensor) -> Tensor:
        time = torch.as_tensor(t, dtype=x[0].dtype).expand(x[0].shape)
        place = torch.stack([axis - start for axis, start in zip(x, grid.origin, strict=True)])
        angle = torch.tensordot(k.T, place, 1) + torch.tensordot(rate.imag, time, 0)
        growth = torch.exp(torch.tensordot(rate.real, time, 0))
        even, odd = growth * torch.cos(angle), growth * torch.sin(angle)
        return torch.tensordot(amplitude.real, even, 1) - torch.tensordot(amplitude.imag, odd, 1)

    return solution


def squared_wavenumbers(u0: Float[Tensor, "c *x"], grid: Grid) -> Float[Tensor, " m"]:
    """|k|² of every wave of `u0` above rounding."""
    return -grid.laplacian.expand(grid.spectral_shape)[_waves(u0, grid, 1e-11)[1]]


def _waves(u0: Tensor, grid: Grid, least: float) -> tuple[Complex[Tensor, "c m"], Bool[Tensor, "*k"]]:
    """Amplitudes of the waves above `least` of the largest one, and which modes they are."""
    check(set(grid.boundaries) == {"periodic"}, f"this Fourier series is periodic, the grid is {grid.boundaries}")
    # Modes of the half spectrum that stand for ±k count twice: the sum is real.
    twice = grid.parseval * grid.to_spectral(u0)
    size = twice.abs().amax(0)
    check(bool(size.max() > 0), "expected a field that is not zero everywhere")
    there = size > least * size.max()
    return twice[:, there], there
