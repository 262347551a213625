"""Transforms of periodic fields whose spectrum is stored on its first columns only: the dropped ones cost nothing.

Of the half axis, the last one, 2/3 is kept for quadratic terms. The complex transforms along the other axes then run
over the kept columns alone; with all columns stored these are the transforms of `Grid`. Each one's gradient is the
other one, up to the weight 2 of the modes that stand for ±k: automatic differentiation would fill up the half spectrum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

from kanop.solvers.fft import fftn, irfftn, rfftn

__all__ = ["adjoint_weight", "by_columns", "from_columns", "to_columns"]


def by_columns(u_hat: Shaped[Tensor, "... k"], ndim: int, columns: int) -> Shaped[Tensor, "... m"]:
    """The first `columns` columns, each in one piece of memory: so do FFTs along the other axes leave them.

    Point-wise products of tensors in different orders take several times longer.
    """
    return u_hat[..., :columns].movedim(-1, -ndim).contiguous().movedim(-ndim, -1)


def from_columns(u_hat: Complex[Tensor, "... k"], shape: Sequence[int]) -> Float[Tensor, "... n"]:
    """Values on `shape` points of the series whose coefficients beyond the stored columns are zero."""
    if u_hat.requires_grad and torch.is_grad_enabled():
        return _FromColumns.apply(u_hat, tuple(shape))
    columns, half = u_hat.shape[-1], shape[-1] // 2 + 1
    full = u_hat.new_empty((*u_hat.shape[:-1], half))
    full[..., columns:] = 0
    if len(shape) > 1:
        fftn(u_hat, range(-len(shape), -1), inverse=True, out=full[..., :columns])
    else:
        full[..., :columns] = u_hat
    return irfftn(full, shape[-1:], [-1])


def to_columns(u: Float[Tensor, "... n"], ndim: int, columns: int) -> Complex[Tensor, "... k"]:
    """The first `columns` columns of the half spectrum of `u` over its last `ndim` axes."""
    if u.requires_grad and torch.is_grad_enabled():
        return _ToColumns.apply(u, ndim, columns)
    u_hat = rfftn(u, [-1])[..., :columns]
    return u_hat if ndim == 1 else fftn(u_hat, range(-ndim, -1))


class _FromColumns(torch.autograd.Function):
    """u = Re Σ_k w û e^{ikx}: the gradient to û is w Σ_x g e^{−ikx}."""

    @staticmethod
    def forward(ctx: Any, u_hat: Tensor, shape: tuple[int, ...]) -> Tensor:
        ctx.columns, ctx.shape = u_hat.shape[-1], shape
        return from_columns(u_hat, shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        g_hat = to_columns(gradient, len(ctx.shape), ctx.columns)
        return g_hat * adjoint_weight(ctx.shape, ctx.columns).to(g_hat), None


class _ToColumns(torch.autograd.Function):
    """û = Σ_x u e^{−ikx}/n: the gradient to u is Re Σ_k g e^{ikx}/n."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, ndim: int, columns: int) -> Tensor:
        ctx.shape = tuple(u.shape[-ndim:])
        return to_columns(u, ndim, columns)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        weight = adjoint_weight(ctx.shape, gradient.shape[-1]).to(gradient)
        return from_columns(gradient / weight, ctx.shape), None, None


def adjoint_weight(shape: Sequence[int], columns: int) -> Float[Tensor, " k"]:
    """w n by column: `from_columns` has the adjoint w n `to_columns`, w = 2 where a mode stands for ±k, n points."""
    weight = torch.full((columns,), 2.0 * math.prod(shape), dtype=torch.float64)
    weight[0] /= 2
    if shape[-1] % 2 == 0 and columns == shape[-1] // 2 + 1:
        weight[-1] /= 2
    return weight
