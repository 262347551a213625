"""Plateaus with sharp fronts between."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kanop.kinn.cases.case import Case, Reference, spectral_reference
from kanop.kinn.domains import Box
from kanop.kinn.problem import Problem
from kanop.solvers import AllenCahn, Grid

__all__ = ["AllenCahnFronts"]


@dataclass(frozen=True)
class AllenCahnFronts(Case):
    r"""u_t = D u_xx + 5 (u − u³), periodic on (−1, 1), u(0, x) = x² cos πx, t ≤ 1.

    The start has a kink at the wall, where its slope is ∓2: the reference is the spectral solver's on 4096 points.

    Parameters
    ----------
    diffusivity : D > 0 (default 10⁻⁴: Raissi et al. 2019, doi:10.1016/j.jcp.2018.10.045, §3.2)
    """

    diffusivity: float = 1e-4

    def problem(self) -> Problem:
        equation = AllenCahn(self.diffusivity, 5.0)
        return Problem(equation, Box([-1.0], [1.0]), (0.0, 1.0), given={"u": lambda t, x: _start(x)}, periods=[0])

    def reference(self) -> Reference:
        grid = Grid((4096,), (2.0,), origin=(-1.0,))
        times = torch.linspace(0, 1, 101).tolist()
        return spectral_reference(AllenCahn(self.diffusivity, 5.0), _start, grid, times, 1 / 800, 16)


def _start(x: Tensor) -> Tensor:
    return x**2 * torch.cos(math.pi * x)
