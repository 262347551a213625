"""Darcy's law with mass conservation: steady flow through a porous medium."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from kanop.solvers.darcy import DarcySolution, solve_darcy
from kanop.solvers.equation import Derivatives
from kanop.solvers.errors import check
from kanop.solvers.finite_volumes import Walls
from kanop.solvers.grid import Grid

__all__ = ["Darcy"]


@dataclass(frozen=True)
class Darcy:
    r"""−∇·(a∇u) = f. Steady: it has a `residual` and a `solve`, and no time derivative to split.

    Parameters
    ----------
    source : f, one number; None for a field of its own, `D["f"]`. 1 in the FNO set (arXiv:2010.08895 §5.2)

    Raises
    ------
    KanopError : a source that is not finite

    Examples
    --------
    >>> import torch
    >>> a = torch.ones(2, 1, 16, 16, dtype=torch.float64)
    >>> Darcy().solve(a, Grid((16, 16), boundaries="dirichlet")).u.shape
    torch.Size([2, 1, 16, 16])
    """

    source: float | None = 1.0

    channels: ClassVar[tuple[str, ...]] = ("u",)
    ndim: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def __post_init__(self) -> None:
        check(self.source is None or math.isfinite(self.source), f"expected a finite source, got {self.source}")

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the given fields."""
        return ("a",) if self.source is not None else ("a", "f")

    def residual(self, D: Derivatives) -> dict[str, Tensor]:
        """∇·(a∇u) + f: zero on solutions."""
        f = D["f"] if self.source is None else self.source
        return {"u": D.div(D.flux(D["a"], D["u"])) + f}

    def solve(
        self,
        a: Float[Tensor, "b 1 *x"],
        grid: Grid,
        f: Float[Tensor, "..."] | None = None,
        walls: Walls = 0.0,
        tolerance: float | None = None,
    ) -> DarcySolution:
        """u for coefficients `a`, and sources `f` if they are a field of their own: see `solve_darcy`."""
        check((f is None) == (self.source is not None), "give f if and only if Darcy(source=None) leaves it open")
        return solve_darcy(a, self.source if f is None else f, grid, walls, tolerance)  # type: ignore[arg-type]
