"""The U-Net: convolutions on a ladder of grids, each half as fine as the one above."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.layers import GridConv, Pointwise
from kanop.operators.fno import Lifting
from kanop.operators.inputs import check_input
from kanop.solvers import FieldSpec
from kanop.solvers.errors import check

__all__ = ["UNet"]


class UNet(nn.Module):
    r"""G = Q ∘ U_0 ∘ P,  U_l(v) = B([R(v), ↑ U_{l+1}(↓ R(v))]),  U_L = R: residual convolutions R, B on L + 1 grids.

    ↓ takes the mean of pairs and doubles the channels by a convolution, ↑ repeats each point and halves them by one.
    R(v) = v + A₂ σ(N A₁ σ(N v)) with convolutions A, group normalisation N over the whole grid and σ = GELU.

    Parameters
    ----------
    spec : the map to learn; gives channels, number of axes and boundaries (periodic axes wrap around; beyond walls
        features are mirrored for Neumann, zero for Dirichlet, axis by axis)
    hidden_channels : width on the finest grid (≥ 2, default 32); level l has 2^l times as many
    n_levels : L, how often the grid is halved (default 3)
    kernel : points of a kernel per axis, odd (default 3)
    position : append the coordinates in [0, 1) to the input (default False). Without them, the operator commutes with
        shifts by 2^L points along periodic axes whose number of points 2^L divides.

    Shapes
    ------
    forward (b, c_in, *x) → (b, c_out, *x). Any size is taken: an axis of n points has ⌈n/2⌉ a level below. The kernels
    live on grid points: what was learnt at one resolution holds at that resolution.

    Raises
    ------
    KanopError : sizes that are too small, an even kernel; an input with other channels or axes

    References
    ----------
    Ronneberger et al. 2015, arXiv 1505.04597; Gupta & Brandstetter 2022, arXiv 2209.15616 (residual blocks, as a
    baseline for PDEs).

    Examples
    --------
    >>> from kanop.solvers import FieldSpec, Grid
    >>> model = UNet(FieldSpec(Grid((32, 21)), ["u"]), hidden_channels=8)
    >>> model(torch.randn(2, 1, 32, 21)).shape
    torch.Size([2, 1, 32, 21])
    """

    def __init__(
        self,
        spec: FieldSpec,
        hidden_channels: int = 32,
        n_levels: int = 3,
        kernel: int = 3,
        position: bool = False,
    ) -> None:
        super().__init__()
        check(hidden_channels >= 2, f"hidden_channels is at least 2, got {hidden_channels}")
        check(n_levels >= 1, f"n_levels is at least 1, got {n_levels}")
        self.spec, self.hidden_channels, self.n_levels = spec, hidden_channels, n_levels
        self.kernel, self.position = kernel, position
        c, kinds = hidden_channels, spec.box.boundaries
        self.lifting = Lifting(spec, 2 * c, c, position)
        widths = [c * 2**level for level in range(n_levels + 1)]
        pairs = list(pairwise(widths))
        self.before = nn.ModuleList(ResidualConvs(w, w, kinds, kernel) for w in widths)
        self.down = nn.ModuleList(GridConv(fine, coarse, kinds, kernel) for fine, coarse in pairs)
        self.up = nn.ModuleList(GridConv(coarse, fine, kinds, kernel) for fine, coarse in pairs)
        self.after = nn.ModuleList(ResidualConvs(2 * w, w, kinds, kernel) for w in widths[:-1])
        self.projection = nn.ModuleList([Pointwise(c, 2 * c), Pointwise(2 * c, spec.out_channels)])

    @property
    def shift_equivariance(self) -> int:
        """Commutes with shifts by multiples of so many points on periodic axes; 0: with none."""
        return 0 if self.position else 2**self.n_levels

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the operator to a batch of inputs."""
        check_input(u, self.spec, "UNet")
        v, kept = self.lifting(u), []
        for before, down in zip(self.before, self.down, strict=False):
            kept.append(before(v))
            v = down(_halve(kept[-1]))
        v = self.before[-1](v)
        for level in reversed(range(self.n_levels)):
            fine = _double(v, kept[level].shape[2:])
            v = self.after[level](torch.cat([kept[level], self.up[level](fine)], 1))
        return self.projection[1](F.gelu(self.projection[0](v)))


class ResidualConvs(nn.Module):
    """R(v) = S v + A₂ σ(N A₁ σ(N v)); S is the identity, or pointwise where the channels change."""

    def __init__(self, in_channels: int, out_channels: int, boundaries: Sequence[str], kernel: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(_groups(c), c) for c in (in_channels, out_channels))
        self.convs = nn.ModuleList(GridConv(c, out_channels, boundaries, kernel) for c in (in_channels, out_channels))
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else Pointwise(in_channels, out_channels)

    def forward(self, v: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Apply the block."""
        w = v
        for norm, conv in zip(self.norms, self.convs, strict=True):
            w = conv(F.gelu(norm(w)))
        return self.shortcut(v) + w


def _groups(channels: int) -> int:
    """Groups of 8 channels: one channel alone would lose its mean, and with it the level of the field."""
    return channels // 8 if channels % 8 == 0 else 1


def _halve(v: Tensor) -> Tensor:
    """Means of pairs of points along every axis; the last of an odd number stands for itself."""
    for axis in range(2, v.ndim):
        if v.shape[axis] % 2:
            v = torch.cat([v, v.narrow(axis, -1, 1)], axis)
        v = v.unflatten(axis, (-1, 2)).mean(axis + 1)
    return v


def _double(v: Tensor, sizes: Sequence[int]) -> Tensor:
    for axis, n in enumerate(sizes, start=2):
        v = v.repeat_interleave(2, dim=axis).narrow(axis, 0, n)
    return v
