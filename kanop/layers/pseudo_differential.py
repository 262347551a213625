"""Pseudo-differential operators whose symbols are sums of products of KANs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Basis
from kanop.layers.kan_multiplier import KANMultiplier
from kanop.layers.position_kan import PositionKAN
from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["PseudoDifferential"]

# How far the functions of x lie from 1 at the start, where the layer is nearly a multiplier.
SPREAD = 0.3


class PseudoDifferential(nn.Module):
    r"""v(x) = Σ_k p(x, k) û_k e^{ik·x} + b,  p_oc(x, k) = Σ_{r≤rank} f_ro(x) g_roc(k):  f and g KANs.

    Takes products with functions of x as well as derivatives and convolutions: −∂² + V(x) has f = (1, V) and
    g = (k², 1). The cost is one transform of the input, `rank` multiplications and back transforms, and as many
    products in space.

    Parameters
    ----------
    in_channels, out_channels : channels before and after
    grid : the box: lengths, origin and boundaries (its resolution does not matter)
    basis : univariate functions of the KANs
    rank : number of terms, at least 1
    symbol, wavenumbers : what g is a function of, and its range (see `KANMultiplier`)
    bias : add a learnt constant per channel (default)

    Shapes
    ------
    forward (b, in, *x) → (b, out, *x), on the grid that is given along: this box, or one with a strip behind its walls

    Raises
    ------
    KanopError : a rank below 1; what `KANMultiplier` refuses

    References
    ----------
    Lee et al. 2025 (KANO), arXiv 2509.16825.

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> box = Grid((16,))
    >>> PseudoDifferential(1, 2, box, Chebyshev(4), rank=3)(torch.randn(5, 1, 16), box).shape
    torch.Size([5, 2, 16])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: Grid,
        basis: Basis,
        rank: int = 4,
        symbol: str = "additive",
        wavenumbers: Sequence[float] = (math.inf, 32 * math.pi),
        bias: bool = True,
    ) -> None:
        super().__init__()
        check(rank >= 1, f"a symbol is a sum of at least one product, got rank={rank}")
        self.rank, count = rank, rank * out_channels
        self.frequency = KANMultiplier(in_channels, count, grid.ndim, basis, symbol, wavenumbers, bias=False)
        self.position = PositionKAN(grid, count, basis, mean=1.0, spread=SPREAD)
        std = math.sqrt(2 / (in_channels + out_channels))
        self.bias = nn.Parameter(std * torch.randn(out_channels)) if bias else None

    def forward(self, u: Float[Tensor, "b i *x"], grid: Grid) -> Float[Tensor, "b o *x"]:
        """Apply the operator to the series of `u` on `grid`."""
        w = self.frequency(u, grid)
        terms = w * self.position(grid)
        v = rearrange(terms, "b (r o) ... -> b r o ...", r=self.rank).sum(1)
        return v if self.bias is None else v + self.bias.view(-1, *[1] * grid.ndim)
