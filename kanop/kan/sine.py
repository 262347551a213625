"""The sine basis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.solvers.errors import check

__all__ = ["Sine"]


class Sine(Basis):
    r"""sin(g ω x + φ_g), φ_g = gπ/(K+1), g = 1 … K: fixed frequencies and phases, one set for all inputs.

    Every input is as good as another: the period is 2π/ω.

    Parameters
    ----------
    size : K ≥ 1 functions (default 8)
    omega : ω > 0, the lowest frequency in radians per unit of x (default 1)

    Raises
    ------
    KanopError : no function, a frequency that is not positive

    Reference: Reinhardt, Ramakrishnan & Gleyzer 2024 (SineKAN), arXiv 2407.04149.

    Examples
    --------
    >>> Sine(1).functions(torch.zeros(1))[0].item()
    1.0
    """

    smoothness = math.inf
    domain = (-math.inf, math.inf)

    def __init__(self, size: int = 8, omega: float = 1.0) -> None:
        super().__init__()
        check(size >= 1, f"a sine basis has at least one function, got size={size}")
        check(omega > 0, f"omega is positive, got {omega}")
        self.size, self.omega = size, float(omega)

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """(gω)^r sin(gω t + φ_g + rπ/2)."""
        waves = []
        for g in range(1, self.size + 1):
            frequency, phase = g * self.omega, g * math.pi / (self.size + 1) + order * math.pi / 2
            wave = torch.sin(frequency * t + phase)
            waves.append(frequency**order * wave if order else wave)
        return waves

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """sin gθ and cos gθ of the one angle θ = ωt + φ_1 = (gωt + φ_g)/g, each by its recurrence in 2 cos θ."""
        angle = self.omega * t + math.pi / (self.size + 1)
        cosine = torch.cos(angle)
        twice = 2 * cosine
        for order, rows in zip(orders, out, strict=True):
            odd = order % 2 == 1
            rows[0].copy_(cosine) if odd else torch.sin(angle, out=rows[0])
            for g in range(1, self.size):
                torch.mul(twice, rows[g - 1], out=rows[g])
                rows[g].sub_(rows[g - 2] if g > 1 else float(odd))
            if order:
                sign = -1 if order % 4 > 1 else 1
                for g, row in enumerate(rows, 1):
                    row.mul_(sign * (g * self.omega) ** order)
