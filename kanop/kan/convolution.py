"""Convolutions whose kernel entries are learnt functions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan.basis import Basis
from kanop.kan.input_map import InputMap
from kanop.kan.linear import SILU, SILU_MEAN
from kanop.solvers.errors import check, nearest

__all__ = ["KANConv1d", "KANConv2d", "KANConv3d"]

PADDINGS = {"periodic": "circular", "zeros": "constant"}
CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class _KANConv(nn.Module, ABC):
    r"""v_o(x) = Σ_i Σ_y φ_oiy(u_i(s x + y)) + b_o: one convolution over the functions of every channel.

    φ_oiy(u) = Σ_m c_omiy B_m(u) + w_oiy σ(u), σ = SiLU, is a learnt function for every pair of channels and every
    point y of the kernel. With a kernel of one point this is `KANLinear` at every point.

    Parameters
    ----------
    in_channels, out_channels : i and o, at least 1
    basis : the functions B_m; a bounded one takes inputs from −2 to 2, so fields are best of mean 0 and variance 1
    kernel_size : points of the kernel per axis, at least 1 (default 3); an even one reaches farther to the right
    stride : s ≥ 1, per axis (default 1); an axis of n points gives ⌈n/s⌉
    padding : per axis, "periodic" (default) or "zeros": behind a wall the functions, not the field, are zero
    base : add the branch w σ(u) (default)
    bias : add b (default)

    Shapes
    ------
    weight (o, K, i, *kernel), base_weight (o, i, *kernel), bias (o,); forward (b, i, *x) → (b, o, *y)

    Raises
    ------
    KanopError : sizes below 1, an unknown padding, an input with other channels or axes, or shorter than the kernel

    Notes
    -----
    At the start outputs have mean 0 and variance 1 for independent normal inputs of mean 0 and variance 1. With
    periodic padding and stride 1 the layer commutes with shifts.

    Reference: Bodner et al. 2024, arXiv 2406.13155; Drokin 2024, arXiv 2407.01092.
    """

    @property
    @abstractmethod
    def ndim(self) -> int:
        """Number of axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        basis: Basis,
        kernel_size: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        padding: str | Sequence[str] = "periodic",
        base: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check(min(in_channels, out_channels) >= 1, f"channels are at least 1, got {in_channels} and {out_channels}")
        self.in_channels, self.out_channels, self.basis, self.base = in_channels, out_channels, basis, base
        self.has_bias = bias
        self.kernel_size, self.stride = (
            self._per_axis(n, what) for n, what in ((kernel_size, "kernel_size"), (stride, "stride"))
        )
        self.padding = (padding,) * self.ndim if isinstance(padding, str) else tuple(padding)
        check(len(self.padding) == self.ndim, f"padding has one word an axis, got {self.padding}")
        for word in self.padding:
            check(word in PADDINGS, nearest(word, PADDINGS, "padding"))
        self.map = InputMap(in_channels, basis)
        self._start()

    def _start(self) -> None:
        """Every function at every point of the kernel gets the same share of the variance; the bias takes the mean."""
        c, o, kernel = self.in_channels, self.out_channels, self.kernel_size
        mean, square = self.basis.moments
        shares = c * math.prod(kernel) * (self.basis.size + self.base)
        spread = (square - mean.square() if self.has_bias else square).mean()
        self.weight = nn.Parameter(torch.randn(o, self.basis.size, c, *kernel) / math.sqrt(shares * spread))
        offset = -self.weight.detach().flatten(2).sum(-1).double() @ mean
        self.base_weight = None
        if self.base:
            spread = SILU - SILU_MEAN**2 if self.has_bias else SILU
            self.base_weight = nn.Parameter(torch.randn(o, c, *kernel) / math.sqrt(shares * spread))
            offset = offset - SILU_MEAN * self.base_weight.detach().flatten(1).sum(-1)
        self.bias = nn.Parameter(offset.to(self.weight.dtype)) if self.has_bias else None

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *y"]:
        """Apply the layer."""
        self._check(u)
        t = self.map(u.movedim(1, -1)).movedim(-1, 1) if self.basis.bounded else u
        # Functions in full precision, the convolution in that of the weights or of autocast.
        t = t.float() if t.dtype in (torch.bfloat16, torch.float16) else t
        functions = self.basis.expand(t.flatten(2)).flatten(1, 2).unflatten(-1, u.shape[2:]).to(self.weight.dtype)
        weight = self.weight.transpose(1, 2).flatten(1, 2)
        if self.base_weight is not None:
            functions = torch.cat([functions, F.silu(u).to(functions.dtype)], 1)
            weight = torch.cat([weight, self.base_weight], 1)
        return CONVOLUTIONS[self.ndim](self._pad(functions), weight, self.bias, self.stride)

    def _pad(self, values: Tensor) -> Tensor:
        for axis, (k, word) in enumerate(zip(self.kernel_size, self.padding, strict=True)):
            if k > 1:
                pads = [0] * (2 * self.ndim)
                # F.pad counts axes from the last.
                pads[2 * (self.ndim - 1 - axis)], pads[2 * (self.ndim - 1 - axis) + 1] = (k - 1) // 2, k // 2
                values = F.pad(values, pads, mode=PADDINGS[word])
        return values

    def _per_axis(self, n: int | Sequence[int], what: str) -> tuple[int, ...]:
        numbers = (n,) * self.ndim if isinstance(n, int) else tuple(n)
        check(
            len(numbers) == self.ndim and min(numbers) >= 1,
            f"{what} is one number or {self.ndim} of them, at least 1, got {n}",
        )
        return numbers

    def _check(self, u: Tensor) -> None:
        fits = u.ndim == self.ndim + 2 and u.shape[1] == self.in_channels
        check(
            fits and all(n >= k for n, k in zip(u.shape[2:], self.kernel_size, strict=True)),
            f"{type(self).__name__} expects (b, {self.in_channels}, *x) with {self.ndim} axes x not shorter than the "
            f"kernel {self.kernel_size}, got shape {tuple(u.shape)}",
        )


class KANConv1d(_KANConv):
    __doc__ = f"""{_KANConv.__doc__}
    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> KANConv1d(2, 3, Chebyshev(4), stride=2)(torch.zeros(1, 2, 9)).shape
    torch.Size([1, 3, 5])
    """

    ndim = 1


class KANConv2d(_KANConv):
    __doc__ = f"""{_KANConv.__doc__}
    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> KANConv2d(2, 3, Chebyshev(4), padding=("periodic", "zeros"))(torch.zeros(1, 2, 8, 6)).shape
    torch.Size([1, 3, 8, 6])
    """

    ndim = 2


class KANConv3d(_KANConv):
    __doc__ = f"""{_KANConv.__doc__}
    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> KANConv3d(1, 2, Chebyshev(4), kernel_size=(3, 3, 1))(torch.zeros(1, 1, 4, 4, 4)).shape
    torch.Size([1, 2, 4, 4, 4])
    """

    ndim = 3
