"""Linear advection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Constant, Derivatives, Equation, finite
from kanop.solvers.equations.series import linear_solution
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["Advection"]


@dataclass(frozen=True)
class Advection(Equation):
    r"""∂u/∂t + β·∇u = 0.

    Parameters
    ----------
    velocity : β, one number an axis, in length/time; PDEBench: 0.1, 0.4 or 4 on the unit interval

    Raises
    ------
    KanopError : a velocity that is not finite; a grid with another number of axes

    Examples
    --------
    >>> from kanop.solvers import Grid, solve
    >>> grid = Grid((32,))
    >>> u0 = torch.sin(2 * torch.pi * grid.points[0])[None, None]
    >>> u = solve(Advection([0.5]), u0, grid, times=[0.0, 2.0], dt=1.0)
    >>> bool((u.u[0, 1] - u0[0]).abs().max() < 1e-12)
    True
    """

    velocity: Sequence[Constant]

    channels = ("u",)
    degree = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "velocity", tuple(self.velocity))
        check(finite(*self.velocity), f"expected finite velocities, got {self.velocity}")

    def linear(self, grid: Grid) -> Complex[Tensor, "1 *k"]:
        """−iβ·k."""
        axes = len(self.velocity)
        check(axes == grid.ndim, f"a velocity of {axes} numbers needs a grid with {axes} axes, got {grid.ndim}")
        terms = [-v * grid.derivative(i) for i, v in enumerate(self.velocity)]
        return torch.stack([term.expand(grid.spectral_shape) for term in terms]).sum(0)[None]

    def nonlinear(self, u_hat: Inexact[Tensor, "b 1 *k"], grid: Grid, t: float | Tensor) -> Inexact[Tensor, "b 1 *k"]:
        """0."""
        return torch.zeros_like(u_hat)

    def speed(self, u_hat: Inexact[Tensor, "b 1 *k"], grid: Grid) -> Float[Tensor, "b d"]:
        """|β|: for comparison with other solvers, the steps of exponential ones are exact at any length."""
        return grid.points[0].new_tensor(self.velocity).abs().expand(len(u_hat), -1)

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∂u/∂t + β·∇u."""
        u = D["u"]
        return {"u": D.t(u) + sum(v * g for v, g in zip(self.velocity, D.grad(u), strict=True))}

    def invariants(self, u: Float[Tensor, "... 1 *x"], grid: Grid) -> Mapping[str, Float[Tensor, "..."]]:
        """The means of u and u²."""
        axes = tuple(range(-grid.ndim - 1, 0))
        return {"mean": u.mean(axes), "mean square": u.square().mean(axes)}

    def exact(self, u0: Float[Tensor, "1 *n"], grid: Grid) -> Callable[..., Tensor]:
        """u₀(x − βt), by the Fourier series of u₀."""
        series = linear_solution(self.linear(grid)[0], u0, grid)
        return lambda t, *x: series(t, *x)[0]
