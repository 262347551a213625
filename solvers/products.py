"""Symbols times spectra, point by point or by a block a mode, and sums of such products with a short gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Inexact
from torch import Tensor

from kanop.solvers.linear_operator import LinearOperator

__all__ = ["combine", "multiply"]


def multiply(
    symbol: Inexact[Tensor, "*c_k"] | LinearOperator, u_hat: Inexact[Tensor, "b c *k"], total: Tensor | None = None
) -> Inexact[Tensor, "b c *k"]:
    """total + symbol · û, in the memory of `total` where there is one; a symbol has a number or a block a mode."""
    if isinstance(symbol, LinearOperator):
        image = symbol.apply(u_hat)
        return image if total is None else total.add_(image)
    if symbol.ndim < u_hat.ndim:
        return symbol * u_hat if total is None else total.addcmul_(symbol, u_hat)
    for j in range(len(symbol)):
        column, field = symbol[:, j], u_hat[:, j : j + 1]
        total = column * field if total is None else total.addcmul_(column, field)
    return total  # type: ignore[return-value]


def combine(symbols: Sequence[Tensor | None], fields: Sequence[Tensor], start: Tensor | None = None) -> Tensor:
    """start + Σ_j symbol_j · field_j; None is zero, and fields beyond the symbols do not count."""
    pairs = [(s, f) for s, f in zip(symbols, fields, strict=False) if s is not None]
    some, others = zip(*pairs, strict=True)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (*some, *others)):
        total = _Combine.apply(len(some), *some, *others)
        return total if start is None else start + total
    return _sum(some, others, start)


def _sum(symbols: Sequence[Tensor], fields: Sequence[Tensor], start: Tensor | None = None) -> Tensor:
    if start is not None and symbols[0].ndim < fields[0].ndim:
        total = torch.addcmul(start, symbols[0], fields[0])
    else:
        total = multiply(symbols[0], fields[0], None if start is None else start.clone())
    for symbol, field in zip(symbols[1:], fields[1:], strict=True):
        multiply(symbol, field, total)
    return total


class _Combine(torch.autograd.Function):
    """The gradient to field j is symbol_jᴴ g, the one to symbol j is Σ_b g field_jᴴ.

    Only the latter needs the fields; automatic differentiation would keep them for the former, too.
    """

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> Tensor:
        symbols, fields = tensors[:count], tensors[count:]
        ctx.count = count
        ctx.save_for_backward(*symbols, *(fields if any(s.requires_grad for s in symbols) else ()))
        return _sum(symbols, fields)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        saved, needed = ctx.saved_tensors, ctx.needs_input_grad[1 + ctx.count :]
        symbols, fields = saved[: ctx.count], saved[ctx.count :]
        to_symbols: list[Tensor | None] = [_to_symbol(s, f, gradient) for s, f in zip(symbols, fields, strict=False)]
        to_fields = [
            multiply(_adjoint(s, gradient), gradient) if n else None for s, n in zip(symbols, needed, strict=True)
        ]
        return None, *(to_symbols or [None] * ctx.count), *to_fields


def _adjoint(symbol: Tensor, like: Tensor) -> Tensor:
    return (symbol.transpose(0, 1) if symbol.ndim == like.ndim else symbol).conj().resolve_conj()


def _to_symbol(symbol: Tensor, field: Tensor, gradient: Tensor) -> Tensor:
    if symbol.ndim == gradient.ndim:
        return torch.einsum("bi...,bj...->ij...", gradient, field.conj())
    return (gradient * field.conj()).sum(0).sum_to_size(symbol.shape)
