"""A sine that steepens to a shock layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kanop.kinn.cases.case import Case, Reference
from kanop.kinn.domains import Box
from kanop.kinn.problem import Problem
from kanop.solvers import Burgers, Grid

__all__ = ["BurgersShock"]


@dataclass(frozen=True)
class BurgersShock(Case):
    r"""u_t + u u_x = ν u_xx on (−1, 1), u(0, x) = −sin πx, u(t, ±1) = 0, t ≤ 1.

    The reference is Cole and Hopf's formula with trapezoidal sums, whose error is that against half of the nodes.

    Parameters
    ----------
    nu : ν > 0 (default 0.01/π: Raissi et al. 2019, doi:10.1016/j.jcp.2018.10.045)
    """

    nu: float = 0.01 / math.pi

    def problem(self) -> Problem:
        return Problem(Burgers(self.nu), Box([-1.0], [1.0]), (0.0, 1.0), given={"u": lambda t, x: _start(x)})

    def reference(self) -> Reference:
        t, x = torch.linspace(0, 1, 51, dtype=torch.float64)[1:], torch.linspace(-1, 1, 201, dtype=torch.float64)
        found = []
        for nodes in (4096, 2048):
            grid = Grid((nodes,), (2.0,), origin=(-1.0,))
            exact = Burgers(self.nu).exact(_start(grid.points[0])[None], grid)
            found.append(torch.stack([exact(float(time), x) for time in t]))
        points = torch.stack([p.flatten() for p in torch.meshgrid(t, x, indexing="ij")], 1)
        error = float((found[0] - found[1]).norm() / found[0].norm())
        return Reference(points, found[0].reshape(-1, 1), error)


def _start(x: Tensor) -> Tensor:
    return -torch.sin(math.pi * x)
