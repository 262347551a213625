"""The snake activation."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.activations.activation import Activation
from kanop.solvers.errors import check

__all__ = ["Snake"]


class Snake(Activation):
    r"""f(x) = x + sin²(ax)/a, a > 0: a line with a wave, which carries periods beyond the data.

    Parameters
    ----------
    features : i ≥ 1, each with an a of its own; log a is what is learnt, so a stays positive
    frequency : a at the start (default 1); the wave has the period π/a

    Raises
    ------
    KanopError : a frequency that is not positive

    Notes
    -----
    For a standard normal x the mean is m = (1 − e^{−2a²})/(2a), and
    E[f(x)²] = m² + 1 + (1 + e^{−8a²} − 2e^{−4a²})/(8a²): 1.31 for a = 1.

    Reference: Ziyin, Hartwig & Ueda 2020, arXiv 2006.08195.

    Examples
    --------
    >>> round(Snake(1)(torch.tensor([[torch.pi / 2]])).item(), 4)
    2.5708
    """

    def __init__(self, features: int, frequency: float = 1.0) -> None:
        super().__init__(features)
        check(frequency > 0, f"the frequency of a snake is positive, got {frequency}")
        self.frequency = float(frequency)
        self.log_frequency = nn.Parameter(torch.full((features,), math.log(frequency)))

    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """x + sin²(ax)/a."""
        a = self.log_frequency.exp()
        return x + torch.sin(a * x).square() / a
