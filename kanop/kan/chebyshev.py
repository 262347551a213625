"""The Chebyshev basis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.kan.squash import tanh
from kanop.solvers.errors import check

__all__ = ["Chebyshev"]


class Chebyshev(Basis):
    r"""T_1 … T_D at t = tanh x, by T_{n+1} = 2t T_n − T_{n−1}: no arc cosine, whose slope is infinite at the ends.

    The derivatives have recurrences of their own: T_n^(r) is a multiple of the Gegenbauer polynomial C_{n−r}^(r).

    Parameters
    ----------
    degree : D ≥ 1 (default 8), hence K = D functions; the constant T_0 is the layer's bias

    Raises
    ------
    KanopError : degree below 1

    Reference: Sidharth et al. 2024 (Chebyshev KAN), arXiv 2405.07200; DLMF 18.9.

    Examples
    --------
    >>> [float(T) for T in Chebyshev(3).functions(torch.tensor(0.5))]
    [0.5, -0.5, -1.0]
    """

    smoothness = math.inf
    domain = (-math.inf, math.inf)
    squash = staticmethod(tanh)

    def __init__(self, degree: int = 8) -> None:
        super().__init__()
        check(degree >= 1, f"a Chebyshev basis has a degree of at least 1, got degree={degree}")
        self.degree, self.size = degree, degree

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """T_1 … T_D or their derivatives, by one three-term recurrence for each order."""
        # T_n^(r) vanishes for n < r and is constant for n = r.
        values = [*(torch.zeros_like(t) for _ in range(order)), torch.full_like(t, _first(order))]
        for n in range(order, self.degree):
            slope, back = _recurrence(n, order)
            following = slope * t * values[n]
            values.append(following - back * values[n - 1] if back else following)
        return values[1 : self.degree + 1]

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """The same recurrences, scaled so that each is one call, and one factor for each function at the end."""
        for order, rows in zip(orders, out, strict=True):
            steps, factors = _scaled(self.degree, order)
            # T_0 is constant and has no row.
            values = [t.new_full((), 0.0 if order else 1.0), *rows]
            rows[: max(order - 1, 0)].zero_()
            if 1 <= order <= self.degree:
                values[order].fill_(_first(order))
            for n, step in enumerate(steps, order):
                if n == order:
                    torch.mul(t, step, out=values[n + 1])
                else:
                    torch.addcmul(values[n - 1], t, values[n], value=step, out=values[n + 1])
            rows.mul_(t.new_tensor(factors).view(-1, *[1] * t.ndim))


def _first(order: int) -> float:
    """T_r^(r)."""
    return math.factorial(order) * 2.0 ** max(order - 1, 0)


def _recurrence(n: int, r: int) -> tuple[float, float]:
    """a and b of T_{n+1}^(r) = a t T_n^(r) − b T_{n−1}^(r), for n ≥ r."""
    if r == 0:
        return (2.0, 1.0) if n else (1.0, 0.0)
    scale = (n + 1) / (n + 1 - r)
    return 2 * scale, 0.0 if n == r else scale * (n + r - 1) / (n - 1)


@lru_cache
def _scaled(degree: int, r: int) -> tuple[list[float], list[float]]:
    """c of F_{n+1} = F_{n−1} + c t F_n for n = r … degree − 1 (c t for n = r), and T_n^(r)/F_n for n = 1 … degree."""
    scale, steps = dict.fromkeys(range(r + 2), 1.0), []
    for n in range(r, degree):
        slope, back = _recurrence(n, r)
        if n == r:
            steps.append(slope * _first(r))
            continue
        scale[n + 1] = -scale[n - 1] / back
        steps.append(slope * scale[n + 1] / scale[n])
    return steps, [1 / scale[n] if n in scale else 1.0 for n in range(1, degree + 1)]
