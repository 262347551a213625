"""Speed-up at equal error: the operator against our own solver's cheapest setting that errs no more."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.metrics import relative_l2
from kanop.evaluation.truth import Truth, at_shape
from kanop.solvers import Grid, SolverDiverged, solve

__all__ = ["Cell", "SolverLadder", "seconds"]

SMALLEST = 8
SATURATED = 0.7


def seconds(work: Callable[[], Any], repeats: int = 5, device: torch.device | None = None) -> float:
    """Median wall time of `work` over `repeats` calls, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _wait(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass(frozen=True)
class Cell:
    """One setting of the solver: points, time step, precision; its mean relative L2 error and its seconds."""

    shape: tuple[int, ...]
    dt: float
    dtype: str
    error: float
    seconds: float

    def __str__(self) -> str:
        return f"{'×'.join(map(str, self.shape))} points, dt = {self.dt:.3g}, {self.dtype}"


@dataclass(frozen=True)
class SolverLadder:
    """The solver on coarser grids with longer steps, from the same start, against the same truth.

    Parameters
    ----------
    recipe : its equation and scheme are what is solved
    truth : stored frames (at the finest resolution at hand), from which the start and the reference are taken
    shape : points at which errors are measured: those of the operator
    budget : seconds after which no further setting is tried
    """

    recipe: Any
    truth: Truth
    shape: tuple[int, ...]
    budget: float = 20.0

    def frames(self, cell: Cell) -> Float[Tensor, "b steps c *x"]:
        """What `cell` computes, at the points where errors are measured."""
        grid = self._grid(cell)
        u = at_shape(self._solve(cell, grid).u[:, 1:], grid, self.shape)
        return u

    def cell(self, shape: tuple[int, ...], dt: float, dtype: str = "float64", repeats: int = 0) -> Cell:
        """Run one setting; error = ∞ where it diverges."""
        cell = Cell(shape, dt, dtype, float("inf"), 0.0)
        start = time.perf_counter()
        try:
            frames = self.frames(cell)
        except SolverDiverged:
            return replace(cell, seconds=time.perf_counter() - start)
        grid = self.truth.grid.with_shape(self.shape)
        error = relative_l2(frames.double(), self._target.double(), grid).mean()
        once = time.perf_counter() - start
        took = (
            seconds(lambda: self._solve(cell, self._grid(cell)), repeats, frames.device) if repeats else once
        )
        return replace(cell, error=float(error), seconds=took)

    def cheapest(self, error: float) -> tuple[Cell | None, list[Cell]]:
        """The fastest setting that errs at most by `error` (None if the budget ended first), and all tried.

        Grids grow from the coarsest, steps shrink by halves; what costs more than the best so far cannot win.
        """
        end = time.perf_counter() + self.budget
        tried: list[Cell] = []
        best: Cell | None = None
        for shape in self.shapes():
            for cell in self._column(shape, error, best):
                tried.append(cell)
                if cell.error <= error and (best is None or cell.seconds < best.seconds):
                    best = self.cell(cell.shape, cell.dt, cell.dtype, repeats=3)
                    tried[-1] = best
                if time.perf_counter() > end:
                    return self._in_single_precision(best, error, tried)
        return self._in_single_precision(best, error, tried)

    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes that halve the truth's grid, coarsest first."""
        out, shape = [], tuple(self.truth.grid.shape)
        while min(shape) >= SMALLEST:
            out.append(shape)
            shape = tuple(n // 2 for n in shape)
        return (out or [tuple(self.truth.grid.shape)])[::-1]

    @property
    def longest(self) -> float:
        """The longest step tried: one a frame, four for a single frame."""
        spacing = float(self.truth.leads[0])
        return spacing if len(self.truth.leads) > 1 else spacing / 4

    def _column(self, shape: tuple[int, ...], error: float, best: Cell | None) -> Iterator[Cell]:
        """Steps that halve until the error is met, stops falling, or the cost passes that of the best."""
        last = float("inf")
        for halving in range(14):
            cell = self.cell(shape, self.longest / 2**halving)
            yield cell
            spent = best is not None and cell.seconds > best.seconds
            flat = cell.error > SATURATED * last and last < 0.5
            if cell.error <= error or flat or spent:
                return
            last = cell.error

    def _in_single_precision(
        self, best: Cell | None, error: float, tried: list[Cell]
    ) -> tuple[Cell | None, list[Cell]]:
        if best is None:
            return None, tried
        single = self.cell(best.shape, best.dt, "float32", repeats=3)
        tried.append(single)
        return (single if single.error <= error and single.seconds < best.seconds else best), tried

    def _grid(self, cell: Cell) -> Grid:
        return self.truth.grid.with_shape(cell.shape).to(getattr(torch, cell.dtype), self.truth.frames.device)

    def _solve(self, cell: Cell, grid: Grid) -> Any:
        start = self.truth.start
        assert start is not None
        double = self.truth.grid.to(torch.float64, start.device)
        u0 = double.resample(start.double(), grid.shape)
        times = [0.0, *self.truth.leads.tolist()]
        with torch.no_grad():
            return solve(self.recipe.equation, u0, grid, times, dt=cell.dt, scheme=self.recipe.scheme)

    @property
    def _target(self) -> Float[Tensor, "b steps c *x"]:
        return at_shape(self.truth.target, self.truth.grid, self.shape)
