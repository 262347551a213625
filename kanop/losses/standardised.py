"""Losses of fields in units of their own spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Geometry
from kanop.solvers.errors import check

__all__ = ["Standardised"]


@dataclass(frozen=True)
class Standardised:
    """L((û − mean)/std, (u − mean)/std): no field outweighs another by its unit, none hides behind its mean.

    Parameters
    ----------
    loss : L
    mean, std : of each channel, std ≥ 0; a channel that never varies is only shifted

    Shapes
    ------
    loss(prediction (b, c, *x), target (b, c, *x), grid) → ()

    Raises
    ------
    KanopError : other numbers of channels, a negative or infinite std

    Examples
    --------
    >>> from kanop.losses import Sobolev
    >>> from kanop.solvers import Grid
    >>> u = 1000 + torch.tensor([[[1.0, -1.0]]])
    >>> Standardised(Sobolev(), [1000.0], [1.0])(u + 0.5, u, Grid((2,))).item()
    0.5
    """

    loss: Callable[[Tensor, Tensor, Geometry], Tensor]
    mean: Sequence[float]
    std: Sequence[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", tuple(float(m) for m in self.mean))
        object.__setattr__(self, "std", tuple(float(s) for s in self.std))
        good = len(self.mean) == len(self.std) and all(0 <= s < float("inf") for s in self.std)
        check(good, f"expected one mean and one std >= 0 a channel, got {self.mean} and {self.std}")

    def __call__(
        self, prediction: Float[Tensor, "..."], target: Float[Tensor, "..."], grid: Geometry
    ) -> Float[Tensor, ""]:
        """The loss in units of the spread."""
        check(
            target.ndim > 1 and target.shape[1] == len(self.mean),
            f"expected {len(self.mean)} channels, got shape {tuple(target.shape)}",
        )
        mean, std = (target.new_tensor(values).view(-1, *[1] * (target.ndim - 2)) for values in (self.mean, self.std))
        std = torch.where(std > 0, std, 1)
        return self.loss((prediction - mean) / std, (target - mean) / std, grid)
