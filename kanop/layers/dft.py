r"""Truncated Fourier series of real fields: û_k = (1/N) Σ_x u(x) e^{−ik·x} for the kept k, and back on any grid.

Two exact ways. By FFT: transform one axis, keep its modes, go on. By matrices: each axis is one thin real matmul,
which costs O(n m) a line but touches no mode that is dropped. Real and imaginary parts are an axis `r` of size 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

__all__ = ["Axis", "analyse", "analyse_fft", "kept", "synthesise", "synthesise_fft"]


class Axis(NamedTuple):
    """The modes first…last (inclusive, integers) of one axis, on `n` points; `half` marks the last axis (k ≥ 0)."""

    n: int
    first: int
    last: int
    half: bool


def kept(n_modes: int, limit: int, half: bool) -> tuple[int, int]:
    """First and last mode of the `n_modes` centred ones that `limit` points can hold, 2|k| ≤ limit.

    A full axis keeps −(n_modes//2) … (n_modes−1)//2, the last axis 0 … n_modes//2.

    >>> kept(6, 64, half=False), kept(6, 64, half=True), kept(6, 4, half=False)
    ((-3, 2), (0, 3), (-2, 2))
    """
    low, high = (0, n_modes // 2) if half else (-(n_modes // 2), (n_modes - 1) // 2)
    return max(low, -(limit // 2)), min(high, limit // 2)


def analyse(u: Float[Tensor, "b c *x"], axes: Sequence[Axis]) -> Float[Tensor, "b c r *k"]:
    """Coefficients of `u` at the kept modes, by matrices."""
    b, c, *sizes = u.shape
    last = axes[-1]
    z = u.reshape(-1, last.n) @ _real_forward(last, u.dtype, u.device)
    width = last.last + 1
    for i in range(len(axes) - 2, -1, -1):
        matrix = _complex_forward(axes[i], u.dtype, u.device)
        z = z.reshape(b * c * math.prod(sizes[:i]), 2 * axes[i].n, width)
        z = torch.bmm(matrix.expand(len(z), -1, -1), z)
        width *= _count(axes[i])
    return z.reshape(b, c, 2, *map(_count, axes))


def synthesise(y: Float[Tensor, "b c r *k"], axes: Sequence[Axis]) -> Float[Tensor, "b c *x"]:
    """Values of the real field with coefficients `y` (those of −k are their conjugates), by matrices."""
    b, c = y.shape[:2]
    rows, width = b * c, math.prod(map(_count, axes))
    for axis in axes[:-1]:
        width //= _count(axis)
        matrix = _complex_backward(axis, y.dtype, y.device)
        y = torch.bmm(matrix.expand(rows, -1, -1), y.reshape(rows, 2 * _count(axis), width))
        rows *= axis.n
    u = y.reshape(rows, -1) @ _real_backward(axes[-1], y.dtype, y.device)
    return u.reshape(b, c, *(axis.n for axis in axes))


def analyse_fft(u: Float[Tensor, "b c *x"], axes: Sequence[Axis]) -> Float[Tensor, "b c r *k"]:
    """Coefficients of `u` at the kept modes, by FFTs."""
    last = axes[-1]
    z = torch.fft.rfft(u, norm="forward")[..., : last.last + 1]
    if 2 * last.last == last.n:
        z = z * _nyquist_weight(last, u.dtype, u.device)
    for i, axis in enumerate(axes[:-1]):
        z = torch.fft.fft(z, dim=2 + i, norm="forward").index_select(2 + i, _positions(axis, u.device))
        if _both_nyquists(axis):
            z = z * _nyquist_weight(axis, u.dtype, u.device).reshape(
                [-1 if j == i else 1 for j in range(len(axes))]
            )
    return rearrange(torch.view_as_real(z), "b c ... r -> b c r ...")


def synthesise_fft(y: Float[Tensor, "b c r *k"], axes: Sequence[Axis]) -> Float[Tensor, "b c *x"]:
    """Values of the real field with coefficients `y`, by FFTs."""
    z = torch.view_as_complex(rearrange(y, "b c r ... -> b c ... r").contiguous())
    for i, axis in enumerate(axes[:-1]):
        shape = list(z.shape)
        shape[2 + i] = axis.n
        z = z.new_zeros(shape).index_add(2 + i, _positions(axis, y.device), z)
        z = torch.fft.ifft(z, dim=2 + i, norm="forward")
    last = axes[-1]
    # The inverse real FFT counts every mode with its conjugate but k = 0 and n/2; a kept n/2 has a conjugate all the same.
    # Imaginary parts there are no part of a real field; CPU libraries ignore them, others need not.
    z = torch.cat([z[..., :1].real.to(z.dtype), z[..., 1:]], -1)
    if 2 * last.last == last.n and last.n > 0 and last.last > 0:
        z = torch.cat([z[..., :-1], 2 * z[..., -1:].real.to(z.dtype)], -1)
    return torch.fft.irfft(z, n=last.n, norm="forward")


def _count(axis: Axis) -> int:
    return axis.last - axis.first + 1


def _both_nyquists(axis: Axis) -> bool:
    return 2 * axis.last == axis.n and axis.n > 1 and axis.first == -axis.last


@lru_cache(maxsize=128)
def _positions(axis: Axis, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.arange(axis.first, axis.last + 1, device=device) % axis.n


@lru_cache(maxsize=128)
def _nyquist_weight(axis: Axis, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The coefficient of cos(πnx) belongs half to +n/2 and half to −n/2, where both are kept."""
    with torch.inference_mode(False):
        k = torch.arange(axis.first, axis.last + 1)
        halved = (2 * k.abs() == axis.n) & (k != 0) & (axis.half or _both_nyquists(axis))
        return torch.where(halved, 0.5, 1.0).to(dtype).to(device)


def _angles(axis: Axis) -> tuple[Tensor, Tensor]:
    """cos and sin of 2πkj/n as (k, n), in float64; k j is reduced mod n first, so large grids lose no digit."""
    k, j = torch.arange(axis.first, axis.last + 1), torch.arange(axis.n)
    angle = (2 * math.pi / axis.n) * torch.outer(k, j).remainder(axis.n).double()
    return angle.cos(), angle.sin()


@lru_cache(maxsize=128)
def _real_forward(axis: Axis, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "n rk"]:
    with torch.inference_mode(False):
        cos, sin = _angles(axis)
        weight = _nyquist_weight(axis, torch.float64, torch.device("cpu"))[:, None] / axis.n
        return torch.cat([cos * weight, -sin * weight]).T.contiguous().to(dtype).to(device)


@lru_cache(maxsize=128)
def _complex_forward(axis: Axis, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "rk nr"]:
    with torch.inference_mode(False):
        cos, sin = _angles(axis)
        weight = _nyquist_weight(axis, torch.float64, torch.device("cpu"))[:, None] / axis.n
        cos, sin = cos * weight, sin * weight
        block = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)])
        return rearrange(block, "s k n r -> (s k) (n r)").contiguous().to(dtype).to(device)


@lru_cache(maxsize=128)
def _complex_backward(axis: Axis, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "nr rk"]:
    with torch.inference_mode(False):
        cos, sin = _angles(axis)
        block = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
        return rearrange(block, "s r k n -> (n s) (r k)").contiguous().to(dtype).to(device)


@lru_cache(maxsize=128)
def _real_backward(axis: Axis, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "rk n"]:
    with torch.inference_mode(False):
        cos, sin = _angles(axis)
        twice = torch.where(torch.arange(axis.last + 1) == 0, 1.0, 2.0).double()[:, None]
        return torch.cat([cos * twice, -sin * twice]).to(dtype).to(device)
