"""The Navier-Stokes equations in three dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor

from kanop.solvers.columns import by_columns, from_columns, to_columns
from kanop.solvers.equation import Constant, Derivatives, Equation
from kanop.solvers.equations.series import linear_solution, squared_wavenumbers
from kanop.solvers.errors import KanopError, check
from kanop.solvers.forcing import Forcing, force_hat
from kanop.solvers.grid import Grid

__all__ = ["NavierStokes3D", "Smagorinsky"]

# Relative size of a divergence that is rounding, also of single precision.
ROUNDING = 1e-5
AXES = "xyz"
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


@dataclass(frozen=True)
class Smagorinsky:
    r"""ν_t = (C_s Δ)² |S| with |S| = (2 S_ij S_ij)^½, S the strain rate: the drain of what a coarse grid leaves out.

    Parameters
    ----------
    width : filter width Δ > 0, in length; the spacing of the grid, or twice that
    constant : C_s ≥ 0; 0.17 for isotropic turbulence

    References: Smagorinsky (1963), doi:10.1175/1520-0493(1963)091<0099:GCEWTP>2.3.CO;2;
    Lilly (1967), doi:10.5065/D62R3PMM.
    """

    width: float
    constant: Constant = 0.17

    def __post_init__(self) -> None:
        check(0 < self.width < math.inf, f"expected a filter width > 0, got {self.width}")
        check(0 <= self.constant < math.inf, f"expected a Smagorinsky constant >= 0, got {self.constant}")

    def stress(self, strain: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """2 ν_t S_ij from S_ij, both in the order xx, yy, zz, xy, xz, yz."""
        xx, yy, zz, xy, xz, yz = strain
        square = xx * xx + yy * yy + zz * zz + 2 * (xy * xy + xz * xz + yz * yz)
        # The square root has no derivative at zero: the smallest number keeps gradients finite.
        scale = 2 * (self.constant * self.width) ** 2 * torch.sqrt(2 * square + torch.finfo(square.dtype).tiny)
        return tuple(scale * s for s in strain)


@dataclass(frozen=True)
class NavierStokes3D(Equation):
    r"""∂u/∂t + u·∇u = −∇p + ν Δu + ∇·(2ν_t S) + f, ∇·u = 0, for the velocity u = (u, v, w).

    Parameters
    ----------
    nu : viscosity ν ≥ 0 in length²/time; 0 gives the Euler equations
    closure : eddy viscosity ν_t; default none. Its square root is no polynomial: dealiasing is exact without it only
    forcing : a force on the velocity, of which the solenoidal part acts; default none

    Raises
    ------
    KanopError : a negative viscosity

    References: Orszag and Patterson (1972), doi:10.1103/PhysRevLett.28.76 (rotational form, projection);
    Smagorinsky (1963).

    Examples
    --------
    >>> from kanop.solvers import solve
    >>> grid = Grid((8, 8, 8), (2 * torch.pi,) * 3)
    >>> x, y, z = grid.mesh()
    >>> abc = torch.stack([z.sin() + y.cos(), x.sin() + z.cos(), y.sin() + x.cos()])[None]
    >>> run = solve(NavierStokes3D(nu=1.0), abc, grid, times=[0.0, 1.0], dt=1.0)
    >>> bool((run.u[:, 1] - math.exp(-1) * abc).abs().max() < 1e-14)
    True
    """

    nu: Constant
    closure: Smagorinsky | None = None
    forcing: Forcing | None = None

    channels = ("u", "v", "w")
    auxiliary = ("pressure",)
    ndim = (3,)
    degree = 2
    skips_columns = True

    def __post_init__(self) -> None:
        check(0 <= self.nu < math.inf, f"expected nu >= 0, got {self.nu}: a negative one feeds energy in")

    def linear(self, grid: Grid) -> Float[Tensor, "1 kx ky kz"]:
        """−ν|k|², one symbol for the three components: a step reads a third of the memory."""
        return self.nu * grid.laplacian[None]

    def nonlinear(
        self, u_hat: Inexact[Tensor, "b 3 kx ky kz"], grid: Grid, t: float | Tensor
    ) -> Inexact[Tensor, "b 3 kx ky kz"]:
        """P[u×ω + ∇·(2ν_t S) + f], P the projection on zero divergence; nine transforms without closure.

        `u_hat` may hold the first columns of the half spectrum alone, if the others are zero; so does the result.
        """
        ik, direction = _symbols(grid, u_hat.shape[-1])
        rate = self._push(u_hat, ik, grid, t)
        along = direction[0] * rate[:, :1]
        for axis in (1, 2):
            along.addcmul_(direction[axis], rate[:, axis : axis + 1])
        return rate.addcmul_(direction, along, value=-1)

    def speed(self, u_hat: Inexact[Tensor, "b 3 kx ky kz"], grid: Grid) -> Float[Tensor, "b 3"]:
        """|u|, |v| and |w|."""
        return from_columns(u_hat, grid.shape).abs().amax((-3, -2, -1))

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t + u·∇u + ∇p − νΔu − ∇·(2ν_t S) − f by component, and ∇·u as "pressure"."""
        u = tuple(D[name] for name in self.channels)
        gradients = [D.grad(c) for c in u]
        slope = D.grad(D["pressure"])
        out = {"pressure": gradients[0][0] + gradients[1][1] + gradients[2][2]}
        for i, name in enumerate(self.channels):
            carried = sum(u[j] * gradients[i][j] for j in range(3))
            out[name] = D.t(u[i]) + carried + slope[i] - self.nu * D.laplacian(u[i])
        if self.closure is not None:
            stress = self.closure.stress(tuple((gradients[i][j] + gradients[j][i]) / 2 for i, j in PAIRS))
            for i, name in enumerate(self.channels):
                out[name] = out[name] - D.div([stress[_pair(i, j)] for j in range(3)])
        if self.forcing is not None:
            for f, name in zip(self.forcing(D.time, *D.coordinates), self.channels, strict=True):
                out[name] = out[name] - f
        return out

    def supply(self, u: Float[Tensor, "... 3 nx ny nz"], grid: Grid) -> dict[str, Tensor]:
        """The pressure of zero mean, p = Δ⁻¹∇·(u×ω + ∇·(2ν_t S) + f) − ½|u|²; a force is taken at t = 0."""
        ik, _ = _symbols(grid, grid.spectral_shape[-1])
        push = self._push(grid.to_spectral(u.reshape(-1, 3, *grid.shape)), ik, grid, 0.0)
        k2 = (ik.imag**2).sum(0)
        head = grid.to_physical(-(ik * push).sum(1) * torch.where(k2 == 0, 0, 1 / torch.where(k2 == 0, 1, k2)))
        p = head.reshape(*u.shape[:-4], *grid.shape) - 0.5 * u.square().sum(-4)
        return {"pressure": p - p.mean((-3, -2, -1), keepdim=True)}

    def invariants(self, u: Float[Tensor, "... 3 nx ny nz"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """Without force the mean velocity; without viscosity and closure also energy ½⟨|u|²⟩ and helicity ⟨u·ω⟩."""
        if self.forcing:
            return {}
        mean = {f"mean {name}": u[..., i, :, :, :].mean((-3, -2, -1)) for i, name in enumerate(self.channels)}
        if self.nu or self.closure:
            return mean
        energy = 0.5 * u.square().sum(-4).mean((-3, -2, -1))
        return mean | {"energy": energy, "helicity": (u * self.vorticity(u, grid)).sum(-4).mean((-3, -2, -1))}

    def vorticity(self, u: Float[Tensor, "... 3 nx ny nz"], grid: Grid) -> Float[Tensor, "... 3 nx ny nz"]:
        """ω = ∇×u."""
        ik, _ = _symbols(grid, grid.spectral_shape[-1])
        return grid.to_physical(torch.stack(_cross(ik.unbind(0), grid.to_spectral(u).unbind(-4)), -4))

    def constrain(self, u: Float[Tensor, "... 3 nx ny nz"], grid: Grid) -> Float[Tensor, "... 3 nx ny nz"]:
        """The nearest state that the equation allows: its divergence is zero."""
        _, direction = _symbols(grid, grid.spectral_shape[-1])
        u_hat = grid.to_spectral(u)
        return grid.to_physical(u_hat - direction * (direction * u_hat).sum(-4, keepdim=True))

    def check_start(self, u0: Float[Tensor, "b 3 nx ny nz"], grid: Grid) -> None:
        """Refuse a start with divergence, and a grid that is too coarse for the force."""
        off = (u0.to(grid.device, grid.dtype) - self.constrain(u0.to(grid.device, grid.dtype), grid)).abs()
        worst = off.amax((1, 2, 3, 4)) / u0.abs().amax((1, 2, 3, 4)).clamp_min(1e-30).to(off)
        for i in (worst > ROUNDING).nonzero().flatten().tolist():
            raise KanopError(
                f"the velocity has zero divergence, got one whose gradient part is {float(worst[i]):.3g} of it in "
                f"sample {i}: project it (equation.constrain(u0, grid))"
            )
        if self.forcing is not None:
            force_hat(self.forcing, grid, self.degree, 0.0, grid.spectral_shape[-1])

    def exact(self, u0: Float[Tensor, "3 nx ny nz"], grid: Grid) -> Callable[..., Tensor]:
        """u₀ e^{−νk²t} of a Beltrami flow ∇×u = ku, as Arnold, Beltrami and Childress': u×ω = 0.

        Takes t and points x, y, z of any equal shape, returns (3, …); differentiable.
        """
        check(self.forcing is None and self.closure is None, "with force or closure no exact solution is known here")
        curl, k = self.vorticity(u0, grid), float(squared_wavenumbers(u0, grid).mean().sqrt())
        off = min(float((curl - sign * k * u0).abs().max()) for sign in (1, -1)) / float(u0.abs().max())
        check(off <= 1e-9 * max(k, 1.0), f"only flows with ∇×u = ±ku decay exactly; this one misses it by {off:.3g}")
        return linear_solution(self.linear(grid)[0], u0, grid)

    def _push(self, u_hat: Tensor, ik: Tensor, grid: Grid, t: float | Tensor) -> Tensor:
        """u×ω + ∇·(2ν_t S) + f, not projected."""
        columns = u_hat.shape[-1]
        fields = [*u_hat.unbind(1), *_cross(ik.unbind(0), u_hat.unbind(1))]
        if self.closure is not None:
            fields += [(ik[i] * u_hat[:, j] + ik[j] * u_hat[:, i]) / 2 for i, j in PAIRS]
        values = from_columns(torch.stack(fields, 1), grid.shape).unbind(1)
        products = _cross(values[:3], values[3:6])
        if self.closure is not None:
            products += self.closure.stress(values[6:])
        products_hat = to_columns(torch.stack(products, 1), 3, columns)
        push = products_hat[:, :3]
        if self.closure is not None:
            tau = products_hat[:, 3:]
            rows = [sum(ik[j] * tau[:, _pair(i, j)] for j in range(3)) for i in range(3)]
            push = push + torch.stack(rows, 1)  # type: ignore[arg-type]
        return push if self.forcing is None else push + force_hat(self.forcing, grid, self.degree, t, columns)


def _cross(a: Sequence[Tensor], b: Sequence[Tensor]) -> list[Tensor]:
    """a × b by components: several times faster than torch.linalg.cross along an axis that is not the last."""
    return [(a[i] * b[j]).addcmul_(a[j], b[i], value=-1) for i, j in ((1, 2), (2, 0), (0, 1))]


def _pair(i: int, j: int) -> int:
    return PAIRS.index((min(i, j), max(i, j)))


@lru_cache(maxsize=16)
def _symbols(grid: Grid, columns: int) -> tuple[Complex[Tensor, "3 kx ky k"], Complex[Tensor, "3 kx ky k"]]:
    """∇ and k/|k| on the first columns, made in double precision; k is zero where odd derivatives are."""
    double = grid.to(dtype=torch.float64)
    ik = torch.stack([double.derivative(axis).expand(grid.spectral_shape) for axis in range(3)])
    size = (ik.imag**2).sum(0).sqrt()
    direction = ik.imag / torch.where(size == 0, 1, size)
    return tuple(by_columns(s.to(grid.spectral_dtype), 3, columns) for s in (ik, direction))  # type: ignore[return-value]
