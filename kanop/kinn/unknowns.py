"""Fields that fulfil their conditions whatever the network says: u = g + φ N."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kanop.kan.jets import jet
from kanop.kinn.derivatives import derivative
from kanop.kinn.expressions import Expression, Index
from kanop.kinn.leaves import Field, Known
from kanop.solvers.errors import check

__all__ = ["Admissible", "Unknowns"]

Function = Callable[..., Tensor]


class Admissible:
    r"""u = g + φ N for one field: g fulfils the conditions, φ vanishes where they are.

    Parameters
    ----------
    lift : g(t, x, …), default 0
    factor : φ(t, x, …), default 1: no condition
    """

    def __init__(self, lift: Function | None = None, factor: Function | None = None) -> None:
        self.lift, self.factor = lift, factor

    def expression(self, network: Expression, points: tuple[Tensor, ...]) -> Expression:
        """u as an expression at the points."""
        u = network if self.factor is None else Known(self.factor, points) * network
        return u if self.lift is None else u + Known(self.lift, points)

    def values(self, network: Tensor, points: tuple[Tensor, ...]) -> Tensor:
        """u from the network's values."""
        u = network if self.factor is None else self.factor(*points) * network
        return u if self.lift is None else u + self.lift(*points)


class Unknowns(nn.Module):
    """The unknown fields of a problem: one network with an output for each, and what makes them admissible.

    Parameters
    ----------
    fields : `Admissible` by name
    network : of the inputs (t, x, …), or (x, …) where nothing depends on time, as (n, i) → (n, fields)
    steady : whether t is no input

    Shapes
    ------
    forward (n, 1 + d) points (t, x, …) → (n, fields)
    """

    def __init__(self, fields: Mapping[str, Admissible], network: nn.Module, steady: bool) -> None:
        super().__init__()
        self.fields, self.network, self.steady = dict(fields), network, steady

    def forward(self, points: Float[Tensor, "n i"]) -> Float[Tensor, "n c"]:
        """Values of the fields."""
        columns = points.unbind(1)
        outputs = self.network(points[:, int(self.steady) :])
        pairs = zip(self.fields.values(), outputs.unbind(1), strict=True)
        return torch.stack([field.values(n, columns) for field, n in pairs], 1)

    def expressions(self, points: Float[Tensor, "n i"]) -> tuple[dict[str, Expression], Sequence[Field]]:
        """The fields as expressions at points, and the network's outputs that they are made of."""
        outputs = [Field(name) for name in self.fields]
        columns = points.unbind(1)
        pairs = zip(self.fields.items(), outputs, strict=True)
        return {name: made.expression(output, columns) for (name, made), output in pairs}, outputs

    def differentiate(
        self, points: Float[Tensor, "n i"], outputs: Sequence[Field], wanted: Mapping[Field, set[Index]]
    ) -> None:
        """Put the wanted derivatives into the outputs: by one jet up to second order, by nested autograd beyond."""
        indices = sorted(set().union(*wanted.values())) if wanted else []
        highest = max((sum(index) for index in indices), default=0)
        made = self._by_jet(points, indices) if highest <= 2 else self._nested(points, indices)
        for place, output in enumerate(outputs):
            output.made = {index: made[index][:, place] for index in wanted.get(output, ())}

    def _by_jet(self, points: Tensor, indices: Sequence[Index]) -> dict[Index, Tensor]:
        skipped = int(self.steady)
        axes = sorted({axis for index in indices for axis, n in enumerate(index) if n})
        check(not (self.steady and 0 in axes), "a steady problem has no derivative in time")
        second = [index for index in indices if sum(index) == 2]
        pairs = [tuple(axes.index(axis) for axis, n in enumerate(index) for _ in range(n)) for index in second]
        u = jet(self.network, points[:, skipped:], [axis - skipped for axis in axes], pairs)
        unit = {tuple(int(i == axis) for i in range(points.shape[1])): u.first[k] for k, axis in enumerate(axes)}
        return {(0,) * points.shape[1]: u.value, **unit, **dict(zip(second, u.second, strict=True))}

    def _nested(self, points: Tensor, indices: Sequence[Index]) -> dict[Index, Tensor]:
        with torch.enable_grad():
            columns = [c.detach().requires_grad_() for c in points.unbind(1)]
            value = self.network(torch.stack(columns, 1)[:, int(self.steady) :])
            made: dict[Index, Tensor] = {(0,) * len(columns): value}
            for index in sorted(indices, key=sum):
                self._reach(index, made, columns)
        return made

    def _reach(self, index: Index, made: dict[Index, Tensor], columns: Sequence[Tensor]) -> Tensor:
        """The derivative `index` of all outputs, from one of lower order."""
        if index not in made:
            axis = max(i for i, n in enumerate(index) if n)
            lower = self._reach(tuple(n - (i == axis) for i, n in enumerate(index)), made, columns)
            made[index] = torch.stack([derivative(f, columns[axis]) for f in lower.unbind(1)], 1)
        return made[index]
