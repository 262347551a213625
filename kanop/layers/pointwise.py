"""Maps that act on the channels of each point alone."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Pointwise", "SoftGate", "pointwise"]


def pointwise(
    weight: Float[Tensor, "o i"], u: Float[Tensor, "b i *x"], bias: Float[Tensor, " o"] | None = None
) -> Float[Tensor, "b o *x"]:
    """W u(x) + b at every point.

    One batched matmul: on CPU its backward takes a third of the time that a convolution of size 1 takes.
    """
    b, i, *x = u.shape
    flat, weight = u.reshape(b, i, -1), weight.expand(b, -1, -1)
    v = torch.bmm(weight, flat) if bias is None else torch.baddbmm(bias[:, None], weight, flat)
    return v.view(b, -1, *x)


class Pointwise(nn.Module):
    """v(x) = W u(x) + b: the same linear map at every point (a convolution with a kernel of size 1).

    Parameters
    ----------
    in_channels, out_channels : channels before and after
    bias : add b (default)

    Shapes
    ------
    weight (out, in), bias (out,); forward (b, in, *x) → (b, out, *x).
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(in_channels)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound)) if bias else None

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the map."""
        return pointwise(self.weight, u, self.bias)


class SoftGate(nn.Module):
    """v(x) = g ⊙ u(x): one learnt factor per channel, 1 at the start.

    Shapes
    ------
    weight (c,); forward (b, c, *x) → (b, c, *x).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, u: Float[Tensor, "b c *x"]) -> Float[Tensor, "b c *x"]:
        """Apply the gate."""
        return self.weight.view(-1, *[1] * (u.ndim - 2)) * u
