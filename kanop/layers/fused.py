"""Sums of products that autograd would make by one more pass over memory for every `+`."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["GatedPointwise", "SeriesAndSkip"]

# Only inputs are saved and the backward formulas are differentiable, so second derivatives hold.


class SeriesAndSkip(torch.autograd.Function):
    """v = Reᵀ C + Imᵀ S + W u: the last step of a Fourier synthesis and a pointwise map, into one array."""

    @staticmethod
    def forward(
        re: Float[Tensor, "k r"],
        im: Float[Tensor, "k r"],
        cos: Float[Tensor, "k n"],
        sin: Float[Tensor, "k n"],
        weight: Float[Tensor, "o i"],
        u: Float[Tensor, "b i *x"],
    ) -> Float[Tensor, "b o *x"]:
        """`r` runs over batch, channels and all axes but the last; cos and sin are constants."""
        b, i, *x = u.shape
        v = torch.mm(re.T, cos).addmm_(im.T, sin).view(b, len(weight), -1)
        v.baddbmm_(weight.expand(b, -1, -1), u.reshape(b, i, -1))
        return v.view(b, -1, *x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Save the inputs; `re` and `im` enter linearly, so their gradients need only the tables."""
        _, _, cos, sin, weight, u = inputs
        ctx.save_for_backward(cos, sin, weight, u)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """Adjoints of the three products."""
        cos, sin, weight, u = ctx.saved_tensors
        rows, flat = g.reshape(-1, g.shape[-1]).T, g.reshape(*g.shape[:2], -1)
        b = len(g)
        d_weight = torch.bmm(flat, u.reshape(b, u.shape[1], -1).mT).sum(0)
        d_u = torch.bmm(weight.T.expand(b, -1, -1), flat).view(u.shape) if ctx.needs_input_grad[5] else None
        return cos @ rows, sin @ rows, None, None, d_weight, d_u


class GatedPointwise(torch.autograd.Function):
    """v = W a + b + g ⊙ u: a pointwise map and a gated skip, into one array."""

    @staticmethod
    def forward(
        a: Float[Tensor, "b i n"],
        weight: Float[Tensor, "o i"],
        bias: Float[Tensor, " o"],
        gate: Float[Tensor, " o"],
        u: Float[Tensor, "b o n"],
    ) -> Float[Tensor, "b o n"]:
        """All but the channels flattened."""
        v = torch.addcmul(bias[:, None], gate[:, None], u)
        return v.baddbmm_(weight.expand(len(a), -1, -1), a)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Save the inputs."""
        a, weight, _, gate, u = inputs
        ctx.save_for_backward(a, weight, gate, u)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:
        """Adjoints of the two products."""
        a, weight, gate, u = ctx.saved_tensors
        b, o, n = g.shape
        g = g.contiguous()
        d_a = torch.bmm(weight.T.expand(b, -1, -1), g)
        d_weight = torch.bmm(g, a.mT).sum(0)
        # Row-wise dot products: no array of the products g u is made.
        d_gate = torch.bmm(g.view(b * o, 1, n), u.reshape(b * o, n, 1)).view(b, o).sum(0)
        return d_a, d_weight, g.sum((0, 2)), d_gate, g * gate[:, None]
