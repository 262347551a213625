"""Every s-th point of a uniform grid, where that is a grid again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Geometry, Grid
from kanop.solvers.errors import check

__all__ = ["coarser", "node_grid", "subsampled", "thinned"]

Nodes = Sequence[bool]
"""For each axis whether its points include both walls; empty for cell centres on all."""


def subsampled(grid: Geometry, every: int, nodes: Nodes = ()) -> tuple[Any, tuple[slice, ...]]:
    """x_{sj + o}: the grid of every s-th point, and the slices that take them.

    Periodic axes keep points 0, s, 2s, …. Walls have cell centres, so each cell of the coarse grid takes the
    centre of its s fine cells, which is a fine point for odd s only; where the points are nodes that include both
    walls (`nodes`), points 0, s, 2s, … again, to the last.

    Raises
    ------
    KanopError : s < 1, s does not divide an axis (its n − 1 intervals, for nodes), or s is even on an axis with cells
        between walls

    Examples
    --------
    >>> subsampled(Grid((8,)), 4)[0].points
    (tensor([0.0000, 0.5000], dtype=torch.float64),)
    """
    check(isinstance(every, int) and every >= 1, f"expected every s-th point with a whole s >= 1, got {every!r}")
    if not isinstance(grid, Grid):
        check(every == 1, f"every {every}-th latitude is no grid of a sphere: take 1, or the store Truncated({every})")
        return grid, (slice(None),) * grid.ndim
    sizes = []
    for axis, (n, kind, node) in enumerate(_axes(grid, nodes)):
        if _slice(n, kind, node, every) is None:
            _refuse(axis, n, kind, node, every)
        sizes.append((n - 1) // every + 1)
    coarse, points = coarser(grid, sizes, nodes)
    return coarse, points or ()


def coarser(grid: Geometry, shape: Sequence[int], nodes: Nodes = ()) -> tuple[Any, tuple[slice, ...] | None]:
    """The grid of `shape` points, and the slices that take them out of those of `grid`; None if it lacks some."""
    if not isinstance(grid, Grid):
        same = tuple(shape) == tuple(grid.shape)
        return grid.with_shape(shape), (slice(None),) * grid.ndim if same else None
    lengths, origin, slices = list(grid.lengths), list(grid.origin), []
    for axis, ((n, kind, node), m) in enumerate(zip(_axes(grid, nodes), shape, strict=True)):
        parts, of = (n - 1, m - 1) if node else (n, m)
        every = parts // of if of else 1
        points = _slice(n, kind, node, every) if every >= 1 and of * every == parts else None
        if points is None:
            return grid.with_shape(shape), None
        if node:
            # The ends stay points, so the box of cells about the points grows.
            h = grid.spacing[axis]
            lengths[axis], origin[axis] = m * every * h, grid.origin[axis] + (1 - every) * h / 2
        slices.append(points)
    return Grid(shape, lengths, grid.boundaries, origin, grid.dtype, grid.device), tuple(slices)


def node_grid(grid: Grid, nodes: Nodes) -> Grid:
    """The grid with points o + j L/(n − 1) on the axes of nodes, given as cells on [o, o + L]: these are then centred
    on the points and reach half a cell over the walls."""
    lengths, origin = list(grid.lengths), list(grid.origin)
    for axis, (n, _, node) in enumerate(_axes(grid, nodes)):
        if node:
            check(n >= 2, f"points on both walls are at least two, axis {axis} has {n}")
            h = grid.lengths[axis] / (n - 1)
            lengths[axis], origin[axis] = n * h, grid.origin[axis] - h / 2
    return Grid(grid.shape, lengths, grid.boundaries, origin, grid.dtype, grid.device)


def thinned(u: Float[Tensor, "... *x"], points: Sequence[slice]) -> Float[Tensor, "... *y"]:
    """The values of `u` at the points that `subsampled` keeps."""
    index: tuple = (..., *points)
    return u[index]


def _axes(grid: Grid, nodes: Nodes) -> list[tuple[int, str, bool]]:
    """Points, kind, and whether they are nodes, of each axis."""
    return list(zip(grid.shape, grid.boundaries, nodes or [False] * grid.ndim, strict=True))


def _slice(n: int, kind: str, node: bool, every: int) -> slice | None:
    """The points that every s-th one of an axis is; None where these are no grid of the same kind."""
    if kind == "periodic" or node:
        return slice(0, None, every) if (n - node) % every == 0 else None
    return slice((every - 1) // 2, None, every) if n % every == 0 and every % 2 == 1 else None


def _refuse(axis: int, n: int, kind: str, node: bool, every: int) -> None:
    choices = [s for s in range(1, n + 1) if _slice(n, kind, node, s) is not None]
    near = ", ".join(str(s) for s in sorted(sorted(choices, key=lambda s: abs(s - every))[:6]))
    hint = ""
    if kind != "periodic" and not node and (n - 1) % every == 0:
        hint = f"; if the points of your file include both walls, say layout.boundaries={kind}_nodes"
    walls = kind != "periodic" and not node
    check(
        not (walls and n % every == 0),
        f"every {every}-th point: axis {axis} has walls and cell centres, which coarsen by odd numbers; "
        f"nearest: {near}{hint}",
    )
    what = f"{n - 1} intervals between the nodes" if node else f"{n} points"
    check(False, f"every {every}-th point does not divide the {what} of axis {axis}; nearest: {near}{hint}")
