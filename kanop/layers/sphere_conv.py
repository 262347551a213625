"""Convolutions with zonal kernels on the sphere: one matrix for each degree."""

from __future__ import annotations

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from kanop.kan import Basis, KANLinear
from kanop.solvers.errors import check

__all__ = ["DegreeFilter"]


class DegreeFilter(nn.Module):
    r"""v̂_lm = W_l û_lm with a real matrix W_l for each degree l: a convolution with kernels of the angle alone.

    It commutes with every rotation of the sphere. (With complex W_l, as published, real fields would keep that for
    rotations about the axis only: v̂_l,−m would be conj(W_l) û_l,−m.) W is a table, or a KAN of log(1 + l).

    Parameters
    ----------
    in_channels, out_channels : channels before and after, at least 1
    degree : L ≥ 0, the largest degree that passes
    basis : univariate functions of the KAN; None (default): a table of L + 1 matrices

    Shapes
    ------
    forward (b, in, l, m) → (b, out, l, m) for coefficients of degrees up to L or fewer

    Raises
    ------
    KanopError : sizes below 1; coefficients of more degrees

    References
    ----------
    Driscoll and Healy 1994, doi:10.1006/aama.1994.1008, theorem 1; Bonev et al. 2023, arXiv:2306.03838.

    Examples
    --------
    >>> layer = DegreeFilter(2, 3, degree=7)
    >>> layer(torch.zeros(5, 2, 8, 8, dtype=torch.complex64)).shape
    torch.Size([5, 3, 8, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, degree: int, basis: Basis | None = None) -> None:
        super().__init__()
        check(min(in_channels, out_channels) >= 1, f"channels are at least 1, got {in_channels} and {out_channels}")
        check(degree >= 0, f"degrees are at least 0, got {degree}")
        self.in_channels, self.out_channels, self.degree = in_channels, out_channels, degree
        # As much variance out as in.
        std = math.sqrt(1 / in_channels)
        self.table, self.kan = None, None
        if basis is None:
            self.table = nn.Parameter(std * torch.randn(degree + 1, in_channels, out_channels))
        else:
            self.kan = KANLinear(1, in_channels * out_channels, basis, base=False)
            with torch.no_grad():
                for parameter in self.kan.parameters():
                    parameter.mul_(std)

    def matrices(self) -> Float[Tensor, "l i o"]:
        """W_0 … W_L."""
        if self.kan is None:
            return self.table  # type: ignore[return-value]
        weight = self.kan.weight
        l = torch.arange(self.degree + 1, dtype=weight.dtype, device=weight.device)
        # The degrees fill the interval (−2, 2) that a KAN layer is made for, every octave alike.
        t = 4 * torch.log1p(l) / math.log1p(max(1, self.degree)) - 2
        return self.kan(t[:, None]).view(-1, self.in_channels, self.out_channels)

    def forward(self, u_hat: Complex[Tensor, "b i l m"]) -> Complex[Tensor, "b o l m"]:
        """Apply the filter."""
        b, i, l, m = u_hat.shape
        check(
            i == self.in_channels and l <= self.degree + 1,
            f"expected (b, {self.in_channels}, l, m) for degrees up to {self.degree}, got {tuple(u_hat.shape)}",
        )
        matrices = self.matrices()[:l].to(u_hat.real.dtype)
        # (l, b m and its two parts, i)
        rows = torch.view_as_real(u_hat).permute(2, 0, 3, 4, 1).reshape(l, -1, i)
        v = torch.bmm(rows, matrices).view(l, b, m, 2, -1).permute(1, 4, 0, 2, 3)
        return torch.view_as_complex(v.contiguous())
