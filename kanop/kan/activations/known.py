"""Known functions with their derivatives, for jets through layers."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["cosine", "gelu", "sine"]


def sine(x: Float[Tensor, "*n"], order: int = 0) -> Float[Tensor, "*n"]:
    """sin(x + rπ/2), the derivative of order r of the sine."""
    return torch.sin(x + order * math.pi / 2)


def cosine(x: Float[Tensor, "*n"], order: int = 0) -> Float[Tensor, "*n"]:
    """cos(x + rπ/2), the derivative of order r of the cosine."""
    return torch.cos(x + order * math.pi / 2)


def gelu(x: Float[Tensor, "*n"], order: int = 0) -> Float[Tensor, "*n"]:
    """x Φ(x) with the normal distribution function Φ, or its derivative of order 1 or 2."""
    if order == 0:
        return F.gelu(x)
    density = torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return (1 + torch.erf(x / math.sqrt(2))) / 2 + x * density if order == 1 else density * (2 - x * x)
