"""Integral operators of short reach, on grids and on scattered points."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan import KAN, Basis
from kanop.layers.neighbours import neighbours
from kanop.layers.position_kan import PositionKAN
from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["LocalIntegral"]

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class LocalIntegral(nn.Module):
    r"""v(x) = ρ^{−d} ∫_{|x−y|<ρ} κ(x, y) u(y) dy,  κ_oi(x, y) = ω(|x−y|/ρ) Σ_s W_soi a_s(x) ψ_s(x − y):  ψ and a KANs.

    ω(s) = exp(−s²/(1 − s²)) takes the kernel to zero smoothly, so that the sum over the points of a periodic grid
    converges faster than any power of the spacing. Without a, the kernel depends on x − y alone.

    Parameters
    ----------
    in_channels, out_channels : i and o
    grid : the box (its resolution does not matter): on periodic axes points are near each other across the seam
    basis : univariate functions of ψ and a; ψ is a sum of functions of each component of x − y and of |x − y|²,
        whose smoothness at x = y it keeps
    radius : ρ, in the unit of length of the grid; at most half of a periodic side
    functions : number of terms s, at least 1 (default 8)
    variable : κ(x, y) (True), or κ(x − y) (default)

    Shapes
    ------
    weight (o, i, s); forward (b, i, *x) → (b, o, *x) on a grid over the box; on_points: any points

    Raises
    ------
    KanopError : a radius out of range, or shorter than the spacing of the grid; a point without neighbours

    References
    ----------
    Li et al. 2020 (graph kernel network), arXiv 2003.03485; Liu-Schiaffini et al. 2024, arXiv 2402.16845.

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> layer = LocalIntegral(1, 2, Grid((16,)), Chebyshev(4), radius=0.2)
    >>> layer(torch.randn(3, 1, 32), Grid((32,))).shape
    torch.Size([3, 2, 32])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: Grid,
        basis: Basis,
        radius: float,
        functions: int = 8,
        variable: bool = False,
    ) -> None:
        super().__init__()
        check(functions >= 1, f"a kernel is a sum of at least one function, got functions={functions}")
        sides = [length for length, kind in zip(grid.lengths, grid.boundaries, strict=True) if kind == "periodic"]
        limit = min(sides, default=math.inf) / 2
        check(0 < radius <= limit, f"radius is positive and at most half of a periodic side, {limit:g}; got {radius:g}")
        self.in_channels, self.out_channels, self.functions, self.radius = in_channels, out_channels, functions, radius
        self.box = grid
        self.kan = KAN([1 if grid.ndim == 1 else grid.ndim + 1, functions], basis, base=False)
        self.position = PositionKAN(grid, functions, basis, mean=1.0, spread=0.3) if variable else None
        std = math.sqrt(2 / (in_channels + out_channels) / functions)
        self.weight = nn.Parameter(std * torch.randn(out_channels, in_channels, functions))

    def kernel(self, z: Float[Tensor, "*n d"]) -> Float[Tensor, "*n s"]:
        """ρ^{−d} ω ψ_s at the displacements z = x − y; zero from the radius on."""
        s = torch.linalg.vector_norm(z, dim=-1, keepdim=True) / self.radius
        inside = s < 1
        s = torch.where(inside, s, 0)
        window = torch.where(inside, torch.exp(-s.square() / (1 - s.square())), 0)
        t = z * (2 / self.radius)
        features = t if z.shape[-1] == 1 else torch.cat([t, 4 * s.square() - 2], -1)
        return self.kan(features) * window / self.radius ** z.shape[-1]

    def forward(self, u: Float[Tensor, "b i *x"], grid: Grid) -> Float[Tensor, "b o *x"]:
        """Apply the integral to a field on `grid`: a convolution with the kernel at the offsets within the radius."""
        check(
            u.shape[1] == self.in_channels and tuple(u.shape[2:]) == grid.shape,
            f"LocalIntegral expects (b, {self.in_channels}, *{grid.shape}), got shape {tuple(u.shape)}",
        )
        reach = self._reach(grid)
        offsets = [
            h * torch.arange(-r, r + 1, dtype=u.dtype, device=u.device)
            for r, h in zip(reach, grid.spacing, strict=True)
        ]
        # A convolution of torch reads u(x + m), hence y = x + m and x − y = −m.
        z = -torch.stack(torch.meshgrid(*offsets, indexing="ij"), -1)
        stencil = self.kernel(z).movedim(-1, 0) * math.prod(grid.spacing)
        groups = stencil.unsqueeze(1).repeat(self.in_channels, *[1] * (grid.ndim + 1))
        for axis, (r, kind) in enumerate(zip(reach, self.box.boundaries, strict=True)):
            pads = [0, 0] * (grid.ndim - 1 - axis) + [r, r] + [0, 0] * axis
            u = F.pad(u, pads, mode="circular" if kind == "periodic" else "constant")
        w = CONVOLUTIONS[grid.ndim](u, groups, groups=self.in_channels)
        w = w.unflatten(1, (self.in_channels, self.functions))
        if self.position is not None:
            w = w * self.position(grid)
        return torch.einsum("bis...,ois->bo...", w, self.weight)

    def on_points(
        self,
        u: Float[Tensor, "b i n"],
        points: Float[Tensor, "n d"],
        weights: Float[Tensor, " n"],
        queries: Float[Tensor, "m d"],
    ) -> Float[Tensor, "b o m"]:
        """The same on scattered points of the box with quadrature weights (an area each), at any queries."""
        pairs = neighbours(points, queries, self.radius, self.box)
        kernel = self.kernel(pairs.z) * weights[pairs.of, None]
        near = u.flatten(0, 1).T[pairs.of]
        # One function at a time: all at once would hold a field of (pairs, channels, functions).
        sums = [near.new_zeros(len(queries), near.shape[1]).index_add(0, pairs.to, k[:, None] * near) for k in kernel.T]
        w = torch.stack(sums, -1).unflatten(1, (len(u), self.in_channels))
        if self.position is not None:
            w = w * self.position.at(queries)[:, None, None]
        return torch.einsum("mbis,ois->bom", w, self.weight)

    def _reach(self, grid: Grid) -> list[int]:
        """Points within the radius along each axis."""
        check(
            self.radius >= max(grid.spacing),
            f"points have no neighbour within radius {self.radius:g} on a grid of spacing {max(grid.spacing):.4g}; "
            f"take a finer grid, or a radius of several spacings",
        )
        return [math.floor(self.radius / h) for h in grid.spacing]
