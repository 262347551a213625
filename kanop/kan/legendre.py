"""The Legendre basis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
from kanop.kan.jacobi import jacobi_steps
from kanop.kan.recurrence import AtHand, evaluate, fill
from kanop.kan.squash import tanh
from kanop.solvers.errors import check

__all__ = ["Legendre"]


class Legendre(Basis):
    r"""√(2n+1) P_n(t), n = 1 … D, t = tanh x: orthonormal on [−1, 1] under the uniform weight of mass 1.

    Every input is taken into (−1, 1) by tanh, so the functions are flat far outside.

    Parameters
    ----------
    degree : D ≥ 1 (default 6), hence K = D functions; the constant is the layer's bias

    Raises
    ------
    KanopError : a degree below 1

    Examples
    --------
    >>> import torch
    >>> p1, p2 = Legendre(2).functions(torch.zeros(1, dtype=torch.float64))
    >>> p1.item(), round(p2.item() / 5**0.5, 12)
    (0.0, -0.5)
    """

    smoothness = math.inf
    domain = (-math.inf, math.inf)
    squash = staticmethod(tanh)

    def __init__(self, degree: int = 6) -> None:
        super().__init__()
        check(degree >= 1, f"a Legendre basis has at least degree 1, got degree={degree}")
        self.degree = self.size = degree
        self._steps = AtHand(partial(jacobi_steps, degree, 0.0, 0.0))

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """By the three-term recurrence of the derivatives."""
        return evaluate(t, self.degree, order, self._steps(order))

    def fill(self, t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"]) -> None:
        """The same in place."""
        fill(t, orders, out, self._steps)
