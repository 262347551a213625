"""The observed order of every scheme on an equation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import Any

import torch

from kanop.solvers import SCHEMES, Equation, Geometry, LinearOperator, solve
from kanop.solvers.errors import check
from kanop.solvers.etdrk import EXPONENTIAL
from kanop.testing.equation import default_grid, smooth_state

__all__ = ["Convergence", "check_order", "observed_order"]

STEPS = (8, 16, 32, 64, 128)
# Between these errors a slope says something: above the steps are too long, below is rounding. Of those the shortest
# steps count, since implicit schemes come to their order late on waves.
RANGE = (1e-12, 3e-2)
LAST = 3
MARGIN = 0.15


@dataclass(frozen=True)
class Convergence:
    """Errors of one scheme under halvings of dt.

    Attributes
    ----------
    scheme, nominal : its name and its order
    dt : time steps
    errors : relative L2 errors against the fourth-order scheme with steps 4 times shorter than the shortest
    slope : of log error over log dt, fitted to the last three errors that say something; None with fewer than two
    """

    scheme: str
    nominal: int
    dt: tuple[float, ...]
    errors: tuple[float, ...]
    slope: float | None


def observed_order(equation: Equation[Any], grid: Geometry | None = None, seed: int = 0) -> list[Convergence]:
    """d log(error) / d log(dt) from a smooth random state, for every scheme that takes the equation's linear part."""
    grid = grid or default_grid(equation)
    u0, span = smooth_state(equation, grid, seed)

    def end(scheme: str | None, steps: int) -> torch.Tensor:
        return solve(equation, u0, grid, [0, span], dt=span / steps, scheme=scheme).u[:, 1]

    reference = end(None, 4 * STEPS[-1])
    size = float(reference.norm())
    couples = isinstance(equation.linear(grid), LinearOperator)
    out = []
    for name, scheme in SCHEMES.items():
        if couples and name in EXPONENTIAL:
            continue
        errors = tuple(float((end(name, n) - reference).norm()) / size for n in STEPS)
        steps = tuple(span / n for n in STEPS)
        out.append(Convergence(name, scheme.order, steps, errors, _slope(steps, errors)))
    return out


def _slope(steps: Sequence[float], errors: Sequence[float]) -> float | None:
    low, high = RANGE
    points = [(math.log(h), math.log(e)) for h, e in zip(steps, errors, strict=True) if low < e < high]
    return linear_regression(*zip(*points[-LAST:], strict=True)).slope if len(points) > 1 else None


def check_order(results: list[Convergence]) -> None:
    """Raise KanopError, naming the scheme, where a slope falls short of the nominal order by more than 0.15."""
    for result in results:
        check(
            result.slope is None or result.slope > result.nominal - MARGIN,
            f"{result.scheme} is of order {result.nominal}, observed is {result.slope or 0:.2f}: errors "
            f"{', '.join(f'{e:.1e}' for e in result.errors)} at dt = {', '.join(f'{h:.2g}' for h in result.dt)}; "
            "is `nonlinear` discontinuous, or does it depend on something else than u and t?",
        )
