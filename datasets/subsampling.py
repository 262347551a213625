"""Every s-th point of a uniform grid, where that is a grid again."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["subsampled", "thinned"]


def subsampled(grid: Grid, every: int) -> tuple[Grid, tuple[slice, ...]]:
    """x_{sj + o}: the grid of every s-th point, and the slices that take them.

    Periodic axes keep points 0, s, 2s, …. Walls have cell centres, so each cell of the coarse grid takes the
    centre of its s fine cells, which is a fine point for odd s only.

    Raises
    ------
    KanopError : s < 1, s does not divide an axis, or s is even on an axis with walls

    Examples
    --------
    >>> subsampled(Grid((8,)), 4)[0].points
    (tensor([0.0000, 0.5000], dtype=torch.float64),)
    """
    check(isinstance(every, int) and every >= 1, f"expected every s-th point with a whole s >= 1, got {every!r}")
    slices = []
    for axis, (n, kind) in enumerate(zip(grid.shape, grid.boundaries, strict=True)):
        walls = kind != "periodic"
        choices = [s for s in range(1, n + 1) if n % s == 0 and not (walls and s % 2 == 0)]
        near = ", ".join(str(s) for s in sorted(sorted(choices, key=lambda s: abs(s - every))[:6]))
        check(
            n % every == 0,
            f"every {every}-th point does not divide the {n} points of axis {axis}; nearest: {near}",
        )
        check(
            not (walls and every % 2 == 0),
            f"every {every}-th point: axis {axis} has walls and cell centres, which coarsen by odd numbers; "
            f"nearest: {near}",
        )
        slices.append(slice((every - 1) // 2 if walls else 0, None, every))
    return grid.with_shape([n // every for n in grid.shape]), tuple(slices)


def thinned(u: Float[Tensor, "... *x"], points: Sequence[slice]) -> Float[Tensor, "... *y"]:
    """The values of `u` at the points that `subsampled` keeps."""
    index: tuple = (..., *points)
    return u[index]
