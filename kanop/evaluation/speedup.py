"""Speed-up at equal error: the operator against our own solver's cheapest setting that errs no more."""

from __future__ import annotations

import math
import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.metrics import relative_l2
from kanop.evaluation.truth import Truth, at_shape
from kanop.solvers import Geometry, SolverDiverged

__all__ = ["Cell", "Ladder", "seconds"]

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
    """One setting of the solver, its mean relative L2 error and its seconds.

    Attributes
    ----------
    shape, dtype : points and precision
    dt : the time step; the longest one where `graded`: the recipe's own schedule, scaled
    tolerance : of a steady problem instead: the relative residual
    error : mean relative L2 over samples and lead times; ∞ where it diverged
    seconds : for all samples in one batch
    """

    shape: tuple[int, ...]
    dt: float | None = None
    graded: bool = False
    tolerance: float | None = None
    dtype: str = "float64"
    error: float = math.inf
    seconds: float = 0.0

    def __str__(self) -> str:
        if self.dt is None:
            return f"{' × '.join(map(str, self.shape))} cells, relative residual {self.tolerance:.0e}"
        steps = f"dt growing to {self.dt:.3g}" if self.graded else f"dt = {self.dt:.3g}"
        return f"{' × '.join(map(str, self.shape))} points, {steps}, {self.dtype}"


@dataclass(frozen=True)
class Ladder(ABC):
    """The solver on coarser grids and less exactly, from the same input, against the same truth.

    Parameters
    ----------
    recipe : its equation is what is solved
    truth : stored frames (at the finest resolution at hand), from which the input and the reference are taken
    shape : points at which errors are measured: those of the operator
    budget : seconds after which no further setting is tried
    """

    recipe: Any
    truth: Truth
    shape: tuple[int, ...]
    budget: float = 20.0

    @abstractmethod
    def solve(self, cell: Cell) -> tuple[Float[Tensor, "b steps c *x"], Geometry]:
        """The frames that `cell` computes, and their grid."""

    @abstractmethod
    def columns(self, shape: tuple[int, ...]) -> list[Cell]:
        """The least exact settings on `shape` points."""

    @abstractmethod
    def finer(self, cell: Cell) -> Cell:
        """The next more exact setting on the same points."""

    @abstractmethod
    def variants(self, best: Cell) -> list[Cell]:
        """Further settings worth a try beside the best one."""

    def frames(self, cell: Cell) -> Float[Tensor, "b steps c *x"]:
        """What `cell` computes, at the points where errors are measured."""
        frames, grid = self.solve(cell)
        return at_shape(frames, grid, self.shape)

    def run(self, cell: Cell) -> Cell:
        """The setting with its error and the seconds of one run."""
        start = time.perf_counter()
        try:
            frames, grid = self.solve(cell)
        except SolverDiverged:
            return replace(cell, error=math.inf, seconds=time.perf_counter() - start)
        took = time.perf_counter() - start
        frames = at_shape(frames, grid, self.shape).double()
        target = at_shape(self.truth.target, self.truth.grid, self.shape).double()
        error = relative_l2(frames, target, self.truth.grid.with_shape(self.shape)).mean()
        return replace(cell, error=float(error), seconds=took)

    def timed(self, cell: Cell) -> Cell:
        """The same with the median of several runs."""
        device = self.truth.frames.device
        return replace(cell, seconds=seconds(lambda: self.solve(cell), 3, device))

    def coarse(self) -> Cell:
        """The least exact setting on half of the operator's points."""
        return self.run(self.columns(tuple(max(4, n // 2) for n in self.shape))[0])

    def cheapest(self, error: float) -> tuple[Cell | None, list[Cell]]:
        """The fastest setting that errs at most by `error` (None if the budget ended first), and all tried.

        Grids grow from the coarsest, on each the solver gets more exact; what costs twice the best so far cannot win.
        """
        end = time.perf_counter() + self.budget
        tried: list[Cell] = []
        best: Cell | None = None
        for first in (cell for shape in self._shapes() for cell in self.columns(shape)):
            for cell in self._column(first, error, best):
                tried.append(cell)
                if cell.error <= error and (best is None or cell.seconds < 2 * best.seconds):
                    tried[-1] = self.timed(cell)
                    best = tried[-1] if best is None else min(best, tried[-1], key=lambda c: c.seconds)
                if time.perf_counter() > end:
                    return self._varied(best, error, tried)
        return self._varied(best, error, tried)

    def _shapes(self) -> list[tuple[int, ...]]:
        """Shapes that halve the truth's grid, coarsest first."""
        out, shape = [], tuple(self.truth.grid.shape)
        while min(shape) >= SMALLEST:
            out.append(shape)
            shape = tuple(n // 2 for n in shape)
        return (out or [tuple(self.truth.grid.shape)])[::-1]

    def _column(self, cell: Cell, error: float, best: Cell | None) -> Iterator[Cell]:
        """Ever more exact until the error is met, stops falling, or the cost passes twice the best's."""
        last = math.inf
        for _ in range(14):
            cell = self.run(cell)
            yield cell
            spent = best is not None and cell.seconds > 2 * best.seconds
            flat = cell.error > SATURATED * last and last < 0.5
            if cell.error <= error or flat or spent:
                return
            last, cell = cell.error, self.finer(cell)

    def _varied(self, best: Cell | None, error: float, tried: list[Cell]) -> tuple[Cell | None, list[Cell]]:
        for cell in [] if best is None else self.variants(best):
            other = self.run(cell)
            if other.error <= error:
                other = self.timed(other)
                best = min(best, other, key=lambda c: c.seconds)
            tried = [*tried, other]
        return best, tried
