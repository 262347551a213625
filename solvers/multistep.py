r"""Semi-implicit backward differences: one evaluation of N a step, for steps of one length.

With α = Σ_{j=1}^p 1/j, in increments δ_n = u_n − u_{n−1} and g_n = h N(u_n, t_n),
(α − hL) δ_{n+1} = hL u_n + Σ_j β_j g_{n−j} + Σ_j γ_j δ_{n−j}, j = 0, 1, …
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Inexact
from torch import Tensor

from kanop.solvers.etdrk import Coefficients, Nonlinear
from kanop.solvers.imex import ADDITIVE, Splitting, product, resolvent
from kanop.solvers.linear_operator import LinearOperator
from kanop.solvers.products import combine

__all__ = ["MULTISTEP", "MultistepScheme", "continued", "recalled"]

# An additive Runge-Kutta method takes the steps that the memory does not reach back to.
STARTER = ADDITIVE["ark3"]


@dataclass(frozen=True)
class MultistepScheme:
    """An implicit backward difference of L and an extrapolation of N.

    Attributes
    ----------
    order : order of accuracy, and the number of steps that enter
    alpha : α
    slopes : β_0, β_1, …
    changes : γ_0, γ_1, …
    """

    order: int
    alpha: float
    slopes: tuple[float, ...]
    changes: tuple[float, ...]
    nodes: tuple[float, ...] = (0.0, 1.0)

    def coefficients(
        self, linear: Inexact[Tensor, "*c_k"] | LinearOperator, h: float, mask: Bool[Tensor, "*k"], dtype: torch.dtype
    ) -> MultistepCoefficients:
        """The scheme and its starter for step `h`, in double precision before they are cast to `dtype`."""
        starter = STARTER.coefficients(linear, h, mask, dtype)
        symbols = () if isinstance(linear, LinearOperator) else _symbols(self, linear, h, mask, dtype)
        return MultistepCoefficients(self, h, linear, h * mask.to(dtype.to_real()), starter, symbols)


@dataclass(frozen=True)
class MultistepCoefficients:
    """A multistep scheme for step `h`, its starter, and the symbols of its terms where L is one."""

    scheme: MultistepScheme
    h: float
    linear: Tensor | LinearOperator
    step: Float[Tensor, "*k"]
    starter: Coefficients | Splitting
    symbols: tuple[Tensor, ...]

    def increment(self, nonlinear: Nonlinear, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor) -> Tensor:
        """The change u(t + h) − u(t) of one step without memory: the starter's."""
        return self.starter.increment(nonlinear, u_hat, t)

    def advance(
        self, nonlinear: Nonlinear, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor, past: Sequence[Tensor]
    ) -> tuple[Inexact[Tensor, "b c *k"], Inexact[Tensor, "b c *k"]]:
        """The change and N(u, t), given N at the last times, then the last changes; by the starter if these are few."""
        slope = nonlinear(u_hat, t)
        if len(past) < 2 * (self.scheme.order - 1):
            return self.starter.increment(nonlinear, u_hat, t), slope
        slopes, changes = (slope, *past[: len(past) // 2]), past[len(past) // 2 :]
        if isinstance(self.linear, LinearOperator):
            return self._solve(self.linear, u_hat, slopes, changes), slope
        return combine(self.symbols, (u_hat, *slopes, *changes)), slope

    def _solve(
        self, linear: LinearOperator, u_hat: Tensor, slopes: Sequence[Tensor], changes: Sequence[Tensor]
    ) -> Tensor:
        scheme = self.scheme
        right = self.h * linear.apply(u_hat)
        for weight, slope in zip(scheme.slopes, slopes, strict=True):
            right = right + (weight * self.step) * slope
        for weight, change in zip(scheme.changes, changes, strict=True):
            right = right + weight * change
        return linear.solve(right / scheme.alpha, self.h / scheme.alpha)


MULTISTEP = {
    "sbdf2": MultistepScheme(2, 3 / 2, (2.0, -1.0), (1 / 2,)),
    "sbdf3": MultistepScheme(3, 11 / 6, (3.0, -3.0, 1.0), (7 / 6, -1 / 3)),
}
"""Ascher, Ruuth and Wetton (1995), doi:10.1137/0732037, eqs 2.11 and 2.16; started by ark3."""


def recalled(history: Sequence[Tensor], t: float, h: float) -> Sequence[Tensor]:
    """What `history` holds for a step at `t` of length `h`: nothing where the last step does not lead to it."""
    if not history:
        return ()
    time, step = history[0].tolist()
    return history[1:] if abs(time - t) < 1e-6 * h and abs(step - h) < 1e-9 * h else ()


def continued(
    order: int, past: Sequence[Tensor], t: float, h: float, slope: Tensor, change: Tensor
) -> Sequence[Tensor]:
    """The history after a step: its end and length, on the CPU, then the last N and the last changes."""
    half = len(past) // 2
    clock = torch.tensor([t + h, h], dtype=torch.float64)
    return (clock, *(slope, *past[:half])[: order - 1], *(change, *past[half:])[: order - 1])


def _symbols(scheme: MultistepScheme, linear: Tensor, h: float, mask: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """(α − hL)⁻¹ times hL, every h β_j and every γ_j, in the order in which `advance` adds the terms."""
    z = h * linear.to(torch.complex128 if linear.is_complex() else torch.float64)
    block = z.ndim == mask.ndim + 2
    inverse = resolvent(z, scheme.alpha, 1.0, block)
    terms = [product(inverse, z[None], block)[0], *(torch.where(mask, h * w * inverse, 0) for w in scheme.slopes)]
    return tuple(term.to(dtype) for term in (*terms, *(w * inverse for w in scheme.changes)))
