"""What the grid of a steady recipe is worth: errors against finer solutions of the same coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kanop.datasets.steady import SteadyRecipe
from kanop.datasets.subsampling import subsampled, thinned
from kanop.solvers import Grid

__all__ = ["SteadyCertificate", "certify_steady"]

# Coarser grids that are looked at: every 5th and every 3rd node of the recipe's, 85 and 141 points for 421.
COARSER = (5, 3, 1)
# Points of the finer solutions, as a multiple of the recipe's.
FINER = 3


@dataclass(frozen=True)
class SteadyCertificate:
    """Relative L2 errors of the discretisation on three grids, and how they fall.

    Attributes
    ----------
    shapes : the grids, the recipe's last
    finer : for each the grid of the solution that it was compared with: an odd multiple, whose cell centres hold
        the coarse ones, with the coefficient at these points
    errors : ‖u − u_finer‖/‖u_finer‖ at the coarse centres, largest of the samples
    order : slope of the mean error over h, fitted to the three
    samples : number of samples that were looked at
    """

    shapes: tuple[tuple[int, ...], ...]
    finer: tuple[tuple[int, ...], ...]
    errors: tuple[float, ...]
    order: float
    samples: int


def certify_steady(recipe: SteadyRecipe, seed: int, samples: int = 4, split: str = "train") -> SteadyCertificate:
    """max ‖u_n − u_{rn}‖/‖u_{rn}‖ for n/5, n/3 and n points an axis, r odd with rn ≈ 3 × the recipe's points."""
    n = recipe.grid.shape
    shapes = [tuple((m - 1) // every + 1 for m in n) for every in COARSER]
    odd = [1 + 2 * max(1, round((FINER * max(n) / max(shape) - 1) / 2)) for shape in shapes]
    finer = [tuple(r * m for m in shape) for r, shape in zip(odd, shapes, strict=True)]
    each = [[_error(recipe, f, r, seed, split, i) for f, r in zip(finer, odd, strict=True)] for i in range(samples)]
    errors = torch.tensor(each, dtype=torch.float64)
    fitted = np.polyfit([-math.log(max(shape)) for shape in shapes], errors.mean(0).log().numpy(), 1)
    worst = tuple(errors.amax(0).tolist())
    return SteadyCertificate(tuple(shapes), tuple(finer), worst, float(fitted[0]), samples)


def _error(recipe: SteadyRecipe, shape: tuple[int, ...], every: int, seed: int, split: str, i: int) -> float:
    fine = recipe.grid.with_shape(shape)
    a = recipe.coefficient.sample(fine, seed, split, [i]).to(fine.dtype)
    coarse, centres = subsampled(fine, every)
    truth = thinned(_solved(recipe, a, fine), centres)
    found = _solved(recipe, thinned(a, centres).contiguous(), coarse)
    return float(torch.linalg.vector_norm(found - truth) / torch.linalg.vector_norm(truth))


def _solved(recipe: SteadyRecipe, a: Tensor, grid: Grid) -> Tensor:
    return recipe.equation.solve(a, grid, tolerance=recipe.tolerance).u
