r"""Exponential time differencing Runge-Kutta: tables of φ-functions, and the one step that they all share.

For u' = Lu + N(u, t) with a symbol L, a number or a c × c block a mode, and z = hL, stage i is, in increment form,
U_i = u + [(e^{c_i z} − 1) u + h Σ_j a_ij(z) N(U_j, t + c_j h)], where every a_ij is a sum of terms w·φ_m(c z).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Bool, Inexact
from torch import Tensor

from kanop.solvers.phi import block_phi, expm1, phi

__all__ = ["SCHEMES", "Coefficients", "Scheme", "coefficients", "increment", "multiply"]

# A table entry: the terms (w, m, c) of Σ w·φ_m(c z).
Entry = tuple[tuple[float, int, float], ...]


@dataclass(frozen=True)
class Scheme:
    """An explicit exponential Runge-Kutta method.

    Attributes
    ----------
    order : classical order of accuracy
    nodes : c_i of every stage, then 1
    table : row i holds the entries a_ij, j < i, of stage i; the last row holds the weights
    """

    order: int
    nodes: tuple[float, ...]
    table: tuple[tuple[Entry, ...], ...]


SCHEMES = {
    "etdrk1": Scheme(1, (0.0, 1.0), ((), (((1.0, 1, 1.0),),))),
    "etdrk2": Scheme(
        2,
        (0, 1, 1),
        ((), (((1, 1, 1),),), (((1, 1, 1), (-1, 2, 1)), ((1, 2, 1),))),
    ),
    "etdrk3": Scheme(
        3,
        (0, 0.5, 1, 1),
        (
            (),
            (((0.5, 1, 0.5),),),
            (((-1, 1, 1),), ((2, 1, 1),)),
            (((1, 1, 1), (-3, 2, 1), (4, 3, 1)), ((4, 2, 1), (-8, 3, 1)), ((-1, 2, 1), (4, 3, 1))),
        ),
    ),
    "etdrk4": Scheme(
        4,
        (0, 0.5, 0.5, 1, 1),
        (
            (),
            (((0.5, 1, 0.5),),),
            ((), ((0.5, 1, 0.5),)),
            (((1, 1, 1), (-1, 1, 0.5)), (), ((1, 1, 0.5),)),
            (
                ((1, 1, 1), (-3, 2, 1), (4, 3, 1)),
                ((2, 2, 1), (-4, 3, 1)),
                ((2, 2, 1), (-4, 3, 1)),
                ((-1, 2, 1), (4, 3, 1)),
            ),
        ),
    ),
}
"""Cox and Matthews (2002), eqs 4, 22, 23-25 and 26-29, doi:10.1006/jcph.2002.6995. In etdrk4 the product
½φ₁(z/2)(e^{z/2} − 1) of the third stage is written as φ₁(z) − φ₁(z/2), so that a table of φ terms holds it."""


@dataclass(frozen=True)
class Coefficients:
    """A scheme's table evaluated for one step size: decay c_i ↦ e^{c_i z} − 1 and weights h a_ij (None where zero).

    Each is (c, *k), or (c, c, *k) where the symbol is a block.
    """

    h: float
    nodes: tuple[float, ...]
    decay: tuple[Tensor, ...]
    weights: tuple[tuple[Tensor | None, ...], ...]


def coefficients(
    scheme: Scheme, linear: Inexact[Tensor, "*c_k"], h: float, mask: Bool[Tensor, "*k"], dtype: torch.dtype
) -> Coefficients:
    """Evaluate `scheme` for step `h` in double precision, then cast to `dtype`, that of the state.

    The dealiasing mask is folded into the weights, so that it costs no pass over the spectrum in the step.
    """
    z = h * linear.to(torch.complex128 if linear.is_complex() else torch.float64)
    block = z.ndim == mask.ndim + 2

    @cache
    def value(m: int, c: float) -> Tensor:
        return block_phi(m, c * z) if block else phi(m, c * z)

    # Equal entries are one tensor: a step reads fewer of them, and its caches hold them.
    @cache
    def entry(terms: Entry) -> Tensor | None:
        if not terms:
            return None
        weight = h * sum(w * value(m, c) for w, m, c in terms)
        return torch.where(mask, weight, 0).to(dtype)

    @cache
    def change(c: float) -> Tensor:
        # e^Z − 1 = Z φ₁(Z) keeps the digits of small Z.
        return (c * torch.einsum("ij...,jk...->ik...", z, value(1, c)) if block else expm1(c * z)).to(dtype)

    decay = tuple(map(change, scheme.nodes))
    return Coefficients(h, scheme.nodes, decay, tuple(tuple(map(entry, row)) for row in scheme.table))


def increment(
    coefficients: Coefficients,
    nonlinear: Callable[[Tensor, float | Tensor], Tensor],
    u_hat: Inexact[Tensor, "b c *k"],
    t: float | Tensor,
) -> Inexact[Tensor, "b c *k"]:
    """The change u(t + h) − u(t) of one step."""
    slopes: list[Tensor] = []
    change = u_hat
    for i, (node, decay, row) in enumerate(
        zip(coefficients.nodes, coefficients.decay, coefficients.weights, strict=True)
    ):
        if i > 0:
            change = multiply(decay, u_hat)
            for weight, slope in zip(row, slopes, strict=False):
                if weight is not None:
                    multiply(weight, slope, change)
        if i < len(coefficients.nodes) - 1:
            slopes.append(nonlinear(u_hat + change if i else u_hat, t + node * coefficients.h))
    return change


def multiply(
    symbol: Inexact[Tensor, "*c_k"], u_hat: Inexact[Tensor, "b c *k"], total: Tensor | None = None
) -> Inexact[Tensor, "b c *k"]:
    """total + symbol · û, in the memory of `total` where there is one; a symbol has a number or a block a mode."""
    if symbol.ndim < u_hat.ndim:
        return symbol * u_hat if total is None else total.addcmul_(symbol, u_hat)
    for j in range(len(symbol)):
        column, field = symbol[:, j], u_hat[:, j : j + 1]
        total = column * field if total is None else total.addcmul_(column, field)
    return total  # type: ignore[return-value]
