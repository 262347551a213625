"""Spherical harmonic transforms: FFTs along the latitudes, then matmuls over half of the latitudes for every order.

P̄_lm is even about the equator for even l − m and odd for odd: the sum and the difference of the hemispheres each need
half of the degrees at half of the latitudes. Orders are taken in groups, since those of high order have few degrees.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from kanop.solvers.fft import irfftn, rfftn
from kanop.solvers.sphere.nodes import latitudes, legendre

__all__ = ["Transform"]

# Orders of a group: fewer skip more of the zeros P̄_lm, l < m, and cost more calls.
GROUP = 16


class Layout(NamedTuple):
    """How coefficients stand in memory for the matmuls: by group, then (parity, order, number of the degree).

    Attributes
    ----------
    there : (l, m) ↦ number in that memory, the number behind the last for l < m
    back : number in that memory ↦ (l, m), the number behind the last where it is none
    """

    there: Int64[Tensor, " lm"]
    back: Int64[Tensor, " p"]


class Transform:
    r"""û_lm = ∫ u Y*_lm dΩ and u = Σ_lm û_lm Y_lm for l ≤ degree, m ≤ order, of real u; m ≥ 0 is stored.

    Parameters
    ----------
    kind : of the latitudes
    shape : numbers of latitudes, from north to south, and of longitudes
    degree, order : the largest l and m; order ≤ degree, order < longitudes / 2
    dtype, device : of the tables, which are made in double precision
    secant : of P̄_lm / cos φ instead of P̄_lm: û ↦ u/cos φ, and u ↦ û of u/cos φ

    Both ways are differentiable any number of times, and keep nothing for it. A compiler leaves them as they are.
    """

    def __init__(
        self,
        kind: str,
        shape: tuple[int, int],
        degree: int,
        order: int,
        dtype: torch.dtype,
        device: torch.device,
        secant: bool = False,
    ) -> None:
        self.shape, self.degree, self.order = shape, degree, order
        self.half = (shape[0] + 1) // 2
        x, weights = latitudes(kind, shape[0])
        table = legendre(degree, order, x[: self.half], secant)
        weights = 2 * math.pi * weights[: self.half]
        self.synthesis, self.analysis = [], []
        there, back, count = torch.zeros(degree + 1, order + 1, dtype=torch.long), [], 0
        for start in range(0, order + 1, GROUP):
            m = torch.arange(start, min(start + GROUP, order + 1))[:, None]
            # (parity, m, k)
            l = m + 2 * torch.arange((degree - start + 2) // 2) + torch.arange(2)[:, None, None]
            m, inside = m.expand_as(l), l <= degree
            values = torch.where(inside[..., None], table[l.clamp_max(degree), m], 0)
            self.synthesis.append(values.transpose(-1, -2).to(device, dtype).contiguous())
            self.analysis.append((values * weights).to(device, dtype))
            there[l[inside], m[inside]] = count + torch.arange(l.numel()).view_as(l)[inside]
            back.append(torch.where(inside, l * (order + 1) + m, there.numel()).flatten())
            count += l.numel()
        lower = torch.arange(degree + 1)[:, None] >= torch.arange(order + 1)
        self.layout = Layout(torch.where(lower, there, count).flatten().to(device), torch.cat(back).to(device))

    @torch.compiler.disable
    def analyse(self, u: Float[Tensor, "... y x"]) -> Complex[Tensor, "... l m"]:
        """Coefficients of u."""
        u_hat = _Analysis.apply(u.reshape(-1, *self.shape), self, self.analysis)
        return u_hat.view(*u.shape[:-2], self.degree + 1, self.order + 1)

    @torch.compiler.disable
    def synthesise(self, u_hat: Complex[Tensor, "... l m"]) -> Float[Tensor, "... y x"]:
        """Values of the series."""
        u = _Synthesis.apply(u_hat.reshape(-1, self.degree + 1, self.order + 1), self, self.synthesis)
        return u.view(*u_hat.shape[:-2], *self.shape)

    def waves(self, like: Tensor) -> Float[Tensor, " m"]:
        """How often an order stands in a real field: once for m = 0, else for ±m."""
        return torch.where(torch.arange(self.order + 1, device=like.device) > 0, 2.0, 1.0).to(like.real.dtype)


def _analyse(u: Tensor, shape: Transform, tables: list[Tensor]) -> Tensor:
    """Σ_j table_lmj (1/n) Σ_k u_jk e^{−imλ_k}, the tables for the northern half and both parities."""
    batch, half, orders = len(u), shape.half, shape.order + 1
    rings = rfftn(u, [-1])[..., :orders].permute(2, 1, 0)
    north, south = rings[:, :half], rings[:, -half:].flip(1)
    if shape.shape[0] % 2:
        # The equator of an odd number is in both halves.
        south[:, -1] = 0
    folded = torch.view_as_real(_pair(north, south, rings.new_empty(2, orders, half, batch))).flatten(-2)
    packed = folded.new_empty(len(shape.layout.back) + 1, 2 * batch)
    packed[-1] = 0
    first = place = 0
    for table in tables:
        m, k = table.shape[1:3]
        made = packed[place : place + 2 * m * k].view(2 * m, k, -1)
        torch.bmm(table.flatten(0, 1), folded[:, first : first + m].reshape(2 * m, half, -1), out=made)
        first, place = first + m, place + 2 * m * k
    columns = torch.view_as_complex(packed.view(-1, batch, 2)).T
    return columns.index_select(1, shape.layout.there).view(batch, shape.degree + 1, orders)


def _synthesise(u_hat: Tensor, shape: Transform, tables: list[Tensor]) -> Tensor:
    """Σ_m e^{imλ_k} Σ_l table_lmj û_lm over both signs of m."""
    batch, half, orders = len(u_hat), shape.half, shape.order + 1
    columns = u_hat.new_zeros(u_hat[0].numel() + 1, batch)
    columns[:-1] = u_hat.view(batch, -1).T
    packed = torch.view_as_real(columns.index_select(0, shape.layout.back)).flatten(-2)
    folded = packed.new_empty(2, orders, half, 2 * batch)
    first = place = 0
    for table in tables:
        m, k = table.shape[1], table.shape[3]
        given = packed[place : place + 2 * m * k].view(2, m, k, -1)
        for parity in range(2):
            torch.bmm(table[parity], given[parity], out=folded[parity, first : first + m])
        first, place = first + m, place + 2 * m * k
    even, odd = torch.view_as_complex(folded.view(2, orders, half, batch, 2)).permute(0, 3, 2, 1)
    rings = u_hat.new_zeros(batch, shape.shape[0], shape.shape[1] // 2 + 1)
    torch.add(even, odd, out=rings[:, :half, :orders])
    rings[:, half:, :orders] = (even - odd)[:, : shape.shape[0] // 2].flip(1)
    return irfftn(rings, [shape.shape[1]], [-1])


def _pair(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    torch.add(a, b, out=out[0])
    torch.sub(a, b, out=out[1])
    return out


class _Analysis(torch.autograd.Function):
    """The adjoint of an analysis is a synthesis with the same tables, and the reverse."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, shape: Transform, tables: list[Tensor]) -> Tensor:
        ctx.shape, ctx.tables = shape, tables
        return _analyse(u, shape, tables)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        scaled = g / (ctx.shape.waves(g) * ctx.shape.shape[1])
        transposed = [table.transpose(-1, -2).contiguous() for table in ctx.tables]
        return _Synthesis.apply(scaled, ctx.shape, transposed), None, None


class _Synthesis(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u_hat: Tensor, shape: Transform, tables: list[Tensor]) -> Tensor:
        ctx.shape, ctx.tables = shape, tables
        return _synthesise(u_hat.contiguous(), shape, tables)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        transposed = [table.transpose(-1, -2).contiguous() for table in ctx.tables]
        g_hat = _Analysis.apply(g.contiguous(), ctx.shape, transposed)
        return g_hat * (ctx.shape.waves(g) * ctx.shape.shape[1]), None, None
