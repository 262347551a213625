"""B-splines on uniform cells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
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

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """The B-splines, or their derivatives."""
        cell, ((*active,),) = self._active(t, [order])
        values = []
        for m in range(self.size):
            value = torch.zeros_like(t)
            for j in range(max(0, m - self.cells + 1), min(self.degree, m) + 1):
                value = torch.where(cell == m - j, active[j], value)
            values.append(value)
        return values

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """The active functions, put where they belong."""
        cell, active = self._active(t, orders)
        values = torch.stack([torch.stack(rows) for rows in active])
        k = self.degree
        if self.cells > FEW or t.device.type != "cpu":
            steps = torch.arange(k + 1, device=t.device).view(-1, *[1] * t.ndim)
            out.zero_().scatter_(1, (cell.long() + steps).expand(values.shape), values)
            return
        inside = torch.empty_like(t)
        out[:, : k + 1] = values * torch.eq(cell, 0, out=inside)
        for g in range(1, self.cells):
            torch.eq(cell, g, out=inside)
            out[:, g : g + k].addcmul_(values[:, :k], inside)
            torch.mul(values[:, k], inside, out=out[:, g + k])

    def _active(self, t: Tensor, orders: Sequence[int]) -> tuple[Tensor, list[list[Tensor]]]:
        """The cell of every input, and the k + 1 functions that are not zero there, for each order."""
        rate = self.cells / (self.high - self.low)
        s = (t - self.low) * rate
        cell = s.detach().floor().clamp(0, self.cells - 1)
        s = s - cell
        u = s.clamp(0, 1)
        beyond = s - u
        active = []
        for order in orders:
            values = _pieces(u, self.degree, order)
            if order == 0:
                values = [a + beyond * b for a, b in zip(values, _pieces(u, self.degree, 1), strict=True)]
            elif order > 1:
                inside = beyond == 0
                values = [a * inside for a in values]
            active.append([a * rate**order for a in values] if order else values)
        return cell, active


def _pieces(u: Tensor, degree: int, order: int) -> list[Tensor]:
    """∂^r/∂u^r of the k + 1 polynomials on a cell, u from 0 to 1: differences of those of degree k − r."""
    if order > degree:
        return [torch.zeros_like(u) for _ in range(degree + 1)]
    values = [torch.ones_like(u)]
    for d in range(1, degree - order + 1):
        p = u / d
        inner = [(p + (d - j) / d) * a + ((1 + j) / d - p) * b for j, (a, b) in enumerate(pairwise(values), 1)]
        values = [(1 / d - p) * values[0], *inner, p * values[-1]]
    for _ in range(order):
        values = [-values[0], *(a - b for a, b in pairwise(values)), values[-1]]
    return values
