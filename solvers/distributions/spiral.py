"""Rotating spirals, the start of the λ-ω reaction-diffusion set."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers.distributions.modes import generator
from kanop.solvers.errors import check
from kanop.solvers.grid import Grid

__all__ = ["Spiral"]


@dataclass(frozen=True)
class Spiral:
    r"""u + iv = w tanh(r) exp(i(mθ − qr + φ)) in polar coordinates (r, θ) about a point c of the plane.

    The published start has m = q = w = 1, φ = 0 and c in the centre of (−10, 10)². Here c, φ and q are random. On a
    periodic box the phase jumps where opposite edges meet, as it does in the published start; w takes the field to 0
    along the edges instead, smoothly, so that the start has a spectrum. The waves fill that border within a period or
    two. A box with Neumann walls needs no border.

    Parameters
    ----------
    arms : m ≥ 1, number of arms
    shift : c is uniform in the square of this half-width ≥ 0 about the centre of the box, in the unit of length
    rotation : φ is uniform in (−rotation, rotation); π (default) for any phase
    pitch : q is uniform in (1 − pitch, 1 + pitch), 0 ≤ pitch < 1, in 1/length
    border : width ≥ 0 of the strip along the edges in which w falls from 1 to 0; 0 for the published start

    Raises
    ------
    KanopError : a constant outside its range, a grid that is not plane, a border wider than half the box

    References: Champion et al. (2019), arXiv:1904.02107, and its `rd_solver` (the set "rd-spiral").

    Examples
    --------
    >>> grid = Grid((100, 100), (20, 20), origin=(-10, -10))
    >>> Spiral().sample(grid, seed=0, split="train", indices=[0]).shape
    torch.Size([1, 2, 100, 100])
    """

    arms: int = 1
    shift: float = 1.0
    rotation: float = math.pi
    pitch: float = 0.1
    border: float = 2.0

    def __post_init__(self) -> None:
        check(self.arms >= 1, f"expected arms >= 1, got {self.arms}")
        check(0 <= self.pitch < 1, f"expected 0 <= pitch < 1, got {self.pitch}")
        sizes = (self.shift, self.rotation, self.border)
        check(all(0 <= s < math.inf for s in sizes), f"expected shift, rotation and border >= 0, got {sizes}")

    def sample(self, grid: Grid, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 2 x y"]:
        """Samples number `indices` of `split`, in double precision on the grid's device."""
        check(grid.ndim == 2, f"a Spiral lies in a plane, got a grid with {grid.ndim} axes: take two")
        half = min(grid.lengths) / 2
        check(
            max(self.border, self.shift) <= half,
            f"border and shift must be at most half the box, {half:g}, got {self.border:g} and {self.shift:g}",
        )
        grid = grid.to(dtype=torch.float64)
        fields = [self._spiral(grid, generator(seed, split, i).uniform(-1, 1, 4).tolist()) for i in indices]
        window = self._window(grid)
        return window * torch.stack(fields) if fields else window.new_zeros((0, 2, *grid.shape))

    def _spiral(self, grid: Grid, random: list[float]) -> Float[Tensor, "2 x y"]:
        """The field for four numbers of (−1, 1): φ, c and q."""
        middle = (o + length / 2 for o, length in zip(grid.origin, grid.lengths, strict=True))
        centre = [c + self.shift * s for c, s in zip(middle, random[1:3], strict=True)]
        x, y = (axis - c for axis, c in zip(grid.mesh(), centre, strict=True))
        r = torch.hypot(x, y)
        phase = self.arms * torch.atan2(y, x) - (1 + self.pitch * random[3]) * r + self.rotation * random[0]
        return torch.tanh(r) * torch.stack([torch.cos(phase), torch.sin(phase)])

    def _window(self, grid: Grid) -> Float[Tensor, "x y"]:
        """w: 1 inside, 0 at the edges, a smooth step e^{−1/s}/(e^{−1/s} + e^{−1/(1−s)}) in between."""
        if self.border == 0:
            return torch.ones(grid.shape, dtype=torch.float64, device=grid.device)
        steps = []
        for x, o, length in zip(grid.points, grid.origin, grid.lengths, strict=True):
            s = (torch.minimum(x - o, o + length - x) / self.border).clamp(0, 1)
            rise, fall = torch.exp(-1 / s), torch.exp(-1 / (1 - s))
            steps.append(rise / (rise + fall))
        return steps[0][:, None] * steps[1]
