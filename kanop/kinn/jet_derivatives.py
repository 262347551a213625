"""`Derivatives` of networks at points, carried forward through them instead of nested."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.kinn.expressions import Expression
from kanop.kinn.leaves import Known
from kanop.solvers import Derivatives

__all__ = ["JetDerivatives"]


class JetDerivatives(Derivatives):
    r"""Fields as expressions of (t, x, …) at n points: what a residual makes of them knows which derivatives it takes.

    Parameters
    ----------
    fields : expressions by name, made of unknowns (`Field`) and given functions (`Known`)
    points : (t, x, …), one (n,) tensor each; t is there for steady problems too
    """

    def __init__(self, fields: Mapping[str, Expression], points: Sequence[Float[Tensor, " n"]]) -> None:
        self._fields: Mapping[str, Any] = fields
        self._points = tuple(points)
        self._axes: list[Any] = [Known(_coordinate(axis), self._points) for axis in range(len(points))]

    @property
    def ndim(self) -> int:
        return len(self._points) - 1

    @property
    def coordinates(self) -> tuple[Tensor, ...]:
        return tuple(self._axes[1:])

    @property
    def time(self) -> Tensor:
        return self._axes[0]

    def t(self, f: Tensor) -> Tensor:
        return self._along(0, f, 1)

    def along(self, axis: int, f: Tensor, order: int = 1) -> Tensor:
        return self._along(axis + 1, f, order)

    def grad(self, f: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._along(axis + 1, f, 1) for axis in range(self.ndim))

    def div(self, flux: Sequence[Tensor]) -> Tensor:
        parts = [self._along(axis + 1, q, 1) for axis, q in enumerate(flux)]
        return sum(parts[1:], parts[0])

    def flux(self, a: Tensor, f: Tensor) -> tuple[Tensor, ...]:
        return tuple(a * g for g in self.grad(f))

    def laplacian(self, f: Tensor) -> Tensor:
        parts = [self._along(axis + 1, f, 2) for axis in range(self.ndim)]
        return sum(parts[1:], parts[0])

    def _along(self, axis: int, f: Any, order: int) -> Any:
        if not isinstance(f, Expression):
            return torch.zeros(())
        return f.derivative(tuple(order * (i == axis) for i in range(len(self._points))))


def _coordinate(axis: int) -> Callable[..., Tensor]:
    return lambda *points: points[axis]
