"""Gaussian radial basis functions."""

from __future__ import annotations

import math

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
        self.size, self.domain = centres, (low, high)

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """The Gaussians, or their derivatives."""
        d = (self.high - self.low) / (self.centres - 1)
        values = []
        for m in range(self.centres):
            z = (t - (self.low + m * d)) / d
            gaussian = (-z * z).exp()
            values.append(gaussian if order == 0 else gaussian * _hermite(z, order) * (-1 / d) ** order)
        return values


def _hermite(z: Tensor, order: int) -> Tensor:
    """H_r(z) for r ≥ 1, by H_{r+1} = 2z H_r − 2r H_{r−1}."""
    before, now = torch.ones_like(z), 2 * z
    for r in range(1, order):
        before, now = now, 2 * z * now - 2 * r * before
    return now
