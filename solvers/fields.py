"""What a data set holds and what a solver returns: `FieldSpec` and `Trajectory`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from kanop.solvers.errors import check
from kanop.solvers.geometry import Geometry
from kanop.solvers.grid import Grid

__all__ = ["FieldSpec", "Trajectory"]


@dataclass(frozen=True)
class FieldSpec:
    """The map that data describes: (`n_in` frames of `fields`, `constants`) → `n_out` frames of `fields`.

    Channels run frame by frame, fields within a frame, then constants: u(t-1), v(t-1), u(t), v(t), a.
    A steady or one-shot map (Darcy a → u) has `n_in = 0` and its input among `constants`.

    Parameters
    ----------
    grid : the grid of one sample
    fields : names of the fields that evolve and are predicted
    constants : names of the fields that are given and stay
    n_in, n_out : frames given (≥ 0) and predicted (≥ 1) in one call
    dt : time between frames; None for a map without time
    """

    grid: Geometry
    fields: Sequence[str]
    constants: Sequence[str] = ()
    n_in: int = 1
    n_out: int = 1
    dt: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "constants", tuple(self.constants))
        check(len(self.fields) > 0, "a FieldSpec names at least one field")
        check(
            self.n_in >= 0 and self.n_out >= 1,
            f"expected n_in >= 0 and n_out >= 1, got {self.n_in}, {self.n_out}",
        )
        check(self.in_channels > 0, "a map needs an input: n_in >= 1 frames, or a constant field")

    @property
    def in_channels(self) -> int:
        """Channels that the operator takes."""
        return self.n_in * len(self.fields) + len(self.constants)

    @property
    def out_channels(self) -> int:
        """Channels that the operator returns."""
        return self.n_out * len(self.fields)

    @property
    def box(self) -> Grid:
        """The grid as a box: itself, or the map π × 2π of a sphere's latitudes and longitudes, which has walls at the
        poles and bends nothing: what operators that know no sphere take it for."""
        if isinstance(self.grid, Grid):
            return self.grid
        shape, sides, kinds = self.grid.shape, (math.pi, 2 * math.pi), ("neumann", "periodic")
        return Grid(shape, sides, kinds, dtype=self.grid.dtype, device=self.grid.device)

    def with_shape(self, shape: Sequence[int]) -> FieldSpec:
        """The same map at another resolution."""
        return replace(self, grid=self.grid.with_shape(shape))


@dataclass(frozen=True)
class Trajectory:
    """Frames u(t) of a batch, from a solver or from an operator.

    Attributes
    ----------
    u : (b, t, c, *x) values at the points of `grid`
    times : (t,) time of each frame
    grid : the grid
    channels : names of the c fields
    steps : (b,) time steps taken for each sample; None where there are none to count
    """

    u: Float[Tensor, "b t c *x"]
    times: Float[Tensor, " t"]
    grid: Geometry
    channels: Sequence[str]
    steps: Tensor | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        want = (len(self.times), len(self.channels), *self.grid.shape)
        check(
            tuple(self.u.shape[1:]) == want,
            f"expected frames (b, t, c, *x) = (b, {want}), got {tuple(self.u.shape)}",
        )
