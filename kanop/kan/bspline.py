"""B-splines on uniform cells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from numpy.polynomial import Polynomial
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.solvers.errors import check

__all__ = ["BSpline"]

# Cells up to which products with their indicators beat a scatter on a CPU.
FEW = 12


class BSpline(Basis):
    r"""N_k(s − m + k), s = (t − low)/h: the K = G + k B-splines of degree k that live on G cells of width h.

    N_k is the cardinal B-spline with knots 0 … k + 1. On every cell k + 1 functions are active, and only they are
    computed; together they are 1. Outside the interval each function goes on as the straight line with its value and
    slope at the end: a spline neither dies there nor blows up.

    Parameters
    ----------
    cells : G ≥ 1 (default 5)
    degree : k ≥ 1 (default 3); derivatives up to k − 1 are continuous, and those above k vanish
    low, high : the interval (defaults −1 and 1)

    Raises
    ------
    KanopError : no cells, degree below 1, low ≥ high

    Reference: de Boor 1978; Liu et al. 2024 (KAN), arXiv 2404.19756.

    Examples
    --------
    >>> [float(N) for N in BSpline(cells=2, degree=1).functions(torch.tensor(-0.25))]
    [0.25, 0.75, 0.0]
    """

    def __init__(self, cells: int = 5, degree: int = 3, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        check(cells >= 1, f"a spline has at least one cell, got cells={cells}")
        check(degree >= 1, f"the degree of a spline is at least 1, got degree={degree}")
        check(low < high, f"an interval is (low, high) with low the smaller, got low={low:g} and high={high:g}")
        self.cells, self.degree, self.low, self.high = cells, degree, low, high
        self.size, self.smoothness, self.domain = cells + degree, degree - 1, (low, high)
        # A compiler cannot look into a cache: what it needs is at hand. From order k + 1 on all derivatives vanish.
        self._orders = [_pieces(degree, self._rate, order) for order in range(degree + 2)]

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """The B-splines, or their derivatives."""
        cell, u, below, above = self._local(t)
        active = []
        for *coefficients, left, right in self._orders[min(order, self.degree + 1)]:
            value = torch.full_like(u, coefficients[-1])
            for c in reversed(coefficients[:-1]):
                value = value * u + c
            active.append(value + (left * below + right * above) if order == 0 else value)
        if order > 1:
            inside = below == above
            active = [value * inside for value in active]
        # Products with indicators, which a compiler fuses better than choices.
        at = [(cell == g).to(t.dtype) for g in range(self.cells)]
        values = []
        for m in range(self.size):
            first, *others = range(max(0, m - self.cells + 1), min(self.degree, m) + 1)
            value = at[m - first] * active[first]
            for j in others:
                value = torch.addcmul(value, at[m - j], active[j])
            values.append(value)
        return values

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """The active functions as a matmul over the powers of u, put where they belong."""
        k = self.degree
        powers = t.new_empty(k + 3, *t.shape)
        u, below, above = powers[1], powers[k + 1], powers[k + 2]
        torch.sub(t, self.low, out=u).mul_(self._rate)
        cell = u.floor().clamp_(0, self.cells - 1)
        u.sub_(cell)
        torch.clamp(u, max=0, out=below)
        torch.sub(u, 1, out=above).clamp_(min=0)
        u.clamp_(0, 1)
        powers[0].fill_(1.0)
        for p in range(2, k + 1):
            torch.mul(powers[p - 1], u, out=powers[p])
        pieces = t.new_tensor([row for order in orders for row in self._orders[min(order, k + 1)]])
        values = (pieces @ powers.flatten(1)).view(len(orders), k + 1, *t.shape)
        for order, rows in zip(orders, values, strict=True):
            if order > 1:
                rows.mul_(below == above)
        if self.cells > FEW or t.device.type != "cpu":
            steps = torch.arange(k + 1, device=t.device).view(-1, *[1] * t.ndim)
            out.zero_().scatter_(1, (cell.long() + steps).expand(values.shape), values)
            return
        inside = torch.empty_like(t)
        torch.mul(values, torch.eq(cell, 0, out=inside), out=out[:, : k + 1])
        for g in range(1, self.cells):
            torch.eq(cell, g, out=inside)
            out[:, g : g + k].addcmul_(values[:, :k], inside)
            torch.mul(values[:, k], inside, out=out[:, g + k])

    def _local(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The cell of every input, its place 0 ≤ u ≤ 1 there, and how far it lies below the interval, or above."""
        s = (t - self.low) * self._rate
        cell = s.detach().floor().clamp(0, self.cells - 1)
        s = s - cell
        return cell, s.clamp(0, 1), s.clamp(max=0), (s - 1).clamp(min=0)

    @property
    def _rate(self) -> float:
        return self.cells / (self.high - self.low)


def _pieces(degree: int, rate: float, order: int) -> tuple[tuple[float, ...], ...]:
    """The k + 1 polynomials on a cell, differentiated: coefficients of 1, u, …, u^k, and of `below` and `above`."""
    pieces = [Polynomial([1.0])]
    for d in range(1, degree + 1):
        # N_d(y) = [y N_{d−1}(y) + (d + 1 − y) N_{d−1}(y − 1)]/d with y = u + d − j.
        padded = [Polynomial([0.0]), *pieces, Polynomial([0.0])]
        pieces = [
            (Polynomial([d - j, 1.0]) * a + Polynomial([1.0 + j, -1.0]) * b) / d
            for j, (a, b) in enumerate(pairwise(padded))
        ]
    rows = []
    for piece in pieces:
        coefficients = [float(c) * rate**order for c in (piece.deriv(order) if order else piece).coef]
        padded_row = [*coefficients, *[0.0] * (degree + 1 - len(coefficients))]
        slopes = [piece.deriv()(0.0), piece.deriv()(1.0)] if order == 0 else [0.0, 0.0]
        rows.append((*padded_row, *map(float, slopes)))
    return tuple(rows)
