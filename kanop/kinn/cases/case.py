"""Problems of the literature with what they are compared with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kinn.problem import Problem
from kanop.kinn.sampling import draw
from kanop.solvers import Equation, Grid, solve

__all__ = ["Case", "Reference", "exact_reference", "spectral_reference"]


class Reference(NamedTuple):
    """The solution at points, and how far it may be off.

    Attributes
    ----------
    points : (n, 1 + d), (t, x, …)
    values : (n, c)
    error : relative L2 error of `values`, as estimated
    """

    points: Float[Tensor, "n i"]
    values: Float[Tensor, "n c"]
    error: float

    def distance(self, unknowns: nn.Module) -> float:
        """‖u − values‖/‖values‖ of the first fields of `unknowns`, as many as there are values."""
        with torch.no_grad():
            found = unknowns(self.points)[:, : self.values.shape[1]]
        return float((found - self.values).norm() / self.values.norm())


class Case(ABC):
    """A problem and its reference."""

    @abstractmethod
    def problem(self) -> Problem:
        """What is to be solved."""

    @abstractmethod
    def reference(self) -> Reference:
        """What it is compared with."""


def exact_reference(problem: Problem, count: int = 10_000) -> Reference:
    """The exact solution at points of a lattice."""
    points = draw(problem, count, "grid", torch.Generator().manual_seed(0))
    values = problem.exact(*points.unbind(1)).reshape(len(points), -1)  # type: ignore[misc]
    return Reference(points, values, 1e-15)


def spectral_reference(
    equation: Equation[Any],
    start: Callable[[Tensor], Tensor],
    grid: Grid,
    times: Sequence[float],
    dt: float,
    stride: int,
) -> Reference:
    """The spectral solver's solution in one dimension, at every `stride`-th point; it errs by as much as one made with
    half of the points and twice the step differs from it."""
    runs = []
    for points, step in ((grid.shape[0], dt), (grid.shape[0] // 2, 2 * dt)):
        fine = grid.with_shape([points])
        run = solve(equation, start(fine.points[0])[None, None], fine, times, dt=step)
        runs.append(run.u[0, :, 0, :: stride * points // grid.shape[0]])
    error = float((runs[0] - runs[1]).norm() / runs[0].norm())
    t, x = torch.meshgrid(torch.as_tensor(times, dtype=torch.float64), grid.points[0][::stride], indexing="ij")
    return Reference(torch.stack([t.flatten(), x.flatten()], 1), runs[0].reshape(-1, 1), error)
