"""A function of one variable applied to a jet, with the streams alone kept for the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kanop.kan.squash import identity, tanh

__all__ = ["apply_jet", "product"]

Pairs = Sequence[Sequence[tuple[int, int]]]


def apply_jet(f: Callable[..., Tensor], streams: Sequence[Tensor], pairs: Pairs, directions: int) -> tuple[Tensor, ...]:
    """f(x), f'(x) x_a for each direction, and f''(x) Σ x_a x_b + f'(x) x_s for each second derivative.

    Parameters
    ----------
    f : (x, order) ↦ the function, or its derivative, up to order 3
    streams : x, then x_a for each direction, then x_s for each entry of `pairs`, all of one shape
    pairs : the (a, b) of each second derivative
    directions : how many there are

    Returns
    -------
    as many tensors, differentiable once
    """
    if f is identity:
        return tuple(streams)
    if torch.compiler.is_compiling():
        return tuple(_forward(f, streams, pairs, directions))
    return _Elementwise.apply(f, pairs, directions, *streams)


def product(streams: Sequence[Tensor], entry: Sequence[tuple[int, int]]) -> Tensor:
    """Σ x_a x_b."""
    total = streams[1 + entry[0][0]] * streams[1 + entry[0][1]]
    for a, b in entry[1:]:
        total = torch.addcmul(total, streams[1 + a], streams[1 + b])
    return total


class _Elementwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, f: Callable[..., Tensor], pairs: Pairs, directions: int, *streams: Tensor) -> Any:
        ctx.save_for_backward(*streams)
        ctx.f, ctx.pairs, ctx.directions = f, pairs, directions
        return tuple(_forward(f, streams, pairs, directions))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        streams, cut = ctx.saved_tensors, 1 + ctx.directions
        degree = _degree(ctx.directions, ctx.pairs)
        slope, *higher = _orders(ctx.f, streams[0], degree + 1)[1:]
        made = [slope * g for g in gradients]
        for a in range(1, cut):
            made[0].addcmul_(higher[0] * gradients[a], streams[a])
        for s, entry in enumerate(ctx.pairs, cut):
            weighted = higher[0] * gradients[s]
            made[0].addcmul_(weighted, streams[s]).addcmul_(higher[1] * gradients[s], product(streams, entry))
            for a, b in entry:
                made[1 + a].addcmul_(weighted, streams[1 + b])
                made[1 + b].addcmul_(weighted, streams[1 + a])
        return None, None, None, *made


def _forward(f: Callable[..., Tensor], streams: Sequence[Tensor], pairs: Pairs, directions: int) -> list[Tensor]:
    value, *higher = _orders(f, streams[0], _degree(directions, pairs))
    made = [value, *(higher[0] * stream for stream in streams[1:])]
    for s, entry in enumerate(pairs, 1 + directions):
        made[s] = torch.addcmul(made[s], higher[1], product(streams, entry))
    return made


def _degree(directions: int, pairs: Pairs) -> int:
    return 2 if pairs else 1 if directions else 0


def _orders(f: Callable[..., Tensor], x: Tensor, highest: int) -> list[Tensor]:
    """f and its derivatives up to order `highest`; those of tanh are polynomials in it, which is the dear part."""
    if f is not tanh:
        return [f(x, order) for order in range(highest + 1)]
    t = torch.tanh(x)
    slope = 1 - t * t
    values = [t, slope]
    if highest >= 2:
        values.append(-2 * t * slope)
    if highest >= 3:
        values.append(slope * (4 - 6 * slope))
    return values[: highest + 1]
