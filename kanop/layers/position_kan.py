"""Learnt functions of the position in a box."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan import Basis, Fourier, KANLinear
from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["PositionKAN"]


class PositionKAN(nn.Module):
    r"""f_j(x) = Π_i φ_ij(x_i): products of learnt functions of each coordinate, a sum of which reaches any function.

    On a grid an axis is evaluated once for its points, so the cost is one multiplication a point and function. A
    function of a periodic coordinate is a Fourier series, periodic by construction; elsewhere [0, L] goes to (−2, 2).

    Parameters
    ----------
    grid : the box: lengths, origin, and which axes are periodic
    size : number of functions, at least 1
    basis : univariate functions on axes with walls; periodic axes take about as many sines and cosines
    mean, spread : the φ are mean + spread · (a random function of variance 1) at the start (default 0 and 1)

    Shapes
    ------
    forward: a grid over the same box (of any resolution, maybe longer) → (size, *x); at: (n, d) → (n, size)

    Raises
    ------
    KanopError : another number of axes

    Examples
    --------
    >>> from kanop.kan import Chebyshev
    >>> box = Grid((8, 8), boundaries=("periodic", "neumann"))
    >>> PositionKAN(box, 3, Chebyshev(4))(box.with_shape((16, 20))).shape
    torch.Size([3, 16, 20])
    """

    def __init__(self, grid: Grid, size: int, basis: Basis, mean: float = 0.0, spread: float = 1.0) -> None:
        super().__init__()
        check(size >= 1, f"a PositionKAN has at least one function, got size={size}")
        self.boundaries, self.lengths, self.origin, self.size = grid.boundaries, grid.lengths, grid.origin, size
        series = Fourier(max(1, basis.size // 2))
        self.factors = nn.ModuleList(
            KANLinear(1, size, series if kind == "periodic" else basis, base=False) for kind in grid.boundaries
        )
        with torch.no_grad():
            for factor in self.factors:
                factor.weight.mul_(spread)  # type: ignore[operator]
                factor.bias.mul_(spread).add_(mean)  # type: ignore[operator]

    def forward(self, grid: Grid) -> Float[Tensor, "j *x"]:
        """Values at the points of `grid`: cell centres between walls, whatever `grid` takes the axis for."""
        check(grid.ndim == len(self.lengths), f"expected a grid of {len(self.lengths)} axes, got {grid.ndim}")
        like: Tensor = self.factors[0].weight  # type: ignore[assignment]
        value = like.new_ones(self.size, *[1] * grid.ndim)
        for i, (n, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
            shift = 0.0 if self.boundaries[i] == "periodic" else 0.5
            x = h * (torch.arange(n, dtype=like.dtype, device=like.device) + shift)
            shape = [self.size, *(n if j == i else 1 for j in range(grid.ndim))]
            value = value * self._factor(i, x).T.reshape(shape)
        return value

    def at(self, points: Float[Tensor, "n d"]) -> Float[Tensor, "n j"]:
        """Values at any points of the box."""
        check(
            points.shape[-1] == len(self.lengths), f"expected {len(self.lengths)} coordinates, got {points.shape[-1]}"
        )
        factors = [self._factor(i, x - o) for i, (x, o) in enumerate(zip(points.unbind(-1), self.origin, strict=True))]
        return torch.stack(factors).prod(0)

    def _factor(self, axis: int, x: Float[Tensor, " n"]) -> Float[Tensor, "n j"]:
        """φ at the distance x from the box' corner; behind the far wall, the value there."""
        length = self.lengths[axis]
        periodic = self.boundaries[axis] == "periodic"
        t = x * (2 * math.pi / length) if periodic else x.clamp(0, length) * (4 / length) - 2
        return self.factors[axis](t[:, None])
