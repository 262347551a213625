"""The Jacobi basis, Legendre's among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial

from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.kan.recurrence import AtHand, Steps, evaluate, fill
from kanop.kan.squash import tanh
from kanop.solvers.errors import check

__all__ = ["Jacobi", "jacobi_steps"]


class Jacobi(Basis):
    r"""p_n^{(α,β)}(t), n = 1 … D, t = tanh x: orthonormal on [−1, 1] under the weight (1 − t)^α (1 + t)^β, of mass 1.

    α = β = 0 is Legendre's basis (there is a class of that name), α = β Gegenbauer's, α = β = −½ Chebyshev's of the
    first kind up to a factor √2. Every input is taken into (−1, 1) by tanh, so the functions are flat far outside.

    Parameters
    ----------
    degree : D ≥ 1 (default 6), hence K = D functions; the constant is the layer's bias. Slopes at the ends grow like
        D^{α+5/2}, so high degrees make stiff networks: 3 to 8 is usual.
    alpha, beta : exponents of the weight, above −1 (default 1 and 1)

    Raises
    ------
    KanopError : a degree below 1, exponents not above −1

    Notes
    -----
    d^r/dt^r P_n^{(α,β)} is a multiple of P_{n−r}^{(α+r,β+r)}: derivatives of any order by the same recurrence.

    Reference: Aghaei 2024 (fKAN), arXiv 2406.07456; Szegő 1939, Orthogonal Polynomials, §4.

    Examples
    --------
    >>> import torch
    >>> Jacobi(2, alpha=0, beta=0).functions(torch.ones(1, dtype=torch.float64))[1].square().round(decimals=12).item()
    5.0
    """

    smoothness = math.inf
    domain = (-math.inf, math.inf)
    squash = staticmethod(tanh)

    def __init__(self, degree: int = 6, alpha: float = 1.0, beta: float = 1.0) -> None:
        super().__init__()
        check(degree >= 1, f"a Jacobi basis has at least degree 1, got degree={degree}")
        check(
            min(alpha, beta) > -1,
            f"alpha and beta are above −1, or the weight (1 − t)^α (1 + t)^β has no integral; got {alpha} and {beta}",
        )
        self.degree, self.alpha, self.beta, self.size = degree, float(alpha), float(beta), degree
        self._steps = AtHand(partial(jacobi_steps, degree, self.alpha, self.beta))

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """By the three-term recurrence of the derivatives."""
        return evaluate(t, self.degree, order, self._steps(order))

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """The same in place."""
        fill(t, orders, out, self._steps)


@lru_cache(maxsize=256)
def jacobi_steps(degree: int, alpha: float, beta: float, order: int) -> Steps:
    """The recurrence of q_m = d^r p_{m+r}, whose scale s_m beside P_m^{(α+r,β+r)} is worked into the coefficients."""
    a, b = alpha + order, beta + order
    scales = [_scale(m + order, alpha, beta, order) for m in range(max(degree - order, 0) + 1)]
    steps = [(0.0, scales[0] if degree >= order else 0.0, 0.0)]
    for m in range(1, degree - order + 1):
        if m == 1:
            slope, shift, back = (a + b + 2) / 2, (a - b) / 2, 0.0
        else:
            s = 2 * m + a + b
            below = 2 * m * (m + a + b) * (s - 2)
            slope = (s - 1) * s * (s - 2) / below
            shift = (s - 1) * (a * a - b * b) / below
            back = 2 * (m + a - 1) * (m + b - 1) * s / below * scales[m] / scales[m - 2]
        ratio = scales[m] / scales[m - 1]
        steps.append((slope * ratio, shift * ratio, back))
    return steps


def _scale(n: int, alpha: float, beta: float, order: int) -> float:
    """d^r p_n / P_{n−r}^{(α+r,β+r)}: the norm of P_n^{(α,β)} and the factor of its r-th derivative, by logarithms."""
    log_gamma, total = math.lgamma, alpha + beta
    if n == 0:
        return 1.0
    log_square = (
        log_gamma(n + alpha + 1) + log_gamma(n + beta + 1) + log_gamma(total + 2)
        - math.log(2 * n + total + 1) - log_gamma(n + 1) - log_gamma(n + total + 1)
        - log_gamma(alpha + 1) - log_gamma(beta + 1)
    )  # fmt: skip
    rise = log_gamma(n + total + 1 + order) - log_gamma(n + total + 1)
    return math.exp(rise - order * math.log(2) - log_square / 2)
