"""Helmholtz' and Poisson's equations with a source that is a function of the place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kanop.solvers.equation import Derivatives
from kanop.solvers.errors import check

__all__ = ["Helmholtz"]


@dataclass(frozen=True)
class Helmholtz:
    r"""Δu + κ² u + f = 0; Poisson's equation for κ² = 0, Laplace's without f. Steady: it has a `residual` alone.

    `solve_poisson` and `solve_helmholtz` solve it on boxes.

    Parameters
    ----------
    k2 : κ² in 1/length² (default 0); negative for the screened problem
    source : f(x, …), differentiable torch operations; None (default) for 0

    Raises
    ------
    KanopError : a κ² that is not finite
    """

    k2: float = 0.0
    source: Callable[..., Tensor] | None = None

    channels: ClassVar[tuple[str, ...]] = ("u",)
    ndim: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def __post_init__(self) -> None:
        check(math.isfinite(self.k2), f"expected a finite k2, got {self.k2}")

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """Δu + κ² u + f: zero on solutions."""
        u = D["u"]
        out = D.laplacian(u)
        out = out + self.k2 * u if self.k2 else out
        return {"u": out if self.source is None else out + self.source(*D.coordinates)}
