"""A Fourier multiplier that is a function of the wave vector, not a table of modes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from einops import rearrange
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan import KAN, Basis, KANLinear
from kanop.layers.continuation import restrict
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
from kanop.layers.mirror import mirror
from kanop.solvers import Grid
from kanop.solvers.errors import check, nearest

__all__ = ["SYMBOLS", "KANMultiplier"]

SYMBOLS = ("isotropic", "additive", "network")
# Where the wavenumbers up to the largest one go: the inputs that a basis is made for.
REACH = 2.0


class KANMultiplier(nn.Module):
    r"""v(x) = Σ_k R(k) û_k e^{ik·x} + b,  R(k) = ½[G(k) + G(−k)] + (i/2)[G(k) − G(−k)],  G a real KAN.

    Every R with R(−k) = conj R(k), which is what maps real fields to real fields, comes from one real G = Re R + Im R.
    k is the physical wave vector (2πm/L), so the layer is the same operator at every resolution and in every box. There
    is no table of modes and, unless `n_modes` is given, no cut-off. A mode at the Nyquist wavenumber of its axis stands
    for both signs and gets their mean.

    Parameters
    ----------
    in_channels, out_channels : channels before and after
    ndim : axes, 1 to 3
    basis : the univariate functions of the KAN
    symbol : what G is a function of. "isotropic": of |k|, so R is real and the layer commutes with rotations;
        "additive" (default): a sum of functions of k_1, …, k_d and |k|; "network": the same through a hidden layer of
        2d + 1 nodes, which can take products
    wavenumbers : (linear, largest) in radians per unit of length. Up to `linear` G sees k in proportion, above it
        log k, so that every octave is resolved alike; math.inf: in proportion everywhere. `largest`, of a component of
        k, goes to the end of the interval (−2, 2) that bases are made for. Default (math.inf, 16 · 2π)
    n_modes : keep |m| ≤ n_modes // 2 of each axis only (counted for a periodic axis, at walls as many wavenumbers);
        default None, all that the grid holds
    bias : add a learnt constant per channel (default)

    Shapes
    ------
    forward (b, in, *x) → (b, out, *x), on the grid that is given along: its Fourier series on periodic axes, sine
    series between Dirichlet and cosine series between Neumann walls

    Raises
    ------
    KanopError : an unknown symbol, wavenumbers that are not positive, other numbers of axes or channels

    References
    ----------
    Xiao et al. 2024 (AM-FNO), NeurIPS; Li et al. 2021 (FNO), arXiv 2010.08895.

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> layer = KANMultiplier(1, 2, 2, Chebyshev(4))
    >>> layer(torch.randn(3, 1, 16, 17), Grid((16, 17))).shape
    torch.Size([3, 2, 16, 17])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        ndim: int,
        basis: Basis,
        symbol: str = "additive",
        wavenumbers: Sequence[float] = (math.inf, 32 * math.pi),
        n_modes: Sequence[int] | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check(symbol in SYMBOLS, nearest(symbol, SYMBOLS, "symbol"))
        check(1 <= ndim <= 3, f"a multiplier has 1 to 3 axes, got ndim={ndim}")
        check(min(in_channels, out_channels) >= 1, f"channels are at least 1, got {in_channels} and {out_channels}")
        check(
            len(wavenumbers) == 2 and min(wavenumbers) > 0 and math.isfinite(wavenumbers[1]),
            f"wavenumbers are (linear, largest), both positive and the second finite, got {tuple(wavenumbers)}",
        )
        check(
            n_modes is None or (len(n_modes) == ndim and min(n_modes) >= 1),
            f"n_modes has one positive number for each of {ndim} axes, or is None, got {n_modes}",
        )
        self.in_channels, self.out_channels, self.ndim, self.symbol = in_channels, out_channels, ndim, symbol
        self.wavenumbers = tuple(wavenumbers)
        self.n_modes = None if n_modes is None else tuple(int(n) for n in n_modes)
        features = 1 if symbol == "isotropic" or ndim == 1 else ndim + 1
        hidden = [2 * ndim + 1] if symbol == "network" else []
        self.kan = KAN([features, *hidden, in_channels * out_channels], basis, base=False, interval=(-REACH, REACH))
        # G² is |R|² on average over ±k, so that the output has the variance that a SpectralConv gives it.
        std = math.sqrt(2 / (in_channels + out_channels))
        with torch.no_grad():
            for parameter in self._last.parameters():
                parameter.mul_(std)
        self.bias = nn.Parameter(std * torch.randn(out_channels)) if bias else None

    def multiplier(self, k: Float[Tensor, "*n d"]) -> Complex[Tensor, "*n i o"]:
        """R at the wave vectors `k`."""
        re, im = self._parts(k)
        return torch.complex(re, torch.zeros_like(re) if im is None else im)

    def forward(self, u: Float[Tensor, "b i *x"], grid: Grid) -> Float[Tensor, "b o *x"]:
        """Apply the multiplier to the series of `u` on `grid`."""
        self._check(u)
        with torch.autocast(u.device.type, enabled=False):
            u, lengths = mirror(u.to(self._last.weight.dtype), grid)
            axes = self._axes(u.shape[2:], grid)
            v = _synthesise(*self._mix(u, axes, lengths), axes)
        v = restrict(v, grid.shape)
        return v if self.bias is None else v + self.bias.view(-1, *[1] * self.ndim)

    def features(self, k: Float[Tensor, "*n d"]) -> Float[Tensor, "*n f"]:
        """What the KAN sees of a wave vector: odd functions of its components, and its length."""
        # The longest wave vector of a cube has √d times its largest component.
        length = torch.linalg.vector_norm(k, dim=-1, keepdim=True) / math.sqrt(self.ndim)
        length = 2 * self._scaled(length) - REACH
        if self.symbol == "isotropic":
            return length
        return self._scaled(k) if self.ndim == 1 else torch.cat([self._scaled(k), length], -1)

    @property
    def _last(self) -> KANLinear:
        return cast(KANLinear, self.kan.layers[-1])

    def _scaled(self, k: Tensor) -> Tensor:
        linear, largest = self.wavenumbers
        if math.isinf(linear):
            return k * (REACH / largest)
        return torch.asinh(k / linear) * (REACH / math.asinh(largest / linear))

    def _parts(self, k: Tensor) -> Spectrum | tuple[Tensor, None]:
        """Real and imaginary part: the even and the odd part of G are those of the last layer's functions, mixed."""
        last, channels = self._last, {"i": self.in_channels, "o": self.out_channels}
        weight, functions = last.weight.flatten(1), self._functions(self.features(k))
        if self.symbol == "isotropic":
            return rearrange(F.linear(functions, weight, last.bias), "... (i o) -> ... i o", **channels), None
        mirrored = self._functions(self.features(-k))
        even, odd = (functions + mirrored) / 2, (functions - mirrored) / 2
        re, im = F.linear(even, weight, last.bias), F.linear(odd, weight)
        return tuple(rearrange(part, "... (i o) -> ... i o", **channels) for part in (re, im))  # type: ignore[return-value]

    def _functions(self, t: Float[Tensor, "*n f"]) -> Float[Tensor, "*n m"]:
        """All functions that the last layer sums."""
        for layer in list(self.kan.layers)[:-1]:
            t = layer(t)
        return self._last.basis.expand(self._last.map(t)).flatten(-2)

    def _mix(self, u: Tensor, axes: list[Axis], lengths: Sequence[float]) -> Spectrum:
        """R(k) û_k for every mode at once, by real matmuls batched over the modes."""
        re, im = (analyse if matrices_are_faster(axes) else analyse_fft)(u, axes)
        shape = (*re.shape[:-1], self.out_channels)
        re, im = re.flatten(0, -3), im.flatten(0, -3)
        r_re, r_im = self._parts(_wave_vectors(axes, lengths, u).flatten(0, -2))
        if r_im is None:
            return torch.bmm(re, r_re).view(shape), torch.bmm(im, r_re).view(shape)
        y_re = torch.bmm(re, r_re).baddbmm_(im, r_im, alpha=-1).view(shape)
        y_im = torch.bmm(re, r_im).baddbmm_(im, r_re).view(shape)
        return y_re, y_im

    def _axes(self, sizes: Sequence[int], grid: Grid) -> list[Axis]:
        axes = []
        for i, (n, kind) in enumerate(zip(sizes, grid.boundaries, strict=True)):
            half = i == self.ndim - 1
            # An odd count keeps −m for every m, and n + 1 modes hold both signs of the Nyquist mode.
            largest = n if self.n_modes is None else self.n_modes[i] // 2 * (1 if kind == "periodic" else 2)
            axes.append(Axis(n, *kept(2 * largest + 1, n, half), half))
        return axes

    def _check(self, u: Tensor) -> None:
        check(
            u.ndim == self.ndim + 2 and u.shape[1] == self.in_channels,
            f"KANMultiplier expects (b, {self.in_channels}, *x) with {self.ndim} axes x, got shape {tuple(u.shape)}",
        )


def _synthesise(re: Tensor, im: Tensor, axes: list[Axis]) -> Float[Tensor, "b c *x"]:
    if not matrices_are_faster(axes):
        return synthesise_fft(re, im, axes)
    rows = synthesise_leading(re, im, axes)
    return (rows.T @ last_axis(axes[-1], re)).view(*re.shape[-2:], *(a.n for a in axes))


def _wave_vectors(axes: Sequence[Axis], lengths: Sequence[float], like: Tensor) -> Float[Tensor, "*k d"]:
    k = [
        torch.arange(a.first, a.last + 1, dtype=like.dtype, device=like.device) * (2 * math.pi / length)
        for a, length in zip(axes, lengths, strict=True)
    ]
    return torch.stack(torch.meshgrid(*k, indexing="ij"), -1)
