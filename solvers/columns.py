"""Transforms of periodic fields whose spectrum is stored on its first columns only: the dropped ones cost nothing.

Of the half axis, the last one, 2/3 is kept for quadratic terms. The complex transforms along the other axes then run
over the kept columns alone; with all columns stored these are the transforms of `Grid`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor

__all__ = ["by_columns", "from_columns", "to_columns"]


def by_columns(u_hat: Shaped[Tensor, "... k"], ndim: int, columns: int) -> Shaped[Tensor, "... m"]:
    """The first `columns` columns, each in one piece of memory: so do FFTs along the other axes leave them.

    Point-wise products of tensors in different orders take several times longer.
    """
    return u_hat[..., :columns].movedim(-1, -ndim).contiguous().movedim(-ndim, -1)


def from_columns(u_hat: Complex[Tensor, "... k"], shape: Sequence[int]) -> Float[Tensor, "... n"]:
    """Values on `shape` points of the series whose coefficients beyond the stored columns are zero."""
    if len(shape) > 1:
        u_hat = torch.fft.ifftn(u_hat, dim=tuple(range(-len(shape), -1)), norm="forward")
    half = shape[-1] // 2 + 1
    if u_hat.shape[-1] < half:
        full = u_hat.new_empty((*u_hat.shape[:-1], half))
        full[..., : u_hat.shape[-1]] = u_hat
        full[..., u_hat.shape[-1] :] = 0
        u_hat = full
    return torch.fft.irfft(u_hat, n=shape[-1], norm="forward")


def to_columns(u: Float[Tensor, "... n"], ndim: int, columns: int) -> Complex[Tensor, "... k"]:
    """The first `columns` columns of the half spectrum of `u` over its last `ndim` axes."""
    u_hat = torch.fft.rfft(u, norm="forward")[..., :columns]
    return torch.fft.fftn(u_hat, dim=tuple(range(-ndim, -1)), norm="forward") if ndim > 1 else u_hat
