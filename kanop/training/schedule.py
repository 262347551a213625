"""Learning rates as pure functions of the step: a resumed run needs no memory of the ones before."""

from __future__ import annotations

import math

from kanop.training.config import OptimConfig

__all__ = ["learning_rate"]

# The one-cycle policy starts at 1/25 of its peak and ends at 1/250000 of it (Smith and Topin 2018, arXiv:1708.07120).
_START, _END = 1 / 25, 1 / 25e4


def learning_rate(optim: OptimConfig, step: int, steps: int) -> float:
    """lr · f(step / steps), f of `optim.schedule`, for step = 0 … steps − 1.

    >>> [learning_rate(OptimConfig(lr=1.0, schedule="step", drop_every=0.5), s, 4) for s in range(4)]
    [1.0, 1.0, 0.5, 0.5]
    """
    return optim.lr * _factor(optim, step, max(steps, 1))


def _factor(optim: OptimConfig, step: int, steps: int) -> float:
    if optim.schedule == "constant":
        return 1.0
    if optim.schedule == "step":
        return optim.gamma ** int(step / steps / optim.drop_every)
    if optim.schedule == "cosine":
        rise = optim.warmup * steps
        return (step + 1) / (rise + 1) if step < rise else _cosine(1.0, 0.0, (step - rise) / (steps - rise))
    peak = optim.warmup * steps - 1
    if step < peak:
        return _cosine(_START, 1.0, step / peak)
    return _cosine(1.0, _END, min(1.0, (step - peak) / max(steps - 1 - peak, 1)))


def _cosine(start: float, end: float, share: float) -> float:
    """From `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
