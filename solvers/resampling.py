"""Resizing one axis of a spectrum, so that a band-limited field stays the same function."""

from __future__ import annotations

from jaxtyping import Inexact
from torch import Tensor

__all__ = ["resize_spectrum"]


def resize_spectrum(
    u_hat: Inexact[Tensor, "..."], axis: int, n: int, m: int, kind: str, half: bool
) -> Inexact[Tensor, "..."]:
    """Coefficients for n points along `axis` → coefficients for m points."""
    if n == m:
        return u_hat
    if kind != "periodic":
        return _fit(u_hat, axis, m, slice(0, min(n, m)))
    low = min(n, m)
    if half:
        out = _fit(u_hat, axis, m // 2 + 1, slice(0, low // 2 + 1))
        if low % 2 == 0:
            # One stored Nyquist coefficient stands for cos(πnx) alone; off its own grid it is half of each of ±n/2.
            out.select(axis, low // 2).mul_(0.5 if m > n else 2.0)
        return out
    shape = list(u_hat.shape)
    shape[axis] = m
    out = u_hat.new_zeros(shape)
    positive, negative = (low + 1) // 2, (low - 1) // 2
    out.narrow(axis, 0, positive).copy_(u_hat.narrow(axis, 0, positive))
    if negative:
        out.narrow(axis, m - negative, negative).copy_(u_hat.narrow(axis, n - negative, negative))
    if low % 2 == 0:
        if m > n:
            nyquist = 0.5 * u_hat.select(axis, n // 2)
            out.select(axis, n // 2).copy_(nyquist)
            out.select(axis, m - n // 2).copy_(nyquist)
        else:
            out.select(axis, m // 2).copy_(u_hat.select(axis, m // 2) + u_hat.select(axis, n - m // 2))
    return out


def _fit(u_hat: Tensor, axis: int, size: int, keep: slice) -> Tensor:
    shape = list(u_hat.shape)
    shape[axis] = size
    out = u_hat.new_zeros(shape)
    out.narrow(axis, 0, keep.stop).copy_(u_hat.narrow(axis, 0, keep.stop))
    return out
