"""What of the solver's grid is kept: every k-th point, or the modes that fewer points hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from kanop.datasets.subsampling import subsampled, thinned
from kanop.solvers import Geometry
from kanop.solvers.errors import check

__all__ = ["EveryPoint", "Truncated"]


@dataclass(frozen=True)
class EveryPoint:
    """v_j = u(x_{kj}): every k-th point of each axis, as most published sets are stored.

    What the coarse grid does not resolve is folded onto the modes that it has: values are exact, spectra alias.

    Parameters
    ----------
    factor : k ≥ 1, which divides every axis, and is odd on axes with walls (cell centres); default 1, all points. Of a
        sphere all points are kept

    Examples
    --------
    >>> from kanop.solvers import Grid
    >>> EveryPoint(4).grid(Grid((64, 64))).shape
    (16, 16)
    """

    factor: int = 1

    def grid(self, grid: Geometry) -> Any:
        """The grid of what is kept of `grid`; raises KanopError if `factor` does not fit it."""
        return subsampled(grid, self.factor)[0]

    def keep(self, u: Float[Tensor, "... *x"], grid: Geometry) -> Float[Tensor, "... *y"]:
        """What is kept of `u`, given on `grid`."""
        return thinned(u, subsampled(grid, self.factor)[1])

    @property
    def words(self) -> str:
        """For the card."""
        if self.factor == 1:
            return "every point of the solver's"
        return f"every {self.factor}. point of the solver's (values exact; modes that these points do not hold alias)"


@dataclass(frozen=True)
class Truncated:
    """v = Σ_{|m| < n/(2k)} û_m e_m at n/k points an axis: modes that they do not hold are cut, the others exact.

    Parameters
    ----------
    factor : k ≥ 1, which divides every axis

    Examples
    --------
    >>> from kanop.solvers import Grid
    >>> Truncated(4).grid(Grid((64, 64))).shape
    (16, 16)
    """

    factor: int

    def grid(self, grid: Geometry) -> Any:
        """The grid of what is kept of `grid`; raises KanopError if `factor` does not fit it."""
        k = self.factor
        check(isinstance(k, int) and k >= 1, f"expected n/k points with a whole k >= 1, got {k!r}")
        for axis, n in enumerate(grid.shape):
            divisors = sorted((s for s in range(1, n + 1) if n % s == 0), key=lambda s: abs(s - k))
            near = ", ".join(map(str, sorted(divisors[:6])))
            check(n % k == 0, f"1/{k} of the {n} points of axis {axis} is no whole number; nearest: {near}")
        return grid.with_shape([n // k for n in grid.shape])

    def keep(self, u: Float[Tensor, "... *x"], grid: Geometry) -> Float[Tensor, "... *y"]:
        """What is kept of `u`, given on `grid`."""
        return u if self.factor == 1 else grid.resample(u, self.grid(grid).shape)

    @property
    def words(self) -> str:
        """For the card."""
        return f"the modes that 1/{self.factor} of the points an axis holds, exact; the others are cut (no aliasing)"
