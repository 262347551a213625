"""Laws made of other laws: thresholds, exponentials, mixtures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["LogNormal", "Mixture", "RandomField", "TwoPhase"]


@runtime_checkable
class RandomField(Protocol):
    """A law of random fields, as `GaussianRandomField`, on the kind of grid that it is made for."""

    def sample(self, grid: Any, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """Samples number `indices`, each a pure function of (seed, split, i), whatever the resolution."""


@dataclass(frozen=True)
class TwoPhase:
    r"""a = high where g ≥ 0, low elsewhere, for a random field g.

    Parameters
    ----------
    field : law of g, e.g. `GaussianRandomField(1, 3, 2, boundaries="neumann")` for Darcy
    low, high : the two values, in the unit of a; 3 and 12 in the FNO paper (its demo script: 4 and 12)

    Raises
    ------
    KanopError : values that are equal or not finite

    References: Li et al. (2021), arXiv:2010.08895, section 5.2.

    Examples
    --------
    >>> from kanop.solvers import GaussianRandomField
    >>> law = TwoPhase(GaussianRandomField(1, 3, 2, boundaries="neumann"), low=3, high=12)
    >>> a = law.sample(Grid((85, 85), boundaries="dirichlet"), seed=0, split="train", indices=[0])
    >>> a.unique().tolist()
    [3.0, 12.0]
    """

    field: RandomField
    low: float = 3.0
    high: float = 12.0

    def __post_init__(self) -> None:
        good = math.isfinite(self.low) and math.isfinite(self.high) and self.low != self.high
        check(good, f"expected two different finite values, got low = {self.low}, high = {self.high}")

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """Samples number `indices` of `split`, in double precision."""
        above = self.field.sample(grid, seed, split, indices) >= 0
        return torch.where(above, float(self.high), float(self.low)).to(torch.float64)


@dataclass(frozen=True)
class LogNormal:
    r"""a = scale · exp(g) for a random field g: positive, median `scale`, E a = scale · exp(Var g / 2).

    Parameters
    ----------
    field : law of g; its variance sets the contrast
    scale : median of a > 0, in the unit of a

    Raises
    ------
    KanopError : a scale that is not positive

    Examples
    --------
    >>> from kanop.solvers import GaussianRandomField
    >>> law = LogNormal(GaussianRandomField(1, 3, 2, boundaries="neumann"), scale=0.1)
    >>> bool((law.sample(Grid((16, 16), boundaries="dirichlet"), 0, "train", [0]) > 0).all())
    True
    """

    field: RandomField
    scale: float = 1.0

    def __post_init__(self) -> None:
        check(0 < self.scale < math.inf, f"expected scale > 0, got {self.scale}")

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """Samples number `indices` of `split`, in double precision."""
        return self.scale * self.field.sample(grid, seed, split, indices).exp()


@dataclass(frozen=True)
class Mixture:
    """Sample i comes from law number i mod n: a set of several kinds of start in equal shares, whatever its size.

    Parameters
    ----------
    laws : the n ≥ 1 laws, with as many channels each

    Raises
    ------
    KanopError : no law, laws with different numbers of channels

    Examples
    --------
    >>> from kanop.solvers import GaussianRandomField
    >>> smooth, rough = GaussianRandomField(1, 1, 4), GaussianRandomField(1, 1, 1)
    >>> u = Mixture([smooth, rough]).sample(Grid((8,)), seed=0, split="train", indices=[3])
    >>> bool((u == rough.sample(Grid((8,)), seed=0, split="train", indices=[3])).all())
    True
    """

    laws: Sequence[RandomField]

    def __post_init__(self) -> None:
        object.__setattr__(self, "laws", tuple(self.laws))
        check(len(self.laws) >= 1, "a Mixture needs at least one law")

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b c *x"]:
        """Samples number `indices` of `split`, in double precision."""
        count = len(self.laws)
        parts = {
            j: self.laws[j].sample(grid, seed, split, [i for i in indices if i % count == j])
            for j in sorted({i % count for i in indices} or {0})
        }
        channels = sorted({part.shape[1] for part in parts.values()})
        check(len(channels) == 1, f"the laws of a Mixture need equal numbers of channels, got {channels}")
        out = next(iter(parts.values())).new_empty((len(indices), channels[0], *grid.shape))
        for j, part in parts.items():
            out[[row for row, i in enumerate(indices) if i % count == j]] = part
        return out
