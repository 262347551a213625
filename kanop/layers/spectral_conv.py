"""Convolution by a learnt kernel that is given by a few Fourier modes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Complex, Float
from torch import Tensor, nn

from kanop.layers.dft import Axis, analyse, analyse_fft, kept, synthesise, synthesise_fft
from kanop.solvers import KanopError
from kanop.solvers.errors import check, nearest

__all__ = ["SpectralConv"]

PATHS = ("auto", "fft", "dft")


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
    ) -> None:
        super().__init__()
        self.n_modes = tuple(int(n) for n in n_modes)
        check(
            1 <= len(self.n_modes) <= 3 and min(self.n_modes) >= 1,
            f"n_modes has one positive number for each of 1 to 3 axes, got {tuple(n_modes)}",
        )
        check(path in PATHS, nearest(path, PATHS, "path"))
        self.in_channels, self.out_channels, self.path = in_channels, out_channels, path
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
        self, u: Float[Tensor, "b i *x"], output_shape: Sequence[int] | None = None
    ) -> Float[Tensor, "b o *y"]:
        """Values of the convolution at `output_shape` points (default: those of the input)."""
        self._check(u)
        with torch.autocast(u.device.type, enabled=False):
            u = u.to(self.weight.dtype)
            sizes = tuple(u.shape[2:])
            target = sizes if output_shape is None else tuple(int(n) for n in output_shape)
            check(len(target) == len(sizes), f"output_shape needs {len(sizes)} numbers, got {target}")
            into, out = self._axes(sizes, target)
            fast = self._takes_matrices(into, out)
            coefficients = (analyse if fast else analyse_fft)(u, into)
            return (synthesise if fast else synthesise_fft)(self._mix(coefficients, into), out)

    def _axes(self, sizes: tuple[int, ...], target: tuple[int, ...]) -> tuple[list[Axis], list[Axis]]:
        into, out = [], []
        for i, (n, m, count) in enumerate(zip(sizes, target, self.n_modes, strict=True)):
            half = i == len(sizes) - 1
            first, last = kept(count, min(n, m), half)
            into.append(Axis(n, first, last, half))
            out.append(Axis(m, first, last, half))
        return into, out

    def _takes_matrices(self, into: list[Axis], out: list[Axis]) -> bool:
        if self.path != "auto":
            return self.path == "dft"
        # A line costs about n·m by matrix and n·log n, at a fraction of the speed, by FFT.
        return all((a.last - a.first + 1) <= max(16, a.n // (4 if a.half else 2)) for a in (*into, *out))

    def _mix(self, u_hat: Float[Tensor, "b i r *k"], axes: list[Axis]) -> Float[Tensor, "b o r *k"]:
        """W_k û_k for every mode at once: one real batched matmul over the modes, and the constant b at k = 0."""
        weight = self.weight
        for i, (axis, count) in enumerate(zip(axes, self.n_modes, strict=True)):
            start = axis.first if axis.half else axis.first + count // 2
            weight = weight.narrow(i, start, axis.last - axis.first + 1)
        b, modes = u_hat.shape[0], u_hat.shape[3:]
        a = rearrange(u_hat, "b i r ... -> (...) (r b) i")
        p = torch.bmm(a, weight.reshape(len(a), self.in_channels, -1))
        p = rearrange(p, "k (s b) (r o) -> k s b r o", s=2, r=2)
        y = torch.stack([p[:, 0, :, 0] - p[:, 1, :, 1], p[:, 0, :, 1] + p[:, 1, :, 0]])
        y = y.reshape(2, *modes, b, self.out_channels)
        if self.bias is not None:
            zero = tuple(-axis.first for axis in axes)
            y[(0, *zero)].add_(self.bias)
        return rearrange(y, "r ... b o -> b o r ...")

    def _check(self, u: Tensor) -> None:
        d = len(self.n_modes)
        if u.ndim != d + 2 or u.shape[1] != self.in_channels:
            raise KanopError(
                f"SpectralConv with n_modes={self.n_modes} expects (b, {self.in_channels}, *x) with {d} axes x, "
                f"got shape {tuple(u.shape)}"
            )

    def extra_repr(self) -> str:
        """Sizes, for `print(model)`."""
        return f"{self.in_channels}, {self.out_channels}, n_modes={self.n_modes}, path={self.path!r}"
