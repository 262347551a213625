"""What expressions begin with: unknown fields and given functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from kanop.kinn.derivatives import derivative
from kanop.kinn.expressions import Expression, Index

__all__ = ["Field", "Known"]


class Field(Expression):
    """An unknown; its derivatives are put in once they are known."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.made: Mapping[Index, Tensor] = {}

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        yield self, index

    def at(self, index: Index) -> Tensor:
        return self.made[index]


class Known(Expression):
    """A given function of (t, x, …): differentiated by nested autograd, once for a set of points."""

    def __init__(self, function: Callable[..., Tensor], points: tuple[Tensor, ...]) -> None:
        self.function, self.points = function, points
        self._made: dict[Index, Tensor] = {}

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        return iter(())

    def at(self, index: Index) -> Tensor:
        if index not in self._made:
            self._made[index] = self._differentiated(index)
        return self._made[index]

    def _differentiated(self, index: Index) -> Tensor:
        with torch.enable_grad():
            points = tuple(x.detach().requires_grad_() for x in self.points)
            f = torch.as_tensor(self.function(*points), dtype=points[0].dtype).expand(points[0].shape)
            for axis, order in enumerate(index):
                for _ in range(order):
                    f = derivative(f, points[axis])
        return f.detach()
