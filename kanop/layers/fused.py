"""What autograd would make by more passes over memory: sums of products, and products of scattered gradients."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ContiguousGradient", "GatedPointwise", "SeriesAndSkip"]

# Only inputs are saved and the backward formulas are differentiable, so second derivatives hold.


class SeriesAndSkip(torch.autograd.Function):
    """v = Zᵀ E + W u: the last step of a Fourier synthesis and a pointwise map, into one array."""

    @staticmethod
    def forward(
        rows: Float[Tensor, "k r"],
        table: Float[Tensor, "k n"],
        weight: Float[Tensor, "o i"],
        u: Float[Tensor, "b i *x"],
    ) -> Float[Tensor, "b o *x"]:
        """`r` runs over batch, channels and all axes but the last; the table is constant."""
        b, i, *x = u.shape
        v = torch.mm(rows.T, table).view(b, len(weight), -1)
        v.baddbmm_(weight.expand(b, -1, -1), u.reshape(b, i, -1))
        return v.view(b, -1, *x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Save the inputs but the rows: they enter linearly, so their gradient needs only the table."""
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        """Adjoints of the two products."""
        table, weight, u = ctx.saved_tensors
        b, flat = len(g), g.reshape(*g.shape[:2], -1)
        d_rows = table @ g.reshape(-1, g.shape[-1]).T
        d_weight = torch.bmm(flat, u.reshape(b, u.shape[1], -1).mT).sum(0)
        d_u = torch.bmm(weight.T.expand(b, -1, -1), flat).view(u.shape) if ctx.needs_input_grad[3] else None
        return d_rows, None, d_weight, d_u


class GatedPointwise(torch.autograd.Function):
    """v = W a + b + g ⊙ u: a pointwise map and a gated skip, into one array."""

    @staticmethod
    def forward(
        a: Float[Tensor, "b i *x"],
        weight: Float[Tensor, "o i"],
        bias: Float[Tensor, " o"],
        gate: Float[Tensor, " o"],
        u: Float[Tensor, "b o *x"],
    ) -> Float[Tensor, "b o *x"]:
        """The map and the skip of every point."""
        b, o = u.shape[:2]
        v = (gate[:, None] * u.reshape(b, o, -1)).add_(bias[:, None])
        return v.baddbmm_(weight.expand(b, -1, -1), a.reshape(b, a.shape[1], -1)).view(u.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Save the inputs."""
        a, weight, _, gate, u = inputs
        ctx.save_for_backward(a, weight, gate, u)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, ...]:
        """Adjoints of the two products."""
        a, weight, gate, u = ctx.saved_tensors
        b, o = u.shape[:2]
        flat = g.reshape(b, o, -1)
        d_a = torch.bmm(weight.T.expand(b, -1, -1), flat).view(a.shape)
        d_weight = torch.bmm(flat, a.reshape(b, a.shape[1], -1).mT).sum(0)
        d_gate = (flat * u.reshape(b, o, -1)).sum((0, 2))
        return d_a, d_weight, flat.sum((0, 2)), d_gate, (flat * gate[:, None]).view(u.shape)


class ContiguousGradient(torch.autograd.Function):
    """v = u, and the gradient of u in one piece of memory: products batched over it copy it once, not part by part."""

    @staticmethod
    def forward(u: Float[Tensor, "*x"]) -> Float[Tensor, "*x"]:
        """The same values."""
        return u.view_as(u)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        """Nothing to save."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        """The same gradient."""
        return g.contiguous()
