"""`Problem`: what `generate` records, whether it evolves or is steady."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from kanop.datasets.recording import Recorded
from kanop.datasets.storing import EveryPoint, Truncated
from kanop.solvers import Darcy, Equation, Geometry

__all__ = ["Problem"]


class Problem(ABC):
    """An equation on a grid, a law of its random inputs, and what is kept of each sample."""

    equation: Equation[Any] | Darcy
    grid: Geometry
    store: EveryPoint | Truncated

    @property
    @abstractmethod
    def frame_times(self) -> tuple[float, ...]:
        """Times of the frames."""

    @property
    @abstractmethod
    def constants(self) -> tuple[str, ...]:
        """Names of the given fields."""

    @property
    @abstractmethod
    def scalars(self) -> dict[str, float]:
        """The equation's constants by name."""

    @abstractmethod
    def inputs(self, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """Inputs number `indices` of `split` on `grid`."""

    @abstractmethod
    def record(self, seed: int, split: str, indices: Sequence[int]) -> Recorded:
        """Samples number `indices` of `split` as they are stored."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields in every frame."""
        return self.equation.channels

    @property
    def stored_grid(self) -> Geometry:
        """The grid of what is kept."""
        return self.store.grid(self.grid)
