"""What a recipe's numbers are worth: errors measured on a sample, against shorter steps and a finer grid."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from kanop.datasets.recipe import Recipe
from kanop.solvers import SCHEMES

__all__ = ["Certificate", "certify"]


@dataclass(frozen=True)
class Certificate:
    """Largest relative L2 errors over the frames and the samples that were solved again.

    Attributes
    ----------
    temporal : error of the time step, from the solution with half of it, extrapolated by 2ᵖ/(2ᵖ − 1)
    spatial : error of the grid, from the solution on twice the points from the same (resampled) first frame
    samples : number of samples that were looked at
    """

    temporal: float
    spatial: float
    samples: int


def certify(recipe: Recipe, seed: int, samples: int = 4, split: str = "train") -> Certificate:
    r"""max ‖u_dt − u_{dt/2}‖/‖u‖ · 2ᵖ/(2ᵖ − 1) and max ‖u_N − u_{2N}‖/‖u‖ over frames and `samples` inputs.

    The spatial part is taken with half the step, so that neither error hides in the other. It costs as much
    as 3 + 2·2ᵈ times solving `samples` inputs.
    """
    u0 = recipe.inputs(seed, split, range(samples))
    order = SCHEMES[recipe.scheme].order
    coarse = recipe.integrate(u0, recipe.grid, 1)
    shorter = recipe.integrate(u0, recipe.grid, 2)
    # The recorded solution starts from its first frame, in which the modes that would alias are cut.
    grid = recipe.grid.with_shape([2 * n for n in recipe.grid.shape])
    start = recipe.grid.resample(coarse.u[:, 0], grid.shape)
    finer = grid.resample(recipe.integrate(start, grid, 2).u, recipe.grid.shape)
    temporal = _distance(coarse.u, shorter.u) * 2**order / (2**order - 1)
    return Certificate(temporal, _distance(shorter.u, finer), samples)


def _distance(u: Float[Tensor, "b t c *x"], reference: Float[Tensor, "b t c *x"]) -> float:
    """Largest relative L2 distance over samples and frames."""
    error, size = ((f.flatten(2) ** 2).sum(-1).sqrt() for f in (u - reference, reference))
    return float((error / size.clamp_min(1e-300)).max())
