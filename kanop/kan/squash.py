"""Fixed functions of one variable, with their derivatives: maps into the domain of a basis, and the base branch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["identity", "silu", "tanh"]


def identity(x: Float[Tensor, "*n"], order: int = 0) -> Float[Tensor, "*n"]:
    """x, or its derivative of order `order`."""
    return x if order == 0 else torch.full_like(x, float(order == 1))


def tanh(x: Float[Tensor, "*n"], order: int = 0) -> Float[Tensor, "*n"]:
    """tanh x, or its derivative of order `order`: a polynomial in t = tanh x, by t' = 1 − t²."""
    t = torch.tanh(x)
    powers = [0.0, 1.0]
    for _ in range(order):
        slopes = [j * p for j, p in enumerate(powers)][1:]
        powers = [a - b for a, b in zip([*slopes, 0.0, 0.0], [0.0, 0.0, *slopes], strict=True)]
    value = torch.full_like(t, powers[-1])
    for p in reversed(powers[:-1]):
        value = value * t + p
    return value if order else t


def silu(x: Float[Tensor, "*n"], order: int = 0) -> Float[Tensor, "*n"]:
    """x σ(x) with the logistic function σ, or its derivative of order up to 3: x σ^(r) + r σ^(r−1)."""
    if order == 0:
        return F.silu(x)
    logistic = torch.sigmoid(x)
    values = [logistic, logistic * (1 - logistic)]
    values.append(values[1] * (1 - 2 * logistic))
    values.append(values[1] * (1 - 6 * values[1]))
    return x * values[order] + order * values[order - 1]
