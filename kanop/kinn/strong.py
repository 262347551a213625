"""The strong form: the residual of the equation is small at points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.jets import check_smoothness
from kanop.kinn.expressions import Index
from kanop.kinn.jet_derivatives import JetDerivatives
from kanop.kinn.leaves import Field
from kanop.kinn.minimisers import Objective
from kanop.kinn.problem import Problem
from kanop.kinn.sampling import SAMPLERS, adapted, draw
from kanop.kinn.unknowns import Unknowns
from kanop.solvers.errors import check, nearest

__all__ = ["Residuals", "Strong", "StrongObjective", "residual_size"]


@dataclass(frozen=True)
class Strong:
    r"""½ log₁₀ Σ_e w_e mean R_e², the mean over points that follow the residual.

    The logarithm makes a step from 1e-10 to 1e-11 as much worth to a quasi-Newton method as one from 1 to 0.1.

    Parameters
    ----------
    points : how many (default 2000)
    sampler : "sobol" (default), "uniform", "latin" or "grid"
    adapt : power k ≥ 0 of the residual by which points are chosen from a pool (RAD; default 1); 0: they are not
    floor : c ≥ 0, what is added to |R|^k over its mean (default 1): points without residual are taken, too
    pool : points of the pool over those that are chosen (default 8)
    weights : w_e ≥ 0 by name of the equation (default 1)

    Raises
    ------
    KanopError : numbers out of these ranges, an unknown sampler
    """

    points: int = 2000
    sampler: str = "sobol"
    adapt: float = 1.0
    floor: float = 1.0
    pool: int = 8
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(min(self.points, self.pool) >= 1, f"points and pool are at least 1, got {self.points} and {self.pool}")
        check(self.adapt >= 0 and self.floor >= 0, f"adapt and floor are at least 0, got {self.adapt}, {self.floor}")
        check(self.sampler in SAMPLERS, nearest(self.sampler, SAMPLERS, "sampler"))
        for name, weight in self.weights.items():
            check(weight >= 0 and weight < float("inf"), f"weights are finite and at least 0, got {name}: {weight}")

    def objective(self, problem: Problem, unknowns: Unknowns, generator: torch.Generator) -> StrongObjective:
        """The loss of `unknowns`; `generator` draws the points."""
        return StrongObjective(self, problem, unknowns, generator)


class StrongObjective(Objective):
    """The strong form of a problem as a loss."""

    def __init__(self, form: Strong, problem: Problem, unknowns: Unknowns, generator: torch.Generator) -> None:
        self.form, self.problem, self.module, self.generator = form, problem, unknowns, generator
        self.unknowns = unknowns
        self.residuals = self._drawn()
        for name in form.weights:
            check(name in self.residuals.names, nearest(name, self.residuals.names, "equation"))

    def loss(self) -> Tensor:
        parts = self.residuals()
        squares = [self.form.weights.get(name, 1.0) * r.square().mean() for name, r in parts.items()]
        return 0.5 * torch.log10(sum(squares[1:], squares[0]))

    def redraw(self) -> None:
        self.residuals = self._drawn()

    def _drawn(self) -> Residuals:
        form = self.form
        if form.adapt == 0:
            points = draw(self.problem, form.points, form.sampler, self.generator)
        else:
            pool = draw(self.problem, form.pool * form.points, form.sampler, self.generator)
            sizes = residual_size(self.problem, self.unknowns, pool)
            points = adapted(pool, sizes, form.points, form.adapt, form.floor, self.generator)
        return Residuals(self.problem, self.unknowns, points)


class Residuals:
    """R of every equation at points, as a function of the parameters.

    Parameters
    ----------
    problem, unknowns : what is solved, and by what
    points : (n, 1 + d), (t, x, …)

    Raises
    ------
    KanopError : functions that are not smooth enough for the derivatives that the equation takes
    """

    def __init__(self, problem: Problem, unknowns: Unknowns, points: Float[Tensor, "n i"]) -> None:
        self.unknowns, self.points = unknowns, points
        # The expressions keep what given functions and their derivatives are at the points.
        fields, self._outputs = unknowns.expressions(points)
        self._made = problem.equation.residual(JetDerivatives(fields, points.unbind(1)))
        self._zero = (0,) * points.shape[1]
        self._wanted: dict[Field, set[Index]] = {}
        for expression in self._made.values():
            for output, index in expression.needs(self._zero):
                self._wanted.setdefault(output, set()).add(index)
        highest = max((sum(index) for indices in self._wanted.values() for index in indices), default=0)
        check_smoothness(unknowns.network, highest)

    @property
    def names(self) -> list[str]:
        """Of the equations."""
        return list(self._made)

    def __call__(self) -> dict[str, Float[Tensor, " n"]]:
        """The residuals at the parameters as they are."""
        self.unknowns.differentiate(self.points, self._outputs, self._wanted)
        return {name: expression.at(self._zero).expand(len(self.points)) for name, expression in self._made.items()}


def residual_size(
    problem: Problem, unknowns: Unknowns, points: Float[Tensor, "n i"], chunk: int = 2000
) -> Float[Tensor, " n"]:
    """√Σ R² over the equations at points, without gradient, a chunk at a time."""
    parts = [Residuals(problem, unknowns, some)() for some in points.split(chunk)]
    return torch.cat([torch.stack([r.detach() for r in part.values()]).norm(dim=0) for part in parts])
