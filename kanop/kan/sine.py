"""The sine basis."""

from __future__ import annotations

import math

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
