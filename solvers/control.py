"""Error control: each sample on its own rung of a ladder of steps 2^-j, so that few coefficient sets are needed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.errors import SolverDiverged, check

if TYPE_CHECKING:
    from kanop.solvers.solve import Stepper

__all__ = ["controlled_steps"]

FINEST = 40
SAFETY = 0.8


def controlled_steps(
    stepper: Stepper,
    u_hat: Inexact[Tensor, "b c *k"],
    times: list[float],
    tolerance: float,
    frames: Float[Tensor, "b t c *x"],
) -> Tensor:
    r"""Fill `frames`, each sample with steps h = 2^-j such that its error per unit time stays below `tolerance`.

    A step is taken once whole and twice halved; the difference over 2^p − 1 estimates the error of the halves, which
    are kept if it is below h·tolerance relative to ‖u‖. A sample's steps depend on its own state alone: not on the
    batch, nor on the times that are saved. Returns the number of accepted (half) steps per sample.
    """
    check(0 < tolerance < 1, f"expected 0 < tolerance < 1, got {tolerance}")
    samples = len(u_hat)
    # Time is counted in units of 2^-FINEST from times[0]: sums of rungs are exact.
    clock = [0] * samples
    ends = [round((t - times[0]) * 2**FINEST) for t in times]
    rung = [max(0, math.ceil(-math.log2(times[-1] - times[0])) + 6)] * samples
    next_frame = [1] * samples
    steps = torch.zeros(samples, dtype=torch.long)
    while active := [i for i in range(samples) if next_frame[i] < len(times)]:
        # The samples furthest behind choose the rung: all samples on it go together, whatever their times.
        j = rung[min(active, key=lambda i: clock[i])]
        group = [i for i in active if rung[i] == j]
        t = torch.tensor([times[0] + clock[i] * 2.0**-FINEST for i in group], device=u_hat.device, dtype=torch.float64)
        t = t.to(frames.dtype).reshape(-1, 1, *[1] * stepper.grid.ndim)
        state = u_hat[group]
        new, error = _double(stepper, state, t, 2.0**-j)
        ratios = (error / (tolerance * 2.0**-j)).tolist()
        for place, (i, ratio) in enumerate(zip(group, ratios, strict=True)):
            if not ratio <= 1:
                rung[i] += 1 if not math.isfinite(ratio) else max(1, _rungs(ratio, stepper.scheme.order))
                if rung[i] >= FINEST:
                    hint = f"no step meets tolerance = {tolerance:g}; it blows up or is not resolved: refine the grid"
                    raise SolverDiverged(i, float(t[place].flatten()[0]), 2.0**-j, hint)
                continue
            span = 2 ** (FINEST - j)
            while next_frame[i] < len(times) and ends[next_frame[i]] <= clock[i] + span:
                part = (ends[next_frame[i]] - clock[i]) * 2.0**-FINEST
                one = slice(place, place + 1)
                frames[i, next_frame[i]] = _at(stepper, state[one], new[one], t[one], part, 2.0**-j)
                next_frame[i] += 1
            u_hat[i] = new[place]
            clock[i] += span
            steps[i] += 2
            if _rungs(ratio, stepper.scheme.order) <= -1 and j > 0:
                rung[i] -= 1
    return steps


def _double(stepper: Stepper, u_hat: Tensor, t: Tensor, h: float) -> tuple[Tensor, Tensor]:
    """Two half steps, and their relative error estimated from one whole step."""
    whole = u_hat + stepper.increment(u_hat, t, h)
    half = u_hat + stepper.increment(u_hat, t, h / 2)
    new = half + stepper.increment(half, t + h / 2, h / 2)
    weight = stepper.grid.parseval
    norm = (weight * new.abs() ** 2).flatten(1).sum(1).sqrt()
    error = (weight * (new - whole).abs() ** 2).flatten(1).sum(1).sqrt() / (2**stepper.scheme.order - 1)
    return new, error / norm.clamp_min(torch.finfo(norm.dtype).tiny)


def _at(stepper: Stepper, start: Tensor, end: Tensor, t: Tensor, part: float, h: float) -> Tensor:
    """The frame `part` of the way into a step, by the same two halves cut short."""
    if part == h:
        return stepper.grid.to_physical(end)[0]
    state = start
    for piece in (min(part, h / 2), part - h / 2):
        if piece > 0:
            state = state + stepper.increment(state, t, piece)
            t = t + piece
    return stepper.grid.to_physical(state)[0]


def _rungs(ratio: float, order: int) -> int:
    """Rungs down (up if negative) that bring error/tolerance = `ratio` to SAFETY: error per unit time is O(h^p)."""
    return math.ceil(math.log2(max(ratio, 1e-30) / SAFETY) / order)
