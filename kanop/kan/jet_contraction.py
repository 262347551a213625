"""A KAN layer's matmul for a jet: the functions' derivatives are made once for all streams, a chunk at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from kanop.kan.basis import Basis
from kanop.kan.contraction import sum_products, tabulated
from kanop.kan.jet_elementwise import Pairs, product

__all__ = ["contract_jet"]

# Outputs up to which a matmul is not worth its matrices.
FEW = 2


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
    """The same for a compiler, function by function: it fuses them, and only what goes into a matmul meets memory."""
    orders = range(1 + (len(streams) > 1) + (len(pairs) > 0))
    functions = [basis.functions(streams[0], order) for order in orders]
    if len(weight) <= FEW:
        made = []
        for row in weight:
            edges = [sum(c * value for c, value in zip(row, values, strict=True)) for values in functions]
            made.append([_combine(i, edges, streams, pairs, directions).sum(-1) for i in range(len(streams))])
        return tuple(torch.stack(outputs, -1) for outputs in zip(*made, strict=True))
    rows = [
        [_combine(i, values, streams, pairs, directions) for values in zip(*functions, strict=True)]
        for i in range(len(streams))
    ]
    return tuple(F.linear(torch.stack(row, -2).flatten(-2), weight.flatten(1)) for row in rows)


class _Contract(torch.autograd.Function):
    """The same, with the streams alone kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, basis: Basis, pairs: Pairs, directions: int, weight: Tensor, *streams: Tensor) -> Any:
        ctx.save_for_backward(weight, *streams)
        ctx.basis, ctx.pairs, ctx.directions = basis, pairs, directions
        flat = weight.flatten(1)
        made = [streams[0].new_empty(len(streams[0]), len(weight)) for _ in streams]
        orders = range(1 + (len(streams) > 1) + (len(pairs) > 0))
        for rows, at, (*tables, spare) in tabulated(basis, streams[0], orders, spare=1):
            cut = [at, *(stream[rows].T.contiguous() for stream in streams[1:])]
            if len(weight) <= FEW:
                for o, row in enumerate(weight):
                    edges = _edges(row, tables, spare)
                    for i, y in enumerate(made):
                        y[rows, o] = _combine(i, edges, cut, pairs, directions).sum(0)
                continue
            for i, y in enumerate(made):
                table = _combine(i, tables, cut, pairs, directions, spare)
                y[rows] = torch.mm(flat, table.view(-1, at.shape[1])).T
        return tuple(made)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        weight, *streams = ctx.saved_tensors
        d_weight = torch.zeros_like(weight)
        made = [torch.empty_like(stream) for stream in streams]
        orders = range(2 + (len(streams) > 1) + (len(ctx.pairs) > 0))
        back = _back_few if len(weight) <= FEW else _back_many
        for rows, at, arrays in tabulated(ctx.basis, streams[0], orders, spare=2):
            cut = [at, *(stream[rows].T.contiguous() for stream in streams[1:])]
            d = [torch.zeros_like(stream) for stream in cut]
            back(weight, d_weight, cut, d, [g[rows].T for g in gradients], arrays, ctx.pairs, ctx.directions)
            for total, part in zip(made, d, strict=True):
                total[rows] = part.T
        return None, None, None, d_weight, *made


def _back_many(
    weight: Tensor,
    d_weight: Tensor,
    cut: Sequence[Tensor],
    d: Sequence[Tensor],
    gradients: Sequence[Tensor],
    arrays: Tensor,
    pairs: Pairs,
    directions: int,
) -> None:
    """Two matmuls for each stream."""
    *tables, pulled, spare = arrays
    flat, d_flat, columns = weight.flatten(1), d_weight.view(len(weight), -1), cut[0].shape[1]
    for i, g in enumerate(gradients):
        d_flat.addmm_(g, _combine(i, tables, cut, pairs, directions, spare).view(-1, columns).T)
        torch.mm(flat.T, g, out=pulled.view(-1, columns))
        _pull(i, sum_products(pulled, tables[1 : 2 + _degree(i, directions)]), cut, d, pairs, directions)


def _back_few(
    weight: Tensor,
    d_weight: Tensor,
    cut: Sequence[Tensor],
    d: Sequence[Tensor],
    gradients: Sequence[Tensor],
    arrays: Tensor,
    pairs: Pairs,
    directions: int,
) -> None:
    """Sums over m for each order, which all streams share: cheaper for few outputs than matrices for each stream."""
    *tables, spare, _ = arrays
    for o, row in enumerate(weight):
        edges = _edges(row, tables[1:], spare)
        shares = [torch.zeros_like(cut[0]) for _ in tables[:-1]]
        for i, stream in enumerate(gradients):
            g = stream[o]
            _pull(i, [g * edge for edge in edges[: 1 + _degree(i, directions)]], cut, d, pairs, directions)
            if i == 0:
                shares[0].add_(g)
                continue
            shares[1].addcmul_(cut[i], g)
            if i > directions:
                shares[2].addcmul_(product(cut, pairs[i - 1 - directions]), g)
        for table, share in zip(tables, shares, strict=False):
            d_weight[o].add_(torch.mul(table, share, out=spare).sum(-1))


def _edges(row: Tensor, tables: Sequence[Tensor], spare: Tensor) -> list[Tensor]:
    """Σ_m C_mi B_m^(r)(t_i) of the edges to one output, for every order."""
    return [torch.mul(table, row[..., None], out=spare).sum(0) for table in tables]


def _degree(i: int, directions: int) -> int:
    """The order of stream i."""
    return 0 if i == 0 else 1 if i <= directions else 2


def _combine(
    i: int,
    tables: Sequence[Tensor],
    cut: Sequence[Tensor],
    pairs: Pairs,
    directions: int,
    out: Tensor | None = None,
) -> Tensor:
    """Stream i of a function whose derivatives are `tables`."""
    if i == 0:
        return tables[0]
    made = torch.mul(tables[1], cut[i], out=out)
    return made if i <= directions else made.addcmul_(tables[2], product(cut, pairs[i - 1 - directions]))


def _pull(
    i: int, sums: Sequence[Tensor], cut: Sequence[Tensor], d: Sequence[Tensor], pairs: Pairs, directions: int
) -> None:
    """Add to d what stream i of the output gives back to those of the input; sums[r] is the sum over B^(r + 1)."""
    d[i].add_(sums[0])
    if i == 0:
        return
    d[0].addcmul_(sums[1], cut[i])
    if i > directions:
        entry = pairs[i - 1 - directions]
        d[0].addcmul_(sums[2], product(cut, entry))
        for a, b in entry:
            d[1 + a].addcmul_(sums[1], cut[1 + b])
            d[1 + b].addcmul_(sums[1], cut[1 + a])
