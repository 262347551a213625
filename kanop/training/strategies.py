"""What a training step compares: one prediction, or predictions made from predictions.

A batch holds the input u (b, c_in, *x) and the frames that follow, (b, horizon·c_out, *x), call by
call.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["OneStep", "Pushforward", "Strategy", "Unrolled", "add_noise", "next_input", "split_target"]

Operator = Callable[[Tensor], Tensor]
Measure = Callable[[Tensor, Tensor], Tensor]


class Strategy(ABC):
    """How many calls of the operator a step makes, and which of them the loss sees.

    `noise` σ ≥ 0 is added to the given frames while training (never to constants or targets), in units of the standard
    deviation that the normaliser holds: u + σ·std·ξ, ξ ~ N(0, 1).
    """

    noise: float

    @property
    @abstractmethod
    def horizon(self) -> int:
        """Calls that the targets cover: the data's windows need n_out = horizon · spec.n_out."""

    @abstractmethod
    def calls(self, progress: float, draw: float) -> int:
        """Calls m ≤ horizon at `progress` ∈ [0, 1) of training; `draw` ∈ [0, 1) is this step's random number."""

    @abstractmethod
    def loss(self, operator: Operator, spec: FieldSpec, u: Tensor, targets: list[Tensor], measure: Measure) -> Tensor:
        """Loss of len(`targets`) calls from the input `u`."""


@dataclass(frozen=True)
class OneStep(Strategy):
    """L(G(u_t), u_{t+1}).

    Parameters
    ----------
    noise : σ of the input noise (≥ 0, default 0)
    """

    noise: float = 0.0

    def __post_init__(self) -> None:
        _check_noise(self.noise)

    @property
    def horizon(self) -> int:
        return 1

    def calls(self, progress: float, draw: float) -> int:
        return 1

    def loss(self, operator: Operator, spec: FieldSpec, u: Tensor, targets: list[Tensor], measure: Measure) -> Tensor:
        return measure(operator(u), targets[0])


@dataclass(frozen=True)
class Pushforward(Strategy):
    """L(G(sg G^{m−1}(u_t)), u_{t+m}), sg = no gradient: the operator learns from inputs that it made itself.

    Brandstetter, Worrall, Welling 2022, arXiv:2202.03376, §3.1. After the warm-up m is drawn evenly from 1 … `steps`.

    Parameters
    ----------
    steps : most calls m (≥ 1)
    warmup : share of training with m = 1, in [0, 1]
    noise : σ of the input noise (≥ 0, default 0)
    """

    steps: int = 2
    warmup: float = 0.1
    noise: float = 0.0

    def __post_init__(self) -> None:
        _check_noise(self.noise)
        check(self.steps >= 1, f"pushforward.steps is at least 1, got {self.steps}")
        check(0 <= self.warmup <= 1, f"pushforward.warmup is a share of training in [0, 1], got {self.warmup}")

    @property
    def horizon(self) -> int:
        return self.steps

    def calls(self, progress: float, draw: float) -> int:
        return 1 if progress < self.warmup else 1 + int(draw * self.steps)

    def loss(self, operator: Operator, spec: FieldSpec, u: Tensor, targets: list[Tensor], measure: Measure) -> Tensor:
        with torch.no_grad():
            for _ in targets[1:]:
                u = next_input(u, operator(u), spec)
        return measure(operator(u), targets[-1])


@dataclass(frozen=True)
class Unrolled(Strategy):
    """(1/m) Σ_{j≤m} L(G^j(u_t), u_{t+j}), differentiated through all m calls.

    Parameters
    ----------
    steps : most calls m (≥ 1)
    curriculum : share of training in which m grows from 1 to `steps` in equal stages, in [0, 1]; 0 = `steps` at once
    noise : σ of the input noise (≥ 0, default 0)
    """

    steps: int = 4
    curriculum: float = 0.5
    noise: float = 0.0

    def __post_init__(self) -> None:
        _check_noise(self.noise)
        check(self.steps >= 1, f"unrolled.steps is at least 1, got {self.steps}")
        check(0 <= self.curriculum <= 1, f"unrolled.curriculum is a share of training in [0, 1], got {self.curriculum}")

    @property
    def horizon(self) -> int:
        return self.steps

    def calls(self, progress: float, draw: float) -> int:
        if progress >= self.curriculum:
            return self.steps
        return min(self.steps, 1 + int(progress / self.curriculum * self.steps))

    def loss(self, operator: Operator, spec: FieldSpec, u: Tensor, targets: list[Tensor], measure: Measure) -> Tensor:
        losses = []
        for j, target in enumerate(targets):
            prediction = operator(u)
            losses.append(measure(prediction, target))
            if j + 1 < len(targets):
                u = next_input(u, prediction, spec)
        return torch.stack(losses).mean()


def next_input(
    u: Float[Tensor, "b c_in *x"], prediction: Float[Tensor, "b c_out *x"], spec: FieldSpec
) -> Float[Tensor, "b c_in *x"]:
    """The input of the following call: the latest `n_in` frames among those given and predicted, and the constants."""
    given = spec.n_in * len(spec.fields)
    frames = torch.cat([u[:, :given], prediction.to(u.dtype)], 1)[:, -given:]
    return torch.cat([frames, u[:, given:]], 1)


def split_target(target: Float[Tensor, "b c *x"], spec: FieldSpec, horizon: int) -> list[Tensor]:
    """The targets of each of `horizon` calls; refuses windows of another length."""
    want = horizon * spec.out_channels
    check(
        target.shape[1] == want,
        f"this strategy makes {horizon} calls and needs targets of {want} channels, got {target.shape[1]}: "
        f"take windows with n_out={horizon * spec.n_out} (a DataModule's unroll={horizon})",
    )
    return list(rearrange(target, "b (m c) ... -> m b c ...", m=horizon))


def add_noise(
    u: Float[Tensor, "b c_in *x"], std: Float[Tensor, "..."], sigma: float, frames: int, generator: torch.Generator
) -> Float[Tensor, "b c_in *x"]:
    """u + σ·std·ξ on the first `frames` channels, ξ ~ N(0, 1) drawn on the CPU: alike on every device."""
    xi = torch.randn(u[:, :frames].shape, generator=generator, dtype=u.dtype).to(u.device)
    scale = std.reshape(-1).to(u).expand(u.shape[1])[:frames].reshape(-1, *[1] * (u.ndim - 2))
    return torch.cat([u[:, :frames] + sigma * scale * xi, u[:, frames:]], 1)


def _check_noise(noise: float) -> None:
    check(noise >= 0, f"the input noise is at least 0, got {noise}")
