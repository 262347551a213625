"""Maps that act on the channels of each point alone."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Pointwise", "SoftGate"]


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

    def forward(
        self, u: Float[Tensor, "b i *x"], onto: Float[Tensor, "b o *x"] | None = None
    ) -> Float[Tensor, "b o *x"]:
        """W u + b, added to `onto` (which is overwritten where autograd allows it)."""
        b, _, *x = u.shape
        # One batched matmul: its backward is 3 times faster on CPU than that of a convolution of size 1.
        flat, weight = u.reshape(b, u.shape[1], -1), self.weight.expand(b, -1, -1)
        if onto is None:
            v = (
                torch.bmm(weight, flat)
                if self.bias is None
                else torch.baddbmm(self.bias[:, None], weight, flat)
            )
        elif torch.is_autocast_enabled(u.device.type):
            v = torch.baddbmm(onto.reshape(b, onto.shape[1], -1), weight, flat)
        else:
            v = onto.view(b, onto.shape[1], -1).baddbmm_(weight, flat)
        if onto is not None and self.bias is not None:
            v = v + self.bias[:, None]
        return v.reshape(b, -1, *x)


class SoftGate(nn.Module):
    """v(x) = g ⊙ u(x): one learnt factor per channel, 1 at the start.

    Shapes
    ------
    weight (c,); forward (b, c, *x) → (b, c, *x).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, u: Float[Tensor, "b c *x"], onto: Float[Tensor, "b c *x"]) -> Float[Tensor, "b c *x"]:
        """onto + g ⊙ u."""
        return torch.addcmul(onto, self.weight.view(-1, *[1] * (u.ndim - 2)), u)
