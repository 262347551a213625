"""Problems of the solver benchmarks: starts of few modes, the same on every grid, which no dealiasing cuts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from kanop.solvers import Grid

__all__ = ["peer_of", "problem", "relative"]

KS_LENGTH = 64 * math.pi


def problem(name: str, points: int, batch: int, nu: float = 1e-3) -> tuple[Any, Grid, Tensor]:
    """Equation, grid and start (b, 1, *x) in double precision.

    Vorticity has the published script's amplitude (standard deviation 0.26) and FNO forcing, in the modes of 32².
    """
    from kanop.solvers import Burgers, FNOForcing, GaussianRandomField, Grid, KuramotoSivashinsky, NavierStokes2D

    if name == "Navier-Stokes 2D":
        grid, field = Grid((points, points)), GaussianRandomField(7**1.5 * math.sqrt(2), 7, 2.5)
        return NavierStokes2D(nu, forcing=FNOForcing()), grid, _few_modes(field, grid, batch, 32)
    if name == "Burgers":
        grid = Grid((points,))
        return Burgers(0.01), grid, _few_modes(GaussianRandomField(25, 5, 2), grid, batch, 64)
    grid = Grid((points,), lengths=(KS_LENGTH,))
    u = _few_modes(GaussianRandomField(1, 0.5, 2), grid, batch, 64)
    return KuramotoSivashinsky(), grid, u / u.std((1, 2), keepdim=True)


def peer_of(equation: Any, grid: Grid) -> tuple[Any, float]:
    """What makes exponax's steppers of a problem, and the sign of its field beside ours."""
    from kanop.scripts.benchmarks.peers import exponax

    n, name = grid.shape[0], type(equation).__name__
    if name == "NavierStokes2D":
        return exponax.navier_stokes(n, equation.nu, equation.forcing(0.0, *grid.mesh()).numpy()), -1.0
    if name == "Burgers":
        return exponax.burgers(n, equation.nu, grid.lengths[0]), 1.0
    return exponax.kuramoto_sivashinsky(n, grid.lengths[0]), 1.0


def relative(u: Tensor, v: Tensor) -> float:
    """‖u − v‖/‖v‖ over the whole batch."""
    return float((u - v).norm() / v.norm())


def _few_modes(field: Any, grid: Grid, batch: int, held: int) -> Tensor:
    coarse = grid.with_shape([held] * grid.ndim)
    return coarse.resample(field.sample(coarse, 0, "test", range(batch)), grid.shape)
