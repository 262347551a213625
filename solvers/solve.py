"""`solve`: one equation on one grid under one scheme, by given or by controlled steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, Inexact, Shaped
from torch import Tensor

from kanop.solvers.columns import by_columns, from_columns
from kanop.solvers.control import chosen_control, controlled_steps
from kanop.solvers.courant import explained, refuse_hopeless_step
from kanop.solvers.equation import Equation, trainable
from kanop.solvers.errors import KanopError, SolverDiverged, check, nearest
from kanop.solvers.etdrk import Coefficients
from kanop.solvers.fft import bounded_plans
from kanop.solvers.fields import Trajectory
from kanop.solvers.geometry import Geometry
from kanop.solvers.imex import Splitting
from kanop.solvers.linear_operator import LinearOperator
from kanop.solvers.marching import march
from kanop.solvers.multistep import MultistepCoefficients, continued, recalled
from kanop.solvers.replay import check_mode, remembered
from kanop.solvers.schemes import SCHEMES

__all__ = ["Stepper", "solve"]

# Bytes of spectrum that go through a step together on a CPU: the stages of a step then stay in its caches.
CHUNK = 5 * 2**17


def solve(
    equation: Equation[Any],
    u0: Float[Tensor, "b c *x"],
    grid: Geometry,
    times: Sequence[float],
    dt: float | Sequence[tuple[float, float]] | None = None,
    tolerance: float | None = None,
    cfl: float | None = None,
    scheme: str | None = None,
    mode: str = "eager",
) -> Trajectory:
    r"""Integrate ∂u/∂t = L u + N(u, t) from u(times[0]) = u0 and return the frames at `times`.

    The initial state is truncated to the modes that the equation's dealiasing keeps, so the first frame is what the
    solver started from. Frames between two steps come from that step taken again, shorter: saving changes nothing.

    Parameters
    ----------
    equation : the physics
    u0 : (b, c, *x) states at times[0], cast to the grid's precision
    grid : axes of a kind that the equation takes; its dtype and device are those of the computation
    times : increasing times, the first that of u0
    dt : fixed step, or (until, dt) pairs for steps that change at given times, e.g. [(0.01, 1e-4), (1, 4e-3)]
    tolerance : instead of dt: relative L2 error per unit of time, for each sample by itself; steps are powers of two
    cfl : instead of dt: largest Courant number h Σ_i max|v_i|/Δx_i of a step, for each sample by itself; steps are
        powers of two. Around 0.7 where resolution limits the flow; an early, smooth flow bears far longer steps
    scheme : "etdrk1" … "etdrk4" (exponential; Cox and Matthews 2002), "ark3", "ark4" (additive Runge-Kutta; Kennedy and
        Carpenter 2003), or "sbdf2", "sbdf3" (multistep, one evaluation of N a step, fixed dt; Ascher, Ruuth and Wetton
        1995). Default "etdrk4", or "ark4" where L couples the modes, which no exponential scheme takes
    mode : "eager" (default) launches every operation of every step; "graph", on CUDA, with `dt` and without gradients,
        records a step as a CUDA graph when its length first comes, then replays it in one launch, to the same result

    Returns
    -------
    Trajectory with u of shape (b, len(times), c, *x) and the number of steps per sample

    Raises
    ------
    SolverDiverged : a sample stopped being finite, or needs steps below 2⁻⁴⁰; before any work where `dt` is hopeless
    KanopError : shapes, times or steps that make no sense; a mode that cannot run here

    Notes
    -----
    Steps are not compiled: torch.compile leaves complex numbers and transforms as they are, looks through the caches of
    symbols, hence makes these in every step, and was slower on a CPU. On a GPU it could save launches: a graph does.
    """
    times = [float(t) for t in times]
    _check_input(equation, u0, grid, times, scheme)
    given = {name: value for name, value in (("dt", dt), ("tolerance", tolerance), ("cfl", cfl)) if value is not None}
    check(len(given) == 1, f"give one of dt, tolerance and cfl, got {given or 'none'}")
    gradients = torch.is_grad_enabled() and (u0.requires_grad or trainable(equation))
    check_mode(mode, grid.device, dt is not None, gradients)
    stepper = Stepper(equation, grid, scheme)
    u_hat = stepper.mask * stepper.grid.to_spectral(u0.to(grid.device, grid.dtype))
    if dt is not None:
        refuse_hopeless_step(stepper, u_hat, times, dt)
        try:
            with bounded_plans(grid.device):
                frames, count = march(stepper, u_hat, times, dt, mode)
        except SolverDiverged as error:
            raise explained(error, equation, u_hat, stepper.grid) from None
        steps = torch.full((len(u0),), count)
    else:
        frames = stepper.grid.to_physical(u_hat)[:, None].repeat_interleave(len(times), 1)
        with bounded_plans(grid.device):
            steps = controlled_steps(chosen_control(stepper, tolerance, cfl), u_hat, times, frames)
    moments = torch.tensor(times, dtype=torch.float64, device=grid.device)
    return Trajectory(frames, moments, grid, equation.channels, steps)


class Stepper:
    """One equation on one grid under one scheme: `advance(u_hat, t, h)`, with the coefficients of each h made once."""

    def __init__(self, equation: Equation[Any], grid: Geometry, scheme: str | None = None) -> None:
        self.equation, self.grid = equation, grid.dealiased(equation.degree)
        self.mask = self.grid.dealias_mask(equation.degree)
        self.linear = equation.linear(self.grid.to(dtype=torch.float64))
        self.scheme = SCHEMES[scheme or ("ark4" if isinstance(self.linear, LinearOperator) else "etdrk4")]
        # Dealiasing empties the last columns of the half spectrum: an equation that allows it is stepped without them.
        used = self.mask.reshape(-1, self.mask.shape[-1]).any(0)
        self._columns = int(used.sum()) if equation.skips_columns else len(used)
        self.coefficients = lru_cache(maxsize=64)(self._coefficients)
        if grid.device.type == "cpu":
            keep_freed_memory()

    def _coefficients(self, h: float) -> Coefficients | Splitting | MultistepCoefficients:
        linear = self.linear if isinstance(self.linear, LinearOperator) else self.kept(self.linear)
        return self.scheme.coefficients(linear, h, self.kept(self.mask), self.grid.spectral_dtype)

    def increment(
        self, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor, h: float, *slope: Tensor
    ) -> Inexact[Tensor, "b c *k"]:
        """u(t + h) − u(t) from û alone (exponential schemes take N if it is at hand, multistep ones their starter)."""
        table = self.coefficients(h)
        (change,) = self._by_chunks(lambda u, *more: (table.increment(self._nonlinear, u, *more),), t, u_hat, *slope)
        return self._padded(change, u_hat)

    def pair(self, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor, h: float) -> tuple[Tensor, Tensor]:
        """u(t + h) − u(t) and an estimate of its error, for additive schemes."""
        pair = self.coefficients(h).pair  # type: ignore[union-attr]
        change, error = self._by_chunks(lambda u, time: pair(self._nonlinear, u, time), t, u_hat)
        return self._padded(change, u_hat), self._padded(error, u_hat)

    def slope(self, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor) -> Tensor:
        """N(u, t) on the columns that are kept, not dealiased."""
        return self._by_chunks(lambda u, time: (self._nonlinear(u, time),), t, u_hat)[0]

    def advance(
        self, u_hat: Inexact[Tensor, "b c *k"], t: float, h: float, history: Sequence[Tensor] = ()
    ) -> tuple[Inexact[Tensor, "b c *k"], Sequence[Tensor]]:
        """u(t + h) − u(t) on the main line, and what the scheme remembers for the next step (multistep ones alone)."""
        change, past = self.follow(u_hat, t, h, recalled(history, t, h))
        return change, remembered(past, t, h)

    def follow(
        self, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor, h: float, past: Sequence[Tensor]
    ) -> tuple[Inexact[Tensor, "b c *k"], Sequence[Tensor]]:
        """`advance` by what the scheme recalled for this step; the memory has no clock, so nothing depends on it."""
        table = self.coefficients(h)
        if not isinstance(table, MultistepCoefficients):
            return self.increment(u_hat, t, h), ()
        change, slope = self._by_chunks(
            lambda u, time, *past: table.advance(self._nonlinear, u, time, past), t, u_hat, *past
        )
        return self._padded(change, u_hat), continued(table.scheme.order, past, 0.0, h, slope, change)[1:]

    def _by_chunks(
        self, step: Callable[..., tuple[Tensor, ...]], t: float | Tensor, u_hat: Tensor, *more: Tensor
    ) -> list[Tensor]:
        """step(û, t, …) for pieces of the batch that stay in the caches of a CPU, on the columns that are kept."""
        size = self.samples_at_once(u_hat)
        times = t.split(size) if isinstance(t, Tensor) else itertools.repeat(t)
        pieces = zip(*(u.split(size) for u in (u_hat, *more)), strict=True)
        parts = [
            step(self.kept(u), time, *map(self.kept, rest)) for (u, *rest), time in zip(pieces, times, strict=False)
        ]
        return [torch.cat(part) if len(part) > 1 else part[0] for part in zip(*parts, strict=True)]

    def samples_at_once(self, u_hat: Inexact[Tensor, "b c *k"]) -> int:
        """How much of a batch goes through a step together."""
        if u_hat.device.type != "cpu":
            return len(u_hat)
        return min(len(u_hat), max(1, CHUNK // (u_hat[0].numel() * u_hat.element_size())))

    def kept(self, u_hat: Shaped[Tensor, "... k"]) -> Shaped[Tensor, "... m"]:
        """The columns that are not always zero: a spectrum that was cut so is stepped as it is."""
        return by_columns(u_hat, self.grid.ndim, self._columns) if self._columns < u_hat.shape[-1] else u_hat

    def to_physical(self, u_hat: Inexact[Tensor, "... c *k"]) -> Float[Tensor, "... c *x"]:
        """Values of a whole or a cut spectrum."""
        whole = u_hat.shape[-1] == self.mask.shape[-1]
        return self.grid.to_physical(u_hat) if whole else from_columns(u_hat, self.grid.shape)

    def _padded(self, change: Tensor, u_hat: Tensor) -> Tensor:
        return torch.nn.functional.pad(change, (0, u_hat.shape[-1] - self._columns))

    def keep_coefficients(self, steps: Iterable[float], others: Callable[[float], Any] | None = None) -> None:
        """Make those of `steps` now, others by `others`.

        By default each time anew: a step that backward repeats must repeat its graph.
        """
        table, others = {h: self._coefficients(h) for h in steps}, others or self._coefficients
        self.coefficients = lambda h: table[h] if h in table else others(h)  # type: ignore[assignment]

    def _nonlinear(self, u_hat: Tensor, t: float | Tensor) -> Tensor:
        return self.equation.nonlinear(u_hat, self.grid, t)


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let glibc keep the memory of temporaries: every step gives back and asks again for the same few blocks.

    Its limits follow the largest block freed so far, up to 32 MiB; below them each temporary costs fresh pages of the
    system, which takes longer than to compute it (2-4 times a step). Other allocators take no notice.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def _check_input(equation: Equation[Any], u0: Tensor, grid: Geometry, times: list[float], scheme: str | None) -> None:
    name = type(equation).__name__
    check(scheme is None or scheme in SCHEMES, nearest(str(scheme), SCHEMES, "scheme"))
    check(grid.ndim in equation.ndim, f"{name} lives on grids with {equation.ndim} axes, got {grid.ndim}")
    takes = " or ".join(equation.boundaries)
    check(set(grid.boundaries) <= set(equation.boundaries), f"{name} is solved on {takes} axes, got {grid.boundaries}")
    want = (len(equation.channels), *grid.shape)
    if u0.shape[1:] != want or u0.ndim != len(want) + 1:
        raise KanopError(f"expected u0 of shape (b, c, *x) = (b, {', '.join(map(str, want))}), got {tuple(u0.shape)}")
    bad = (~torch.isfinite(u0)).flatten(1).any(1).nonzero()
    check(len(bad) == 0, f"u0 has NaN or infinite values, first in sample {bad[0].item() if len(bad) else ''}")
    rising = all(a < b for a, b in itertools.pairwise(times))
    check(len(times) >= 2 and rising, f"expected two or more increasing times, got {times}")
    equation.check_start(u0, grid)
