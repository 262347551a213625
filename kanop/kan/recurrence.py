"""Three-term recurrences, which make a family of polynomials and its derivatives one from the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["AtHand", "Steps", "evaluate", "fill"]

# (A, B, C) with q_m = (A t + B) q_{m−1} − C q_{m−2} for q_m = p_{m+r}^(r); the constant q_0 stands in the first B.
Steps = Sequence[tuple[float, float, float]]


class AtHand:
    """The steps of every order by `make`, those that jets and their gradients need made once.

    A compiler cannot look into a cache.
    """

    def __init__(self, make: Callable[[int], Steps]) -> None:
        self.make, self.low = make, [make(order) for order in range(4)]

    def __call__(self, order: int) -> Steps:
        """Those of one order."""
        return self.low[order] if order < len(self.low) else self.make(order)


def evaluate(t: Float[Tensor, "*n"], degree: int, order: int, steps: Steps) -> list[Float[Tensor, "*n"]]:
    """p_1^(r) … p_D^(r) at t, for r = `order`, by the steps of that order."""
    values = [torch.full_like(t, steps[0][1])]
    for m, (a, b, c) in enumerate(steps[1:], 1):
        value = (a * t + b) * values[-1]
        values.append(value if m == 1 else torch.add(value, values[-2], alpha=-c))
    # The derivatives of degrees below the order vanish, and p_0 is left out.
    return ([torch.zeros_like(t) for _ in range(order - 1)] + values[order == 0 :])[:degree]


def fill(
    t: Float[Tensor, "*n"], orders: Sequence[int], out: Float[Tensor, "r k *n"], steps: Callable[[int], Steps]
) -> None:
    """The same for several orders, in place."""
    for order, rows in zip(orders, out, strict=True):
        of_order = steps(order)
        constant = of_order[0][1]
        # Row n − 1 is of degree n; the constant p_0 has none.
        rows[: max(order - 1, 0)].zero_()
        if 1 <= order <= len(rows):
            rows[order - 1].fill_(constant)
        values: list[Any] = [constant, *rows[order:]]
        for m, row in enumerate(rows[order:], 1):
            a, b, c = of_order[m]
            if m == 1:
                torch.mul(t, a * constant, out=row).add_(b * constant)
                continue
            if m == 2:
                row.fill_(-c * constant)
            else:
                torch.mul(values[m - 2], -c, out=row)
            row.addcmul_(t, values[m - 1], value=a)
            if b:
                row.add_(values[m - 1], alpha=b)
