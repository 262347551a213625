"""Where equations are solved by networks: points inside, points on the boundary, and how far it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kanop.solvers.errors import KanopError, check

__all__ = ["Box", "Disc", "Domain", "Polygon"]


class Domain(ABC):
    """A bounded region of space."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """The least box around it: (low, high) of each axis."""

    @abstractmethod
    def inside(self, points: Float[Tensor, "n d"]) -> Bool[Tensor, " n"]:
        """Which points lie in it."""

    @abstractmethod
    def distance(self, *x: Tensor) -> Tensor:
        """A smooth function that vanishes on the boundary and nowhere else, with slope 1 there away from corners."""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.bounds)

    def require(self, points: Float[Tensor, "n d"]) -> None:
        """Raise KanopError naming a point outside."""
        out = ~self.inside(points)
        if bool(out.any()):
            place = [round(v, 6) for v in points[out][0].tolist()]
            raise KanopError(f"{int(out.sum())} of {len(points)} points lie outside {self}, the first at {place}")


@dataclass(frozen=True)
class Box(Domain):
    """An interval, a rectangle or a box.

    Parameters
    ----------
    low, high : its corners, one number an axis

    Raises
    ------
    KanopError : corners of different lengths, an axis without length
    """

    low: Sequence[float]
    high: Sequence[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", tuple(float(a) for a in self.low))
        object.__setattr__(self, "high", tuple(float(b) for b in self.high))
        good = len(self.low) == len(self.high) >= 1 and all(a < b for a, b in zip(self.low, self.high, strict=True))
        check(good, f"a box has low < high along each axis, got {self.low} and {self.high}")

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        return tuple(zip(self.low, self.high, strict=True))

    def inside(self, points: Float[Tensor, "n d"]) -> Bool[Tensor, " n"]:
        low, high = points.new_tensor(self.low), points.new_tensor(self.high)
        return ((points >= low) & (points <= high)).all(1)

    def distance(self, *x: Tensor) -> Tensor:
        """Π (x − a)(b − x)/(b − a)."""
        factors = [(v - a) * (b - v) / (b - a) for v, (a, b) in zip(x, self.bounds, strict=True)]
        out = factors[0]
        for factor in factors[1:]:
            out = out * factor
        return out


@dataclass(frozen=True)
class Disc(Domain):
    """A disc about `centre`.

    Parameters
    ----------
    centre, radius : where, and how large (> 0)
    """

    centre: Sequence[float] = (0.0, 0.0)
    radius: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", tuple(float(c) for c in self.centre))
        check(len(self.centre) == 2 and self.radius > 0, f"a disc has a radius > 0, got {self.radius}")

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        return tuple((c - self.radius, c + self.radius) for c in self.centre)

    def inside(self, points: Float[Tensor, "n d"]) -> Bool[Tensor, " n"]:
        return (points - points.new_tensor(self.centre)).square().sum(1) <= self.radius**2

    def distance(self, *x: Tensor) -> Tensor:
        """(R² − r²)/2R."""
        square = (x[0] - self.centre[0]) ** 2 + (x[1] - self.centre[1]) ** 2
        return (self.radius**2 - square) / (2 * self.radius)


@dataclass(frozen=True)
class Polygon(Domain):
    r"""A polygon, convex or not, with holes or without; of shapely, or its corners.

    The distance is that of Rvachev and Sheiko: of each side a smooth function that vanishes on it alone, joined to
    1/(Σ φ_i^−m)^(1/m), which is smooth but for the corners.

    Parameters
    ----------
    shape : a `shapely.Polygon`, or a sequence of corners
    order : m, a whole number ≥ 1 (default 1): derivatives of `distance` across sides agree with the true one's to it

    Raises
    ------
    KanopError : sides that cross, no area

    References
    ----------
    Sukumar and Srivastava 2022, arXiv:2104.08426 §3.2.
    """

    shape: Any
    order: int = 1

    def __post_init__(self) -> None:
        import shapely

        shape = self.shape if isinstance(self.shape, shapely.Polygon) else shapely.Polygon(self.shape)
        why = shapely.is_valid_reason(shape)
        check(bool(shape.is_valid) and shape.area > 0, f"expected a polygon whose sides do not cross: {why}")
        check(self.order >= 1, f"the order of a distance is at least 1, got {self.order}")
        object.__setattr__(self, "shape", shape)

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        left, bottom, right, top = self.shape.bounds
        return (left, right), (bottom, top)

    @cached_property
    def sides(self) -> Float[Tensor, "s 2 2"]:
        """Both ends of every side."""
        rings = [self.shape.exterior, *self.shape.interiors]
        corners = [torch.tensor(ring.coords[:], dtype=torch.float64) for ring in rings]
        return torch.cat([torch.stack([ring[:-1], ring[1:]], 1) for ring in corners])

    def inside(self, points: Float[Tensor, "n d"]) -> Bool[Tensor, " n"]:
        import shapely

        x, y = points.detach().double().cpu().numpy().T
        return torch.from_numpy(shapely.intersects_xy(self.shape, x, y)).to(points.device)

    def distance(self, *x: Tensor) -> Tensor:
        """1/(Σ φ_i^−m)^(1/m)."""
        inverse = torch.zeros_like(x[0])
        for start, end in self.sides.to(x[0].dtype):
            inverse = inverse + self._side(x, start, end) ** (-self.order)
        return inverse ** (-1 / self.order)

    @staticmethod
    def _side(x: Sequence[Tensor], start: Tensor, end: Tensor) -> Tensor:
        """φ = √(f² + ((√(t² + f⁴) − t)/2)²): f from the line, t > 0 within the circle over the side."""
        along, middle = end - start, (start + end) / 2
        length = along.norm()
        f = ((x[0] - start[0]) * along[1] - (x[1] - start[1]) * along[0]) / length
        t = ((length / 2) ** 2 - (x[0] - middle[0]) ** 2 - (x[1] - middle[1]) ** 2) / length
        return torch.sqrt(f**2 + 0.25 * (torch.sqrt(t**2 + f**4) - t) ** 2)
