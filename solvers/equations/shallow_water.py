"""The rotating shallow-water equations on a sphere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation, finite
from kanop.solvers.errors import check
from kanop.solvers.forcing import Forcing, force_hat
from kanop.solvers.sphere.axis import coriolis
from kanop.solvers.sphere.grid import SphereGrid
from kanop.solvers.sphere.surfaces import Surface
from kanop.solvers.sphere.vectors import divergence_hat, wind

__all__ = ["ShallowWater"]


@dataclass(frozen=True)
class ShallowWater(Equation[SphereGrid]):
    r"""∂ζ/∂t = −∇·(ηv), ∂δ/∂t = k·∇×(ηv) − Δ(Φ + Φ_s + v²/2), ∂Φ/∂t = −∇·(Φv), with η = ζ + f and f = 2Ω sin φ.

    v is the wind of vorticity ζ and divergence δ, Φ the geopotential of the depth (gravity times depth). The gravity
    waves on a layer of mean geopotential Φ̄, which couple δ and Φ of one degree, are the linear part: steps are not
    bound by their speed √Φ̄, only by the wind, by Φ − Φ̄ and by f.

    Parameters
    ----------
    rotation : Ω in 1/time (7.292e-5 1/s, the Earth's)
    mean : Φ̄ > 0 in length²/time² (2.94e4 m²/s²)
    viscosity : ν ≥ 0 in length^(2p)/time (0): −ν (−Δ)^p acts on all three fields
    power : p ≥ 1 (1, ordinary viscosity)
    surface : the ground, of height times `gravity` = Φ_s; default flat
    gravity : in length/time² (9.80616 m/s²)
    tilt : angle α in radians between the axis of rotation and the pole of the grid, towards longitude π (0)
    forcing : f(t, latitude, longitude) → (3, …), added to the right-hand sides of Φ, ζ, δ; default none

    Raises
    ------
    KanopError : a constant out of its range

    Notes
    -----
    `tolerance` of `solve` is per unit of time and of all fields together, which the geopotential rules; so give dt:
    `kanop benchmark name=sphere_solver` lists the longest ones of standard cases.

    References
    ----------
    Williamson et al. 1992, doi:10.1016/S0021-9991(05)80016-6; vector-invariant form.

    Examples
    --------
    A solid rotation that balances its depth stays as it is (Williamson's second case):

    >>> from kanop.solvers import SphereGrid, solve
    >>> from kanop.solvers.sphere.cases import EARTH, williamson_2
    >>> sphere = SphereGrid((32, 64), radius=EARTH)
    >>> u0 = williamson_2(sphere)
    >>> u = solve(ShallowWater(), u0, sphere, [0, 86400], dt=1800).u
    >>> bool(((u[:, 1] - u0).abs().amax((-2, -1)) <= 1e-11 * u0.abs().amax((-2, -1)) + 1e-18).all())
    True
    """

    rotation: Constant = 7.292e-5
    mean: Constant = 2.94e4
    viscosity: Constant = 0.0
    power: int = 1
    surface: Surface | None = None
    gravity: float = 9.80616
    tilt: float = 0.0
    forcing: Forcing | None = None

    channels = ("geopotential", "vorticity", "divergence")
    auxiliary = ("stream", "potential")
    ndim = (2,)
    boundaries = ("sphere",)
    degree = 2
    units = "those of the constants: metres and seconds where they are the Earth's"

    def __post_init__(self) -> None:
        good = finite(self.rotation) and 0 < self.mean < math.inf and 0 <= self.viscosity < math.inf and self.power >= 1
        check(
            good,
            "expected a finite rotation, mean > 0, viscosity >= 0 and power >= 1, got "
            f"{self.rotation}, {self.mean}, {self.viscosity}, {self.power}",
        )

    def linear(self, grid: SphereGrid) -> Float[Tensor, "3 3 l m"]:
        """Gravity waves, a 2 × 2 block of Φ and δ for each degree, and viscosity."""
        waves, zero = -grid.laplacian, torch.zeros_like(grid.laplacian)
        damping = -self.viscosity * waves**self.power
        rows = [
            [damping, zero, zero - self.mean],
            [zero, damping, zero],
            [waves, zero, damping],
        ]
        return torch.stack([torch.stack(row) for row in rows])

    def nonlinear(
        self, u_hat: Complex[Tensor, "b 3 l m"], grid: SphereGrid, t: float | Tensor
    ) -> Complex[Tensor, "b 3 l m"]:
        """Nine transforms: four to the points, five back."""
        geopotential, vorticity = grid.to_physical(u_hat[:, :2]).unbind(1)
        v = grid.vectors.synthesise(wind(grid, u_hat[:, 1], u_hat[:, 2]))
        carried = torch.stack([geopotential - self.mean, vorticity + self._coriolis(grid)], 1)
        east, north = grid.vectors.analyse(carried[:, :, None] * v[:, None]).unbind(2)
        head = grid.to_spectral(0.5 * v.square().sum(1) + self._ground(grid))
        turning = divergence_hat(grid, north[:, 1], -east[:, 1]) - grid.laplacian * head
        rate = torch.cat([-divergence_hat(grid, east, north), turning[:, None]], 1)
        if self.forcing is None:
            return rate
        return rate + force_hat(self.forcing, grid, self.degree, t, grid.spectral_shape[-1])

    def speed(self, u_hat: Complex[Tensor, "b 3 l m"], grid: SphereGrid) -> Float[Tensor, "b 1"]:
        """|v| + |√Φ − √Φ̄|: gravity waves about the mean depth are in the linear part."""
        v = grid.vectors.synthesise(wind(grid, u_hat[:, 1], u_hat[:, 2])).square().sum(1).sqrt()
        waves = grid.to_physical(u_hat[:, 0]).clamp_min(0).sqrt() - math.sqrt(self.mean)
        return (v + waves.abs()).amax((-2, -1))[:, None]

    def _coriolis(self, grid: SphereGrid) -> Float[Tensor, "y x"]:
        """f at the points."""
        latitude, longitude = grid.mesh()
        return coriolis(latitude, longitude, self.rotation, self.tilt)

    def _ground(self, grid: SphereGrid) -> Tensor | float:
        """Φ_s."""
        return 0.0 if self.surface is None else self.gravity * _height(self.surface, grid)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """The three equations, with Δψ = ζ and Δχ = δ for the wind v = ∇χ + k × ∇ψ."""
        geopotential, vorticity, spread = D["geopotential"], D["vorticity"], D["divergence"]
        (stream_x, stream_y), (x, y) = D.grad(D["stream"]), D.grad(D["potential"])
        u, v = x - stream_y, y + stream_x
        latitude, longitude = D.coordinates
        absolute = vorticity + coriolis(latitude, longitude, self.rotation, self.tilt)
        head = geopotential + (u * u + v * v) / 2
        if self.surface is not None:
            head = head + self.gravity * self.surface(latitude, longitude)
        force = (0.0, 0.0, 0.0) if self.forcing is None else self.forcing(D.time, latitude, longitude).unbind(0)
        return {
            "geopotential": D.t(geopotential)
            + D.div((geopotential * u, geopotential * v))
            - self._damping(D, geopotential)
            - force[0],
            "vorticity": D.t(vorticity) + D.div((absolute * u, absolute * v)) - self._damping(D, vorticity) - force[1],
            "divergence": D.t(spread)
            - D.div((absolute * v, -absolute * u))
            + D.laplacian(head)
            - self._damping(D, spread)
            - force[2],
            "stream": D.laplacian(D["stream"]) - vorticity,
            "potential": D.laplacian(D["potential"]) - spread,
        }

    def _damping(self, D: Derivatives, f: Tensor) -> Tensor:
        return -self.viscosity * D.roughness(f, self.power)

    def constrain(self, u: Float[Tensor, "... 3 y x"], grid: SphereGrid) -> Float[Tensor, "... 3 y x"]:
        """Vorticity and divergence have no mean, the geopotential has Φ̄."""
        means = grid.mean(u)[..., None, None]
        wanted = torch.stack([torch.zeros_like(means[..., 0, :, :]) + c for c in (self.mean, 0.0, 0.0)], -3)
        return u - means + wanted

    def supply(self, u: Float[Tensor, "... 3 y x"], grid: SphereGrid) -> dict[str, Tensor]:
        """ψ and χ of mean 0."""
        stream, potential = grid.to_physical(grid.inverse_laplacian * grid.to_spectral(u[..., 1:, :, :])).unbind(-3)
        return {"stream": stream, "potential": potential}

    def wind(self, u: Float[Tensor, "... 3 y x"], grid: SphereGrid) -> Float[Tensor, "... 2 y x"]:
        """(eastward, northward) wind of states."""
        u_hat = grid.to_spectral(u[..., 1:, :, :])
        return grid.vectors.synthesise(wind(grid, u_hat[..., 0, :, :], u_hat[..., 1, :, :]))

    def invariants(self, u: Float[Tensor, "... 3 y x"], grid: SphereGrid) -> Mapping[str, Float[Tensor, "..."]]:
        """Mean geopotential; without viscosity and force the mean energy Φ (v² + Φ)/2 + Φ Φ_s, too."""
        geopotential = u[..., 0, :, :]
        found = {"mass": grid.mean(geopotential)}
        if self.viscosity == 0 and self.forcing is None:
            head = (self.wind(u, grid).square().sum(-3) + geopotential) / 2 + self._ground(grid)
            found["energy"] = grid.mean(geopotential * head)
        return found if self.forcing is None else {}

    def potential_enstrophy(self, u: Float[Tensor, "... 3 y x"], grid: SphereGrid) -> Float[Tensor, "..."]:
        """The mean of η²/2Φ, conserved without viscosity and force while the depth is positive."""
        absolute = u[..., 1, :, :] + self._coriolis(grid)
        return grid.mean(absolute.square() / (2 * u[..., 0, :, :]))


@lru_cache(maxsize=16)
def _height(surface: Surface, grid: SphereGrid) -> Float[Tensor, "y x"]:
    return surface(*grid.mesh())
