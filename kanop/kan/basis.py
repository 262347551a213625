"""What a univariate basis is: K functions of one variable with their derivatives in closed form."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from kanop.kan.squash import identity
from kanop.solvers.errors import check

__all__ = ["Basis"]

# Standard deviations of a normal input beyond which it does not count.
REACH = 8.0

# Bytes of a state dict that name the basis its weights belong to.
NAME = 256


class Basis(nn.Module, ABC):
    r"""K functions B_1 … B_K of one variable, the same for every input of a layer.

    A basis gives its functions and all their derivatives in closed form. `expand` makes them differentiable to any
    order, and keeps nothing but its argument for the backward pass. A state dict names the basis; weights of another
    one are refused.

    Attributes
    ----------
    size : K, the number of functions
    smoothness : largest r for which all r-th derivatives are continuous (math.inf for analytic functions)
    domain : the interval that the functions are made for; (−inf, inf) where every input is as good as another
    squash : (x, order) ↦ the map of inputs into the domain, or its derivative; default the identity
    fill : (t, orders, out) writes the derivatives of several orders into out (r, K, *n), for a basis that does this
        faster than by one call of `functions` for each; default None

    Shapes
    ------
    expand (*n, i) → (*n, K, i)
    """

    size: int
    smoothness: float
    domain: tuple[float, float]
    squash: Callable[..., Tensor] = staticmethod(identity)
    fill: Callable[..., None] | None = None

    @abstractmethod
    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> Sequence[Float[Tensor, "*n"]]:
        """The derivatives of order `order` of the K functions at t = squash(x), in the precision of t, elementwise."""

    def expand(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n k i"]:
        """B_m(squash(x)) for every m, differentiable to any order."""
        t = self.squash(x)
        # A compiler fuses the plain formulas; what follows would only stand in its way.
        return torch.stack(list(self.functions(t)), -2) if torch.compiler.is_compiling() else _Expand.apply(t, self, 0)

    def derivatives(
        self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"] | None = None
    ) -> Float[Tensor, "r k *n"]:
        """The derivatives of all these orders in one array, outside the reach of autograd."""
        out = t.new_empty(len(orders), self.size, *t.shape) if out is None else out
        # Functions are made in the precision of t, whatever autocast would have for a matmul.
        with torch.autocast(t.device.type, enabled=False):
            if self.fill is not None:
                self.fill(t, orders, out)
                return out
            for place, order in zip(out, orders, strict=True):
                for row, values in zip(place, self.functions(t, order), strict=True):
                    row.copy_(values)
        return out

    @property
    def bounded(self) -> bool:
        """Whether the domain is an interval, which inputs have to be mapped onto."""
        return math.isfinite(self.domain[0]) and math.isfinite(self.domain[1])

    @cached_property
    def second_moment(self) -> float:
        """The mean over m of E[B_m(squash(x))²] for x of mean 0 and variance 1."""
        return float(self._moments(*_normal())[1].mean())

    @cached_property
    def moments(self) -> Float[Tensor, "2 k"]:
        """E[B_m] and E[B_m²] of each function for inputs of a layer at its start, in double precision.

        They have mean 0 and variance 1, and two standard deviations to each side are mapped onto a bounded domain.
        """
        x, weight = _normal()
        if self.bounded:
            low, high = self.domain
            x = (low + high) / 2 + x * (high - low) / 4
        return self._moments(x, weight)

    def _moments(self, x: Tensor, weight: Tensor) -> Tensor:
        values = torch.stack([value.detach() for value in self.functions(self.squash(x))])
        return torch.stack([(values * weight).sum(-1), (values.square() * weight).sum(-1)])

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        given = {name: getattr(self, name, None) for name in inspect.signature(type(self)).parameters}
        return ", ".join(f"{name}={_spell(value)}" for name, value in given.items())

    def get_extra_state(self) -> UInt8[Tensor, " bytes"]:
        """The basis' name, as bytes."""
        name = f"{type(self).__name__}({self.extra_repr()})".encode()[:NAME]
        return torch.tensor(list(name.ljust(NAME)), dtype=torch.uint8)

    def set_extra_state(self, state: UInt8[Tensor, " bytes"]) -> None:
        """Refuse weights of another basis."""
        theirs, ours = (
            bytes(name.tolist()).decode(errors="replace").strip() for name in (state, self.get_extra_state())
        )
        check(
            theirs == ours,
            f"these weights belong to the basis {theirs}, and this layer has {ours}: coefficients mean nothing in "
            "another basis; build the layer with theirs",
        )


class _Expand(torch.autograd.Function):
    """t ↦ B^(r)(t), whose derivative is B^(r+1)(t): exact in every order, with t alone kept."""

    @staticmethod
    def forward(t: Tensor, basis: Basis, order: int) -> Tensor:
        out = t.new_empty(*t.shape[:-1], basis.size, t.shape[-1])
        basis.derivatives(t, [order], out.movedim(-2, 0)[None])
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        t, ctx.basis, ctx.order = inputs
        ctx.save_for_backward(t)
        ctx.save_for_forward(t)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (t,) = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (gradient * _Expand.apply(t, ctx.basis, ctx.order + 1)).sum(-2), None, None
        total = torch.zeros_like(t)
        for part, values in zip(gradient.unbind(-2), ctx.basis.functions(t, ctx.order + 1), strict=True):
            total.addcmul_(part, values)
        return total, None, None

    @staticmethod
    def jvp(ctx: Any, t: Tensor, *_: None) -> Tensor:
        (at,) = ctx.saved_tensors
        return _Expand.apply(at, ctx.basis, ctx.order + 1) * t.unsqueeze(-2)

    @staticmethod
    def vmap(info: Any, dims: tuple, t: Tensor, basis: Basis, order: int) -> tuple[Tensor, int]:
        # The batch is one more leading axis.
        return _Expand.apply(t.movedim(dims[0], 0), basis, order), 0


def _normal() -> tuple[Tensor, Tensor]:
    """Points and weights of a mean over the standard normal distribution."""
    x = torch.linspace(-REACH, REACH, 4001, dtype=torch.float64)
    return x, torch.softmax(-0.5 * x * x, 0)


def _spell(value: Any) -> str:
    """A constructor's argument, the same for 1 and 1.0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return repr(value)
    return f"{value:.17g}"
