"""Exact symmetries of an equation, used to enlarge its training data."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["Augmentation", "BoxSymmetries", "Mirror"]


@dataclass(frozen=True)
class Mirror:
    """(u(x), v(x)) ↦ (p u(−x), p v(−x)) for a random half of each batch, where the equation has this symmetry.

    Burgers' equation has it with p = −1, reaction and diffusion of a scalar with p = 1.
    Input and target of a sample are mirrored together; validation and test data never are.

    Parameters
    ----------
    parity : p = −1 (default) or 1, the same for all channels
    axis : the axis that is mirrored (default 0)

    Raises
    ------
    KanopError : another parity
    """

    parity: int = -1
    axis: int = 0

    def __post_init__(self) -> None:
        check(self.parity in (-1, 1), f"the parity of a mirror symmetry is -1 or 1, got {self.parity}")

    def __call__(
        self, u: Float[Tensor, "b i *x"], v: Float[Tensor, "b o *x"], grid: Grid, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mirror each pair with probability ½, drawn from `generator`."""
        check(0 <= self.axis < grid.ndim, f"there is no axis {self.axis} to mirror on a grid with {grid.ndim} axes")
        chosen = torch.rand(len(u), generator=generator) < 0.5
        chosen = chosen.to(u.device).reshape(-1, *[1] * (u.ndim - 1))
        return torch.where(chosen, self._mirror(u, grid), u), torch.where(chosen, self._mirror(v, grid), v)

    def _mirror(self, u: Tensor, grid: Grid) -> Tensor:
        dim = self.axis + 2
        flipped = self.parity * u.flip(dim)
        # A periodic axis starts on x = 0, which stays where it is; cell centres between walls just change places.
        return flipped.roll(1, dim) if grid.boundaries[self.axis] == "periodic" else flipped


@dataclass(frozen=True)
class BoxSymmetries:
    """(u(x), v(x)) ↦ (u(gx), v(gx)) with a random symmetry g of the box: axes mirrored, and like axes swapped.

    For scalar fields of an equation that knows no direction, such as Darcy's with a constant source: eight symmetries
    of a square, 48 of a cube. Axes are alike if they have the same points, length and boundaries. Input and target of a
    sample are moved together; validation and test data never are.

    References
    ----------
    Brandstetter, Welling & Worrall 2022 (data augmentation by an equation's symmetries), arXiv 2202.07643.
    """

    def __call__(
        self, u: Float[Tensor, "b i *x"], v: Float[Tensor, "b o *x"], grid: Grid, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Move each pair by a symmetry of its own, drawn from `generator`."""
        for axis in range(grid.ndim):
            u, v = Mirror(parity=1, axis=axis)(u, v, grid, generator)
        orders = _orders(grid)
        drawn = torch.randint(len(orders), (len(u),), generator=generator).to(u.device)
        for i, order in enumerate(orders[1:], start=1):
            dims, chosen = (0, 1, *(2 + axis for axis in order)), (drawn == i).reshape(-1, *[1] * (u.ndim - 1))
            u, v = (torch.where(chosen, w.permute(dims), w) for w in (u, v))
        return u, v


Augmentation = Mirror | BoxSymmetries


def _orders(grid: Grid) -> list[tuple[int, ...]]:
    """The permutations of axes that the box does not show, identity first."""
    kinds = list(zip(grid.shape, grid.lengths, grid.boundaries, strict=True))
    return [p for p in permutations(range(grid.ndim)) if [kinds[axis] for axis in p] == kinds]
