"""Advection and diffusion by a given wind on a sphere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Complex, Float
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.errors import check
from kanop.solvers.sphere.flows import Flow, SolidRotation
from kanop.solvers.sphere.grid import SphereGrid

__all__ = ["SphereTransport"]


@dataclass(frozen=True)
class SphereTransport(Equation[SphereGrid]):
    r"""∂u/∂t = −∇·(uv) + κ Δu with a given wind v = k × ∇ψ(t).

    Parameters
    ----------
    flow : ψ (default a solid rotation about the pole of a unit sphere, once in a unit of time)
    diffusivity : κ ≥ 0 in length²/time (0)

    Raises
    ------
    KanopError : κ < 0 or not finite; a sphere of another radius than the flow's

    Examples
    --------
    >>> import torch
    >>> from kanop.solvers import SphereGrid, solve
    >>> sphere = SphereGrid((24, 48))
    >>> u0 = torch.cos(sphere.mesh()[1])[None, None] * torch.cos(sphere.mesh()[0])
    >>> over_the_poles = SphereTransport(SolidRotation(tilt=math.pi / 2))
    >>> run = solve(over_the_poles, u0, sphere, [0, 1], dt=1 / 128)
    >>> bool((run.u[:, 1] - u0).abs().max() < 1e-5)
    True
    """

    flow: Flow = field(default_factory=SolidRotation)
    diffusivity: Constant = 0.0

    channels = ("u",)
    ndim = (2,)
    boundaries = ("sphere",)
    degree = 2

    def __post_init__(self) -> None:
        check(0 <= self.diffusivity < math.inf, f"expected a diffusivity >= 0, got {self.diffusivity}")

    def linear(self, grid: SphereGrid) -> Float[Tensor, "1 l m"]:
        """−κ l(l + 1)/a²."""
        return self.diffusivity * grid.laplacian[None]

    def nonlinear(
        self, u_hat: Complex[Tensor, "b 1 l m"], grid: SphereGrid, t: float | Tensor
    ) -> Complex[Tensor, "b 1 l m"]:
        """−∇·(uv)."""
        if isinstance(t, Tensor):
            t = t[:, 0]
        east, north = grid.gradient(grid.to_spectral(self.flow(t, *grid.mesh())))
        u = grid.to_physical(u_hat[:, 0])
        return -grid.divergence((-north * u, east * u))[:, None]

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t + v·∇u − κ Δu."""
        u = D["u"]
        stream_x, stream_y = D.grad(self.flow(D.time, *D.coordinates))
        x, y = D.grad(u)
        return {"u": D.t(u) - stream_y * x + stream_x * y - self.diffusivity * D.laplacian(u)}

    def check_start(self, u0: Float[Tensor, "b 1 y x"], grid: SphereGrid) -> None:
        """The sphere is the flow's."""
        check(
            grid.radius == self.flow.radius,
            f"the wind blows on a sphere of radius {self.flow.radius:g}, the grid has {grid.radius:g}: give both one",
        )

    def invariants(self, u: Float[Tensor, "... 1 y x"], grid: SphereGrid) -> Mapping[str, Float[Tensor, "..."]]:
        """The mean; without diffusion that of u², too."""
        u = u[..., 0, :, :]
        found = {"mean": grid.mean(u)}
        return found | ({"variance": grid.mean(u.square())} if self.diffusivity == 0 else {})
