"""`Source`: the trajectories of one split, wherever they are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import DataError, Geometry
from kanop.solvers.errors import check

__all__ = ["Source"]


class Source(ABC):
    """u(sample, t, c, *x) and a(sample, c, *x): frames of the fields that evolve, and the fields that stay.

    Attributes
    ----------
    name : of the data set
    grid : points of one frame
    fields, constants : names of the channels of frames and of constant fields
    times : (t,) times of the frames, in double precision
    n_samples : number of trajectories
    scalars : the equation's constants by name, as far as the file knows them
    nodes : for each axis whether its points include both walls; empty for cell centres
    """

    name: str
    grid: Geometry
    fields: tuple[str, ...]
    constants: tuple[str, ...]
    times: Tensor
    n_samples: int
    scalars: Mapping[str, float]
    nodes: tuple[bool, ...] = ()

    @abstractmethod
    def _frames(self, start: int, stop: int, frames: slice) -> Float[Tensor, "b t c *x"]:
        """Frames of trajectories start … stop-1, as stored."""

    @abstractmethod
    def _constants(self, start: int, stop: int) -> Float[Tensor, "b c *x"]:
        """Constant fields of trajectories start … stop-1, as stored; c may be 0."""

    @abstractmethod
    def origin_of(self, sample: int) -> str:
        """The file that holds trajectory `sample`, and its number in there: for messages."""

    @property
    def n_frames(self) -> int:
        """Frames of each trajectory."""
        return len(self.times)

    @property
    def dt(self) -> float | None:
        """Time between frames; None for a single frame or unequal spacing."""
        if self.n_frames < 2:
            return None
        gaps = self.times.diff()
        mean = float(self.times[-1] - self.times[0]) / (self.n_frames - 1)
        return mean if bool(((gaps - mean).abs() <= 1e-4 * abs(mean)).all()) else None

    def block(self, start: int, stop: int, frames: slice = slice(None)) -> Float[Tensor, "b t c *x"]:
        """Frames of trajectories start … stop-1; raises DataError where one is not finite."""
        return self._finite(self._frames(start, stop, frames), start, self.fields, -1 - self.grid.ndim)

    def constant_block(self, start: int, stop: int) -> Float[Tensor, "b c *x"]:
        """Constant fields of trajectories start … stop-1; raises DataError where one is not finite."""
        return self._finite(self._constants(start, stop), start, self.constants, -1 - self.grid.ndim)

    def frames(self, i: int, start: int = 0, stop: int | None = None) -> Float[Tensor, "t c *x"]:
        """Frames start … stop-1 of trajectory i."""
        return self.block(i, i + 1, slice(start, stop))[0]

    def constant(self, i: int) -> Float[Tensor, "c *x"]:
        """Constant fields of trajectory i."""
        return self.constant_block(i, i + 1)[0]

    def __len__(self) -> int:
        return self.n_samples

    def __repr__(self) -> str:
        what = f"{self.n_samples} trajectories of {self.n_frames} frames, fields {', '.join(self.fields)}"
        more = f", constants {', '.join(self.constants)}" if self.constants else ""
        return f"<{type(self).__name__} {self.name}: {what}{more}, grid {self.grid.shape}>"

    def _finite(self, u: Tensor, first: int, names: Sequence[str], channel: int) -> Tensor:
        bad = ~torch.isfinite(u)
        if bool(bad.any()):
            row = int(bad.flatten(1).any(1).nonzero()[0])
            per_field = bad.movedim(channel, 0).flatten(1).sum(1)
            field = names[int(per_field.nonzero()[0])]
            raise DataError(
                f"{self.origin_of(first + row)}: field {field!r} has {int(bad[row].sum())} NaN or infinite "
                "values in this sample "
                f"({int(bad.sum())} in the {len(u)} samples read with it); remove or repair the sample, "
                "or generate the data again"
            )
        return u

    def _check_range(self, start: int, stop: int) -> None:
        check(
            0 <= start <= stop <= self.n_samples,
            f"samples run from 0 to {self.n_samples - 1}, asked for {start} … {stop - 1}",
            DataError,
        )
