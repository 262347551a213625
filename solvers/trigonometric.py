r"""Sine and cosine series at cell centres x_j = (j + ½)/n, by one real FFT of the doubled sequence.

u_j = Σ_{m=1}^{n} b_m sin(πm x_j)   and   u_j = Σ_{m=0}^{n-1} a_m cos(πm x_j).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["from_cosine", "from_sine", "mode_numbers", "to_cosine", "to_sine"]


def mode_numbers(n: int, kind: str, half: bool) -> Float[Tensor, " k"]:
    """Integer m of a series through n points: signed on a periodic axis, 0…n/2 on its half, counts at walls."""
    if kind != "periodic":
        return torch.arange(n, dtype=torch.float64) + (kind == "dirichlet")
    if half:
        return torch.arange(n // 2 + 1, dtype=torch.float64)
    return torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)


def to_cosine(u: Float[Tensor, "..."], axis: int) -> Float[Tensor, "..."]:
    """Coefficients a_m, m = 0…n-1, of the cosine series along `axis`."""
    u = u.movedim(axis, -1)
    n = u.shape[-1]
    doubled = torch.fft.rfft(torch.cat([u, u.flip(-1)], -1), norm="forward")[..., :n]
    a = 2 * (doubled * _half_shift(n, u, 0, n).conj()).real
    a[..., 0] *= 0.5
    return a.movedim(-1, axis)


def from_cosine(a: Float[Tensor, "..."], axis: int) -> Float[Tensor, "..."]:
    """Values at the cell centres of the cosine series with coefficients `a`."""
    a = a.movedim(axis, -1)
    n = a.shape[-1]
    half = 0.5 * a * _half_shift(n, a, 0, n)
    half[..., 0] *= 2
    u = torch.fft.irfft(half, n=2 * n, norm="forward")[..., :n]
    return u.movedim(-1, axis)


def to_sine(u: Float[Tensor, "..."], axis: int) -> Float[Tensor, "..."]:
    """Coefficients b_m, m = 1…n, of the sine series along `axis`."""
    u = u.movedim(axis, -1)
    n = u.shape[-1]
    doubled = torch.fft.rfft(torch.cat([u, -u.flip(-1)], -1), norm="forward")[..., 1:]
    b = -2 * (doubled * _half_shift(n, u, 1, n + 1).conj()).imag
    b[..., -1] *= 0.5
    return b.movedim(-1, axis)


def from_sine(b: Float[Tensor, "..."], axis: int) -> Float[Tensor, "..."]:
    """Values at the cell centres of the sine series with coefficients `b`."""
    b = b.movedim(axis, -1)
    n = b.shape[-1]
    half = -0.5j * b * _half_shift(n, b, 1, n + 1)
    half[..., -1] *= 2
    u = torch.fft.irfft(torch.nn.functional.pad(half, (1, 0)), n=2 * n, norm="forward")[..., :n]
    return u.movedim(-1, axis)


def _half_shift(n: int, like: Tensor, start: int, stop: int) -> Tensor:
    """exp(iπm/2n), m = start…stop-1: the centres lie half a cell off the points of the doubled FFT."""
    m = torch.arange(start, stop, dtype=torch.float64, device=like.device)
    return torch.polar(torch.ones_like(m), m * (torch.pi / (2 * n))).to(like.dtype.to_complex())
