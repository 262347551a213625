"""torch-cfd: pseudo-spectral vorticity with Crank-Nicolson diffusion, in double precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ORDERS", "navier_stokes"]

# Observed with viscosity, not the names' promise: its RK4 has order 4 without viscosity alone.
ORDERS = {"RK2-CN": 2, "RK4-CN": 2}


class Steady:
    """A force that is there already: its own forcings are made anew at every stage."""

    vorticity = True

    def __init__(self, values: Tensor) -> None:
        self.values = SimpleNamespace(data=values)

    def __call__(self, grid: Any, field: Any, t: Any) -> Any:
        return self.values


def navier_stokes(u0: Tensor, nu: float, force: Tensor) -> Callable[[float, int, str], Tensor]:
    """Runs (end time, steps, scheme) ↦ ω(end) on the unit torus from ω₀ (b, n, n) under a steady force (n, n)."""
    import torch
    from torch_cfd import spectral
    from torch_cfd.grids import Grid

    with _doubles():
        steps_of = {"RK2-CN": spectral.IMEXStepper(order=2), "RK4-CN": spectral.RK4CrankNicolsonStepper()}
        grid = Grid(u0.shape[-2:], domain=((0.0, 1.0), (0.0, 1.0)))
        solvers = {
            name: spectral.NavierStokes2DSpectral(nu, grid, forcing_fn=Steady(force), step_fn=step)
            for name, step in steps_of.items()
        }

    def run(end: float, steps: int, scheme: str) -> Tensor:
        with torch.no_grad():
            omega_hat, _ = solvers[scheme](torch.fft.rfft2(u0), end / steps, steps=steps)
            return torch.fft.irfft2(omega_hat, s=u0.shape[-2:])

    return run


@contextmanager
def _doubles() -> Iterator[None]:
    """Its grids and coefficients come in torch's default precision."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
