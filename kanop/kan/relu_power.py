"""Piecewise polynomials made of two rectified lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.solvers.errors import check

__all__ = ["ReLUPower"]


class ReLUPower(Basis):
    r"""[4 relu(x − s_j) relu(e_j − x)/(e_j − s_j)²]^p: bumps of height 1 on [s_j, e_j], p − 1 times differentiable.

    p = 2 is ReLU-KAN, p > 2 HRKAN. The domain has G equal cells of width h; s_j = low + (j − k)h and
    e_j = s_j + (k + 1)h for j = 0 … G + k − 1, so that k + 1 bumps overlap in every cell. Farther outside than k cells
    all functions vanish: there the layer's base branch acts alone.

    Parameters
    ----------
    power : p ≥ 1 (default 4). The r-th derivatives are continuous for r < p: an equation of order r needs p ≥ r + 1.
    cells : G ≥ 1 (default 5), hence K = G + k functions
    overlap : k ≥ 0 (default 3)
    low, high : ends of the domain (default −2 and 2)

    Raises
    ------
    KanopError : a power, cells or overlap that make no sense, an empty domain

    Reference: Qiu et al. 2024 (ReLU-KAN), arXiv 2406.02075; So & Yung 2024 (HRKAN), arXiv 2409.14248.

    Examples
    --------
    >>> basis = ReLUPower(power=2, cells=4, overlap=1)
    >>> [f.item() for f in basis.functions(torch.zeros(1))]
    [0.0, 0.0, 1.0, 0.0, 0.0]
    """

    def __init__(self, power: int = 4, cells: int = 5, overlap: int = 3, low: float = -2.0, high: float = 2.0) -> None:
        super().__init__()
        check(power >= 1, f"power is at least 1, got {power}")
        check(cells >= 1, f"a domain has at least one cell, got cells={cells}")
        check(overlap >= 0, f"overlap is at least 0, got {overlap}")
        check(low < high, f"a domain has low < high, got low={low:g} and high={high:g}")
        self.power, self.cells, self.overlap, self.low, self.high = power, cells, overlap, float(low), float(high)
        self.size, self.smoothness, self.domain = cells + overlap, power - 1, (self.low, self.high)

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """From left to right."""
        return [self._half**-order * self._bump((t - m) / self._half, order) for m in self._middles]

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """(1 − z²)^p and its slope −2p z (1 − z²)^{p−1} share what they are made of."""
        for k, middle in enumerate(self._middles):
            z = (t - middle).mul_(1 / self._half)
            inside = torch.mul(z, z).neg_().add_(1).clamp_(min=0)
            below = _power(inside, self.power - 1) if self.power > 1 else torch.ones_like(z)
            for order, rows in zip(orders, out, strict=True):
                if order == 0:
                    torch.mul(below, inside, out=rows[k])
                elif order == 1 and self.power > 1:
                    torch.mul(below, z, out=rows[k]).mul_(-2 * self.power / self._half)
                else:
                    torch.mul(self._bump(z, order), self._half**-order, out=rows[k])

    @property
    def _half(self) -> float:
        """Half the width of a bump."""
        return (self.overlap + 1) * (self.high - self.low) / (2 * self.cells)

    @property
    def _middles(self) -> list[float]:
        cell = (self.high - self.low) / self.cells
        return [self.low + (j - self.overlap) * cell + self._half for j in range(self.size)]

    def _bump(self, z: Tensor, order: int) -> Tensor:
        """The derivative of (1 + z)^p (1 − z)^p by Leibniz' rule: no cancellation near the ends of the support."""
        p, left, right = self.power, (1 + z).clamp(0, 2), (1 - z).clamp(0, 2)
        total = torch.zeros_like(z)
        for j in range(max(0, order - p), min(order, p) + 1):
            factor = (-1) ** (order - j) * math.comb(order, j) * math.perm(p, j) * math.perm(p, order - j)
            total = total + factor * _power(left, p - j) * _power(right, p - order + j)
        # 0⁰ = 1 would leave a constant outside the support.
        return total if order < p else total * (z.abs() < 1)


def _power(x: Tensor, n: int) -> Tensor:
    """xⁿ by squaring: the general power takes twenty times as long."""
    if n == 0:
        return torch.ones_like(x)
    if n == 1:
        return x
    half = _power(x, n // 2)
    return half * half * x if n % 2 else half * half
