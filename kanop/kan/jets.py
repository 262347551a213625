"""Values, first and second derivatives carried forward through a network, only those that a PDE needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kanop.kan.bspline import BSpline
from kanop.kan.jet_contraction import contract_jet
from kanop.kan.jet_elementwise import apply_jet
from kanop.kan.linear import KANLinear
from kanop.kan.network import KAN
from kanop.kan.squash import identity, silu, tanh
from kanop.solvers.errors import KanopError, check

__all__ = ["Jet", "check_smoothness", "elementwise", "jet", "linear", "push"]

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Jet:
    r"""u, ∂_a u along A directions, and sums Σ ∂_a ∂_b u of second derivatives.

    Parameters
    ----------
    value : u
    first : ∂_a u, a = 0 … A − 1
    second : one tensor an entry of `pairs`
    pairs : the (a, b) that each second derivative is the sum of

    Shapes
    ------
    every tensor (*n, c)
    """

    value: Float[Tensor, "*n c"]
    first: tuple[Float[Tensor, "*n c"], ...] = ()
    second: tuple[Float[Tensor, "*n c"], ...] = ()
    pairs: tuple[Pairs, ...] = ()

    @property
    def order(self) -> int:
        """The highest order of its derivatives."""
        return 2 if self.second else 1 if self.first else 0

    def streams(self) -> tuple[Tensor, ...]:
        """Value, first and second derivatives, in this order."""
        return (self.value, *self.first, *self.second)

    def like(self, streams: Sequence[Tensor]) -> Jet:
        """The jet with the same derivatives of something else."""
        cut = 1 + len(self.first)
        return Jet(streams[0], tuple(streams[1:cut]), tuple(streams[cut:]), self.pairs)


def jet(
    model: nn.Module,
    x: Float[Tensor, "*n i"],
    first: Sequence[int | Tensor] = (),
    second: Sequence[Sequence[Any]] = (),
) -> Jet:
    r"""The model's values at x, with derivatives along directions: exact, by the chain rule carried forward.

    Afterwards one ordinary backward pass gives the gradient of any loss of them; there is nothing nested in it, so it
    compiles, and compiled it is fastest: `torch.compile` a function of the points that takes the jet and returns the
    loss. Many points are best given some 512 at a time, the gradients added up: what they need then fits a cache. A
    Laplacian costs one stream, not one for each axis.

    Parameters
    ----------
    model : of `KAN`, `KANLinear`, `nn.Linear`, `nn.Tanh`, `nn.SiLU`, `nn.Identity`, `nn.Sequential`, and modules with a
        method push_jet(jet) → Jet
    x : points
    first : the directions, each an input's number or a vector; second derivatives are along these
    second : pairs (a, b) for ∂_a ∂_b, or lists of pairs for sums; a and b count the entries of `first`

    Returns
    -------
    Jet : value (*n, o), first and second in the order that was asked for

    Raises
    ------
    KanopError : a direction or a pair that is not there, a module that is not known, a spline of too low a degree

    Examples
    --------
    u_t + u u_x − ν u_xx of a network of (x, t):

    >>> from kanop.kan import KAN, Chebyshev
    >>> u = jet(KAN((2, 8, 1), Chebyshev(4)), torch.rand(5, 2), first=(0, 1), second=[(0, 0)])
    >>> (u.first[1] + u.value * u.first[0] - 0.01 * u.second[0]).shape
    torch.Size([5, 1])
    """
    directions = [_direction(a, x) for a in first]
    pairs = tuple(_pairs(entry, len(directions)) for entry in second)
    start = Jet(x, tuple(a.expand_as(x) for a in directions), tuple(torch.zeros_like(x) for _ in pairs), pairs)
    check_smoothness(model, start.order)
    return push(model, start)


def check_smoothness(model: nn.Module, order: int) -> None:
    """Raise KanopError unless all derivatives up to `order` of the model's functions are continuous.

    >>> from kanop.kan import KAN
    >>> check_smoothness(KAN((1, 1), BSpline(degree=2)), 2)
    Traceback (most recent call last):
    kanop.solvers.errors.KanopError: derivatives of order 2 ... take degree=3 or more
    """
    for module in model.modules():
        smoothness = getattr(module, "smoothness", math.inf)
        if isinstance(smoothness, (int, float)) and smoothness < order:
            remedy = f"take degree={order + 1} or more" if isinstance(module, BSpline) else "take a smoother one"
            raise KanopError(
                f"derivatives of order {order} are asked of {module}, whose derivatives are continuous up to order "
                f"{smoothness}; {remedy}"
            )


def push(module: nn.Module, u: Jet) -> Jet:
    """The jet of module(u)."""
    if isinstance(module, (KAN, nn.Sequential)):
        for layer in module.layers if isinstance(module, KAN) else module:
            u = push(layer, u)
        return u
    if isinstance(module, KANLinear):
        return _kan_linear(module, u)
    if isinstance(module, nn.Linear):
        return linear(u, module.weight, module.bias)
    if type(module) in ELEMENTWISE:
        return _fixed(ELEMENTWISE[type(module)], u)
    check(
        hasattr(module, "push_jet"),
        f"a {type(module).__name__} is none of the modules that jets pass through (KAN, KANLinear, Linear, Sequential, "
        f"{', '.join(kind.__name__ for kind in ELEMENTWISE)}); give it a method push_jet(jet), or nest autograd",
    )
    return module.push_jet(u)  # type: ignore[operator]


# (x, order) ↦ the function or its derivative.
ELEMENTWISE: dict[type, Callable[..., Tensor]] = {nn.Tanh: tanh, nn.SiLU: silu, nn.Identity: identity}


def _kan_linear(layer: KANLinear, u: Jet) -> Jet:
    t = u
    if layer.map.scale is not None:
        derivatives = [stream * layer.map.scale for stream in u.streams()[1:]]
        t = u.like([layer.map(u.value), *derivatives])
    t = _fixed(layer.basis.squash, t)
    streams = contract_jet(t.streams(), t.pairs, len(t.first), layer.weight, layer.basis)
    y = u.like(streams)
    if layer.base_weight is None:
        return y if layer.bias is None else y.like([y.value + layer.bias, *streams[1:]])
    base = linear(_fixed(silu, u), layer.base_weight, layer.bias)
    return y.like([a + b for a, b in zip(streams, base.streams(), strict=True)])


def linear(u: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    """The jet of W u + b."""
    return u.like([F.linear(s, weight, None if i else bias) for i, s in enumerate(u.streams())])


def _fixed(f: Callable[..., Tensor], u: Jet) -> Jet:
    """The same where f has no parameters, with less to keep for the backward pass."""
    return u.like(apply_jet(f, u.streams(), u.pairs, len(u.first)))


def elementwise(f: Callable[..., Tensor], u: Jet) -> Jet:
    """The jet of f(u), f(x, order) the function or its derivative, by the chain rule."""
    if f is identity:
        return u
    value = f(u.value)
    if u.order == 0:
        return u.like([value])
    slope = f(u.value, 1)
    first = [slope * a for a in u.first]
    if u.order == 1:
        return u.like([value, *first])
    curve = f(u.value, 2)
    second = [
        torch.addcmul(slope * s, curve, torch.stack([u.first[a] * u.first[b] for a, b in pairs]).sum(0))
        for s, pairs in zip(u.second, u.pairs, strict=True)
    ]
    return u.like([value, *first, *second])


def _direction(a: int | Tensor, x: Tensor) -> Tensor:
    if isinstance(a, Tensor):
        check(
            a.shape == x.shape[-1:],
            f"a direction has one number for each of {x.shape[-1]} inputs, got {tuple(a.shape)}",
        )
        return a.to(x)
    check(0 <= a < x.shape[-1], f"a direction is the number of an input, 0 to {x.shape[-1] - 1}, got {a}")
    return F.one_hot(torch.tensor(a, device=x.device), x.shape[-1]).to(x)


def _pairs(entry: Sequence[Any], directions: int) -> Pairs:
    pairs = tuple(tuple(pair) for pair in ([entry] if isinstance(entry[0], int) else entry))
    for pair in pairs:
        check(
            len(pair) == 2 and all(0 <= a < directions for a in pair),
            f"a second derivative is a pair (a, b) of the {directions} directions in `first`, got {pair}",
        )
    return pairs
