"""Convolution by kernels that live on the axes: one short table of modes an axis."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from kanop.layers.spectral_conv import SpectralConv
from kanop.solvers import KanopError

__all__ = ["FactorisedConv"]


class FactorisedConv(nn.Module):
    r"""v = Σ_i F_i⁻¹ R_i F_i u: the sum over the axes i of periodic convolutions along i alone.

    The multiplier of a mode k is Σ_i R_i(k_i), with Σ_i m_i tables of weights instead of Π_i m_i. Exact under change of
    resolution as `SpectralConv` is.

    Parameters
    ----------
    in_channels, out_channels : channels before and after
    n_modes : modes kept per axis, counting both signs (1 to 3 positive numbers)

    Shapes
    ------
    forward (b, in, *x) → (b, out, *x)

    Raises
    ------
    KanopError : n_modes without 1 to 3 positive entries; another number of channels or axes than expected

    References
    ----------
    Tran et al. 2023, arXiv 2111.13802, eq. 5.

    Examples
    --------
    >>> import torch
    >>> FactorisedConv(1, 2, n_modes=(8, 6))(torch.randn(3, 1, 16, 17)).shape
    torch.Size([3, 2, 16, 17])
    """

    def __init__(self, in_channels: int, out_channels: int, n_modes: Sequence[int]) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.n_modes = tuple(int(n) for n in n_modes)
        self.axes = nn.ModuleList(SpectralConv(in_channels, out_channels, (n,), bias=False) for n in self.n_modes)

    def forward(self, u: Float[Tensor, "b i *x"]) -> Float[Tensor, "b o *x"]:
        """Sum the convolutions of all axes."""
        d = len(self.n_modes)
        if u.ndim != d + 2 or u.shape[1] != self.in_channels:
            raise KanopError(
                f"FactorisedConv with n_modes={self.n_modes} expects (b, {self.in_channels}, *x) with {d} axes x, "
                f"got shape {tuple(u.shape)}"
            )
        out = [self._along(i, u) for i in range(d)]
        return sum(out[1:], start=out[0])

    def _along(self, i: int, u: Tensor) -> Tensor:
        lines = u.movedim((1, 2 + i), (-2, -1))
        v = self.axes[i](lines.flatten(0, -3)).unflatten(0, lines.shape[:-2])
        return v.movedim((-2, -1), (1, 2 + i))
