"""Expressions of fields at points that know their derivatives, of any order, once they are asked for them.

An expression is built by a residual as it is written; what derivatives of the fields it takes is found before any of
them is made, so that a network is gone through once, forward, with these alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor

from kanop.solvers.errors import KanopError

__all__ = ["Expression", "Index"]

Index = tuple[int, ...]
"""Orders of a derivative along (t, x, y, …)."""

# (x, n) ↦ the n-th derivative of a function of one variable.
FUNCTIONS: dict[Callable[..., Any], Callable[[Tensor, int], Tensor]] = {
    torch.sin: lambda x, n: torch.sin(x + n * math.pi / 2),
    torch.cos: lambda x, n: torch.cos(x + n * math.pi / 2),
    torch.exp: lambda x, n: torch.exp(x),
    torch.reciprocal: lambda x, n: (-1) ** n * math.factorial(n) * x ** (-1 - n),
    torch.sqrt: lambda x, n: math.prod(0.5 - k for k in range(n)) * x ** (0.5 - n),
    torch.log: lambda x, n: torch.log(x) if n == 0 else (-1) ** (n - 1) * math.factorial(n - 1) * x ** (-n),
}


class Expression(Tensor):
    """A function of (t, x, …) at n points, with derivatives on demand: +, −, ·, /, whole powers, sin, cos, exp, …

    It stands where a residual expects a tensor, hence is one, empty: a metaclass of tensors leaves no room for an ABC.
    """

    def __new__(cls, *given: Any) -> Expression:
        return torch.empty(0).as_subclass(cls)

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        """The fields, and which of their derivatives, that the derivative `index` is made of."""
        raise NotImplementedError

    def at(self, index: Index) -> Tensor:
        """The derivative `index` at the points."""
        raise NotImplementedError

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"{type(self).__name__}(…)"

    def derivative(self, index: Index) -> Expression:
        """∂^index of it, an expression again."""
        return Derivative(self, index)

    def __add__(self, other: Any) -> Expression:
        return Sum(self, wrapped(other))

    def __mul__(self, other: Any) -> Expression:
        return Product(self, wrapped(other))

    def __neg__(self) -> Expression:
        return self * -1.0

    def __sub__(self, other: Any) -> Expression:
        return self + -wrapped(other)

    def __rsub__(self, other: Any) -> Expression:
        return wrapped(other) + -self

    def __truediv__(self, other: Any) -> Expression:
        if isinstance(other, Expression):
            return self * Composed(FUNCTIONS[torch.reciprocal], other)
        return self * (1 / other)

    def __rtruediv__(self, other: Any) -> Expression:
        return wrapped(other) / self

    def __pow__(self, power: Any) -> Expression:
        if power != int(power) or power < 1:
            raise KanopError(f"powers of fields are whole and positive here, got {power}: write 1/u or torch.sqrt(u)")
        half = self if power < 2 else self ** (int(power) // 2)
        return half if power < 2 else half * half * (self if power % 2 else 1.0)

    __radd__, __rmul__ = __add__, __mul__

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, given: tuple[Any, ...] = (), named: Any = None) -> Any:
        name = getattr(function, "__name__", str(function))
        if function in FUNCTIONS:
            return Composed(FUNCTIONS[function], given[0])
        if name in ARITHMETIC and len(given) == 2:
            return ARITHMETIC[name](*(wrapped(g) for g in given))
        known = ", ".join(f.__name__ for f in FUNCTIONS)
        raise KanopError(f"{name} of a field has no derivatives here; known are +, −, ·, /, whole powers, {known}")


# What torch calls the arithmetic of a tensor and an expression.
ARITHMETIC: dict[str, Callable[[Expression, Expression], Expression]] = {
    **dict.fromkeys(("add", "__add__", "__radd__"), lambda a, b: a + b),
    **dict.fromkeys(("mul", "__mul__", "__rmul__"), lambda a, b: a * b),
    **dict.fromkeys(("sub", "__sub__"), lambda a, b: a - b),
    **dict.fromkeys(("div", "true_divide", "__truediv__"), lambda a, b: a / b),
    **dict.fromkeys(("rsub", "__rsub__"), lambda a, b: b - a),
    "__rtruediv__": lambda a, b: b / a,
}


class Constant(Expression):
    """A number, or a tensor that does not depend on the place."""

    def __init__(self, value: float | Tensor) -> None:
        self.value = value

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        return iter(())

    def at(self, index: Index) -> Tensor:
        # A number in single precision would be rounded.
        value = self.value if isinstance(self.value, Tensor) else torch.tensor(self.value, dtype=torch.float64)
        return torch.zeros_like(value) if any(index) else value


class Values(Expression):
    """Values at the points of which no derivative is known."""

    def __init__(self, numbers: Tensor) -> None:
        self.numbers = numbers

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        return iter(())

    def at(self, index: Index) -> Tensor:
        if any(index):
            raise KanopError(
                "a derivative is asked of values whose dependence on the place is not known; make them of D.coordinates"
            )
        return self.numbers


class Derivative(Expression):
    """∂^orders f."""

    def __init__(self, f: Expression, orders: Index) -> None:
        self.f, self.orders = f, orders

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        return self.f.needs(_sum(self.orders, index))

    def at(self, index: Index) -> Tensor:
        return self.f.at(_sum(self.orders, index))


class Sum(Expression):
    """f + g."""

    def __init__(self, f: Expression, g: Expression) -> None:
        self.f, self.g = f, g

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        yield from self.f.needs(index)
        yield from self.g.needs(index)

    def at(self, index: Index) -> Tensor:
        return self.f.at(index) + self.g.at(index)


class Product(Expression):
    """f g, by Leibniz' rule."""

    def __init__(self, f: Expression, g: Expression) -> None:
        self.f, self.g = f, g

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        for part in _below(index):
            if not (_constant(self.f) and any(part)) and not (_constant(self.g) and part != index):
                yield from self.f.needs(part)
                yield from self.g.needs(_difference(index, part))

    def at(self, index: Index) -> Tensor:
        if _constant(self.f):
            return self.f.at((0,) * len(index)) * self.g.at(index)
        if _constant(self.g):
            return self.f.at(index) * self.g.at((0,) * len(index))
        terms = []
        for part in _below(index):
            term = self.f.at(part) * self.g.at(_difference(index, part))
            times = math.prod(math.comb(n, k) for n, k in zip(index, part, strict=True))
            terms.append(term if times == 1 else times * term)
        return sum(terms[1:], terms[0])


class Composed(Expression):
    """φ(f), by the chain rule: ∂_a φ(f) = φ'(f) ∂_a f, applied again for every further order."""

    def __init__(self, function: Callable[[Tensor, int], Tensor], f: Expression, order: int = 0) -> None:
        self.function, self.f, self.order = function, f, order

    def needs(self, index: Index) -> Iterator[tuple[Expression, Index]]:
        return self._once(index).needs(_lowered(index)[1]) if any(index) else self.f.needs(index)

    def at(self, index: Index) -> Tensor:
        if any(index):
            return self._once(index).at(_lowered(index)[1])
        return self.function(self.f.at(index), self.order)

    def _once(self, index: Index) -> Expression:
        return Composed(self.function, self.f, self.order + 1) * self.f.derivative(_lowered(index)[0])


def wrapped(value: Any) -> Expression:
    """Numbers and tensors as expressions."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, Tensor) and value.numel() > 1:
        return Values(value)
    return Constant(value)


def _below(index: Index) -> Iterator[Index]:
    """All indices that are nowhere above `index`."""
    return product(*(range(n + 1) for n in index))


def _constant(f: Expression) -> bool:
    return isinstance(f, Constant)


def _lowered(index: Index) -> tuple[Index, Index]:
    """One derivative of `index`, and the rest."""
    axis = next(i for i, n in enumerate(index) if n)
    one = tuple(int(i == axis) for i in range(len(index)))
    return one, _difference(index, one)


def _sum(a: Index, b: Index) -> Index:
    return tuple(m + n for m, n in zip(a, b, strict=True))


def _difference(a: Index, b: Index) -> Index:
    return tuple(m - n for m, n in zip(a, b, strict=True))
