"""The Cauchy activation."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan.activations.activation import Activation
from kanop.kan.activations.moments import normal_mean

__all__ = ["Cauchy"]

# No pole comes nearer to the real line than this.
NEAREST = 1e-3


class Cauchy(Activation):
    r"""f(x) = (λ_1 x + λ_2)/(x² + d²), d > 0: the real part of (λ_1 + iλ_2)/(x + id), one term of Cauchy's integral.

    d = softplus(ρ) + 1e-3 is the distance of the pole from the real line, so there is no division by zero.

    Parameters
    ----------
    features : i ≥ 1, each with λ_1, λ_2 and d of its own

    Notes
    -----
    At the start d = 1, λ_1 = λ_2 and E[f(x)²] = 1 for a standard normal x. Far outside f falls like λ_1/x.

    Reference: Li, Xia & Zhang 2024 (XNet), arXiv 2409.19221.

    Examples
    --------
    >>> round(Cauchy(1)(torch.tensor([[2.0]])).item(), 4)
    0.741
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)
        size = normal_mean(lambda x: ((x + 1) / (x * x + 1)) ** 2) ** -0.5
        self.slope = nn.Parameter(torch.full((features,), size))
        self.offset = nn.Parameter(torch.full((features,), size))
        # softplus of this is 1 − NEAREST.
        self.rho = nn.Parameter(torch.full((features,), math.log(math.expm1(1 - NEAREST))))

    @property
    def distance(self) -> Float[Tensor, " i"]:
        """d."""
        return F.softplus(self.rho) + NEAREST

    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """(λ_1 x + λ_2)/(x² + d²)."""
        return (self.slope * x + self.offset) / (x * x + self.distance**2)
