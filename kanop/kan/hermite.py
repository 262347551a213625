"""The Hermite basis."""

from __future__ import annotations

import math
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kan.basis import Basis
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

    def functions(self, t: Float[Tensor, "*n"], order: int = 0) -> list[Float[Tensor, "*n"]]:
        """√(n!/(n−r)!) He_{n−r}(t)/√(n−r)!."""
        lower = hermite_functions(t, max(self.degree - order, 0))
        zero = torch.zeros_like(t)
        return [
            zero if n < order else math.sqrt(math.perm(n, order)) * lower[n - order] for n in range(1, self.degree + 1)
        ]


def hermite_functions(t: Float[Tensor, "*n"], degree: int) -> list[Float[Tensor, "*n"]]:
    """He_n(t)/√n! for n = 0 … degree."""
    values = [torch.ones_like(t), t]
    for n in range(2, degree + 1):
        values.append((t * values[-1] - math.sqrt(n - 1) * values[-2]) / math.sqrt(n))
    return values[: degree + 1]


def bounded(x: Float[Tensor, "*n"], order: int = 0, reach: float = 1.0) -> Float[Tensor, "*n"]:
    """R tanh(x/R), or its derivative of order `order`."""
    return tanh(x / reach, order) * reach ** (1 - order)
