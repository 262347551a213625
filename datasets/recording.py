"""What goes into a shard: the fields of some samples, and numbers that tell how well they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kanop.solvers import Geometry

__all__ = ["FLAGGED", "SPECTRUM_TAIL", "Recorded", "spectrum_tail"]

SPECTRUM_TAIL = "spectrum_tail"
# A frame with a larger tail is not resolved.
FLAGGED = 1e-3
SHELL = 0.9


@dataclass(frozen=True)
class Recorded:
    """Samples as a recipe makes them.

    Attributes
    ----------
    fields : (b, t, c, *x) frames on the stored grid
    constants : (b, a, *x) given fields; None where there are none
    diagnostics : numbers per sample (b,) or per sample and frame (b, t), by name
    """

    fields: Float[Tensor, "b t c *x"]
    constants: Float[Tensor, "b a *x"] | None = None
    diagnostics: Mapping[str, Float[Tensor, "b *t"]] = field(default_factory=dict)


def spectrum_tail(u: Float[Tensor, "b c *x"], grid: Geometry, degree: int) -> Float[Tensor, " b"]:
    r"""max_c ‖u_c in the outermost shell‖/‖u_c‖: √(Σ_shell w|û_c|² / Σ_kept w|û_c|²), the larger the worse resolved.

    Kept are the modes that dealiasing leaves for products of `degree`; of these the shell are those with
    |m_i| > 0.9 M_i on at least one axis i, where M_i is the highest kept mode number of that axis (on a sphere, those
    with l > 0.9 L). w are the weights of Parseval's sum. It is a ratio of amplitudes (root mean squares), of the field
    on the solver's grid, before any coarser grid is taken from it; the mean counts as part of ‖u_c‖.

    Examples
    --------
    >>> from kanop.solvers import Grid
    >>> grid = Grid((64,))  # of which |m| ≤ 21 are kept for products of degree 2
    >>> x = 2 * torch.pi * grid.points[0]
    >>> u = torch.sin(x) + 1e-3 * torch.sin(20 * x) + torch.sin(30 * x)
    >>> spectrum_tail(u[None, None], grid, 2).round(decimals=6).tolist()
    [0.001]
    """
    kept, shell = _modes(grid, degree)
    power = grid.parseval * grid.to_spectral(u).abs().square()
    outer, total = (torch.where(modes, power, 0).flatten(2).sum(-1) for modes in (shell, kept))
    return (outer / torch.where(total > 0, total, 1)).sqrt().amax(1)


@lru_cache(maxsize=16)
def _modes(grid: Geometry, degree: int) -> tuple[Bool[Tensor, "*k"], Bool[Tensor, "*k"]]:
    """The modes that are kept, and those of the shell among them."""
    kept = grid.dealias_mask(degree)
    outside = torch.zeros_like(kept)
    for numbers in grid.numbers:
        number = numbers.expand(kept.shape)
        outside = outside | (number > SHELL * torch.where(kept, number, 0).max())
    return kept, kept & outside
