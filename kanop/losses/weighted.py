"""Sums of losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Grid
from kanop.solvers.errors import check

__all__ = ["WeightedSum"]


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
    >>> grid, u = Grid((8,)), torch.ones(1, 1, 8)
    >>> loss = WeightedSum([{"loss": Sobolev(0.0)}, {"loss": Sobolev(1.0), "weight": 0.5}])
    >>> loss(2 * u, u, grid).item()
    1.5
    """

    def __init__(self, terms: Sequence[Mapping[str, Any]]) -> None:
        check(len(terms) > 0, "a WeightedSum needs at least one term {loss: ..., weight: ...}")
        self.losses, self.weights = [], []
        for i, term in enumerate(terms):
            unknown = sorted(set(term) - {"loss", "weight"})
            check(not unknown, f"term {i} has the keys loss and weight, got also {unknown}")
            check(callable(term.get("loss")), f"term {i} needs a loss, got {term.get('loss')!r}")
            weight = float(term.get("weight", 1.0))
            check(
                weight == weight and abs(weight) != float("inf"),
                f"the weight of term {i} is {weight}, not finite",
            )
            self.losses.append(term["loss"])
            self.weights.append(weight)

    def __call__(
        self, prediction: Float[Tensor, "b c *x"], target: Float[Tensor, "b c *x"], grid: Grid
    ) -> Float[Tensor, ""]:
        """The weighted sum."""
        parts = [
            w * loss(prediction, target, grid) for w, loss in zip(self.weights, self.losses, strict=True)
        ]
        return torch.stack(parts).sum()

    def __repr__(self) -> str:
        terms = " + ".join(f"{w:g}·{loss!r}" for w, loss in zip(self.weights, self.losses, strict=True))
        return f"WeightedSum({terms})"
