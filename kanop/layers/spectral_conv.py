"""Convolution by a learnt kernel that is given by a few Fourier modes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Complex, Float
from torch import Tensor, nn

from kanop.layers.dft import (
    Axis,
    Spectrum,
    analyse,
    analyse_fft,
    kept,
    last_axis,
    matrices_are_faster,
    synthesise_fft,
    synthesise_leading,
)
from kanop.layers.fused import SeriesAndSkip
from kanop.layers.pointwise import pointwise
from kanop.layers.tensor_cores import matmul, sum_of_products
from kanop.solvers import KanopError
from kanop.solvers.errors import check, nearest
from kanop.solvers.fft import bounded_plans

__all__ = ["SpectralConv", "set_precision"]

PATHS = ("auto", "fft", "dft")
PRECISIONS = {"full": None, "tf32": None, "bf16": torch.bfloat16, "half": torch.float16}


class SpectralConv(nn.Module):
    r"""v(x) = Σ_{k kept} W_k û_k e^{ik·x} + b: a periodic convolution whose kernel has a few learnt Fourier modes.

    The input is read as the trigonometric series through its values and the output is the value of the resulting
    series on any number of points, so a change of resolution is exact in both directions: modes that the coarser of
    the two grids does not hold take no part, the others are untouched.

    Parameters
    ----------
    in_channels, out_channels : channels before and after
    n_modes : modes kept per axis, counting both signs, as in neuraloperator: `n` keeps −(n//2) … (n−1)//2 on every
        axis but the last, and 0 … n//2 on the last (the negative ones follow from realness). The "16 modes" of the
        FNO paper are n_modes=32 here.
    bias : add a learnt constant per channel (default)
    path : "auto" (default), "fft" or "dft": how the modes are computed. Both are exact; "auto" takes matrices where few
        modes are kept and FFTs where many are.
    precision : "full" (default), that of the weights, or the least one that products may have, backward too; weights
        and results stay as they are. Matrices are multiplied in "tf32" (float32 of which CUDA reads 10 bits of
        mantissa; other devices all), "bf16" or "half"; FFTs are in "half" on CUDA where every axis has a power of two
        points, else in full. "half" ends at 65504, and gradients below 6e-8 vanish in it: scale the loss.

    Shapes
    ------
    weight (*k, in, 2, out), mode by mode, real and imaginary part on the axis of size 2; bias (out,);
    forward (b, in, *x) → (b, out, *y).

    Raises
    ------
    KanopError : n_modes without 1 to 3 positive entries; another number of channels or axes than expected

    References
    ----------
    Li et al. 2021, arXiv 2010.08895, eq. 4-5.

    Examples
    --------
    >>> conv = SpectralConv(1, 2, n_modes=(8, 8))
    >>> conv(torch.randn(3, 1, 16, 17)).shape, conv(torch.randn(3, 1, 16, 16), (24, 33)).shape
    (torch.Size([3, 2, 16, 17]), torch.Size([3, 2, 24, 33]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_modes: Sequence[int],
        bias: bool = True,
        path: str = "auto",
        precision: str = "full",
    ) -> None:
        super().__init__()
        self.n_modes = tuple(int(n) for n in n_modes)
        check(
            1 <= len(self.n_modes) <= 3 and min(self.n_modes) >= 1,
            f"n_modes has one positive number for each of 1 to 3 axes, got {tuple(n_modes)}",
        )
        check(path in PATHS, nearest(path, PATHS, "path"))
        check(precision in PRECISIONS, nearest(precision, PRECISIONS, "precision"))
        self.in_channels, self.out_channels, self.path, self.precision = in_channels, out_channels, path, precision
        modes = (*self.n_modes[:-1], self.n_modes[-1] // 2 + 1)
        std = math.sqrt(2 / (in_channels + out_channels))
        # A complex weight of variance std² has std²/2 in each part.
        self.weight = nn.Parameter(torch.randn(*modes, in_channels, 2, out_channels) * (std / math.sqrt(2)))
        self.bias = nn.Parameter(std * torch.randn(out_channels)) if bias else None

    @property
    def kernel(self) -> Complex[Tensor, "i o *k"]:
        """The kernel's coefficients W_k as one complex array, modes in increasing order (a copy)."""
        w = torch.view_as_complex(rearrange(self.weight, "... i r o -> ... i o r").contiguous())
        return rearrange(w, "... i o -> i o ...")

    @torch.no_grad()
    def set_kernel(self, kernel: Complex[Tensor, "i o *k"]) -> None:
        """Overwrite the coefficients by `kernel`, in the layout of the property `kernel`."""
        w = torch.view_as_real(rearrange(kernel, "i o ... -> ... i o").resolve_conj().contiguous())
        self.weight.copy_(rearrange(w, "... i o r -> ... i r o"))

    def forward(
        self,
        u: Float[Tensor, "b i *x"],
        output_shape: Sequence[int] | None = None,
        skip: Float[Tensor, "o i"] | None = None,
    ) -> Float[Tensor, "b o *y"]:
        """Values of the convolution at `output_shape` points (default: those of the input), plus `skip` · u(x)."""
        self._check(u)
        sizes = tuple(u.shape[2:])
        target = sizes if output_shape is None else tuple(int(n) for n in output_shape)
        check(len(target) == len(sizes), f"output_shape needs {len(sizes)} numbers, got {target}")
        check(skip is None or target == sizes, "a skip adds the input, so output_shape must be its shape")
        into, out = self._axes(sizes, target)
        matrices = matrices_are_faster([*into, *out]) if self.path == "auto" else self.path == "dft"
        dtype = self._dtype(matrices, u.device, [*into, *out])
        with torch.autocast(u.device.type, enabled=False):
            skip = None if skip is None else skip.to(dtype)
            way = self._by_matrices if matrices else self._by_ffts
            return way(u.to(dtype), self.weight.to(dtype), skip, into, out).to(self.weight.dtype)

    def _by_matrices(self, u: Tensor, weight: Tensor, skip: Tensor | None, into: list[Axis], out: list[Axis]) -> Tensor:
        tf32 = self.precision == "tf32"
        re, im = self._mix(*analyse(u, into, tf32), weight, into, tf32)
        rows, table = synthesise_leading(re, im, out, tf32), last_axis(out[-1], u)
        if skip is not None and not tf32:
            return SeriesAndSkip.apply(rows, table, skip, u)
        v = matmul(rows.T, table, tf32).view(len(u), -1, *(axis.n for axis in out))
        return v if skip is None else v + matmul(skip.expand(len(u), -1, -1), u.flatten(2), tf32).view_as(v)

    def _by_ffts(self, u: Tensor, weight: Tensor, skip: Tensor | None, into: list[Axis], out: list[Axis]) -> Tensor:
        with bounded_plans(u.device):
            v = synthesise_fft(*self._mix(*analyse_fft(u, into), weight, into), out)
        return v if skip is None else v + pointwise(skip, u)

    def _axes(self, sizes: tuple[int, ...], target: tuple[int, ...]) -> tuple[list[Axis], list[Axis]]:
        into, out = [], []
        for i, (n, m, count) in enumerate(zip(sizes, target, self.n_modes, strict=True)):
            half = i == len(sizes) - 1
            first, last = kept(count, min(n, m), half)
            into.append(Axis(n, first, last, half))
            out.append(Axis(m, first, last, half))
        return into, out

    def _dtype(self, matrices: bool, device: torch.device, axes: list[Axis]) -> torch.dtype:
        """What the convolution is computed in: matrices in any precision, FFTs where there are some of it."""
        low = PRECISIONS[self.precision]
        there = matrices or (low == torch.float16 and has_half_fft(device, axes))
        return low if low is not None and there else self.weight.dtype

    def _mix(self, re: Tensor, im: Tensor, weight: Tensor, axes: list[Axis], tf32: bool = False) -> Spectrum:
        """W_k û_k for every mode at once, four real matmuls batched over the modes, and the constant b at k = 0."""
        for i, (axis, count) in enumerate(zip(axes, self.n_modes, strict=True)):
            start = axis.first if axis.half else axis.first + count // 2
            weight = weight.narrow(i, start, axis.modes)
        shape = (*re.shape[:-1], self.out_channels)
        re, im = re.flatten(0, -3), im.flatten(0, -3)
        w_re, w_im = weight.flatten(0, -4).unbind(2)
        y_re = sum_of_products(re, w_re, im, w_im, -1, tf32).view(shape)
        y_im = sum_of_products(re, w_im, im, w_re, 1, tf32).view(shape)
        if self.bias is not None:
            zero = tuple(-axis.first for axis in axes)
            y_re[zero].add_(self.bias.to(y_re.dtype))
        return y_re, y_im

    def _check(self, u: Tensor) -> None:
        d = len(self.n_modes)
        if u.ndim != d + 2 or u.shape[1] != self.in_channels:
            raise KanopError(
                f"SpectralConv with n_modes={self.n_modes} expects (b, {self.in_channels}, *x) with {d} axes x, "
                f"got shape {tuple(u.shape)}"
            )

    def extra_repr(self) -> str:
        """Sizes, for `print(model)`."""
        ways = f"path={self.path!r}, precision={self.precision!r}"
        return f"{self.in_channels}, {self.out_channels}, n_modes={self.n_modes}, {ways}"


def set_precision(model: nn.Module, precision: str) -> nn.Module:
    """Let every `SpectralConv` of `model` compute in `precision`, see there; returns `model`.

    Raises
    ------
    KanopError : an unknown precision, or a model without spectral convolutions

    Examples
    --------
    >>> conv = SpectralConv(1, 1, (4,))
    >>> set_precision(torch.nn.Sequential(conv), "bf16")[0] is conv, conv.precision, conv.weight.dtype
    (True, 'bf16', torch.float32)
    """
    check(precision in PRECISIONS, nearest(precision, PRECISIONS, "precision"))
    found = any(isinstance(layer, SpectralConv) for layer in model.modules())
    check(found, f"{type(model).__name__} has no SpectralConv whose precision could be set")
    for layer in model.modules():
        # Operators that hand their precision on keep it, too: a run records theirs.
        if getattr(layer, "precision", None) in PRECISIONS:
            layer.precision = precision  # type: ignore[assignment]
    return model


def has_half_fft(device: torch.device, axes: Sequence[Axis]) -> bool:
    """Whether FFTs of half precision exist: in cuFFT, for powers of two."""
    return device.type == "cuda" and all(axis.n & (axis.n - 1) == 0 for axis in axes)
