"""Gaussian radial basis functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.solvers.errors import check

__all__ = ["GaussianRBF"]


class GaussianRBF(Basis):
    r"""exp(−z²), z = (x − g_m)/d: Gaussians about equally spaced centres, as wide as the centres are apart.

    The r-th derivative is (−1/d)^r H_r(z) exp(−z²) with the Hermite polynomial H_r. Far outside, all functions and
    slopes vanish: keep the inputs within the domain by the layer's map.

    Parameters
    ----------
    centres : K ≥ 2, the number of Gaussians (default 8)
    low, high : the first and last centre (defaults −2 and 2)

    Raises
    ------
    KanopError : fewer than two centres, low ≥ high

    Reference: Li 2024 (FastKAN), arXiv 2405.06721.

    Examples
    --------
    >>> [round(float(B), 4) for B in GaussianRBF(3, -1.0, 1.0).functions(torch.tensor(0.0))]
    [0.3679, 1.0, 0.3679]
    """

    smoothness = math.inf

    def __init__(self, centres: int = 8, low: float = -2.0, high: float = 2.0) -> None:
        super().__init__()
        check(centres >= 2, f"radial basis functions have at least two centres, got centres={centres}")
        check(low < high, f"the first centre lies below the last, got low={low:g} and high={high:g}")
        self.centres, self.low, self.high = centres, low, high
        self.size, self.domain, self.width = centres, (low, high), (high - low) / (centres - 1)

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """The Gaussians, or their derivatives."""
        values = []
        for m in range(self.centres):
            z = (t - self.low) / self.width - m
            # H_r/2^r by its recurrence.
            hermite: list[Any] = [1.0, z]
            for r in range(1, order):
                hermite.append(z * hermite[r] - (r / 2) * hermite[r - 1])
            gaussian = (-z * z).exp()
            values.append(hermite[order] * gaussian * (-2 / self.width) ** order if order else gaussian)
        return values

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """Two exponentials for eight centres: exp(−(z−m)²) = exp(−z²) exp(2z)^m exp(−m²)."""
        places = dict(zip(orders, out, strict=True))
        rows = [places[r] if r in places else torch.empty_like(out[0]) for r in range(max(orders) + 1)]
        z = (t - self.low) / self.width
        for start in range(0, self.centres, BLOCK):
            _gaussians(z, start, rows[0][start : start + BLOCK])
        if len(rows) == 1:
            return
        centres = torch.arange(self.centres, dtype=t.dtype, device=t.device).view(-1, *[1] * t.ndim)
        a = torch.sub((-2 / self.width) * z, (-2 / self.width) * centres, out=rows[1])
        a = a.clone() if len(rows) > 2 else a
        torch.mul(a, rows[0], out=rows[1])
        for r in range(1, len(rows) - 1):
            torch.mul(a, rows[r], out=rows[r + 1]).sub_(rows[r - 1], alpha=2 * r / self.width**2)


# Centres that share two exponentials, and how far their variable may reach without overflow in single precision. From
# the middle of a block a Gaussian that is no number any more has no neighbour above 1e-12 in it.
BLOCK, FAR = 8, 40.0


def _gaussians(z: Tensor, start: int, rows: Tensor) -> None:
    """exp(−(z − m)²) for m = start, start + 1, …, from the middle row to both sides."""
    middle = len(rows) // 2
    y = (z - (start + middle)).clamp_(-FAR, FAR)
    values = list(rows)
    torch.exp(-y * y, out=values[middle])
    for side in (1, -1):
        ratio = torch.exp(2 * side * y)
        for m in range(middle + side, len(rows) if side > 0 else -1, side):
            torch.mul(values[m - side], ratio, out=values[m])
    steps = [math.exp(-((m - middle) ** 2)) for m in range(len(rows))]
    rows.mul_(z.new_tensor(steps).view(-1, *[1] * z.ndim))
