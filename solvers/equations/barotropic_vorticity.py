"""The barotropic vorticity equation on a sphere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation, finite
from kanop.solvers.errors import check
from kanop.solvers.forcing import Forcing, force_hat
from kanop.solvers.sphere.axis import coriolis
from kanop.solvers.sphere.grid import SphereGrid
from kanop.solvers.sphere.vectors import wind

__all__ = ["BarotropicVorticity"]


@dataclass(frozen=True)
class BarotropicVorticity(Equation[SphereGrid]):
    r"""∂ζ/∂t = −∇·((ζ + f)v) − ν (−Δ)^p ζ − rζ, v = k × ∇ψ, Δψ = ζ, f = 2Ω sin φ.

    Rossby waves, the part with f, are linear and diagonal: ∂ζ_lm/∂t = 2Ωim/(l(l + 1)) ζ_lm.

    Parameters
    ----------
    rotation : Ω in 1/time (7.292e-5 1/s, the Earth's)
    viscosity : ν ≥ 0 in length^(2p)/time (0)
    power : p ≥ 1 (1)
    drag : r ≥ 0 in 1/time (0)
    forcing : f(t, latitude, longitude) → (1, …), added to the right-hand side; default none

    Raises
    ------
    KanopError : a constant out of its range

    Reference: Sardeshmukh and Hoskins 1988, doi:10.1175/1520-0469(1988)045<1228:TGOGRF>2.0.CO;2.

    Examples
    --------
    >>> from kanop.solvers import SphereGrid
    >>> sphere = SphereGrid((16, 32))
    >>> symbol = BarotropicVorticity(rotation=3.0).linear(sphere)
    >>> bool((symbol[0, 2, 1] - 1j).abs() < 1e-15)
    True
    """

    rotation: Constant = 7.292e-5
    viscosity: Constant = 0.0
    power: int = 1
    drag: Constant = 0.0
    forcing: Forcing | None = None

    channels = ("vorticity",)
    auxiliary = ("stream",)
    ndim = (2,)
    boundaries = ("sphere",)
    degree = 2

    def __post_init__(self) -> None:
        good = finite(self.rotation) and 0 <= self.viscosity < math.inf and 0 <= self.drag < math.inf
        check(
            good and self.power >= 1,
            "expected a finite rotation, viscosity >= 0, drag >= 0 and power >= 1, got "
            f"{self.rotation}, {self.viscosity}, {self.drag}, {self.power}",
        )

    def linear(self, grid: SphereGrid) -> Complex[Tensor, "1 l m"]:
        """Rossby waves, viscosity and drag."""
        # 2Ω/a² ∂ψ/∂λ
        waves = -2 * self.rotation / grid.radius**2 * grid.m * grid.inverse_laplacian
        return torch.complex(-self.viscosity * (-grid.laplacian) ** self.power - self.drag, waves)[None]

    def nonlinear(
        self, u_hat: Complex[Tensor, "b 1 l m"], grid: SphereGrid, t: float | Tensor
    ) -> Complex[Tensor, "b 1 l m"]:
        """−∇·(ζv), three transforms to the points and two back."""
        v = grid.vectors.synthesise(wind(grid, u_hat[:, 0], torch.zeros_like(u_hat[:, 0])))
        rate = -grid.divergence((grid.to_physical(u_hat) * v).unbind(1))[:, None]
        if self.forcing is None:
            return rate
        return rate + force_hat(self.forcing, grid, self.degree, t, grid.spectral_shape[-1])

    def speed(self, u_hat: Complex[Tensor, "b 1 l m"], grid: SphereGrid) -> Float[Tensor, "b 1"]:
        """|v|."""
        v = grid.vectors.synthesise(wind(grid, u_hat[:, 0], torch.zeros_like(u_hat[:, 0])))
        return v.square().sum(1).sqrt().amax((-2, -1))[:, None]

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂ζ/∂t + ∇·((ζ + f)v) + ν (−Δ)^p ζ + rζ and Δψ − ζ."""
        vorticity = D["vorticity"]
        x, y = D.grad(D["stream"])
        latitude, longitude = D.coordinates
        absolute = vorticity + coriolis(latitude, longitude, self.rotation)
        damping = D.roughness(vorticity, self.power)
        rate = D.t(vorticity) + D.div((-absolute * y, absolute * x)) + self.viscosity * damping + self.drag * vorticity
        if self.forcing is not None:
            rate = rate - self.forcing(D.time, latitude, longitude).squeeze(0)
        return {"vorticity": rate, "stream": D.laplacian(D["stream"]) - vorticity}

    def constrain(self, u: Float[Tensor, "... 1 y x"], grid: SphereGrid) -> Float[Tensor, "... 1 y x"]:
        """Vorticity has no mean."""
        return u - grid.mean(u)[..., None, None]

    def supply(self, u: Float[Tensor, "... 1 y x"], grid: SphereGrid) -> dict[str, Tensor]:
        """ψ of mean 0."""
        return {"stream": grid.to_physical(grid.inverse_laplacian * grid.to_spectral(u[..., 0, :, :]))}

    def wind(self, u: Float[Tensor, "... 1 y x"], grid: SphereGrid) -> Float[Tensor, "... 2 y x"]:
        """(eastward, northward) wind of states."""
        u_hat = grid.to_spectral(u[..., 0, :, :])
        return grid.vectors.synthesise(wind(grid, u_hat, torch.zeros_like(u_hat)))

    def invariants(self, u: Float[Tensor, "... 1 y x"], grid: SphereGrid) -> Mapping[str, Float[Tensor, "..."]]:
        """Mean vorticity; without damping and force the mean v²/2 and ζ²/2, too."""
        if self.forcing is not None:
            return {}
        found = {"mean": grid.mean(u[..., 0, :, :])}
        if self.viscosity == 0 and self.drag == 0:
            found["energy"] = grid.mean(self.wind(u, grid).square().sum(-3)) / 2
            found["enstrophy"] = grid.mean(u[..., 0, :, :].square()) / 2
        return found
