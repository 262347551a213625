"""What a per-node activation is."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.activations.moments import normal_points
from kanop.kan.jets import Jet, elementwise
from kanop.solvers.errors import check

__all__ = ["Activation"]


class Activation(nn.Module, ABC):
    r"""y_i = f_i(x_i): a learnt function for every feature (a node of the network, not an edge).

    Attributes
    ----------
    features : i, at least 1
    smoothness : largest r for which all r-th derivatives are continuous (default math.inf)
    second_moment : the mean over the features of E[f_i(x)²] for a standard normal x, at the present parameters. A
        linear layer behind whose weights have the variance 1/(i · second_moment) keeps the variance.

    Shapes
    ------
    forward (*n, i) → (*n, i)

    Raises
    ------
    KanopError : fewer than one feature, an input with another number of features
    """

    smoothness: float = math.inf

    def __init__(self, features: int) -> None:
        super().__init__()
        check(features >= 1, f"an activation has at least one feature, got features={features}")
        self.features = features

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """Apply every f_i to its feature."""
        if x.shape[-1:] != (self.features,):
            check(False, f"{type(self).__name__} expects (*n, {self.features}), got shape {tuple(x.shape)}")
        return self.function(x)

    @abstractmethod
    def function(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n i"]:
        """f_i(x_i), elementwise."""

    def derivative(self, x: Float[Tensor, "*n i"], order: int = 0) -> Float[Tensor, "*n i"]:
        """f_i or its derivative of order `order`, itself differentiable by x and the parameters."""
        function: Callable[[Tensor], Tensor] = self.function
        for _ in range(order):
            function = _slope(function)
        return function(x)

    def push_jet(self, u: Jet) -> Jet:
        """The jet of f(u)."""
        return elementwise(self.derivative, u)

    @property
    def second_moment(self) -> float:
        """The mean over the features of E[f_i(x)²], x standard normal."""
        x, weight = normal_points()
        like = next(self.parameters())
        with torch.no_grad():
            values = self.function(x[:, None].to(like).expand(-1, self.features))
        return float((weight[:, None].to(like) * values.square()).sum(0).mean())


def _slope(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The derivative of an elementwise function: the gradient of its sum holds every one, and a compiler follows it."""
    return torch.func.grad(lambda x: function(x).sum())
