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

from kanop.solvers.errors import KanopError
from kanop.solvers.linear_operator import LinearOperator
from kanop.solvers.phi import block_phi, expm1, phi
from kanop.solvers.products import combine

__all__ = ["EXPONENTIAL", "Coefficients", "Nonlinear", "Scheme"]

# û, t ↦ N(û, t).
Nonlinear = Callable[[Tensor, float | Tensor], Tensor]

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

    def coefficients(
        self, linear: Inexact[Tensor, "*c_k"] | LinearOperator, h: float, mask: Bool[Tensor, "*k"], dtype: torch.dtype
    ) -> Coefficients:
        """The scheme for step `h`, in double precision before it is cast to `dtype`, that of the state.

        The dealiasing mask is folded into the weights, so that it costs no pass over the spectrum in the step.
        """
        if isinstance(linear, LinearOperator):
            raise KanopError("exponential schemes need a symbol, this L couples the modes: take scheme='ark4'")
        return _table(self, linear, h, mask, dtype)


EXPONENTIAL = {
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

    Each is (c, *k), or (c, c, *k) where the symbol is a block. `error` holds the decay, then the weights, of the
    difference to an embedded method, for schemes that have one.
    """

    h: float
    nodes: tuple[float, ...]
    decay: tuple[Tensor, ...]
    weights: tuple[tuple[Tensor | None, ...], ...]
    error: tuple[Tensor, ...] = ()

    def increment(
        self, nonlinear: Nonlinear, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor, slope: Tensor | None = None
    ) -> Inexact[Tensor, "b c *k"]:
        """The change u(t + h) − u(t) of one step, given N(u, t) if it is at hand."""
        return self._run(nonlinear, u_hat, t, slope)[0]

    def pair(self, nonlinear: Nonlinear, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor) -> tuple[Tensor, Tensor]:
        """The change, and an estimate of its error."""
        change, slopes = self._run(nonlinear, u_hat, t, None)
        return change, combine(self.error, (u_hat, *slopes))

    def _run(
        self, nonlinear: Nonlinear, u_hat: Tensor, t: float | Tensor, slope: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        slopes = [nonlinear(u_hat, t) if slope is None else slope]
        for node, decay, row in zip(self.nodes[1:-1], self.decay[1:-1], self.weights[1:-1], strict=True):
            stage = combine((decay, *row), (u_hat, *slopes), u_hat)
            slopes.append(nonlinear(stage, t + node * self.h))
        return combine((self.decay[-1], *self.weights[-1]), (u_hat, *slopes)), slopes


def _table(scheme: Scheme, linear: Tensor, h: float, mask: Tensor, dtype: torch.dtype) -> Coefficients:
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
    weights = tuple(tuple(map(entry, row)) for row in scheme.table)
    return Coefficients(h, scheme.nodes, decay, weights)
