"""The Hermite basis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.kan.recurrence import AtHand, Steps, evaluate, fill
from kanop.kan.squash import tanh
from kanop.solvers.errors import check

__all__ = ["Hermite", "bounded", "hermite_functions"]


class Hermite(Basis):
    r"""He_n(t)/√n!, n = 1 … D, t = R tanh(x/R): orthonormal under the normal distribution where x is small beside R.

    Polynomials grow without bound; the soft clamp at ±R tames them. It is the identity up to x³/(3R²), and far outside
    the functions are flat.

    Parameters
    ----------
    degree : D ≥ 1 (default 6), hence K = D functions; the constant is the layer's bias
    reach : R > 0 (default 3), in standard deviations of the input

    Raises
    ------
    KanopError : a degree below 1, a reach that is not positive

    Notes
    -----
    (He_n/√n!)' = √n He_{n−1}/√(n−1)!: derivatives of any order are functions of the same family.

    Reference: Seydi 2024, arXiv 2406.02583.

    Examples
    --------
    >>> [f.item() for f in Hermite(3).functions(torch.ones(1))][:2]
    [1.0, 0.0]
    """

    smoothness = math.inf
    domain = (-math.inf, math.inf)

    def __init__(self, degree: int = 6, reach: float = 3.0) -> None:
        super().__init__()
        check(degree >= 1, f"a Hermite basis has at least degree 1, got degree={degree}")
        check(reach > 0, f"reach is positive, got {reach}")
        self.degree, self.reach, self.size = degree, float(reach), degree
        self.squash = partial(bounded, reach=self.reach)
        self._steps = AtHand(partial(_steps, degree))

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """√(n!/(n−r)!) He_{n−r}(t)/√(n−r)!, by the recurrence of the latter."""
        return evaluate(t, self.degree, order, self._steps(order))

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """The same in place."""
        fill(t, orders, out, self._steps)


@lru_cache(maxsize=64)
def _steps(degree: int, order: int) -> Steps:
    """√m h_m = t h_{m−1} − √(m−1) h_{m−2} for q_m = √((m+r)!/m!) h_m."""
    scales = [math.sqrt(math.perm(m + order, order)) for m in range(max(degree - order, 0) + 1)]
    steps = [(0.0, scales[0] if order <= degree else 0.0, 0.0)]
    for m in range(1, degree - order + 1):
        back = math.sqrt((m - 1) / m) * scales[m] / scales[m - 2] if m > 1 else 0.0
        steps.append((scales[m] / (scales[m - 1] * math.sqrt(m)), 0.0, back))
    return steps


def hermite_functions(t: Float[Tensor, "*n"], degree: int) -> list[Float[Tensor, "*n"]]:
    """He_n(t)/√n! for n = 0 … degree."""
    values = [torch.ones_like(t), t]
    for n in range(2, degree + 1):
        values.append((t * values[-1] - math.sqrt(n - 1) * values[-2]) / math.sqrt(n))
    return values[: degree + 1]


def bounded(x: Float[Tensor, "*n"], order: int = 0, reach: float = 1.0) -> Float[Tensor, "*n"]:
    """R tanh(x/R), or its derivative of order `order`."""
    return tanh(x / reach, order) * reach ** (1 - order)
