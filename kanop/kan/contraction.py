"""The matmul over the functions of every input, without ever holding the functions of every input.

Everything a KAN layer and its derivatives need is a partial derivative of one form, linear in s, C and g:

    T_r = Σ_nomi s_ni g_no C_omi B_m^(r)(t_ni)

∂T/∂g is the layer, ∂T/∂C and ∂T/∂s its gradients; and ∂T_r/∂t = s ∂T_{r+1}/∂s. So one function, whose backward is made
of itself, is exact in every order; it keeps t, s, C and g, and makes the functions anew, a chunk of rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis

__all__ = ["contract", "sum_products", "tabulated"]

# Numbers in all arrays of one chunk: few enough for a cache, enough to hide the cost of a call.
CHUNK = 3 * 2**19

SLOTS = ("s", "weight", "g")


def contract(t: Float[Tensor, "*n i"], weight: Float[Tensor, "o k i"], basis: Basis) -> Float[Tensor, "*n o"]:
    """Σ_mi C_omi B_m(t_ni), differentiable to any order in t and C."""
    y = _Partial.apply(t.reshape(-1, t.shape[-1]), None, weight, None, basis, 0, "g")
    return y.view(*t.shape[:-1], len(weight))


def tabulated(
    basis: Basis, t: Float[Tensor, "n i"], orders: Sequence[int], spare: int = 0
) -> Iterator[tuple[slice, Float[Tensor, "i c"], Float[Tensor, "r k i c"]]]:
    """Slices of rows, their t transposed, and the functions' derivatives there, with `spare` arrays for others' use.

    The arrays are the same for every chunk: to ask the system for new memory costs more than what is put there.
    """
    numbers = (len(orders) + spare) * basis.size * t.numel()
    # A device with thousands of cores takes all rows at once; on a CPU the chunks are of equal length.
    pieces = ceil(numbers / CHUNK) if t.device.type == "cpu" else 1
    step = max(1, ceil(len(t) / max(1, pieces)))
    arrays = t.new_empty(len(orders) + spare, basis.size, t.shape[1], min(step, len(t)))
    for start in range(0, len(t), step):
        rows = slice(start, start + step)
        at = t[rows].T.contiguous()
        if at.shape != arrays.shape[2:]:
            arrays = t.new_empty(*arrays.shape[:2], *at.shape)
        basis.derivatives(at, orders, arrays[: len(orders)])
        yield rows, at, arrays


def sum_products(
    pulled: Float[Tensor, "k i c"], tables: Sequence[Float[Tensor, "k i c"]]
) -> list[Float[Tensor, "i c"]]:
    """Σ_m pulled_m table_m for every table: one function after the other, while it is in the cache."""
    sums = [torch.zeros_like(pulled[0]) for _ in tables]
    for factor, *rows in zip(pulled.unbind(), *(table.unbind() for table in tables), strict=True):
        for total, row in zip(sums, rows, strict=True):
            total.addcmul_(factor, row)
    return sums


class _Partial(torch.autograd.Function):
    """The partial derivative of T_r by one of s, C and g, whose place is empty; an empty s is 1 unless asked for."""

    @staticmethod
    def forward(
        t: Tensor, s: Tensor | None, weight: Tensor | None, g: Tensor | None, basis: Basis, order: int, by: str
    ) -> Tensor:
        return _partials(t, s, weight, g, basis, order, [by])[by]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        *tensors, ctx.basis, ctx.order, ctx.by = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        t, *rest = ctx.saved_tensors
        filled = dict(zip(SLOTS, rest, strict=True)) | {ctx.by: gradient}
        wanted = [name for name, needed in zip(("t", *SLOTS), ctx.needs_input_grad, strict=False) if needed]
        made = (_composed if torch.is_grad_enabled() else _partials)(
            t, **filled, basis=ctx.basis, order=ctx.order, by=wanted
        )
        return *(made.get(name) for name in ("t", *SLOTS)), None, None, None

    @staticmethod
    def jvp(ctx: Any, dt: Tensor | None, *tangents: Any) -> Tensor:
        t, *rest = ctx.saved_tensors
        slots = dict(zip(SLOTS, rest, strict=True))
        terms = [
            _Partial.apply(t, *(slots | {name: tangent}).values(), ctx.basis, ctx.order, ctx.by)
            for name, tangent in zip(SLOTS, tangents, strict=False)
            if tangent is not None
        ]
        if dt is not None:
            moved = slots if ctx.by == "s" else slots | {"s": dt if slots["s"] is None else dt * slots["s"]}
            term = _Partial.apply(t, *moved.values(), ctx.basis, ctx.order + 1, ctx.by)
            terms.append(dt * term if ctx.by == "s" else term)
        return sum(terms[1:], terms[0])

    @staticmethod
    def vmap(info: Any, dims: tuple, *inputs: Any) -> tuple[Tensor, int]:
        t, s, weight, g, basis, order, by = inputs
        tensors = [
            x if x is None or d is None else x.movedim(d, 0) for x, d in zip((t, s, weight, g), dims, strict=False)
        ]
        batched = [x is not None and d is not None for x, d in zip(tensors, dims, strict=False)]
        if by != "weight" and not batched[2]:
            # Rows are rows: the batch joins them.
            joined = [
                x if x is None or name == "weight" else (x if b else x.expand(info.batch_size, *x.shape)).flatten(0, 1)
                for x, b, name in zip(tensors, batched, ("t", *SLOTS), strict=True)
            ]
            return _Partial.apply(*joined, basis, order, by).unflatten(0, (info.batch_size, -1)), 0
        one_by_one = [
            _Partial.apply(*(x[n] if b else x for x, b in zip(tensors, batched, strict=True)), basis, order, by)
            for n in range(info.batch_size)
        ]
        return torch.stack(one_by_one), 0


def _composed(
    t: Tensor, s: Tensor | None, weight: Tensor, g: Tensor, basis: Basis, order: int, by: Sequence[str]
) -> dict[str, Tensor]:
    """The partial derivatives of T_r by t and any of s, C and g, differentiable in their turn."""
    slots = {"s": s, "weight": weight, "g": g}
    made = {name: _Partial.apply(t, *(slots | {name: None}).values(), basis, order, name) for name in by if name != "t"}
    if "t" in by:
        slope = _Partial.apply(t, None, weight, g, basis, order + 1, "s")
        made["t"] = slope if s is None else s * slope
    return made


def _partials(t: Tensor, s: Any, weight: Any, g: Any, basis: Basis, order: int, by: Sequence[str]) -> dict[str, Tensor]:
    """The same in one pass over the chunks, outside the reach of autograd."""
    made: dict[str, Tensor] = {name: torch.empty_like(t) for name in ("t", "s") if name in by}
    flat: Any = None if weight is None else weight.flatten(1)
    if "g" in by:
        made["g"] = t.new_empty(len(t), len(weight))
    if "weight" in by:
        made["weight"] = t.new_zeros(g.shape[1], basis.size * t.shape[1])
    tabulates, pulls = "g" in by or "weight" in by, "t" in by or "s" in by
    orders = [order] * ("s" in by or tabulates) + [order + 1] * ("t" in by)
    for rows, at, arrays in tabulated(basis, t, orders, spare=int(pulls)):
        tables, pulled = arrays[: len(orders)], arrays[-1]
        along = None if s is None else s[rows].T
        if pulls:
            torch.mm(flat.T, g[rows].T, out=pulled.view(-1, at.shape[1]))
        if "s" in by:
            made["s"][rows] = sum_products(pulled, [tables[0]])[0].T
        if "t" in by:
            (slope,) = sum_products(pulled, [tables[-1]])
            made["t"][rows] = (slope if along is None else slope.mul_(along)).T
        if not tabulates:
            continue
        table = (tables[0] if along is None else tables[0].mul_(along)).view(-1, at.shape[1])
        if "g" in by:
            made["g"][rows] = torch.mm(flat, table).T
        if "weight" in by:
            made["weight"].addmm_(g[rows].T, table.T)
    if "weight" in by:
        made["weight"] = made["weight"].view(g.shape[1], basis.size, t.shape[1])
    return made
