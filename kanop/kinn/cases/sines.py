"""Products of sines with walls at zero: Poisson's and Helmholtz' equation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kanop.kinn.cases.case import Case, Reference, exact_reference
from kanop.kinn.domains import Box
from kanop.kinn.problem import Problem
from kanop.solvers import Helmholtz
from kanop.solvers.errors import check

__all__ = ["Sines"]


@dataclass(frozen=True)
class Sines(Case):
    r"""Δu + κ² u + f = 0 on (−1, 1)², u = 0 on the walls, u = sin(π a₁ x) sin(π a₂ y).

    Parameters
    ----------
    waves : a₁, a₂, whole numbers (default 1 and 4)
    k2 : κ² (default 1: Wang, Teng, Perdikaris 2021, arXiv:2001.04536); 0 for Poisson's equation
    """

    waves: Sequence[int] = (1, 4)
    k2: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "waves", tuple(self.waves))
        good = len(self.waves) == 2 and all(a == int(a) and a >= 1 for a in self.waves)
        check(good, f"waves are two whole numbers of at least 1, got {self.waves}")

    def problem(self) -> Problem:
        a, b = (math.pi * wave for wave in self.waves)

        def u(x: Tensor, y: Tensor) -> Tensor:
            return torch.sin(a * x) * torch.sin(b * y)

        equation = Helmholtz(self.k2, lambda x, y: (a**2 + b**2 - self.k2) * u(x, y))
        return Problem(equation, Box([-1.0, -1.0], [1.0, 1.0]), exact=lambda t, x, y: u(x, y))

    def reference(self) -> Reference:
        return exact_reference(self.problem())
