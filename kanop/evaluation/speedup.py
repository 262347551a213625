"""Speed-up at equal error: the operator against our own solver's cheapest setting that errs no more."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.metrics import relative_l2
from kanop.evaluation.truth import Truth, at_shape
from kanop.solvers import KanopError, SolverDiverged, Trajectory, solve

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
    """One setting of the solver, its mean relative L2 error and its seconds.

    Attributes
    ----------
    shape, dtype : points and precision
    dt : the time step; the longest one where `graded`: the recipe's own schedule, scaled
    error : mean relative L2 over samples and lead times; ∞ where it diverged
    seconds : for all samples in one batch
    """

    shape: tuple[int, ...]
    dt: float
    graded: bool = False
    dtype: str = "float64"
    error: float = math.inf
    seconds: float = 0.0

    def __str__(self) -> str:
        steps = f"dt growing to {self.dt:.3g}" if self.graded else f"dt = {self.dt:.3g}"
        return f"{' × '.join(map(str, self.shape))} points, {steps}, {self.dtype}"


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
        solution = self._solve(cell)
        return at_shape(solution.u[:, 1:], solution.grid, self.shape)

    def run(self, cell: Cell) -> Cell:
        """The setting with its error and the seconds of one run."""
        start = time.perf_counter()
        try:
            solution = self._solve(cell)
        except SolverDiverged:
            return replace(cell, error=math.inf, seconds=time.perf_counter() - start)
        took = time.perf_counter() - start
        frames = at_shape(solution.u[:, 1:], solution.grid, self.shape).double()
        target = at_shape(self.truth.target, self.truth.grid, self.shape).double()
        error = relative_l2(frames, target, self.truth.grid.with_shape(self.shape)).mean()
        return replace(cell, error=float(error), seconds=took)

    def timed(self, cell: Cell) -> Cell:
        """The same with the median of several runs."""
        device = self.truth.frames.device
        return replace(cell, seconds=seconds(lambda: self._solve(cell), 3, device))

    def cheapest(self, error: float) -> tuple[Cell | None, list[Cell]]:
        """The fastest setting that errs at most by `error` (None if the budget ended first), and all tried.

        Grids grow from the coarsest, steps shrink by halves; what costs twice the best so far cannot win.
        """
        end = time.perf_counter() + self.budget
        tried: list[Cell] = []
        best: Cell | None = None
        for shape, graded in product(self._shapes(), self._kinds()):
            for cell in self._column(Cell(shape, self.longest, graded), error, best):
                tried.append(cell)
                if cell.error <= error and (best is None or cell.seconds < 2 * best.seconds):
                    tried[-1] = self.timed(cell)
                    best = tried[-1] if best is None else min(best, tried[-1], key=lambda c: c.seconds)
                if time.perf_counter() > end:
                    return self._in_single_precision(best, error, tried)
        return self._in_single_precision(best, error, tried)

    @property
    def longest(self) -> float:
        """The longest step tried: one a frame, four for a single frame."""
        spacing = float(self.truth.leads[0])
        return spacing if len(self.truth.leads) > 1 else spacing / 4

    def _shapes(self) -> list[tuple[int, ...]]:
        """Shapes that halve the truth's grid, coarsest first."""
        out, shape = [], tuple(self.truth.grid.shape)
        while min(shape) >= SMALLEST:
            out.append(shape)
            shape = tuple(n // 2 for n in shape)
        return (out or [tuple(self.truth.grid.shape)])[::-1]

    def _kinds(self) -> tuple[bool, ...]:
        return (False,) if isinstance(self.recipe.dt, float) else (False, True)

    def _column(self, first: Cell, error: float, best: Cell | None) -> Iterator[Cell]:
        """Steps that halve until the error is met, stops falling, or the cost passes twice the best's."""
        last = math.inf
        for halving in range(14):
            cell = self.run(replace(first, dt=first.dt / 2**halving))
            yield cell
            spent = best is not None and cell.seconds > 2 * best.seconds
            flat = cell.error > SATURATED * last and last < 0.5
            if cell.error <= error or flat or spent:
                return
            last = cell.error

    def _in_single_precision(
        self, best: Cell | None, error: float, tried: list[Cell]
    ) -> tuple[Cell | None, list[Cell]]:
        if best is None:
            return None, tried
        single = self.run(replace(best, dtype="float32"))
        if single.error <= error:
            single = self.timed(single)
            best = min(best, single, key=lambda c: c.seconds)
        return best, [*tried, single]

    def _solve(self, cell: Cell) -> Trajectory:
        truth, start = self.truth, self.truth.start
        if start is None:
            raise KanopError("the map gives no state to start the solver from")
        double = truth.grid.to(torch.float64, start.device)
        u0 = double.resample(start.double(), cell.shape)
        grid = double.with_shape(cell.shape).to(getattr(torch, cell.dtype))
        first = float(truth.times[-1] - truth.leads[-1])
        times = [first, *(first + truth.leads).tolist()]
        with torch.no_grad():
            return solve(self.recipe.equation, u0, grid, times, self._steps(cell), scheme=self.recipe.scheme)

    def _steps(self, cell: Cell) -> float | Sequence[tuple[float, float]]:
        if not cell.graded:
            return cell.dt
        scale = cell.dt / max(h for _, h in self.recipe.dt)
        return [(until, scale * h) for until, h in self.recipe.dt]
