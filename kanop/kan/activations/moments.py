"""Means under the standard normal distribution, and the known activations that others are fitted to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from kanop.solvers.errors import check, nearest

__all__ = ["normal_mean", "normal_points", "target"]

Function = Callable[[Tensor], Tensor]
TARGETS: dict[str, Function] = {"identity": lambda x: x, "silu": F.silu, "gelu": F.gelu, "tanh": torch.tanh}


def normal_points() -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Points and weights, of sum 1, that average over a standard normal x: to rounding for smooth functions."""
    x = torch.linspace(-8, 8, 2001, dtype=torch.float64)
    return x, torch.softmax(-0.5 * x * x, 0)


def normal_mean(function: Function) -> float:
    """E[f(x)], x standard normal.

    >>> round(normal_mean(lambda x: x**4), 9)
    3.0
    """
    x, weight = normal_points()
    return float(function(x) @ weight)


def target(name: str) -> Function:
    """The known activation of that name."""
    check(name in TARGETS, nearest(name, TARGETS, "activation to fit"))
    return TARGETS[name]
