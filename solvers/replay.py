"""Steps that are recorded once and then repeated, in place of launching every operation of every step.

Most operations of a step are short: a GPU may wait longer for the next one than it works on it. A CUDA graph is one
launch for all of them. It repeats the very same operations on the very same memory, so the state stays in one place,
the time lies in a tensor, and nothing in a step may ask the device for a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Inexact
from torch import Tensor

from kanop.solvers.errors import check, nearest
from kanop.solvers.multistep import MultistepScheme, recalled

if TYPE_CHECKING:
    from kanop.solvers.solve import Stepper

__all__ = ["MODES", "Replayed", "check_mode", "one_step", "recorder", "remembered"]

MODES = ("eager", "graph")

# A length of step that comes less often is not worth a recording.
WORTH = 8

# What runs through the loop: û, what rounding lost of it (in single precision), and what a multistep scheme remembers.
State = tuple[Any, ...]
# t, û, … ↦ û, …: the same tensors, one step later.
Transition = Callable[..., tuple[Tensor, ...]]
Recorder = Callable[[Transition, Sequence[Tensor]], Transition]


def one_step(stepper: Stepper, state: State, t: float, h: float) -> State:
    """The state at t + h."""
    u_hat, lost, *history = state
    change, remembers = stepper.advance(u_hat, t, h, history)
    return *_summed(u_hat, lost, change), *remembers


class Replayed:
    """`one_step` by recordings of the lengths of step that come often.

    Parameters
    ----------
    stepper : the equation under its scheme
    lengths : of the steps to come; those that come at least 8 times are recorded when they first do
    record : makes, of a transition and tensors to try it with, another transition that does the same
    """

    def __init__(self, stepper: Stepper, lengths: Sequence[float], record: Recorder) -> None:
        self.stepper, self.record = stepper, record
        self.lengths = {h for h, count in Counter(lengths).items() if count >= WORTH}
        self.memory = 2 * (stepper.scheme.order - 1) if isinstance(stepper.scheme, MultistepScheme) else 0
        self.recordings: dict[tuple[float, int], Transition] = {}
        # A recording reads the coefficients where they lie: no cache may drop them.
        stepper.keep_coefficients(self.lengths, stepper.coefficients)

    def __call__(self, state: State, t: float, h: float) -> State:
        """The state at t + h."""
        u_hat, lost, *history = state
        past = recalled(history, t, h)
        if h not in self.lengths or len(past) < self.memory:
            return one_step(self.stepper, state, t, h)
        tensors = [x for x in (u_hat, lost, *past) if x is not None]
        time = torch.full((len(u_hat), *[1] * (u_hat.ndim - 1)), t, dtype=self.stepper.grid.dtype, device=u_hat.device)
        key = h, len(u_hat)
        if key not in self.recordings:
            self.recordings[key] = self.record(partial(self._transition, h, lost is not None), [time, *tensors])
        u_hat, *rest = self.recordings[key](time, *tensors)
        return u_hat, None if lost is None else rest.pop(0), *remembered(rest, t, h)

    def _transition(self, h: float, compensated: bool, t: Tensor, u_hat: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        lost, past = (rest[0], rest[1:]) if compensated else (None, rest)
        change, remembers = self.stepper.follow(u_hat, t, h, past)
        return tuple(x for x in (*_summed(u_hat, lost, change), *remembers) if x is not None)


class Static:
    """A transition on tensors of its own, which the results overwrite: what a graph repeats.

    Parameters
    ----------
    step : the transition
    inputs : t, û, … of the kind that it takes
    capture : makes, of a function that works on these tensors, another one that does the same
    """

    def __init__(
        self, step: Transition, inputs: Sequence[Tensor], capture: Callable[[Callable[[], None]], Callable[[], None]]
    ) -> None:
        self.tensors = [x.clone() for x in inputs]

        def body() -> None:
            # What is handed on, as a multistep scheme hands on its past, is copied before its place is taken.
            new = [x.clone() if any(x is y for y in self.tensors) else x for x in step(*self.tensors)]
            for place, x in zip(self.tensors[1:], new, strict=True):
                place.copy_(x)

        self.replay = capture(body)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The tensors a step later: the same ones in every call."""
        for place, x in zip(self.tensors, inputs, strict=True):
            if place is not x:
                place.copy_(x)
        self.replay()
        return tuple(self.tensors[1:])


def recorder(device: torch.device) -> Recorder:
    """What records steps as CUDA graphs on `device`."""
    return partial(Static, capture=partial(_cuda_graph, device))


def check_mode(mode: str, device: torch.device, fixed: bool, gradients: bool) -> None:
    """Raise KanopError where a solve cannot run in `mode`."""
    check(mode in MODES, nearest(mode, MODES, "mode"))
    if mode == "graph":
        check(fixed, "mode='graph' repeats steps of one length: give dt, or take mode='eager'")
        check(not gradients, "mode='graph' carries no gradients: take mode='eager'")
        check(
            device.type == "cuda",
            f"mode='graph' replays CUDA graphs, and the grid is on {device}: give Grid(…, device='cuda'), or take "
            "mode='eager'",
        )


def remembered(past: Sequence[Tensor], t: float, h: float) -> Sequence[Tensor]:
    """`past` with the end and the length of its last step, on the CPU, in front."""
    return (torch.tensor([t + h, h], dtype=torch.float64), *past) if past else ()


def _summed(
    u_hat: Inexact[Tensor, "b c *k"], lost: Inexact[Tensor, "b c *k"] | None, change: Inexact[Tensor, "b c *k"]
) -> tuple[Tensor, Tensor | None]:
    """û + change, and what rounding lost of it where that is kept (Kahan's compensation)."""
    if lost is None:
        return u_hat + change, None
    change = change - lost
    total = u_hat + change
    with torch.no_grad():  # rounding has no derivative
        return total, (total - u_hat).sub_(change)


def _cuda_graph(device: torch.device, body: Callable[[], None]) -> Callable[[], None]:
    """A graph of `body`, after some runs: what it makes once (tables, plans, workspaces) must be there before."""
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                body()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            body()
    return graph.replay
