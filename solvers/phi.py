r"""φ-functions of exponential integrators: φ_0(z) = e^z, φ_{j+1}(z) = (φ_j(z) − 1/j!)/z, φ_j(0) = 1/j!."""

from __future__ import annotations

import math

import torch
from jaxtyping import Inexact
from torch import Tensor

__all__ = ["expm1", "phi"]

# Below this |z| the recurrence cancels digits, above it the series needs many terms.
SWITCH = 2.0
TERMS = 32


def phi(j: int, z: Inexact[Tensor, "*k"]) -> Inexact[Tensor, "*k"]:
    r"""φ_j(z) = Σ_{n≥0} zⁿ/(n+j)!, elementwise in double precision, for real and complex z.

    A Taylor polynomial inside |z| ≤ 2, the recurrence from expm1 outside: no contour, whose half-circle form is
    wrong for imaginary z (advection, KdV, Schrödinger).

    References: Cox and Matthews (2002), doi:10.1006/jcph.2002.6995;
    Hochbruck and Ostermann (2010), doi:10.1017/S0962492910000048.
    """
    if j == 0:
        return torch.exp(z)
    series = torch.zeros_like(z)
    inside = torch.where(z.abs() <= SWITCH, z, 0)
    for n in range(TERMS - 1, -1, -1):
        series = series * inside + 1 / math.factorial(n + j)
    outside = torch.where(z.abs() <= SWITCH, SWITCH, z)
    value = expm1(outside) / outside
    for i in range(1, j):
        value = (value - 1 / math.factorial(i)) / outside
    return torch.where(z.abs() <= SWITCH, series, value)


def expm1(z: Inexact[Tensor, "*k"]) -> Inexact[Tensor, "*k"]:
    """e^z − 1 without cancellation near 0, also for complex z."""
    if not z.is_complex():
        return torch.expm1(z)
    real = torch.expm1(z.real) * torch.cos(z.imag) - 2 * torch.sin(z.imag / 2) ** 2
    return torch.complex(real, torch.exp(z.real) * torch.sin(z.imag))
