"""Pairs of points that are close to each other, on a torus, between walls or in open space."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kanop.solvers import Grid, KanopError
from kanop.solvers.errors import check

__all__ = ["Pairs", "neighbours"]

# Distances held at a time; the library counts neighbours in float32, exact up to 2²⁴.
PAIRS = 2**22


class Pairs(NamedTuple):
    """The pair e joins the query `to[e]` and the point `of[e]`, whose displacement x − y is `z[e]`."""

    to: Int[Tensor, " e"]
    of: Int[Tensor, " e"]
    z: Float[Tensor, "e d"]


def neighbours(
    points: Float[Tensor, "n d"], queries: Float[Tensor, "m d"], radius: float, box: Grid | None = None
) -> Pairs:
    """All pairs with |x − y| ≤ radius, by neuraloperator's neighbour search.

    Parameters
    ----------
    points, queries : the y and the x
    radius : in the unit of length of the points, above 0; at most half of a periodic side
    box : on its periodic axes points are near each other across the seam (default: open space)

    Raises
    ------
    KanopError : a radius that is not positive or reaches round the torus; a query without a point near it

    Examples
    --------
    >>> x = torch.arange(4.0)[:, None] / 4
    >>> neighbours(x, x[:1], 0.3, Grid((4,))).of.tolist()
    [0, 1, 3]
    """
    check(radius > 0, f"a radius is positive, got {radius}")
    check(points.shape[-1] == queries.shape[-1], f"points in {points.shape[-1]}d, queries in {queries.shape[-1]}d")
    images, of = _images(points.detach(), radius, box)
    search = _search()
    rows = max(1, PAIRS // len(images))
    to, near = [], []
    for start in range(0, len(queries), rows):
        part = queries[start : start + rows].detach()
        found = search(images.double(), part.double(), radius)
        counts = found["neighbors_row_splits"].diff()
        _check_found(counts, part, images, radius)
        index = torch.arange(start, start + len(part), device=part.device)
        to.append(index.repeat_interleave(counts))
        near.append(found["neighbors_index"])
    of = of[torch.cat(near)]
    query, order = torch.cat(to), torch.argsort(of + len(points) * torch.cat(to))
    z = queries[query] - images[torch.cat(near)]
    return Pairs(query[order], of[order], z[order])


def _images(points: Tensor, radius: float, box: Grid | None) -> tuple[Tensor, Tensor]:
    """The points and their copies just outside of the seams, with the index of each."""
    of = torch.arange(len(points), device=points.device)
    if box is None:
        return points, of
    for i, (kind, length, low) in enumerate(zip(box.boundaries, box.lengths, box.origin, strict=True)):
        if kind != "periodic":
            continue
        check(
            radius <= length / 2,
            f"radius {radius:g} reaches round a periodic axis of length {length:g}; take at most {length / 2:g}",
        )
        copies, indices = [points], [of]
        for sign in (-1, 1):
            moved = points.clone()
            moved[:, i] += sign * length
            # A little more than the radius: rounding must not lose a neighbour across the seam.
            x, margin = moved[:, i] - low, radius + 1e-5 * length
            near = (x >= -margin) & (x <= length + margin)
            copies.append(moved[near])
            indices.append(of[near])
        points, of = torch.cat(copies), torch.cat(indices)
    return points, of


def _check_found(counts: Tensor, queries: Tensor, images: Tensor, radius: float) -> None:
    lonely = (counts == 0).nonzero().flatten()
    if len(lonely):
        x = queries[lonely[0]]
        nearest = float((images - x).norm(dim=1).min())
        place = ", ".join(f"{float(v):.4g}" for v in x)
        raise KanopError(
            f"{len(lonely)} of {len(queries)} points have no neighbour within radius {radius:g}; the first is at "
            f"({place}), where the nearest is {nearest:.4g} away. Take a radius above that, or more points there"
        )


def _search() -> torch.nn.Module:
    # The library prints, loads loggers and changes the warning filters of the process: none of it may stay.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        from neuralop.layers.neighbor_search import NeighborSearch
    return NeighborSearch(use_open3d=False)
