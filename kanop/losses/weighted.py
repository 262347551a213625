"""Sums of losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Geometry
from kanop.solvers.errors import check, nearest

__all__ = ["WeightedSum"]

Loss = Callable[[Tensor, Tensor, Geometry], Tensor]


@dataclass(frozen=True)
class WeightedSum:
    """L = Σ_i w_i L_i: a weighted sum of losses.

    Parameters
    ----------
    terms : one mapping a term, with `loss` (any loss) and `weight` (a finite number, default 1)

    Shapes
    ------
    loss(prediction (b, c, *x), target (b, c, *x), grid) → ()

    Raises
    ------
    KanopError : no term, a term without a callable `loss`, an unknown key, or a weight that is not finite

    Examples
    --------
    >>> from kanop.losses import Sobolev
    >>> from kanop.solvers import Grid
    >>> grid, u = Grid((8,)), torch.ones(1, 1, 8)
    >>> loss = WeightedSum([{"loss": Sobolev(0.0)}, {"loss": Sobolev(1.0), "weight": 0.5}])
    >>> loss(2 * u, u, grid).item()
    1.5
    """

    terms: Sequence[Mapping[str, Loss | float]]

    def __post_init__(self) -> None:
        check(len(self.terms) > 0, "a WeightedSum needs at least one term {loss: ..., weight: ...}")
        for i, term in enumerate(self.terms):
            for key in term:
                check(key in ("loss", "weight"), nearest(key, ("loss", "weight"), f"key of term {i}"))
            check(callable(term.get("loss")), f"term {i} needs a loss, got {term.get('loss')!r}")
            weight = term.get("weight", 1.0)
            finite = isinstance(weight, (int, float)) and math.isfinite(weight)
            check(finite, f"the weight of term {i} is {weight}, not a finite number")

    def __call__(
        self, prediction: Float[Tensor, "..."], target: Float[Tensor, "..."], grid: Geometry
    ) -> Float[Tensor, ""]:
        """The weighted sum."""
        parts = []
        for term in self.terms:
            loss, weight = cast(Loss, term["loss"]), cast(float, term.get("weight", 1.0))
            parts.append(weight * loss(prediction, target, grid))
        return torch.stack(parts).sum()
