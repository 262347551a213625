"""The loop over given steps: frames as it goes, gradients in memory that grows like the root of the steps."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Inexact
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from kanop.solvers.equation import trainable
from kanop.solvers.errors import SolverDiverged, check
from kanop.solvers.replay import Replayed, State, one_step, recorder

if TYPE_CHECKING:
    from kanop.solvers.solve import Stepper

__all__ = ["march", "schedule"]

# Steps between two looks at whether the state is still finite: a look waits for the device.
LOOK_EVERY = 32

Move = Callable[[State, float, float], State]


class Step(NamedTuple):
    """One step from t to t + h: the frames `inside` it, as times after t, and whether its end is a frame."""

    t: float
    h: float
    inside: tuple[float, ...]
    reached: bool


def march(
    stepper: Stepper,
    u_hat: Inexact[Tensor, "b c *k"],
    times: Sequence[float],
    dt: float | Sequence[tuple[float, float]],
    mode: str = "eager",
) -> tuple[Float[Tensor, "b t c *x"], int]:
    """The frames at `times` by the steps `dt`, and the number of steps.

    Where gradients are asked for, only the states between short segments of steps are kept: backward repeats each.
    """
    plan = _plan(times, schedule(times, dt))
    u_hat = stepper.kept(u_hat)
    size = stepper.samples_at_once(u_hat)
    if torch.is_grad_enabled() and (u_hat.requires_grad or trainable(stepper.equation)):
        stepper.keep_coefficients({step.h for step in plan})
        parts = [
            _march_with_gradients(stepper, u_hat[start : start + size], plan, start)
            for start in range(0, len(u_hat), size)
        ]
        return torch.cat(parts), len(plan)
    frames = stepper.to_physical(u_hat[:1]).new_empty((len(u_hat), len(times), u_hat.shape[1], *stepper.grid.shape))
    move: Move = partial(one_step, stepper)
    if mode == "graph":
        move = Replayed(stepper, [step.h for step in plan], recorder(u_hat.device))
    for start in range(0, len(u_hat), size):
        _march(stepper, move, u_hat[start : start + size], plan, frames[start : start + size], start)
    return frames, len(plan)


def _march(stepper: Stepper, move: Move, u_hat: Tensor, plan: list[Step], frames: Tensor, first: int) -> None:
    """Fill `frames` of some samples, number `first` of the batch and the following."""
    state = _initial(u_hat)
    places = iter(frames.unbind(1))

    def put(frame: Tensor) -> None:
        next(places).copy_(frame)

    put(stepper.to_physical(u_hat))
    for start in range(0, len(plan), LOOK_EVERY):
        state = _take(stepper, move, state, plan[start : start + LOOK_EVERY], put, first)


def _march_with_gradients(stepper: Stepper, u_hat: Tensor, plan: list[Step], first: int) -> Tensor:
    # A step's graph holds some 40 fields and a kept state 2: this length makes both parts of the memory alike.
    length = max(1, round(math.sqrt(len(plan)) / 4))
    frames = [stepper.to_physical(u_hat)[:, None]]
    state = _initial(u_hat)

    def segment(steps: Sequence[Step], *state: Tensor | None) -> tuple[Tensor | None, ...]:
        made: list[Tensor] = []
        state = _take(stepper, partial(one_step, stepper), state, steps, made.append, first)
        return (torch.stack(made, 1) if made else frames[0][:, :0], *state)

    for start in range(0, len(plan), length):
        made, *rest = checkpoint(
            segment, plan[start : start + length], *state, use_reentrant=False, preserve_rng_state=False
        )
        frames, state = [*frames, made], tuple(rest)
    return torch.cat(frames, 1)


def _initial(u_hat: Tensor) -> State:
    """Kahan's compensation keeps small steps from making single precision worse; double precision needs none."""
    return u_hat, torch.zeros_like(u_hat) if u_hat.dtype in (torch.float32, torch.complex64) else None


def _take(
    stepper: Stepper, move: Move, state: State, steps: Sequence[Step], put: Callable[[Tensor], None], first: int
) -> State:
    """The state after `steps`; every frame on the way is `put`. Frames leave the state as it is."""
    good = steps[0].t
    for number, (t, h, inside, reached) in enumerate(steps, start=1):
        for part in inside:
            put(stepper.to_physical(state[0] + stepper.increment(state[0], t, part)))
        state = move(state, t, h)
        if reached:
            put(stepper.to_physical(state[0]))
        if reached or number == len(steps):
            _check_finite(state[0], good, h, first)
            good = t + h
    return state


def _plan(times: Sequence[float], steps: Iterator[tuple[float, float]]) -> list[Step]:
    """The steps up to the last frame, each with the frames that it makes."""
    plan: list[Step] = []
    frame = 1
    for t, h in steps:
        inside = []
        while frame < len(times) and times[frame] < t + h - 1e-9 * h:
            inside.append(times[frame] - t)
            frame += 1
        reached = frame < len(times) and times[frame] <= t + h + 1e-9 * h
        plan.append(Step(t, h, tuple(inside), reached))
        frame += reached
        if frame == len(times):
            break
    return plan


def schedule(times: Sequence[float], dt: float | Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The (t, h) of every given step. The last step of a segment is cut to end on its `until`."""
    segments = [(times[-1], float(dt))] if isinstance(dt, int | float) else [(float(u), float(h)) for u, h in dt]
    ends = [times[0], *(until for until, _ in segments)]
    rising = all(a < b for a, b in itertools.pairwise(ends))
    check(
        rising and ends[-1] >= times[-1] * (1 - 1e-12),
        f"the steps must reach from t = {times[0]} to {times[-1]} in rising segments (until, dt), got {segments}",
    )
    for start, (until, h) in zip(ends, segments, strict=False):
        check(0 < h < math.inf, f"expected a positive time step, got dt = {h}")
        count = max(1, math.ceil((until - start) / h * (1 - 1e-12) - 1e-9))
        for i in range(count):
            left = until - start - i * h
            yield start + i * h, (h if i < count - 1 or abs(left - h) < 1e-9 * h else left)


def _check_finite(u_hat: Tensor, good: float, h: float, first: int) -> None:
    finite = torch.isfinite(torch.view_as_real(u_hat) if u_hat.is_complex() else u_hat).flatten(1).all(1)
    if not bool(finite.all()):
        sample = first + int((~finite).nonzero()[0])
        raise SolverDiverged(sample, good, h, f"take a smaller step (try dt = {h / 4:.2g}) or tolerance=1e-6")
