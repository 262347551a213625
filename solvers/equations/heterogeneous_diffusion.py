"""Diffusion and growth in a heterogeneous medium."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.errors import KanopError, check
from kanop.solvers.grid import Grid
from kanop.solvers.linear_operator import LinearOperator, MatrixOperator

__all__ = ["CosineMedium", "HeterogeneousDiffusion"]


@dataclass(frozen=True)
class CosineMedium:
    r"""a(x) = D (1 + ε cos(κ x)), a diffusivity that varies along the first axis.

    Parameters
    ----------
    mean : D > 0 in length²/time
    contrast : |ε| < 1; 0.9 makes the diffusivity vary by a factor of 19
    wavenumber : κ in 1/length, a multiple of 2π/L

    Examples
    --------
    >>> CosineMedium(2.0, 0.5, 1.0)(torch.tensor([0.0, math.pi])).tolist()
    [3.0, 1.0]
    """

    mean: Constant
    contrast: Constant
    wavenumber: float

    def __post_init__(self) -> None:
        good = 0 < self.mean < math.inf and -1 < self.contrast < 1
        check(good, f"expected mean > 0 and |contrast| < 1, so that a > 0, got {self.mean}, {self.contrast}")

    def __call__(self, *x: Tensor) -> Tensor:
        return self.mean * (1 + self.contrast * torch.cos(self.wavenumber * x[0]))


@dataclass(frozen=True)
class HeterogeneousDiffusion(Equation):
    r"""∂u/∂t = ∇·(a(x) ∇u) + r u (1 − u): heat in a medium that is not uniform, a population in a patchy habitat.

    The coefficient couples the modes: the linear part is a dense matrix, for additive and multistep schemes. On long
    scales a medium that varies along one axis acts along it as its harmonic mean.

    Parameters
    ----------
    diffusivity : a > 0 in length²/time, a function of the coordinates; default CosineMedium(0.1, 0.5, 2π), of period 1
    rate : r ≥ 0 in 1/time; default 0

    Raises
    ------
    KanopError : a negative rate; a diffusivity that is not positive at some point of the grid

    References
    ----------
    Shigesada, Kawasaki and Teramoto 1986, doi:10.1016/0040-5809(86)90029-8 (fronts in periodic habitats).

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((32,))
    >>> medium = HeterogeneousDiffusion(CosineMedium(0.1, 0.5, 2 * math.pi))
    >>> u0 = 1 + torch.sin(2 * torch.pi * grid.points[0])[None, None]
    >>> u = solve(medium, u0, grid, times=[0.0, 5.0], dt=0.1)
    >>> round(float(u.u[0, 1].min()), 6), round(float(u.u[0, 1].max()), 6)
    (1.0, 1.0)
    """

    diffusivity: Callable[..., Tensor] = CosineMedium(0.1, 0.5, 2 * math.pi)
    rate: Constant = 0.0

    channels = ("u",)
    ndim = (1, 2)
    degree = 2

    def __post_init__(self) -> None:
        check(0 <= self.rate < math.inf, f"expected a rate >= 0, got {self.rate}")

    def linear(self, grid: Grid) -> LinearOperator:
        """∇·(a∇·) on the modes that are kept: symmetric and ≤ 0 whatever a > 0, however rough."""
        a = self.diffusivity(*grid.mesh())
        if not bool((a > 0).all()):
            place = [round(float(x[a <= 0][0]), 6) for x in grid.mesh()] if bool((a <= 0).any()) else "NaN"
            raise KanopError(f"expected a diffusivity > 0, got {float(a.min()):.3g}, first at x = {place}")

        def action(u_hat: Tensor) -> Tensor:
            slopes = [grid.derivative(i) * u_hat for i in range(grid.ndim)]
            flux = [grid.to_spectral(a * grid.to_physical(slope)) for slope in slopes]
            return torch.stack([grid.derivative(i) * q for i, q in enumerate(flux)]).sum(0)

        return MatrixOperator(action, grid, 1, self.degree)

    def nonlinear(self, u_hat: Inexact[Tensor, "b 1 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 1 *k"]:
        """r u (1 − u)."""
        u = grid.to_physical(u_hat)
        return grid.to_spectral(self.rate * u * (1 - u))

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t − ∇·(a∇u) − r u (1 − u)."""
        u = D["u"]
        a = self.diffusivity(*D.coordinates)
        return {"u": D.t(u) - D.div(D.flux(a, u)) - self.rate * u * (1 - u)}

    def invariants(self, u: Float[Tensor, "... 1 *x"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """The mean, without growth."""
        return {} if self.rate else {"mean": u.mean(tuple(range(-grid.ndim - 1, 0)))}
