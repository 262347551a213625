"""Courant numbers h Σ_i |v_i|/Δx_i: how long a step may be, and what to say where it was too long."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.equation import Equation
from kanop.solvers.errors import SolverDiverged
from kanop.solvers.linear_operator import LinearOperator
from kanop.solvers.marching import schedule

if TYPE_CHECKING:
    from kanop.solvers.solve import Stepper

__all__ = ["courant_rates", "explained", "refuse_hopeless_step"]


def courant_rates(equation: Equation[Any], u_hat: Inexact[Tensor, "b c *k"], grid: Any) -> Float[Tensor, " b"]:
    """Σ_i max|v_i|/Δx_i of each sample, the Courant number of a unit step."""
    speeds = equation.speed(u_hat, grid)
    return (speeds / speeds.new_tensor(grid.spacing)).sum(1)


@torch.no_grad()
def refuse_hopeless_step(
    stepper: Stepper,
    u_hat: Inexact[Tensor, "b c *k"],
    times: Sequence[float],
    dt: float | Sequence[tuple[float, float]],
) -> None:
    r"""Raise SolverDiverged before any work if the first steps of `dt`, ten or fewer, cannot go well.

    No Courant number divides the good from the bad: a developed flow of little viscosity overflows not far above 1,
    while strong diffusion damps the waves that far longer steps let grow. So the scheme itself is asked: one step of
    û = 1 with N = −i v·k û, every wave carried at the highest speed of the start, tells the factor by which each grows.
    The run is refused if the largest factor g brings the rounding of double precision to the size of the solution
    within these steps, g^steps > 1/ε: no start, however smooth, stands that. A smaller factor may go well or not; such
    a step is run, and `explained` where it diverges.
    """
    if type(stepper.equation).speed is Equation.speed or isinstance(stepper.linear, LinearOperator):
        return
    steps = [(t, h) for t, h in islice(schedule(times, dt), 10) if t < times[-1]]
    t, h = steps[0]
    count = sum(step == h for _, step in steps)
    rates = courant_rates(stepper.equation, u_hat, stepper.grid)
    sample = int(rates.argmax())
    if float(rates[sample]) * h <= 1 or not bool(stepper.slope(u_hat[sample : sample + 1], t).any()):
        return
    speeds = stepper.equation.speed(u_hat[sample : sample + 1], stepper.grid)[0].tolist()
    growth = _growth(stepper, speeds, h)
    if count * math.log(growth) > -math.log(torch.finfo(torch.float64).eps):
        hint = f"not begun, one step multiplies waves by {growth:.1g}"
        raise SolverDiverged(sample, t, h, f"{hint}; {_advice(float(rates[sample]), h)}")


@torch.no_grad()
def explained(
    error: SolverDiverged, equation: Equation[Any], u_hat: Inexact[Tensor, "b c *k"], grid: Any
) -> SolverDiverged:
    """The error with the Courant number of its step at the speeds of the start, where there are speeds."""
    if type(equation).speed is Equation.speed:
        return error
    rate = float(courant_rates(equation, u_hat[error.sample : error.sample + 1], grid)[0])
    return SolverDiverged(error.sample, error.time, error.dt, _advice(rate, error.dt))


def _advice(rate: float, h: float) -> str:
    return (
        f"the start has a CFL number u dt/dx = {rate * h:.2g}; take a smaller step (dt = {0.5 / rate:.2g} gives "
        "CFL 0.5), or cfl=0.5, or tolerance=1e-6"
    )


def _growth(stepper: Stepper, speeds: list[float], h: float) -> float:
    grid: Any = stepper.grid
    phase = torch.stack([(v * k.abs()).expand(grid.spectral_shape) for v, k in zip(speeds, grid.k, strict=True)]).sum(0)
    carried = -1j * stepper.kept(stepper.mask * phase)
    one = torch.ones_like(carried).expand(1, len(stepper.equation.channels), *carried.shape)
    change = stepper.coefficients(h).increment(lambda u, t: carried * u, one, 0.0)
    growth = float((stepper.kept(stepper.mask) * (one + change)).abs().max())
    return max(1.0, growth) if math.isfinite(growth) else math.inf
