"""Settings of the solver: for an evolution steps that grow shorter, for a steady problem residuals that shrink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.speedup import Cell, Ladder
from kanop.solvers import Geometry, KanopError, solve

__all__ = ["EvolutionLadder", "SteadyLadder"]


@dataclass(frozen=True)
class EvolutionLadder(Ladder):
    """The recipe's scheme from the last given frame, by steps that halve."""

    def solve(self, cell: Cell) -> tuple[Float[Tensor, "b steps c *x"], Geometry]:
        """The frames to predict, by the cell's steps."""
        truth, start = self.truth, self.truth.start
        if start is None:
            raise KanopError("the map gives no state to start the solver from")
        double = truth.grid.to(torch.float64, start.device)
        u0 = double.resample(start.double(), cell.shape)
        grid = double.with_shape(cell.shape).to(getattr(torch, cell.dtype))
        first = float(truth.times[-1] - truth.leads[-1])
        times = [first, *(first + truth.leads).tolist()]
        with torch.no_grad():
            run = solve(self.recipe.equation, u0, grid, times, self._steps(cell), scheme=self.recipe.scheme)
        return run.u[:, 1:], grid

    def columns(self, shape: tuple[int, ...]) -> list[Cell]:
        """One step a frame (four for a single frame), and the recipe's own schedule where it has one."""
        spacing = float(self.truth.leads[0])
        first = Cell(shape, spacing if len(self.truth.leads) > 1 else spacing / 4)
        return [first] if isinstance(self.recipe.dt, float) else [first, replace(first, graded=True)]

    def finer(self, cell: Cell) -> Cell:
        """Half the step."""
        return replace(cell, dt=cell.dt / 2)  # type: ignore[operator]

    def variants(self, best: Cell) -> list[Cell]:
        """The same in single precision."""
        return [replace(best, dtype="float32")]

    def _steps(self, cell: Cell) -> float | Sequence[tuple[float, float]]:
        if not cell.graded:
            return cell.dt  # type: ignore[return-value]
        scale = cell.dt / max(h for _, h in self.recipe.dt)
        return [(until, scale * h) for until, h in self.recipe.dt]


@dataclass(frozen=True)
class SteadyLadder(Ladder):
    """The equation with the given coefficients, a coarse cell taking that of the fine cell at its centre."""

    def solve(self, cell: Cell) -> tuple[Float[Tensor, "b steps c *x"], Geometry]:
        """The solution to the cell's residual."""
        a, grid = self.truth.constants.double(), self.truth.grid.to(torch.float64, self.truth.constants.device)
        for axis, (n, m) in enumerate(zip(grid.shape, cell.shape, strict=True), start=2):
            centres = ((torch.arange(m, device=a.device) + 0.5) * n / m).long()
            a = a.index_select(axis, centres)
        grid = grid.with_shape(cell.shape)
        with torch.no_grad():
            return self.recipe.equation.solve(a, grid, tolerance=cell.tolerance).u.unsqueeze(1), grid

    def columns(self, shape: tuple[int, ...]) -> list[Cell]:
        """A residual of a tenth."""
        return [Cell(shape, tolerance=0.1)]

    def finer(self, cell: Cell) -> Cell:
        """A tenth of the residual."""
        return replace(cell, tolerance=cell.tolerance / 10)  # type: ignore[operator]

    def variants(self, best: Cell) -> list[Cell]:
        """None: the preconditioner is in single precision already."""
        return []
