"""Reflection at walls: sine and cosine series as Fourier series of twice the length."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["mirror"]


def mirror(u: Float[Tensor, "b c *x"], grid: Grid) -> tuple[Float[Tensor, "b c *y"], tuple[float, ...]]:
    r"""u on a box → ũ on a torus, and its lengths: ũ(−x) = −u(x) at Dirichlet walls, ũ(−x) = u(x) at Neumann walls.

    An axis with walls is followed by its mirror image, so its sine or cosine series is a Fourier series of period 2L,
    and a multiplier of that series acts on every sin(πmx/L) or cos(πmx/L) as it does on exp(iπmx/L).

    Shapes
    ------
    axes with walls come back twice as long, periodic ones as they are

    Raises
    ------
    KanopError : a field that is not on the points of `grid`

    Examples
    --------
    >>> u = torch.tensor([[[1.0, 2.0]]])
    >>> mirror(u, Grid((2,), boundaries="dirichlet"))
    (tensor([[[ 1.,  2., -2., -1.]]]), (2.0,))
    """
    check(tuple(u.shape[2:]) == grid.shape, f"expected a field on the points {grid.shape}, got shape {tuple(u.shape)}")
    lengths = []
    for i, (kind, length) in enumerate(zip(grid.boundaries, grid.lengths, strict=True)):
        if kind != "periodic":
            image = u.flip(2 + i)
            u = torch.cat([u, image if kind == "neumann" else -image], dim=2 + i)
        lengths.append(length if kind == "periodic" else 2 * length)
    return u, tuple(lengths)
