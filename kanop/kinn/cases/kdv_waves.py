"""A cosine that breaks up into solitons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kanop.kinn.cases.case import Case, Reference, spectral_reference
from kanop.kinn.domains import Box
from kanop.kinn.problem import Problem
from kanop.solvers import Grid, KortewegDeVries

__all__ = ["KdVWaves"]


@dataclass(frozen=True)
class KdVWaves(Case):
    r"""u_t + u u_x + μ² u_xxx = 0, periodic on (−1, 1), u(0, x) = cos πx, t ≤ 1.

    Parameters
    ----------
    mu : μ (default 0.022: Zabusky and Kruskal 1965, doi:10.1103/PhysRevLett.15.240)
    """

    mu: float = 0.022

    def problem(self) -> Problem:
        equation = KortewegDeVries(1.0, self.mu**2)
        return Problem(equation, Box([-1.0], [1.0]), (0.0, 1.0), given={"u": lambda t, x: _start(x)}, periods=[0])

    def reference(self) -> Reference:
        grid = Grid((512,), (2.0,), origin=(-1.0,))
        times = torch.linspace(0, 1, 101).tolist()
        return spectral_reference(KortewegDeVries(1.0, self.mu**2), _start, grid, times, 1 / 6400, 4)


def _start(x: Tensor) -> Tensor:
    return torch.cos(math.pi * x)
