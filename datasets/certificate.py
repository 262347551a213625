"""What a recipe's numbers are worth: errors measured on a sample, against shorter steps and a finer grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.problem import Problem
from kanop.datasets.recipe import Recipe
from kanop.datasets.steady import SteadyRecipe
from kanop.datasets.steady_certificate import SteadyCertificate, certify_steady
from kanop.solvers import SCHEMES, KanopError

__all__ = ["Certificate", "certify"]

# Bytes of frames on the finer grid that are held at once.
HELD = 2**29


@dataclass(frozen=True)
class Certificate:
    """Largest relative L2 errors, each of the worst field, over the samples that were solved again.

    Attributes
    ----------
    temporal : error of the time step over all frames, from the solution with half of it, extrapolated by
        2ᵖ/(2ᵖ − 1)
    spatial : error of the grid over all frames, from the solution on twice the points from the same (resampled)
        first frame
    temporal_next, spatial_next : the same at the frame after the first: what one interval adds. Where a flow is
        chaotic, errors grow until solutions have nothing in common; these tell how well it is solved
    samples : number of samples that were looked at
    """

    temporal: float
    spatial: float
    temporal_next: float
    spatial_next: float
    samples: int


def certify(recipe: Problem, seed: int, samples: int = 4, split: str = "train") -> Certificate | SteadyCertificate:
    r"""max ‖u_dt − u_{dt/2}‖/‖u‖ · 2ᵖ/(2ᵖ − 1) and max ‖u_N − u_{2N}‖/‖u‖ over frames and `samples` inputs.

    Both start from the first frame, after the burn-in. The spatial part is taken with half the step, so that neither
    error hides in the other. It costs as much as 3 + 2·2ᵈ times solving `samples` inputs. Of a steady recipe:
    `certify_steady`.
    """
    if isinstance(recipe, SteadyRecipe):
        return certify_steady(recipe, seed, samples, split)
    if not isinstance(recipe, Recipe):
        raise KanopError(f"only a Recipe or a SteadyRecipe is certified, got {type(recipe).__name__}")
    u0 = recipe.inputs(seed, split, range(samples))
    frame = u0[0].numel() * u0.element_size() * 2**recipe.grid.ndim
    size = max(1, HELD // (frame * len(recipe.frame_times)))
    temporal, spatial = (torch.cat(parts) for parts in zip(*(_errors(recipe, u) for u in u0.split(size)), strict=True))
    return Certificate(
        temporal=float(temporal.max()),
        spatial=float(spatial.max()),
        temporal_next=float(temporal[:, 1].max()),
        spatial_next=float(spatial[:, 1].max()),
        samples=samples,
    )


def _errors(recipe: Recipe, u0: Float[Tensor, "b c *x"]) -> tuple[Float[Tensor, "b t"], Float[Tensor, "b t"]]:
    """Error of the step and of the grid, for each sample and frame."""
    order = SCHEMES[recipe.scheme].order
    coarse = recipe.integrate(u0, recipe.grid, 1)
    shorter = recipe.integrate(u0, recipe.grid, 2)
    # The recorded solution starts from its first frame, in which the modes that would alias are cut.
    grid = recipe.grid.with_shape([2 * n for n in recipe.grid.shape])
    start = recipe.grid.resample(coarse.u[:, 0], grid.shape)
    finer = recipe.integrate(start, grid, 2)
    again = torch.stack([grid.resample(u, recipe.grid.shape) for u in finer.u.unbind(1)], 1)
    temporal = _distance(coarse.u, shorter.u) * 2**order / (2**order - 1)
    return temporal, _distance(shorter.u, again)


def _distance(u: Float[Tensor, "b t c *x"], reference: Float[Tensor, "b t c *x"]) -> Float[Tensor, "b t"]:
    """Relative L2 distance of the worst field: they may have different units."""
    error, size = (torch.linalg.vector_norm(f.flatten(3), dim=-1) for f in (u - reference, reference))
    return (error / size.clamp_min(math.sqrt(1e-300))).amax(-1)
