"""A wave carried many times around."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from kanop.kinn.cases.case import Case, Reference, exact_reference
from kanop.kinn.domains import Box
from kanop.kinn.problem import Problem
from kanop.solvers import Advection

__all__ = ["FastAdvection"]


@dataclass(frozen=True)
class FastAdvection(Case):
    r"""u_t + c u_x = 0, periodic on (0, 2π), u(0, x) = sin x, t ≤ 1.

    Parameters
    ----------
    speed : c (default 30: Krishnapriyan et al. 2021, arXiv:2109.01050)
    """

    speed: float = 30.0

    def problem(self) -> Problem:
        return Problem(
            Advection([self.speed]),
            Box([0.0], [2 * math.pi]),
            (0.0, 1.0),
            given={"u": lambda t, x: torch.sin(x)},
            periods=[0],
            exact=lambda t, x: torch.sin(x - self.speed * t),
        )

    def reference(self) -> Reference:
        return exact_reference(self.problem())
