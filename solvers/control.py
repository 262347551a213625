"""Controlled steps: each sample on its own rung of a ladder of steps 2^-j, so that few coefficient sets are needed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from kanop.solvers.courant import courant_rates
from kanop.solvers.errors import SolverDiverged, check
from kanop.solvers.imex import AdditiveScheme
from kanop.solvers.multistep import MultistepScheme

if TYPE_CHECKING:
    from kanop.solvers.solve import Stepper

__all__ = ["Control", "CourantControl", "ErrorControl", "chosen_control", "controlled_steps"]

# Rungs of the longest and of the shortest step; time is counted in units of the latter, so that sums are exact.
COARSEST, FINEST = -20, 40
SAFETY = 0.8


class Control(ABC):
    """What judges a step: whether it is kept, and how many rungs finer (coarser if negative) the next one is.

    A sample's steps depend on its own state alone: not on the batch, nor on the times that are saved.
    """

    per_attempt = 1
    """Steps that a kept attempt is made of."""

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper

    @abstractmethod
    def first(self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor) -> list[int]:
        """The rung that each sample begins on."""

    @abstractmethod
    def attempt(
        self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor, h: float
    ) -> tuple[Inexact[Tensor, "b c *k"], list[bool], list[int]]:
        """States after a step, which of them are kept, and by how much their rungs change."""

    def between(self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor, part: float, h: float) -> Tensor:
        """The state `part` of the way into a step of length `h`: that step again, cut short."""
        return u_hat + self.stepper.increment(u_hat, t, part)


def chosen_control(stepper: Stepper, tolerance: float | None, cfl: float | None) -> Control:
    """By the error or by the speeds, whichever is given."""
    check(
        not isinstance(stepper.scheme, MultistepScheme),
        "a multistep scheme takes steps of one length: give dt, or a Runge-Kutta scheme (etdrk4, ark4)",
    )
    if cfl is not None:
        return CourantControl(stepper, cfl)
    kind = PairControl if isinstance(stepper.scheme, AdditiveScheme) else DoublingControl
    return kind(stepper, tolerance)  # type: ignore[arg-type]


def controlled_steps(
    control: Control, u_hat: Inexact[Tensor, "b c *k"], times: list[float], frames: Float[Tensor, "b t c *x"]
) -> Tensor:
    """Fill `frames` by steps that `control` judges. Returns the number of kept steps per sample."""
    stepper, samples = control.stepper, len(u_hat)
    u_hat = stepper.kept(u_hat).clone()
    clock = [0] * samples
    ends = [round((t - times[0]) * 2**FINEST) for t in times]
    next_frame = [1] * samples
    steps = torch.zeros(samples, dtype=torch.long)

    def now(group: list[int]) -> Tensor:
        t = torch.tensor([times[0] + clock[i] * 2.0**-FINEST for i in group], device=u_hat.device, dtype=torch.float64)
        return t.to(frames.dtype).reshape(-1, 1, *[1] * stepper.grid.ndim)

    rung = [min(max(j, COARSEST), FINEST // 2) for j in control.first(u_hat, now(list(range(samples))))]
    while active := [i for i in range(samples) if next_frame[i] < len(times)]:
        # The samples furthest behind choose the rung: all samples on it go together, whatever their times.
        j = rung[min(active, key=lambda i: clock[i])]
        group = [i for i in active if rung[i] == j]
        t, h = now(group), 2.0**-j
        state = u_hat[group]
        new, kept, moves = control.attempt(state, t, h)
        for place, i in enumerate(group):
            rung[i] = max(j + moves[place], COARSEST)
            if not kept[place]:
                if rung[i] >= FINEST:
                    hint = f"no step is short enough ({control}): it blows up or is not resolved, refine the grid"
                    raise SolverDiverged(i, float(t[place].flatten()[0]), h, hint)
                continue
            end, one = clock[i] + 2 ** (FINEST - j), slice(place, place + 1)
            while next_frame[i] < len(times) and ends[next_frame[i]] <= end:
                part = (ends[next_frame[i]] - clock[i]) * 2.0**-FINEST
                at = new[one] if part == h else control.between(state[one], t[one], part, h)
                frames[i, next_frame[i]] = stepper.to_physical(at)[0]
                next_frame[i] += 1
            u_hat[i], clock[i] = new[place], end
            steps[i] += control.per_attempt
    return steps


class ErrorControl(Control):
    """The estimated error of a step is below h · tolerance, relative to ‖u‖.

    Parameters
    ----------
    stepper : of a one-step scheme
    tolerance : relative L2 error per unit of time, in (0, 1)
    """

    order: int
    """Power of h with which the estimate per unit of time falls."""

    def __init__(self, stepper: Stepper, tolerance: float) -> None:
        check(0 < tolerance < 1, f"expected 0 < tolerance < 1, got {tolerance}")
        super().__init__(stepper)
        self.tolerance = tolerance
        self._weight = stepper.kept(stepper.grid.parseval)
        self._mask = stepper.kept(stepper.mask)

    def __str__(self) -> str:
        return f"tolerance = {self.tolerance:g}"

    def first(self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor) -> list[int]:
        """A sixteenth of the time in which N alone would change u by its own size."""
        sizes, rates = self._norm(u_hat).tolist(), self._norm(self._mask * self.stepper.slope(u_hat, t)).tolist()
        return [_rungs_to(16 * rate / size) if size * rate else 0 for size, rate in zip(sizes, rates, strict=True)]

    def judged(self, error: Tensor, new: Tensor, h: float) -> tuple[list[bool], list[int]]:
        """From the estimated error of a step."""
        norm = self._norm(new)
        ratios = (self._norm(error) / norm.clamp_min(torch.finfo(norm.dtype).tiny) / (self.tolerance * h)).tolist()
        return [ratio <= 1 for ratio in ratios], [self._move(ratio) for ratio in ratios]

    def _move(self, ratio: float) -> int:
        if not math.isfinite(ratio):
            return 1
        move = math.ceil(math.log2(max(ratio, 1e-30) / SAFETY) / self.order)
        return max(1, move) if ratio > 1 else max(-1, min(0, move))

    def _norm(self, u_hat: Tensor) -> Float[Tensor, " b"]:
        return (self._weight * u_hat.abs() ** 2).flatten(1).sum(1).sqrt()


class PairControl(ErrorControl):
    """By the embedded pair of an additive scheme."""

    def __init__(self, stepper: Stepper, tolerance: float) -> None:
        super().__init__(stepper, tolerance)
        self.order = stepper.scheme.order - 1

    def attempt(
        self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor, h: float
    ) -> tuple[Inexact[Tensor, "b c *k"], list[bool], list[int]]:
        """One step."""
        change, error = self.stepper.pair(u_hat, t, h)
        new = u_hat + change
        return new, *self.judged(error, new, h)


class DoublingControl(ErrorControl):
    r"""By one step against two halves, which are kept: for exponential schemes.

    Any third-order formula on the nodes 0, ½, 1 of etdrk4 is Simpson's rule where N depends on t alone, as its own
    weights are: an embedded pair is blind to a force that changes with time, and its steps grow without end. Elsewhere
    h (4φ₃ − φ₂)(N_4 − N(u_{n+1})), the cheapest, needs 0.7 to 1 times the evaluations at equal error (Burgers, KS and
    Navier-Stokes), but 1.3 to 1.9 times as many at equal tolerance.
    """

    per_attempt = 2

    def __init__(self, stepper: Stepper, tolerance: float) -> None:
        super().__init__(stepper, tolerance)
        self.order = stepper.scheme.order

    def attempt(
        self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor, h: float
    ) -> tuple[Inexact[Tensor, "b c *k"], list[bool], list[int]]:
        """Two half steps, and one whole from the same N."""
        slope = self.stepper.slope(u_hat, t)
        whole = u_hat + self.stepper.increment(u_hat, t, h, slope)
        half = u_hat + self.stepper.increment(u_hat, t, h / 2, slope)
        new = half + self.stepper.increment(half, t + h / 2, h / 2)
        return new, *self.judged((new - whole) / (2**self.order - 1), new, h)

    def between(self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor, part: float, h: float) -> Tensor:
        """The two halves, cut short."""
        for piece in (min(part, h / 2), part - h / 2):
            if piece > 0:
                u_hat = u_hat + self.stepper.increment(u_hat, t, piece)
                t = t + piece
        return u_hat


class CourantControl(Control):
    r"""The longest step with h Σ_i max|v_i|/Δx_i ≤ cfl at its start; it is taken back where that is 2 cfl at its end.

    Parameters
    ----------
    stepper : of a one-step scheme, for an equation with a speed
    cfl : largest Courant number; 0.5 to 0.9 for exponential schemes of order 4
    """

    def __init__(self, stepper: Stepper, cfl: float) -> None:
        check(0 < cfl < math.inf, f"expected cfl > 0, got {cfl}")
        super().__init__(stepper)
        self.cfl = cfl

    def __str__(self) -> str:
        return f"cfl = {self.cfl:g}"

    def first(self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor) -> list[int]:
        """From the speeds of the start."""
        return [_rungs_to(rate / self.cfl) for rate in self._rates(u_hat)]

    def attempt(
        self, u_hat: Inexact[Tensor, "b c *k"], t: Tensor, h: float
    ) -> tuple[Inexact[Tensor, "b c *k"], list[bool], list[int]]:
        """One step, and the speeds at its end."""
        new = u_hat + self.stepper.increment(u_hat, t, h)
        ratios = [rate * h / self.cfl for rate in self._rates(new)]
        return new, [ratio <= 2 for ratio in ratios], [self._move(ratio) for ratio in ratios]

    def _move(self, ratio: float) -> int:
        if not math.isfinite(ratio):
            return 1
        # A flow that gains speed steadily has a Courant number ∝ h².
        return max(1, math.ceil(math.log2(ratio / 2) / 2)) if ratio > 2 else _rungs_to(ratio)

    def _rates(self, u_hat: Tensor) -> list[float]:
        return courant_rates(self.stepper.equation, u_hat, self.stepper.grid).tolist()


def _rungs_to(ratio: float) -> int:
    """The least j with ratio · 2^-j ≤ 1."""
    return math.ceil(math.log2(ratio)) if ratio > 0 else 2 * COARSEST
