"""A KAN layer's matmul for a jet: the functions' derivatives are made once for all streams, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from kanop.kan.basis import Basis
from kanop.kan.contraction import chunks

__all__ = ["contract_jet"]

Pairs = Sequence[Sequence[tuple[int, int]]]


def contract_jet(
    streams: Sequence[Tensor], pairs: Pairs, directions: int, weight: Tensor, basis: Basis
) -> tuple[Tensor, ...]:
    """Σ_mi C_omi times B_m(t), B_m' t_a for each direction, and B_m'' Σ t_a t_b + B_m' t_s for each second derivative.

    Parameters
    ----------
    streams : t, then t_a for each direction, then t_s for each entry of `pairs`, all (*n, i)
    pairs : the (a, b) of each second derivative
    directions : how many there are
    weight : C (o, K, i)

    Returns
    -------
    as many (*n, o), differentiable once
    """
    if torch.compiler.is_compiling():
        return _plain(streams, pairs, directions, weight, basis)
    flat = [stream.reshape(-1, stream.shape[-1]) for stream in streams]
    made = _Contract.apply(basis, pairs, directions, weight, *flat)
    return tuple(y.view(*streams[0].shape[:-1], -1) for y in made)


def _plain(
    streams: Sequence[Tensor], pairs: Pairs, directions: int, weight: Tensor, basis: Basis
) -> tuple[Tensor, ...]:
    t = streams[0]
    orders = range(1 + (len(streams) > 1) + (len(pairs) > 0))
    tables = [torch.stack(list(basis.functions(t, order)), -2) for order in orders]
    wide = [stream.unsqueeze(-2) for stream in streams]
    rows = [tables[0], *(tables[1] * a for a in wide[1 : 1 + directions])]
    for s, entry in zip(wide[1 + directions :], pairs, strict=True):
        rows.append(tables[2] * sum(wide[1 + a] * wide[1 + b] for a, b in entry) + tables[1] * s)
    return tuple(F.linear(row.flatten(-2), weight.flatten(1)) for row in rows)


class _Contract(torch.autograd.Function):
    """The same, with the streams alone kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, basis: Basis, pairs: Pairs, directions: int, weight: Tensor, *streams: Tensor) -> Any:
        ctx.save_for_backward(weight, *streams)
        ctx.basis, ctx.pairs, ctx.directions = basis, pairs, directions
        flat = weight.flatten(1)
        made = [streams[0].new_empty(len(streams[0]), len(weight)) for _ in streams]
        orders = range(1 + (len(streams) > 1) + (len(pairs) > 0))
        for rows, at in chunks(streams[0], basis.size * len(orders)):
            tables = basis.derivatives(at, orders)
            cut = [at, *(stream[rows].T.contiguous() for stream in streams[1:])]
            for y, table in zip(made, _tables(tables, cut, pairs, directions), strict=True):
                y[rows] = torch.mm(flat, table.flatten(0, 1)).T
        return tuple(made)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        weight, *streams = ctx.saved_tensors
        basis, pairs, directions = ctx.basis, ctx.pairs, ctx.directions
        flat = weight.flatten(1)
        d_weight = torch.zeros_like(flat)
        made = [torch.empty_like(stream) for stream in streams]
        orders = range(2 + (len(streams) > 1) + (len(pairs) > 0))
        for rows, at in chunks(streams[0], basis.size * len(orders)):
            tables = basis.derivatives(at, orders)
            cut = [at, *(stream[rows].T.contiguous() for stream in streams[1:])]
            d = [torch.zeros_like(stream) for stream in cut]
            for i, table in enumerate(_tables(tables, cut, pairs, directions)):
                g = gradients[i][rows]
                d_weight.addmm_(g.T, table.flatten(0, 1).T)
                pulled = torch.mm(flat.T, g.T).view(basis.size, *at.shape)
                _pull(i, pulled, tables, cut, d, pairs, directions)
            for total, part in zip(made, d, strict=True):
                total[rows] = part.T
        return None, None, None, d_weight.view_as(weight), *made


def _tables(tables: Tensor, cut: Sequence[Tensor], pairs: Pairs, directions: int) -> Iterator[Tensor]:
    """What each stream multiplies the coefficients with, one after the other."""
    yield tables[0]
    for a in cut[1 : 1 + directions]:
        yield tables[1] * a
    for s, entry in zip(cut[1 + directions :], pairs, strict=True):
        yield torch.addcmul(tables[1] * s, tables[2], _product(cut, entry))


def _pull(
    i: int, pulled: Tensor, tables: Tensor, cut: Sequence[Tensor], d: Sequence[Tensor], pairs: Pairs, directions: int
) -> None:
    """Add to d what stream i of the output gives back to the streams of the input."""
    once = (pulled * tables[1]).sum(0)
    if i == 0:
        d[0].add_(once)
        return
    d[i].add_(once)
    twice = (pulled * tables[2]).sum(0)
    d[0].addcmul_(twice, cut[i])
    if i > directions:
        entry = pairs[i - 1 - directions]
        d[0].addcmul_((pulled * tables[3]).sum(0), _product(cut, entry))
        for a, b in entry:
            d[1 + a].addcmul_(twice, cut[1 + b])
            d[1 + b].addcmul_(twice, cut[1 + a])


def _product(cut: Sequence[Tensor], entry: Sequence[tuple[int, int]]) -> Tensor:
    """Σ t_a t_b."""
    total = cut[1 + entry[0][0]] * cut[1 + entry[0][1]]
    for a, b in entry[1:]:
        total.addcmul_(cut[1 + a], cut[1 + b])
    return total
