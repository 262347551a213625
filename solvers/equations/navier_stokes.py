"""The Navier-Stokes equations in two dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor
from torch.autograd.function import once_differentiable

from kanop.solvers.columns import adjoint_weight, by_columns, from_columns, to_columns
from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.equations.series import linear_solution, squared_wavenumbers
from kanop.solvers.errors import KanopError, check
from kanop.solvers.forcing import Forcing, force_hat
from kanop.solvers.grid import Grid

__all__ = ["NavierStokes2D"]

# Relative size of a mean vorticity that is rounding, also of single precision.
ROUNDING = 1e-5


@dataclass(frozen=True)
class NavierStokes2D(Equation):
    r"""∂ω/∂t + u·∇ω = ν Δω − μω − ν_h (−Δ)^p ω + f with u = (ψ_y, −ψ_x), −Δψ = ω, hence ω = v_x − u_y.

    Counter-clockwise rotation has ω > 0. The mean velocity is zero, and so must be the mean vorticity.

    Parameters
    ----------
    nu : viscosity ν ≥ 0 in length²/time; 1e-3, 1e-4 and 1e-5 in the FNO paper; 0 gives the Euler equations
    drag : linear drag μ ≥ 0 in 1/time
    hyperviscosity : (ν_h, p), a coefficient ≥ 0 in length^{2p}/time and an integer power ≥ 2; default none
    forcing : a force on the vorticity; default none

    Raises
    ------
    KanopError : a negative coefficient, a power that is no integer ≥ 2

    References: Basdevant (1983), doi:10.1016/0021-9991(83)90064-5 (four transforms for the nonlinear term);
    Li et al. (2021), arXiv:2010.08895 (signs).

    Examples
    --------
    >>> from kanop.solvers import solve
    >>> grid = Grid((16, 16), (2 * torch.pi, 2 * torch.pi))
    >>> x, y = grid.mesh()
    >>> omega = (torch.cos(x) * torch.cos(y))[None, None]
    >>> run = solve(NavierStokes2D(nu=0.5), omega, grid, times=[0.0, 1.0], dt=1.0)
    >>> bool((run.u[:, 1] - math.exp(-1) * omega).abs().max() < 1e-14)
    True
    """

    nu: Constant
    drag: Constant = 0.0
    hyperviscosity: tuple[Constant, float] | None = None
    forcing: Forcing | None = None

    channels = ("vorticity",)
    auxiliary = ("stream_function",)
    ndim = (2,)
    degree = 2
    skips_columns = True

    def __post_init__(self) -> None:
        for name in ("nu", "drag"):
            value = getattr(self, name)
            check(0 <= value < math.inf, f"expected {name} >= 0, got {value}: a negative one feeds energy in")
        if self.hyperviscosity is not None:
            coefficient, power = self.hyperviscosity
            check(
                0 <= coefficient < math.inf and power == int(power) and power >= 2,
                f"expected hyperviscosity (coefficient >= 0, integer power >= 2), got {self.hyperviscosity}",
            )
            object.__setattr__(self, "hyperviscosity", (coefficient, int(power)))

    def linear(self, grid: Grid) -> Float[Tensor, "1 kx ky"]:
        """−ν|k|² − μ − ν_h |k|^{2p}."""
        return -self._damping(-grid.laplacian)[None]  # type: ignore[index]

    def nonlinear(
        self, u_hat: Inexact[Tensor, "b 1 kx ky"], grid: Grid, t: float | Tensor
    ) -> Inexact[Tensor, "b 1 kx ky"]:
        """−u·∇ω + f = (∂yy − ∂xx)(uv) + ∂xy(u² − v²) + f, by two inverse and two forward transforms.

        `u_hat` may hold the first columns of the half spectrum alone, if the others are zero; so does the result.
        """
        force = None if self.forcing is None else force_hat(self.forcing, grid, 2, t, u_hat.shape[-1])
        if not (torch.is_grad_enabled() and u_hat.requires_grad):
            return _advect(u_hat, grid, force)[0]
        rate = _Advect.apply(u_hat, grid)
        return rate if force is None else rate + force

    def speed(self, u_hat: Inexact[Tensor, "b 1 kx ky"], grid: Grid) -> Float[Tensor, "b 2"]:
        """|u| and |v|."""
        velocity = _symbols(grid, u_hat.shape[-1])[0] * u_hat
        return from_columns(velocity, grid.shape).abs().amax((-2, -1))

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂ω/∂t + ψ_y ω_x − ψ_x ω_y − νΔω + μω + ν_h(−Δ)^p ω − f, and Δψ + ω."""
        omega, psi = D["vorticity"], D["stream_function"]
        rate = D.t(omega) + D.y(psi) * D.x(omega) - D.x(psi) * D.y(omega) - self.nu * D.laplacian(omega)
        rate = rate + self.drag * omega
        if self.hyperviscosity is not None:
            coefficient, power = self.hyperviscosity
            rate = rate + coefficient * D.roughness(omega, int(power))
        if self.forcing is not None:
            rate = rate - self.forcing(D.time, *D.coordinates)
        return {"vorticity": rate, "stream_function": D.laplacian(psi) + omega}

    def supply(self, u: Float[Tensor, "... 1 nx ny"], grid: Grid) -> dict[str, Tensor]:
        """The stream function ψ of zero mean."""
        return {"stream_function": grid.to_physical(_inverse_laplacian(grid) * grid.to_spectral(u[..., 0, :, :]))}

    def velocity(self, omega: Float[Tensor, "... 1 nx ny"], grid: Grid) -> Float[Tensor, "... 2 nx ny"]:
        """(u, v) = (ψ_y, −ψ_x)."""
        return grid.to_physical(_symbols(grid, grid.spectral_shape[-1])[0] * grid.to_spectral(omega))

    def invariants(self, u: Float[Tensor, "... 1 nx ny"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """The mean vorticity; without damping and force also energy ½⟨|u|²⟩ and enstrophy ½⟨ω²⟩."""
        mean = {"mean": u.mean((-3, -2, -1))}
        if self.nu or self.drag or self.hyperviscosity or self.forcing:
            return mean
        energy = 0.5 * self.velocity(u, grid).square().sum(-3).mean((-2, -1))
        return mean | {"energy": energy, "enstrophy": 0.5 * u.square().mean((-3, -2, -1))}

    def constrain(self, u: Float[Tensor, "... 1 nx ny"], grid: Grid) -> Float[Tensor, "... 1 nx ny"]:
        """The nearest state that the equation allows: its mean vorticity is zero."""
        return u - u.mean((-2, -1), keepdim=True)

    def check_start(self, u0: Float[Tensor, "b 1 nx ny"], grid: Grid) -> None:
        """Refuse a start of non-zero mean, and a grid that is too coarse for the force."""
        mean, size = u0.mean((1, 2, 3)).abs(), u0.abs().amax((1, 2, 3))
        for i in (mean > ROUNDING * size).nonzero().flatten().tolist():
            raise KanopError(
                f"the vorticity of a periodic flow has zero mean, got mean {float(u0[i].mean()):.3g} in sample {i}: "
                "subtract it (equation.constrain(u0, grid))"
            )
        if self.forcing is not None:
            force_hat(self.forcing, grid, 2, 0.0, grid.spectral_shape[-1])

    def exact(self, u0: Float[Tensor, "1 nx ny"], grid: Grid) -> Callable[..., Tensor]:
        """ω₀ e^{−(ν|k|² + μ + ν_h|k|^{2p})t} of a flow whose modes share one |k|, as Taylor and Green's: ψ = ω/|k|².

        Takes t and points x, y of any equal shape; differentiable.
        """
        check(self.forcing is None, "a forced flow has no exact solution here")
        k2 = squared_wavenumbers(u0, grid)
        ring = float(k2.max() - k2.min()) <= 1e-9 * float(k2.max())
        check(ring, f"only modes of one |k| decay exactly, got |k|² from {k2.min():.4g} to {k2.max():.4g}")
        series = linear_solution(self.linear(grid)[0], u0, grid)
        return lambda t, *x: series(t, *x)[0]

    def _damping(self, k2: Tensor | float) -> Tensor | float:
        rate = self.nu * k2 + self.drag
        if self.hyperviscosity is not None:
            rate = rate + self.hyperviscosity[0] * k2 ** self.hyperviscosity[1]
        return rate


def _advect(u_hat: Tensor, grid: Grid, force: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The coefficients of f − u·∇ω, and the values of (u, v)."""
    columns = u_hat.shape[-1]
    velocity, products = _symbols(grid, columns)
    uv = from_columns(velocity * u_hat, grid.shape)
    fields = uv[:, :1] * uv
    fields[:, 0].addcmul_(uv[:, 1], uv[:, 1], value=-1)
    fields_hat = to_columns(fields, 2, columns)
    first = products[0], fields_hat[:, :1]
    rate = torch.mul(*first) if force is None else torch.addcmul(force, *first)
    return rate.addcmul_(products[1], fields_hat[:, 1:]), uv


class _Advect(torch.autograd.Function):
    """The adjoint of −u·∇ω by as many transforms as itself, with nothing kept but (u, v)."""

    @staticmethod
    def forward(ctx: Any, u_hat: Tensor, grid: Grid) -> Tensor:
        rate, uv = _advect(u_hat, grid)
        ctx.save_for_backward(uv)
        ctx.grid = grid
        return rate

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (uv,), columns = ctx.saved_tensors, gradient.shape[-1]
        velocity, products = _adjoint_symbols(ctx.grid, columns)
        squares, both = from_columns(products * gradient, ctx.grid.shape).unbind(1)
        u, v = uv.unbind(1)
        to_uv = torch.stack([2 * u * squares + v * both, u * both - 2 * v * squares], 1)
        to_hat = to_columns(to_uv, 2, columns)
        return (velocity[0] * to_hat[:, :1]).addcmul_(velocity[1], to_hat[:, 1:]), None


@lru_cache(maxsize=16)
def _adjoint_symbols(grid: Grid, columns: int) -> tuple[Complex[Tensor, "2 kx k"], Complex[Tensor, "2 kx k"]]:
    """The conjugates of `_symbols`, with the weights that make one transform the adjoint of the other."""
    weight = adjoint_weight(grid.shape, columns).to(grid.device)
    velocity, products = (symbol.conj() for symbol in _symbols(grid, columns))
    return tuple(  # type: ignore[return-value]
        by_columns(s.resolve_conj().to(grid.spectral_dtype), 2, columns) for s in (velocity * weight, products / weight)
    )


@lru_cache(maxsize=16)
def _symbols(grid: Grid, columns: int) -> tuple[Complex[Tensor, "2 kx k"], Complex[Tensor, "2 kx k"]]:
    """ω ↦ (u, v), and (u² − v², uv) ↦ −u·∇ω, on the first columns; made in double precision.

    The second ones are real, but stored as complex: the product of mixed types would convert them each time.
    """
    double = grid.to(dtype=torch.float64)
    dx, dy = double.derivative(0), double.derivative(1)
    inverse = _inverse_laplacian(double)
    velocity = torch.stack([dy * inverse, -dx * inverse])
    products = torch.stack([dx * dy, (double.derivative(1, 2) - double.derivative(0, 2)).to(dx.dtype)])
    return tuple(by_columns(s.to(grid.spectral_dtype), 2, columns) for s in (velocity, products))  # type: ignore[return-value]


def _inverse_laplacian(grid: Grid) -> Float[Tensor, "kx ky"]:
    """1/|k|², and 0 for the mean."""
    k2 = -grid.laplacian
    return torch.where(k2 == 0, 0, 1 / torch.where(k2 == 0, 1, k2))
