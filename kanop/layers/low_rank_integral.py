"""Integral operators whose kernels are sums of products of KANs."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Basis
from kanop.layers.position_kan import PositionKAN
from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["LowRankIntegral"]


class LowRankIntegral(nn.Module):
    r"""v(x) = (1/|Ω|) ∫_Ω κ(x, y) u(y) dy,  κ_oi(x, y) = Σ_{r≤rank} a_r(x) W_roi b_r(y):  a and b KANs.

    Fourier layers are the case of a and b that are waves; here they are learnt, and fit the box. On N points the cost
    is that of N · rank products a channel. The integral is the sum over the grid: exact for periodic band-limited
    integrands, of second order (midpoints) between walls.

    Parameters
    ----------
    in_channels, out_channels : i and o
    grid : the box (its resolution does not matter)
    basis : univariate functions of a and b on axes with walls; periodic axes take sines and cosines
    rank : number of terms, at least 1 (default 16)

    Shapes
    ------
    weight (r, o, i); forward (b, i, *x) → (b, o, *x) on a grid over the box

    Raises
    ------
    KanopError : a rank below 1; a field that is not on the points of the grid, other channels

    References
    ----------
    Kovachki et al. 2023 (low-rank neural operator), arXiv 2108.08481, section 4.2.

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> box = Grid((16,), boundaries="neumann")
    >>> LowRankIntegral(1, 2, box, Chebyshev(4))(torch.randn(3, 1, 16), box).shape
    torch.Size([3, 2, 16])
    """

    def __init__(self, in_channels: int, out_channels: int, grid: Grid, basis: Basis, rank: int = 16) -> None:
        super().__init__()
        check(rank >= 1, f"a kernel is a sum of at least one product, got rank={rank}")
        self.in_channels, self.out_channels, self.rank = in_channels, out_channels, rank
        self.outer, self.inner = (PositionKAN(grid, rank, basis) for _ in range(2))
        std = math.sqrt(2 / (in_channels + out_channels))
        self.weight = nn.Parameter(std * torch.randn(rank, out_channels, in_channels))

    def forward(self, u: Float[Tensor, "b i *x"], grid: Grid) -> Float[Tensor, "b o *x"]:
        """Apply the integral to a field on `grid`."""
        check(
            u.shape[1] == self.in_channels and tuple(u.shape[2:]) == grid.shape,
            f"LowRankIntegral expects (b, {self.in_channels}, *{grid.shape}), got shape {tuple(u.shape)}",
        )
        a, b = self.outer(grid).flatten(1), self.inner(grid).flatten(1)
        weights = u.new_full((), 1 / math.prod(grid.shape))
        return self._apply_factors(u.flatten(2), a, weights * b).unflatten(-1, grid.shape)

    def on_points(
        self,
        u: Float[Tensor, "b i n"],
        points: Float[Tensor, "n d"],
        weights: Float[Tensor, " n"],
        queries: Float[Tensor, "m d"],
    ) -> Float[Tensor, "b o m"]:
        """The same on any points with quadrature weights (that sum up to 1), at any queries; O(n + m)."""
        return self._apply_factors(u, self.outer.at(queries).T, weights * self.inner.at(points).T)

    def _apply_factors(self, u: Tensor, a: Float[Tensor, "r m"], b: Float[Tensor, "r n"]) -> Tensor:
        moments = u @ b.T
        mixed = torch.einsum("bir,roi->bor", moments, self.weight)
        return mixed @ a
