"""What the grid of a steady recipe is worth: errors against finer solutions of the same coefficients."""

from __future__ import annotations

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
# The finer solution has 3 times the points: odd, so that the coarse centres are among its own.
FINER = 3


@dataclass(frozen=True)
class SteadyCertificate:
    """Relative L2 errors of the discretisation on three grids, and how they fall.

    Attributes
    ----------
    shapes : the grids, the recipe's last
    errors : ‖u_n − u_{3n}‖/‖u_{3n}‖ at the coarse centres, extrapolated by 3ᵖ/(3ᵖ − 1); largest of the samples.
        The coarse problem has the fine one's coefficient at its own centres
    order : p, slope of the mean error over h, fitted to the three
    samples : number of samples that were looked at
    """

    shapes: tuple[tuple[int, ...], ...]
    errors: tuple[float, ...]
    order: float
    samples: int


def certify_steady(recipe: SteadyRecipe, seed: int, samples: int = 8, split: str = "train") -> SteadyCertificate:
    """max ‖u_n − u_{3n}‖/‖u_{3n}‖ · 3ᵖ/(3ᵖ − 1) for n/5, n/3 and n points an axis, p fitted to their means.

    Where the coefficient jumps, errors scatter from sample to sample: a few are needed for the order.
    """
    shapes = [tuple((n - 1) // every + 1 for n in recipe.grid.shape) for every in COARSER]
    errors = np.array([[_error(recipe, shape, seed, split, i) for shape in shapes] for i in range(samples)])
    points = [max(shape) for shape in shapes]
    order = -float(np.polyfit(np.log(points), np.log(errors.mean(0)), 1)[0])
    worst = errors.max(0) / (1 - FINER ** -max(order, 0.1))
    return SteadyCertificate(tuple(shapes), tuple(worst.tolist()), order, samples)


def _error(recipe: SteadyRecipe, shape: tuple[int, ...], seed: int, split: str, i: int) -> float:
    fine = recipe.grid.with_shape([FINER * n for n in shape])
    a = recipe.coefficient.sample(fine, seed, split, [i]).to(fine.dtype)
    coarse, centres = subsampled(fine, FINER)
    truth = thinned(_solved(recipe, a, fine), centres)
    found = _solved(recipe, thinned(a, centres).contiguous(), coarse)
    return float(torch.linalg.vector_norm(found - truth) / torch.linalg.vector_norm(truth))


def _solved(recipe: SteadyRecipe, a: Tensor, grid: Grid) -> Tensor:
    return recipe.equation.solve(a, grid, tolerance=recipe.tolerance).u
