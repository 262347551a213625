"""`SteadyRecipe`: a steady problem, a grid and a law of its coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.problem import Problem
from kanop.datasets.recording import Recorded
from kanop.datasets.storing import EveryPoint
from kanop.solvers import Darcy, Grid, KanopError, RandomField, darcy_residual
from kanop.solvers.errors import check

__all__ = ["SteadyRecipe"]


@dataclass(frozen=True)
class SteadyRecipe(Problem):
    r"""a ~ coefficient, −∇·(a∇u) = f, u = 0 on the walls: pairs (a, u), where a is given and u is to be found.

    Parameters
    ----------
    equation : Darcy with a constant source f ≠ 0
    grid : where it is solved: Dirichlet walls on every axis; values are those at the cell centres
    coefficient : law of a > 0, sampled at the cell centres and never interpolated
    tolerance : ‖f + ∇·(a∇u)‖/‖f‖ of every sample; default 10⁻² (h/L)², see `solve_darcy`
    store : cells that are kept, e.g. `EveryPoint(3)`: odd factors, so that centres stay centres; default all

    Raises
    ------
    KanopError : a grid without walls, a source that is zero or left open, a factor that does not divide

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Ones:
    ...     def sample(self, grid, seed, split, indices):
    ...         return torch.ones(len(indices), 1, *grid.shape)
    >>> recipe = SteadyRecipe(Darcy(source=2.0), Grid((9,), boundaries="dirichlet"), Ones(), store=EveryPoint(3))
    >>> recipe.record(seed=0, split="train", indices=[0]).fields[0, 0, 0].round(decimals=3).tolist()
    [0.142, 0.253, 0.142]
    """

    equation: Darcy
    grid: Grid
    coefficient: RandomField
    tolerance: float | None = None
    store: EveryPoint = field(default_factory=EveryPoint)

    def __post_init__(self) -> None:
        walled = set(self.grid.boundaries) == {"dirichlet"}
        check(walled, f"expected a grid with boundaries 'dirichlet' on every axis, got {self.grid.boundaries}")
        check(bool(self.equation.source), f"expected Darcy with a source f ≠ 0, got source={self.equation.source}")
        check(self.tolerance is None or 0 < self.tolerance < 1, f"expected 0 < tolerance < 1, got {self.tolerance}")
        self.store.grid(self.grid)

    @property
    def frame_times(self) -> tuple[float, ...]:
        """The one time that the solution is filed under."""
        return (0.0,)

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the given fields."""
        return self.equation.coefficients

    @property
    def scalars(self) -> dict[str, float]:
        """The equation's constants by name."""
        return {"source": float(self.equation.source or 0)}

    def inputs(self, seed: int, split: str, indices: Sequence[int]) -> Float[Tensor, "b 1 *x"]:
        """Coefficients number `indices` of `split` on `grid`."""
        return self.coefficient.sample(self.grid, seed, split, indices).to(self.grid.dtype)

    def record(self, seed: int, split: str, indices: Sequence[int]) -> Recorded:
        """Samples number `indices` of `split` as they are stored.

        Diagnostics are "residual", ‖f + ∇·(a∇u)‖/‖f‖, and "flux_balance", the largest |f − outflow|/|f| of any cell;
        both in double precision, before anything is rounded to be stored.
        """
        a = self.inputs(seed, split, indices)
        try:
            solution = self.equation.solve(a, self.grid, tolerance=self.tolerance)
        except KanopError as error:
            first = f"in the batch of {split} samples that begins with number {indices[0]}"
            raise KanopError(f"{first}: {error}") from error
        balance = darcy_residual(a, solution.u, self.scalars["source"], self.grid).abs().flatten(1).amax(1)
        numbers = {"residual": solution.residual, "flux_balance": balance / abs(self.scalars["source"])}
        u, kept = (self.store.keep(v, self.grid) for v in (solution.u, a))
        return Recorded(torch.unsqueeze(u, 1), kept, numbers)
