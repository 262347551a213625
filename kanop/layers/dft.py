r"""Truncated Fourier series of real fields: û_k = (1/N) Σ_x u(x) e^{−ik·x} at the kept k, and back on any grid.

Two exact ways. By FFT: transform an axis, keep its modes, go on. By matrices: an axis is one thin real matmul that
costs O(n m) a line and touches no mode that is dropped. Each matmul takes the last axis off and puts its modes in
front, so spectra come mode by mode, `*k b c`, as the product with the weights needs them, and nothing is permuted.
Real and imaginary parts are two real tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, NamedTuple, TypeVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from kanop.layers.fused import ContiguousGradient
from kanop.layers.tensor_cores import matmul, sum_of_products

__all__ = [
    "Axis",
    "Spectrum",
    "analyse",
    "analyse_fft",
    "kept",
    "last_axis",
    "matrices_are_faster",
    "synthesise_fft",
    "synthesise_leading",
]

Spectrum = tuple[Float[Tensor, "*k b c"], Float[Tensor, "*k b c"]]


class Axis(NamedTuple):
    """The modes first … last (inclusive) of an axis with `n` points; `half` marks the last axis, where k ≥ 0."""

    n: int
    first: int
    last: int
    half: bool

    @property
    def modes(self) -> int:
        """Number of modes."""
        return self.last - self.first + 1

    @property
    def split_nyquist(self) -> bool:
        """Whether both −n/2 and n/2 are kept: then half of the coefficient of cos(πnx) belongs to each.

        On the last axis −n/2 is kept as the conjugate of n/2.
        """
        return self.n > 1 and 2 * self.last == self.n and (self.half or self.first == -self.last)


def kept(n_modes: int, limit: int, half: bool) -> tuple[int, int]:
    """First and last mode of the `n_modes` centred ones that `limit` points can hold, 2|k| ≤ limit.

    A full axis keeps −(n_modes//2) … (n_modes−1)//2, the last axis 0 … n_modes//2.

    >>> kept(6, 64, half=False), kept(6, 64, half=True), kept(6, 4, half=False)
    ((-3, 2), (0, 3), (-2, 2))
    """
    low, high = (0, n_modes // 2) if half else (-(n_modes // 2), (n_modes - 1) // 2)
    return max(low, -(limit // 2)), min(high, limit // 2)


def analyse(u: Float[Tensor, "b c *x"], axes: Sequence[Axis], tf32: bool = False) -> Spectrum:
    """Coefficients of `u` at the kept modes, by matrices; `tf32` lets tensor cores round their entries to 10 bits."""
    b, c = u.shape[:2]
    z = matmul(_forward_last(axes[-1], u.dtype, u.device), u.reshape(-1, axes[-1].n).T, tf32)
    re, im = z.unflatten(0, (2, -1)).unbind()
    for axis in reversed(axes[:-1]):
        cos, sin = _forward(axis, u.dtype, u.device)
        re, im = re.reshape(-1, axis.n).T, im.reshape(-1, axis.n).T
        re, im = sum_of_products(cos, re, sin, im, 1, tf32), sum_of_products(cos, im, sin, re, -1, tf32)
    shape = (*(axis.modes for axis in axes), b, c)
    return re.view(shape), im.view(shape)


def synthesise_leading(re: Tensor, im: Tensor, axes: Sequence[Axis], tf32: bool = False) -> Float[Tensor, "rk rows"]:
    """Undo all axes but the last: coefficients (*k, b, c) → real parts over imaginary parts, rows b c *x."""
    for axis in axes[:-1]:
        cos, sin = _backward(axis, re.dtype, re.device)
        re, im = re.reshape(axis.modes, -1).T, im.reshape(axis.modes, -1).T
        re, im = sum_of_products(re, cos, im, sin, -1, tf32), sum_of_products(im, cos, re, sin, 1, tf32)
    return torch.cat([re.reshape(axes[-1].modes, -1), im.reshape(axes[-1].modes, -1)])


def analyse_fft(u: Float[Tensor, "b c *x"], axes: Sequence[Axis]) -> Spectrum:
    """Coefficients of `u` at the kept modes, by FFTs."""
    z = torch.fft.rfft(u, norm="forward")[..., : axes[-1].modes]
    for i, axis in enumerate(axes[:-1]):
        z = torch.fft.fft(z, dim=2 + i, norm="forward").index_select(2 + i, _positions(axis, u.device))
    for i, axis in enumerate(axes):
        if axis.split_nyquist:
            shape = [-1 if j == i else 1 for j in range(len(axes))]
            z = z * _nyquist_weight(axis).to(u).reshape(shape)
    re, im = torch.view_as_real(rearrange(z, "b c ... -> ... b c")).unbind(-1)
    # Products batched over modes would copy each matrix by itself.
    return re.contiguous(), im.contiguous()


def synthesise_fft(re: Tensor, im: Tensor, axes: Sequence[Axis]) -> Float[Tensor, "b c *x"]:
    """Values of the real field with these coefficients (those of −k are their conjugates), by FFTs."""
    if not torch.compiler.is_compiling():  # a compiler lays gradients out by itself
        re, im = ContiguousGradient.apply(re), ContiguousGradient.apply(im)
    z = rearrange(torch.complex(re, im), "... b c -> b c ...")
    for i, axis in enumerate(axes[:-1]):
        shape = list(z.shape)
        shape[2 + i] = axis.n
        z = z.new_zeros(shape).index_add(2 + i, _positions(axis, re.device), z)
        z = torch.fft.ifft(z, dim=2 + i, norm="forward")
    last = axes[-1]
    # An inverse real FFT counts 0 and n/2 once and reads their real parts only, or should: libraries differ on that.
    # A kept n/2 has its conjugate −n/2, hence counts twice.
    parts = [z[..., :1].real.to(z.dtype), z[..., 1:]]
    if last.split_nyquist:
        parts = [parts[0], z[..., 1:-1], 2 * z[..., -1:].real.to(z.dtype)]
    return torch.fft.irfft(torch.cat(parts, -1), n=last.n, norm="forward")


def matrices_are_faster(axes: Sequence[Axis]) -> bool:
    """A line costs O(n m) by matrix and O(n log n), at a fraction of the arithmetic rate, by FFT.

    Measured on a CPU, forward and backward, in one to three dimensions: they meet at about 48 stored modes of the last
    axis and 64 of another; on short axes, where calls cost more than work, matrices are ahead with all modes.
    """
    return all(a.n <= (256 if a.half else 64) or a.modes <= (48 if a.half else 64) for a in axes)


def last_axis(axis: Axis, like: Tensor) -> Float[Tensor, "rk n"]:
    """The matrix E of the last step of the synthesis: u = Zᵀ E with Z from `synthesise_leading`."""
    return _backward_last(axis, like.dtype, like.device)


Made = TypeVar("Made")


def _table(make: Callable[..., Made]) -> Callable[..., Made]:
    """Keep what `make` returns.

    Tables are made in float64 outside of inference mode (else autograd could never save them) and cast at the end. A
    compiler looks through a cache and would make them anew in every call: to it they are constants. As such it takes
    numbers and gives tuples; of tensors that it gets one by one, only the first.
    """

    @lru_cache(maxsize=128)
    @torch.inference_mode(False)
    def kept(n: int, first: int, last: int, half: bool, *where: Any) -> tuple[Made]:
        return (make(Axis(n, first, last, half), *where),)

    @torch.compiler.assume_constant_result
    def constant(*words: Any) -> tuple[Made]:
        return kept(*words)

    @wraps(make)
    def table(axis: Axis, *where: Any) -> Made:
        return constant(*axis, *where)[0]

    return table


@_table
def _positions(axis: Axis, device: torch.device) -> Tensor:
    return torch.arange(axis.first, axis.last + 1, device=device) % axis.n


@_table
def _nyquist_weight(axis: Axis) -> Float[Tensor, " k"]:
    k = torch.arange(axis.first, axis.last + 1)
    return torch.where((2 * k.abs() == axis.n) & axis.split_nyquist, 0.5, 1.0).double()


def _angles(axis: Axis) -> tuple[Float[Tensor, "k n"], Float[Tensor, "k n"]]:
    """cos and sin of 2πkj/n; k j is reduced mod n first, so that large grids lose no digit."""
    k, j = torch.arange(axis.first, axis.last + 1), torch.arange(axis.n)
    angle = (2 * math.pi / axis.n) * torch.outer(k, j).remainder(axis.n).double()
    return angle.cos(), angle.sin()


@_table
def _forward(axis: Axis, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    weight = _nyquist_weight(axis)[:, None] / axis.n
    cos, sin = ((weight * table).to(device, dtype) for table in _angles(axis))
    return cos, sin


@_table
def _forward_last(axis: Axis, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "rk n"]:
    cos, sin = _forward(axis, torch.float64, torch.device("cpu"))
    return torch.cat([cos, -sin]).to(device, dtype)


@_table
def _backward(axis: Axis, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    cos, sin = (table.to(device, dtype) for table in _angles(axis))
    return cos, sin


@_table
def _backward_last(axis: Axis, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "rk n"]:
    cos, sin = _angles(axis)
    twice = torch.where(torch.arange(axis.modes) == 0, 1.0, 2.0).double()[:, None]
    return torch.cat([twice * cos, -twice * sin]).to(device, dtype)
