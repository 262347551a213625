"""Fields on a sphere as pictures."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from kanop.solvers import SphereGrid

__all__ = ["PIXELS", "mollweide"]

# Pixels of a map, from west to east and from south to north.
PIXELS = (128, 64)
# Degrees between the lines of the graticule.
GRATICULE = 30


def mollweide(u: Float[Tensor, "... y x"], grid: SphereGrid) -> Float[Tensor, "... e n"]:
    """The whole sphere in Mollweide's projection with true areas, longitude 0 in the middle; NaN outside and on the
    lines of every 30 degrees."""
    place, blank = _pixels(grid)
    image = u.flatten(-2)[..., place.to(u.device)]
    return torch.where(blank.to(u.device), math.nan, image).unflatten(-1, PIXELS)


@lru_cache(maxsize=8)
def _pixels(grid: SphereGrid) -> tuple[Int64[Tensor, " p"], Bool[Tensor, " p"]]:
    """The grid's point nearest to every pixel, and the pixels that show none."""
    east = (2 * torch.arange(PIXELS[0], dtype=torch.float64) + 1) / PIXELS[0] - 1
    north = (2 * torch.arange(PIXELS[1], dtype=torch.float64) + 1) / PIXELS[1] - 1
    x, y = torch.meshgrid(east, north, indexing="ij")
    theta = torch.asin(y)
    latitude = torch.asin(((2 * theta + torch.sin(2 * theta)) / math.pi).clamp(-1, 1))
    longitude = math.pi * x / torch.cos(theta)
    outside = longitude.abs() > math.pi
    rows, columns = (p.double().cpu() for p in grid.points)
    row = (latitude[..., None] - rows).abs().argmin(-1)
    column = torch.round(longitude / (2 * math.pi) * len(columns)).long() % len(columns)
    lines = torch.zeros_like(outside)
    for angle, axis in ((longitude, 0), (latitude, 1)):
        steps = torch.floor(torch.rad2deg(angle) / GRATICULE)
        crossed = steps.diff(dim=axis) != 0
        lines |= torch.nn.functional.pad(crossed, (0, 0, 1, 0) if axis == 0 else (1, 0))
    return (row * len(columns) + column).flatten(), (outside | lines).flatten()
