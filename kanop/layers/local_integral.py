"""Integral operators of short reach, on grids and on scattered points."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan import KAN, Basis
from kanop.layers.continuation import restrict
from kanop.layers.neighbours import neighbours
from kanop.layers.position_kan import PositionKAN
from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["LocalIntegral"]

CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
# Points of a kernel up to which its own sum beats FFTs, measured on CPU.
DIRECT = 64


class LocalIntegral(nn.Module):
    r"""v(x) = ρ^{−d} ∫_{|x−y|<ρ} κ(x, y) u(y) dy,  κ(x, y) = ω(|x−y|/ρ) Σ_qs a_q(x) W_qs ψ_s(x − y):  a and ψ KANs.

    ω(s) = exp(−s²/(1 − s²)) takes the kernel to zero smoothly, so that the sum over the points of a periodic grid
    converges faster than any power of the spacing. Without a, the kernel depends on x − y alone.

    Parameters
    ----------
    in_channels, out_channels : i and o
    grid : the box (its resolution does not matter): on periodic axes points are near each other across the seam
    basis : univariate functions of ψ and a; ψ is a sum of functions of each component of x − y and of |x − y|²,
        whose smoothness at x = y it keeps
    radius : ρ, in the unit of length of the grid; at most half of a periodic side
    functions : number of ψ, at least 1 (default 8)
    variable : number of a, for a kernel κ(x, y); 0 (default): κ(x − y)

    Shapes
    ------
    weight (q, o, i, s); forward (b, i, *x) → (b, o, *x) on a grid over the box; on_points: any points

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
        variable: int = 0,
    ) -> None:
        super().__init__()
        check(functions >= 1, f"a kernel is a sum of at least one function, got functions={functions}")
        check(variable >= 0, f"variable counts functions of x, so it is at least 0, got {variable}")
        sides = [length for length, kind in zip(grid.lengths, grid.boundaries, strict=True) if kind == "periodic"]
        limit = min(sides, default=math.inf) / 2
        check(0 < radius <= limit, f"radius is positive and at most half of a periodic side, {limit:g}; got {radius:g}")
        self.in_channels, self.out_channels, self.radius, self.box = in_channels, out_channels, radius, grid
        self.kan = KAN([1 if grid.ndim == 1 else grid.ndim + 1, functions], basis, base=False)
        self.position = PositionKAN(grid, variable, basis) if variable else None
        terms = max(1, variable)
        std = math.sqrt(2 / (in_channels + out_channels) / (functions * terms))
        self.weight = nn.Parameter(std * torch.randn(terms, out_channels, in_channels, functions))

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
        z = torch.stack(torch.meshgrid(*offsets, indexing="ij"), -1)
        stencil = self.kernel(z).movedim(-1, 0) * math.prod(grid.spacing)
        convolve = self._by_sums if stencil[0].numel() <= DIRECT else self._by_fft
        w = convolve(u, stencil, reach).unflatten(1, (-1, self.out_channels))
        return w[:, 0] if self.position is None else (w * self.position(grid)[:, None]).sum(1)

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
        w = torch.einsum("mbis,qois->bqom", w, self.weight)
        return w[:, 0] if self.position is None else (w * self.position.at(queries).T[:, None]).sum(1)

    def _by_sums(self, u: Tensor, stencil: Float[Tensor, "s *r"], reach: Sequence[int]) -> Float[Tensor, "b qo *x"]:
        d = len(reach)
        for axis, (r, kind) in enumerate(zip(reach, self.box.boundaries, strict=True)):
            pads = [0, 0] * (d - 1 - axis) + [r, r] + [0, 0] * axis
            u = F.pad(u, pads, mode="circular" if kind == "periodic" else "constant")
        # A convolution of torch reads u(x + m), hence y = x + m and x − y = −m.
        kernels = torch.einsum("qois,s...->qoi...", self.weight, stencil.flip(list(range(1, d + 1))))
        return CONVOLUTIONS[d](u, kernels.flatten(0, 1))

    def _by_fft(self, u: Tensor, stencil: Float[Tensor, "s *r"], reach: Sequence[int]) -> Float[Tensor, "b qo *x"]:
        sizes = u.shape[2:]
        walls = [kind != "periodic" for kind in self.box.boundaries]
        # Behind a wall there are zeros as far as the kernel reaches, and at least its own length.
        extended = [max(n, r + 1) + r if wall else n for n, r, wall in zip(sizes, reach, walls, strict=True)]
        axes = list(range(-len(sizes), 0))
        room = [n - 2 * r - 1 for n, r in zip(extended, reach, strict=True)]
        psi = F.pad(stencil, [q for extra in reversed(room) for q in (0, extra)]).roll([-r for r in reach], axes)
        psi_hat = torch.fft.rfftn(psi, dim=axes)
        u_hat = torch.fft.rfftn(u, s=extended, dim=axes)
        kernels = torch.einsum("qois,s...->...qoi", self.weight.to(psi_hat.dtype), psi_hat).flatten(-3, -2)
        product = torch.einsum("...oi,bi...->bo...", kernels, u_hat)
        return restrict(torch.fft.irfftn(product, s=extended, dim=axes), sizes)

    def _reach(self, grid: Grid) -> list[int]:
        """Points short of the radius along each axis: on it the kernel is zero, up to the rounding of its spacings."""
        check(
            self.radius >= max(grid.spacing),
            f"points have no neighbour within radius {self.radius:g} on a grid of spacing {max(grid.spacing):.4g}; "
            f"take a finer grid, or a radius of several spacings",
        )
        # A kernel that reaches half way round a circle is zero there: an even circle's far point need not come twice.
        reach = [math.ceil(self.radius / h - 1e-6) - 1 for h in grid.spacing]
        return [
            r if kind != "periodic" else min(r, (n - 1) // 2)
            for r, n, kind in zip(reach, grid.shape, self.box.boundaries, strict=True)
        ]
