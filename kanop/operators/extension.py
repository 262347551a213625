"""The box on which a layer between walls works: a torus with a strip behind the walls, or the box and its mirror."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from kanop.layers import Continuation
from kanop.solvers import Grid
from kanop.solvers.errors import check, nearest

__all__ = ["Extension"]

MIRRORS = {"even": "neumann", "odd": "dirichlet"}


@dataclass(frozen=True)
class Extension:
    """v on a box → ṽ, and the grid whose series a layer takes it for.

    Parameters
    ----------
    grid : the box, at any resolution
    padding : how layers see axes with walls. A number p or a `Continuation`: a strip behind the axis, which becomes
        periodic with length (1 + p) L. "even" or "odd": no strip, the field goes on as its mirror image, so that layers
        act on its cosine or its sine series. Periodic axes stay as they are.

    Raises
    ------
    KanopError : another word; a negative strip

    Examples
    --------
    >>> import torch
    >>> v, grid = Extension(Grid((8,), boundaries="dirichlet"), 0.5).extend(torch.zeros(1, 1, 16))
    >>> grid.shape, grid.lengths, grid.boundaries
    ((24,), (1.5,), ('periodic',))
    """

    grid: Grid
    padding: float | Continuation | str = 0.25

    def __post_init__(self) -> None:
        if isinstance(self.padding, str):
            check(self.padding in MIRRORS, nearest(self.padding, MIRRORS, "padding"))
        else:
            Continuation.of(self.padding)

    def extend(self, v: Float[Tensor, "b c *x"]) -> tuple[Float[Tensor, "b c *y"], Grid]:
        """Add the strip, and say which grid the result lies on."""
        kinds, lengths = self.grid.boundaries, self.grid.lengths
        if isinstance(self.padding, str):
            mirror = MIRRORS[self.padding]
            kinds = tuple(kind if kind == "periodic" else mirror for kind in kinds)
            return v, Grid(v.shape[2:], lengths, kinds, self.grid.origin, v.dtype, v.device)
        sizes = v.shape[2:]
        v = Continuation.of(self.padding).extend(v, kinds)
        lengths = tuple(length * m / n for length, m, n in zip(lengths, v.shape[2:], sizes, strict=True))
        return v, Grid(v.shape[2:], lengths, "periodic", self.grid.origin, v.dtype, v.device)
