"""Laws that every equation obeys."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kanop.solvers import Equation, Geometry, Grid, GridDerivatives, SphereGrid, Trajectory, solve
from kanop.solvers.errors import check
from kanop.solvers.products import multiply

__all__ = ["check_equation"]


def check_equation(equation: Equation[Any], grid: Geometry | None = None, seed: int = 0) -> None:
    """∂u/∂t = L u + N(u) and residual(D) = 0 are one equation: raise KanopError, naming the law, unless they are.

    1. `linear` and `nonlinear` give real fields: their spectrum is that of its own values.
    2. `degree` is right: with its dealiasing, N(u) on a grid has the coefficients of N(u) on a grid twice as fine.
    3. `residual` vanishes where ∂u/∂t = L u + N(u), and does not where ∂u/∂t differs.
    4. `invariants` do not change along a solution beyond the error of the time steps.

    Parameters
    ----------
    equation : any `Equation`, yours too
    grid : a periodic grid in double precision; default 48 points an axis on the unit box, 24 in space
    seed : of the random fields

    Raises
    ------
    KanopError : with the law that is broken, the violation and the tolerance

    Examples
    --------
    >>> from kanop.solvers import Burgers
    >>> check_equation(Burgers(nu=0.1))
    """
    grid = grid or default_grid(equation)
    u = _field(equation, grid, seed, grid.dealias_mask(2 * equation.degree))
    rate_hat = _rate(equation, u, grid)
    rate = grid.to_physical(rate_hat)
    scale = float(rate.abs().max())
    _require_real(rate_hat, grid, scale)
    _require_degree(equation, grid, seed, scale)
    _require_residual(equation, u, rate, grid, scale)
    _require_invariants(equation, u, grid)


def default_grid(equation: Equation[Any]) -> Geometry:
    """The unit box in the fewest dimensions that the equation has, 48 points an axis, 24 in space; or the sphere."""
    if equation.boundaries == ("sphere",):
        return SphereGrid((32, 64))
    axes = min(equation.ndim)
    return Grid((48 if axes < 3 else 24,) * axes)


def smooth_state(equation: Equation[Any], grid: Geometry, seed: int) -> tuple[Float[Tensor, "1 c *x"], float]:
    """A random state whose spectrum falls like e^{−(k/k₁)²/2}, and a time in which its waves change by a third."""
    size = -grid.laplacian
    size = size / size[size > 0].min()
    u = _field(equation, grid, seed, grid.dealias_mask(2 * equation.degree))
    u = grid.to_physical(torch.exp(-0.5 * size) * grid.to_spectral(u))
    # A depth that waves run on is no wave.
    rest = equation.constrain(torch.zeros_like(u), grid) / u.std()
    u = u / u.std()
    rate = grid.to_physical(_rate(equation, u, grid))
    return u, 0.3 * float((u - rest).norm() / rate.norm())


def _field(equation: Equation[Any], grid: Geometry, seed: int, keep: Bool[Tensor, "*k"]) -> Float[Tensor, "1 c *x"]:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, len(equation.channels), *grid.shape, generator=generator, dtype=torch.float64)
    u = equation.constrain(grid.to_physical(keep * grid.to_spectral(noise)), grid)
    return u / u.std()


def _require(law: str, violation: Tensor | float, tolerance: float) -> None:
    check(bool(violation <= tolerance), f"{law}: violated by {float(violation):.2e}, allowed are {tolerance:.0e}")


def _rate(equation: Equation[Any], u: Tensor, grid: Geometry) -> Tensor:
    u_hat = grid.to_spectral(u)
    return multiply(equation.linear(grid), u_hat) + equation.nonlinear(u_hat, grid, 0.0)


def _require_real(rate_hat: Tensor, grid: Geometry, scale: float) -> None:
    again = grid.to_spectral(grid.to_physical(rate_hat))
    _require("linear + nonlinear is the spectrum of a real field", (again - rate_hat).abs().max() / scale, 1e-12)


def _require_degree(equation: Equation[Any], grid: Geometry, seed: int, scale: float) -> None:
    mask = grid.dealias_mask(equation.degree)
    full = _field(equation, grid, seed, mask)
    fine = grid.with_shape([2 * n for n in grid.shape])
    coarse_rate = mask * equation.nonlinear(grid.to_spectral(full), grid, 0.0)
    fine_rate = fine.to_physical(equation.nonlinear(fine.to_spectral(grid.resample(full, fine.shape)), fine, 0.0))
    exact = mask * grid.to_spectral(fine.resample(fine_rate, grid.shape))
    _require(f"degree {equation.degree} dealiases", (coarse_rate - exact).abs().max() / scale, 1e-10)


def _require_residual(equation: Equation[Any], u: Tensor, rate: Tensor, grid: Geometry, scale: float) -> None:
    # Along a straight line in time the difference stencil is exact: what remains is L, N and the residual itself.
    step = float(u.abs().max()) / scale
    times = step * torch.arange(-2, 3, dtype=torch.float64)

    def middle(slope: Tensor) -> float:
        frames = u[:, None] + times.reshape(-1, *[1] * (u.ndim - 1)) * slope[:, None]
        D = GridDerivatives.of(equation, Trajectory(frames, times, grid, equation.channels))
        return max(float(r[:, 2].abs().max()) for r in equation.residual(D).values()) / scale

    _require("residual vanishes where linear + nonlinear does", middle(rate), 1e-9)
    _require("residual is not zero for a wrong rate", 1 / max(middle(0.5 * rate), 1e-30), 10)


def _require_invariants(equation: Equation[Any], u: Tensor, grid: Geometry) -> None:
    rate = float(grid.to_physical(_rate(equation, u, grid)).abs().max())
    span = 0.02 * float(u.abs().max()) / rate
    run = solve(equation, u, grid, [0, span / 2, span], dt=span / 64)
    for name, values in equation.invariants(run.u, grid).items():
        size = float(values.abs().max()) + float(run.u.abs().mean())
        drift = max(float((b - a).abs().max()) for a, b in pairwise(values.unbind(1)))
        _require(f"invariant {name!r} is conserved", drift / size, 1e-8)
