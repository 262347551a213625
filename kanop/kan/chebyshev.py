"""The Chebyshev basis."""

from __future__ import annotations

import math

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
        r = order
        # T_r^(r) is constant, and T_n^(r) = 0 below.
        first = math.factorial(r) * 2.0 ** max(r - 1, 0)
        values = [*(torch.zeros_like(t) for _ in range(r)), torch.full_like(t, first)]
        for n in range(r, self.degree):
            slope, back = _recurrence(n, r)
            following = slope * t * values[n]
            values.append(following - back * values[n - 1] if back else following)
        return values[1 : self.degree + 1]


def _recurrence(n: int, r: int) -> tuple[float, float]:
    """a and b of T_{n+1}^(r) = a t T_n^(r) − b T_{n−1}^(r), for n ≥ r."""
    if r == 0:
        return (2.0, 1.0) if n else (1.0, 0.0)
    scale = (n + 1) / (n + 1 - r)
    return 2 * scale, 0.0 if n == r else scale * (n + r - 1) / (n - 1)
