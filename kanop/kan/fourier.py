"""The Fourier basis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.solvers.errors import check

__all__ = ["Fourier"]


class Fourier(Basis):
    r"""cos gx, sin gx for g = 1 … G: period 2π, every input as good as another.

    Parameters
    ----------
    harmonics : G ≥ 1 (default 4), hence K = 2G functions; the constant is the layer's bias

    Raises
    ------
    KanopError : no harmonics

    Reference: Xu et al. 2024 (FourierKAN), arXiv 2406.01034.

    Examples
    --------
    >>> Fourier(2).expand(torch.zeros(1, 1)).flatten().tolist()
    [1.0, 1.0, 0.0, 0.0]
    """

    smoothness = math.inf
    domain = (-math.inf, math.inf)

    def __init__(self, harmonics: int = 4) -> None:
        super().__init__()
        check(harmonics >= 1, f"a Fourier basis has at least one harmonic, got harmonics={harmonics}")
        self.harmonics, self.size = harmonics, 2 * harmonics

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """The cosines, then the sines, by angle addition."""
        cosines, sines = [torch.cos(t)], [torch.sin(t)]
        for _ in range(self.harmonics - 1):
            c, s = cosines[-1], sines[-1]
            cosines.append(c * cosines[0] - s * sines[0])
            sines.append(s * cosines[0] + c * sines[0])
        for _ in range(order):
            cosines, sines = (
                [-(g + 1) * s for g, s in enumerate(sines)],
                [(g + 1) * c for g, c in enumerate(cosines)],
            )
        return cosines + sines

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """One table of cosines and sines serves all orders: (cos gt)^(r) = g^r cos(gt + rπ/2)."""
        cosines, sines = self._places(out[0], orders[0])
        torch.cos(t, out=cosines[0])
        torch.sin(t, out=sines[0])
        for g in range(1, self.harmonics):
            torch.mul(cosines[g - 1], cosines[0], out=cosines[g]).addcmul_(sines[g - 1], sines[0], value=-1)
            torch.mul(sines[g - 1], cosines[0], out=sines[g]).addcmul_(cosines[g - 1], sines[0])
        harmonics = torch.arange(1, self.harmonics + 1, dtype=t.dtype, device=t.device)
        harmonics = harmonics.view(-1, *[1] * t.ndim)
        # The first rows hold the table until all others are made of it.
        for order, rows in reversed(list(zip(orders, out, strict=True))):
            if order == 0 and rows.data_ptr() == out.data_ptr():
                continue
            for place, values, quarter in zip(self._places(rows, order), (cosines, sines), (0, 1), strict=True):
                sign = -1 if (order + quarter) // 2 % 2 else 1
                torch.mul(values, sign * harmonics**order, out=place)

    def _places(self, rows: Tensor, order: int) -> tuple[Tensor, Tensor]:
        """Where multiples of the cosines and of the sines stand among derivatives of this order."""
        first, second = rows[: self.harmonics], rows[self.harmonics :]
        return (second, first) if order % 2 else (first, second)
