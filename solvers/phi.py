r"""φ-functions of exponential integrators: φ_0(z) = e^z, φ_{j+1}(z) = (φ_j(z) − 1/j!)/z, φ_j(0) = 1/j!."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Inexact
from torch import Tensor

__all__ = ["block_phi", "expm1", "phi"]

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


def block_phi(j: int, z: Inexact[Tensor, "c c *k"]) -> Inexact[Tensor, "c c *k"]:
    r"""φ_j(Z) of a c × c matrix for every mode, defective ones too, in double precision.

    c = 2: φ_j(Z) = φ_j(λ₁) I + φ_j[λ₁, λ₂] (Z − λ₁ I) with the divided difference over the eigenvalues. c > 2: a Taylor
    polynomial of Z/2^s with ‖Z‖/2^s ≤ 1, then s doublings; entries are right to |λ|ε of the largest one. Channels that
    do not couple are taken apart, each group at its own scale.
    """
    groups = _coupled(z)
    if len(groups) > 1:
        value = torch.zeros_like(z)
        for group in groups:
            rows = torch.tensor(group, device=z.device)
            block = z[rows][:, rows]
            part = phi(j, block) if len(group) == 1 else block_phi(j, block)
            value = value.index_put((rows[:, None], rows), part)
        return value
    # The root of equal eigenvalues has no derivative, polynomials of Z have.
    return _newton(j, z) if len(z) == 2 and not z.requires_grad else _doublings(j, z)


def _coupled(z: Inexact[Tensor, "c c *k"]) -> list[list[int]]:
    """Channels in groups such that entries between groups are zero in every mode."""
    linked = (z != 0).flatten(2).any(-1)
    linked = linked | linked.T | torch.eye(len(z), dtype=torch.bool, device=z.device)
    for _ in range(len(z)):
        linked = (linked.to(torch.int64) @ linked.to(torch.int64)) > 0
    rows = {tuple(row.nonzero().flatten().tolist()) for row in linked}
    return [list(row) for row in sorted(rows)]


def _newton(j: int, z: Inexact[Tensor, "2 2 *k"]) -> Inexact[Tensor, "2 2 *k"]:
    (a, b), (c, d) = z.to(torch.complex128)
    mean, root = (a + d) / 2, torch.sqrt(((a - d) / 2) ** 2 + b * c)
    # The larger eigenvalue adds, so it keeps its digits; the other follows from the determinant, and keeps them too.
    far = torch.where((mean.conj() * root).real >= 0, mean + root, mean - root)
    near = torch.where(far == 0, far, (a * d - b * c) / torch.where(far == 0, 1, far))
    first, slope = phi(j, far), _divided_difference(j, far, near)
    value = torch.stack([first + slope * (a - far), slope * b, slope * c, first + slope * (d - far)])
    value = value.view(2, 2, *z.shape[2:])
    return value if z.is_complex() else value.real.contiguous()


def _divided_difference(j: int, far: Tensor, near: Tensor) -> Tensor:
    """(φ_j(near) − φ_j(far))/(near − far); for near ones ∫₀¹ φ_j'(far + τ (near − far)) dτ by Gauss' rule."""
    gap = near - far
    close = gap.abs() <= 1
    nodes, weights = np.polynomial.legendre.leggauss(12)
    mean = torch.zeros_like(far)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        mean = mean + weight * _slope(j, far + node * torch.where(close, gap, 0))
    return torch.where(close, mean, (phi(j, near) - phi(j, far)) / torch.where(close, 1, gap))


def _slope(j: int, z: Tensor) -> Tensor:
    """φ_j' = φ_j − jφ_{j+1} near 0 and (φ_{j−1} − jφ_j)/z away from it: each cancels where the other does not."""
    if j == 0:
        return phi(0, z)
    inside = z.abs() <= SWITCH
    outside = torch.where(inside, SWITCH, z)
    return torch.where(inside, phi(j, z) - j * phi(j + 1, z), (phi(j - 1, outside) - j * phi(j, outside)) / outside)


def _doublings(j: int, z: Inexact[Tensor, "c c *k"]) -> Inexact[Tensor, "c c *k"]:
    """Skaflestad and Wright 2009, doi:10.1016/j.apnum.2008.03.012: φ_j(2Z) from φ_0(Z) … φ_j(Z)."""
    a = z.movedim((0, 1), (-2, -1))
    doublings = torch.log2(a.abs().sum(-1).amax(-1).clamp_min(1.0)).ceil()
    a = a * torch.exp2(-doublings)[..., None, None]
    unit = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    phis = [torch.zeros_like(a) for _ in range(j + 1)]
    for n in range(TERMS - 1, -1, -1):
        phis = [value @ a + unit * (1 / math.factorial(n + i)) for i, value in enumerate(phis)]
    for step in range(int(doublings.max())):
        more = (doublings > step)[..., None, None]
        doubled = [_double(i, phis) for i in range(j + 1)]
        phis = [torch.where(more, new, old) for new, old in zip(doubled, phis, strict=True)]
    return phis[j].movedim((-2, -1), (0, 1)).contiguous()


def _double(j: int, phis: list[Tensor]) -> Tensor:
    """φ_j(2Z) = 2^{−j} [φ_0 φ_j + Σ_{i=1}^{j} φ_i/(j−i)!](Z)."""
    rest = sum(phis[i] / math.factorial(j - i) for i in range(1, j + 1))
    return (phis[0] @ phis[j] + rest) / 2**j
