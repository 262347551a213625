"""Floor 4: losses, each called as loss(prediction, target, grid) on (b, c, *x)."""

from kanop.losses.sobolev import Sobolev
from kanop.losses.standardised import Standardised
from kanop.losses.weighted import WeightedSum

__all__ = ["Sobolev", "Standardised", "WeightedSum"]
