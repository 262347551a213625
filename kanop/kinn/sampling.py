"""Points in a domain and its times."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kinn.problem import Problem
from kanop.solvers.errors import check, nearest

__all__ = ["SAMPLERS", "adapted", "draw"]

SAMPLERS = ("uniform", "sobol", "latin", "grid")


def draw(problem: Problem, count: int, sampler: str, generator: torch.Generator) -> Float[Tensor, "n i"]:
    """`count` points (t, x, …) of a problem, in double precision; t = 0 where it has no times.

    Parameters
    ----------
    sampler : "uniform", "sobol" (scrambled), "latin" (a Latin hypercube) or "grid" (near `count` points of a lattice)
    """
    check(count >= 1, f"at least one point, got {count}")
    check(sampler in SAMPLERS, nearest(sampler, SAMPLERS, "sampler"))
    bounds = torch.tensor(problem.bounds, dtype=torch.float64)
    skipped = int(problem.times is None)
    kept: list[Tensor] = []
    share = 1.0
    while sum(map(len, kept)) < count:
        wanted = count if not kept else max(64, int(1.1 * (count - sum(map(len, kept))) / share))
        unit = _unit(sampler, wanted, len(bounds) - skipped, generator)
        unit = torch.nn.functional.pad(unit, (skipped, 0))
        points = bounds[:, 0] + unit * (bounds[:, 1] - bounds[:, 0])
        good = points[problem.domain.inside(points[:, 1:])]
        share = max(len(good) / len(points), 1e-3)
        kept.append(good)
        if sampler == "grid":
            break
    return torch.cat(kept)[: count if sampler != "grid" else None]


def adapted(
    pool: Float[Tensor, "m i"],
    sizes: Float[Tensor, " m"],
    count: int,
    power: float,
    floor: float,
    generator: torch.Generator,
) -> Float[Tensor, "n i"]:
    """`count` of the points `pool` by chance: weights are |R|^power / mean |R|^power + floor, |R| the `sizes` there.

    Reference: Wu et al. 2023, doi:10.1016/j.cma.2022.115671 (RAD).
    """
    powers = sizes.abs() ** power
    weights = powers / powers.mean() + floor
    return pool[torch.multinomial(weights, count, generator=generator)]


def _unit(sampler: str, count: int, axes: int, generator: torch.Generator) -> Float[Tensor, "n a"]:
    if sampler == "uniform":
        return torch.rand(count, axes, generator=generator, dtype=torch.float64)
    if sampler == "grid":
        each = max(2, round(count ** (1 / axes)))
        line = (torch.arange(each, dtype=torch.float64) + 0.5) / each
        return torch.cartesian_prod(*[line] * axes).reshape(-1, axes)
    from scipy.stats import qmc

    seed = int(torch.randint(2**31, (1,), generator=generator))
    if sampler == "latin":
        return torch.from_numpy(qmc.LatinHypercube(axes, rng=seed).random(count))
    # A Sobol sequence is balanced at powers of two.
    power = max(0, (count - 1).bit_length())
    return torch.from_numpy(qmc.Sobol(axes, rng=seed).random_base2(power))[:count]
