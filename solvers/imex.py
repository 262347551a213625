r"""Additive Runge-Kutta: u' = Lu + N(u, t), L implicit and N explicit, for any L that one can solve with.

In increment form, U_i = u + V_i and g_j = h N(U_j, t + c_j h). With e the table of the explicit part, a the implicit,
(1 − γhL) V_i = hL (c_i u + Σ_{1<j<i} a_ij V_j) + Σ_{j<i} e_ij g_j and u(t + h) − u(t) = V_s + Σ_j (b_j − e_sj) g_j.

Where L is a symbol, a number or a block a mode, V_i is a sum of rational functions of hL times u and g_1 … g_{i−1}: a
table as that of an exponential scheme, and run as such. Where L couples the modes, the recursion itself is run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Inexact
from torch import Tensor

from kanop.solvers.etdrk import Coefficients, Nonlinear
from kanop.solvers.linear_operator import LinearOperator

__all__ = ["ADDITIVE", "AdditiveScheme", "Splitting", "product", "resolvent"]


Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AdditiveScheme:
    """An explicit and a singly diagonally implicit Runge-Kutta method with the same nodes and weights.

    The implicit one starts with an explicit stage and ends with its weights: b is the last row of `implicit`.

    Attributes
    ----------
    order : classical order of accuracy, whatever L and N
    nodes : c_i of every stage, then 1
    explicit, implicit : row i holds e_ij, j < i, and a_ij, j ≤ i
    embedded : weights of order − 1
    """

    order: int
    nodes: tuple[float, ...]
    explicit: tuple[tuple[float, ...], ...]
    implicit: tuple[tuple[float, ...], ...]
    embedded: tuple[float, ...]

    def coefficients(
        self, linear: Inexact[Tensor, "*c_k"] | LinearOperator, h: float, mask: Bool[Tensor, "*k"], dtype: torch.dtype
    ) -> Coefficients | Splitting:
        """The scheme for step `h`, in double precision before it is cast to `dtype`."""
        if isinstance(linear, LinearOperator):
            return Splitting(self, linear, h, h * mask.to(dtype.to_real()))
        return _table(self, linear, h, mask, dtype)

    def stages(
        self, scaled: Function, solve: Function, u: Tensor, slope: Callable[[int, Tensor | None], Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The change, the difference to the embedded change, and V_2 … V_s.

        scaled(r) = hLr, solve(r) = (1 − γhL)⁻¹r and slope(i, V) = g_i, where V_1 = 0 is None.
        """
        slopes: list[Tensor] = [slope(0, None)]
        changes: list[Tensor] = []
        for i, (e, a) in enumerate(zip(self.explicit[1:], self.implicit[1:], strict=True), start=1):
            pushed = _add(a[1:i], changes, self.nodes[i] * u)
            changes.append(solve(_add(e, slopes, scaled(pushed))))
            slopes.append(slope(i, changes[-1]))
        weights, last = self.implicit[-1], (*self.explicit[-1], 0.0)
        change = _add([b - e for b, e in zip(weights, last, strict=True)], slopes, changes[-1])
        first, second, *others = [b - d for b, d in zip(weights, self.embedded, strict=True)]
        error = scaled(_add(others, changes[1:], second * changes[0]))
        return change, _add([first, second, *others], slopes, error), changes


@dataclass(frozen=True)
class Splitting:
    """An additive scheme whose linear part couples the modes, for step `h`: `step` is h on the modes that are kept."""

    scheme: AdditiveScheme
    linear: LinearOperator
    h: float
    step: Float[Tensor, "*k"]

    def increment(self, nonlinear: Nonlinear, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor) -> Tensor:
        """The change u(t + h) − u(t) of one step."""
        return self.pair(nonlinear, u_hat, t)[0]

    def pair(self, nonlinear: Nonlinear, u_hat: Inexact[Tensor, "b c *k"], t: float | Tensor) -> tuple[Tensor, Tensor]:
        """The change, and an estimate of its error."""
        h, nodes = self.h, self.scheme.nodes

        def slope(i: int, change: Tensor | None) -> Tensor:
            return self.step * nonlinear(u_hat if change is None else u_hat + change, t + nodes[i] * h)

        a = self.scheme.implicit[-1][-1] * h
        change, error, _ = self.scheme.stages(
            lambda r: h * self.linear.apply(r), lambda r: self.linear.solve(r, a), u_hat, slope
        )
        return change, error


def resolvent(z: Inexact[Tensor, "*c_k"], alpha: float, gamma: float, block: bool) -> Inexact[Tensor, "*c_k"]:
    """(α − γz)⁻¹, by mode."""
    if not block:
        return 1 / (alpha - gamma * z)
    blocks = z.movedim((0, 1), (-2, -1))
    one = torch.eye(len(z), dtype=z.dtype, device=z.device)
    return torch.linalg.inv(alpha * one - gamma * blocks).movedim((-2, -1), (0, 1))


def product(symbol: Inexact[Tensor, "*c_k"], terms: Inexact[Tensor, "n *c_k"], block: bool) -> Tensor:
    """The symbol times each of several ones."""
    return torch.einsum("ij...,njk...->nik...", symbol, terms) if block else symbol * terms


def _table(scheme: AdditiveScheme, linear: Tensor, h: float, mask: Tensor, dtype: torch.dtype) -> Coefficients:
    """The recursion run once on symbols: u and g_1 … g_s are unit vectors, stacked along a first axis."""
    z = h * linear.to(torch.complex128 if linear.is_complex() else torch.float64)
    block = z.ndim == mask.ndim + 2
    size = len(scheme.nodes)
    one = resolvent(torch.zeros_like(z), 1.0, 0.0, block)
    units = torch.eye(size, dtype=z.dtype, device=z.device).reshape(size, size, *[1] * z.ndim) * one
    inverse = resolvent(z, 1.0, scheme.implicit[-1][-1], block)
    change, error, changes = scheme.stages(
        lambda r: product(z, r, block), lambda r: product(inverse, r, block), units[0], lambda i, _: units[i + 1]
    )

    def row(value: Tensor, length: int) -> tuple[Tensor, ...]:
        return tuple(torch.where(mask, h * weight, 0).to(dtype) for weight in value[1 : 1 + length])

    rows = [torch.zeros_like(change), *changes, change]
    decay = tuple(value[0].to(dtype) for value in rows)
    weights = tuple(row(value, i) for i, value in enumerate(rows))
    return Coefficients(h, scheme.nodes, decay, weights, (error[0].to(dtype), *row(error, size - 1)))


def _add(weights: Sequence[float], values: Sequence[Tensor], total: Tensor) -> Tensor:
    for weight, value in zip(weights, values, strict=False):
        if weight:
            total = total + weight * value
    return total


# γ of ark3.
THIRD = 1767732205903 / 4055673282236

ADDITIVE = {
    "ark3": AdditiveScheme(
        order=3,
        nodes=(0.0, 2 * THIRD, 3 / 5, 1.0, 1.0),
        explicit=(
            (),
            (2 * THIRD,),
            (5535828885825 / 10492691773637, 788022342437 / 10882634858940),
            (6485989280629 / 16251701735622, -4246266847089 / 9704473918619, 10755448449292 / 10357097424841),
        ),
        implicit=(
            (0.0,),
            (THIRD, THIRD),
            (2746238789719 / 10658868560708, -640167445237 / 6845629431997, THIRD),
            (
                1471266399579 / 7840856788654,
                -4482444167858 / 7529755066697,
                11266239266428 / 11593286722821,
                THIRD,
            ),
        ),
        embedded=(
            2756255671327 / 12835298489170,
            -10771552573575 / 22201958757719,
            9247589265047 / 10645013368117,
            2193209047091 / 5459859503100,
        ),
    ),
    "ark4": AdditiveScheme(
        order=4,
        nodes=(0.0, 1 / 2, 83 / 250, 31 / 50, 17 / 20, 1.0, 1.0),
        explicit=(
            (),
            (1 / 2,),
            (13861 / 62500, 6889 / 62500),
            (-116923316275 / 2393684061468, -2731218467317 / 15368042101831, 9408046702089 / 11113171139209),
            (
                -451086348788 / 2902428689909,
                -2682348792572 / 7519795681897,
                12662868775082 / 11960479115383,
                3355817975965 / 11060851509271,
            ),
            (
                647845179188 / 3216320057751,
                73281519250 / 8382639484533,
                552539513391 / 3454668386233,
                3354512671639 / 8306763924573,
                4040 / 17871,
            ),
        ),
        implicit=(
            (0.0,),
            (1 / 4, 1 / 4),
            (8611 / 62500, -1743 / 31250, 1 / 4),
            (5012029 / 34652500, -654441 / 2922500, 174375 / 388108, 1 / 4),
            (15267082809 / 155376265600, -71443401 / 120774400, 730878875 / 902184768, 2285395 / 8070912, 1 / 4),
            (82889 / 524892, 0.0, 15625 / 83664, 69875 / 102672, -2260 / 8211, 1 / 4),
        ),
        embedded=(
            4586570599 / 29645900160,
            0.0,
            178811875 / 945068544,
            814220225 / 1159782912,
            -3700637 / 11593932,
            61727 / 225920,
        ),
    ),
}
"""ARK3(2)4L[2]SA and ARK4(3)6L[2]SA of Kennedy and Carpenter (2003), doi:10.1016/S0168-9274(02)00138-1: L-stable,
stiffly accurate, and of their order in every mixture of the two parts."""
