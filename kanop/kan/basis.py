"""What a univariate basis is: K functions of one variable with their derivatives in closed form."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.squash import identity

__all__ = ["Basis"]

# Standard deviations of a normal input beyond which it does not count.
REACH = 8.0


class Basis(nn.Module, ABC):
    r"""K functions B_1 … B_K of one variable, the same for every input of a layer.

    A basis gives its functions and all their derivatives in closed form. `expand` makes them differentiable to any
    order, and keeps nothing but its argument for the backward pass.

    Attributes
    ----------
    size : K, the number of functions
    smoothness : largest r for which all r-th derivatives are continuous (math.inf for analytic functions)
    domain : the interval that the functions are made for; (−inf, inf) where every input is as good as another
    squash : (x, order) ↦ the map of inputs into the domain, or its derivative; default the identity

    Shapes
    ------
    expand (*n, i) → (*n, K, i)
    """

    size: int
    smoothness: float
    domain: tuple[float, float]
    squash: Callable[..., Tensor] = staticmethod(identity)

    @abstractmethod
    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> Sequence[Float[Tensor, "*n"]]:
        """The derivatives of order `order` of the K functions at t = squash(x), in the precision of t, elementwise."""

    def expand(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n k i"]:
        """B_m(squash(x)) for every m, differentiable to any order."""
        return _Expand.apply(self.squash(x), self, 0)

    @cached_property
    def second_moment(self) -> float:
        """The mean over m of E[B_m(squash(x))²] for x of mean 0 and variance 1: what a layer's init divides by."""
        x = torch.linspace(-REACH, REACH, 4001, dtype=torch.float64)
        weight = torch.softmax(-0.5 * x * x, 0)
        values = torch.stack(list(self.functions(self.squash(x))))
        return float((values.square() * weight).sum(-1).mean())


class _Expand(torch.autograd.Function):
    """t ↦ B^(r)(t), whose derivative is B^(r+1)(t): exact in every order, with t alone kept."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, basis: Basis, order: int) -> Tensor:
        ctx.save_for_backward(t)
        ctx.basis, ctx.order = basis, order
        return torch.stack(list(basis.functions(t, order)), -2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (t,) = ctx.saved_tensors
        return (gradient * _Expand.apply(t, ctx.basis, ctx.order + 1)).sum(-2), None, None
