"""Does a plain value fit a type hint? The part of Python's typing that constructors here use."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["accepts", "argument_types", "spell"]

Sort = Callable[[Any], "type | None"]


def accepts(hint: Any, value: Any, sort: Sort = lambda value: None) -> bool:
    """True unless `value` surely does not fit `hint`.

    An int is a float too, a bool is neither; lists pass for any sequence. Hints beyond plain classes, unions, literals,
    sequences and mappings are taken as fitting. `sort(value)` is the class that a value which stands for an object
    will become, and None for a plain one.

    >>> accepts(float, 1), accepts(int, True), accepts(Sequence[int], [1, 2.5]), accepts(int | None, None)
    (True, False, False, True)
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(accepts(arg, value, sort) for arg in args)
    if origin is typing.Literal:
        return value in args
    if origin is typing.Annotated:
        return accepts(args[0], value, sort)
    kind = hint if origin is None else origin
    if hint is Any or not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    becomes = sort(value)
    return issubclass(becomes, kind) if becomes else _plain(kind, args, value, sort)


def argument_types(cls: type) -> dict[str, Any]:
    """Types of the constructor's arguments; empty where an annotation cannot be resolved at run time."""
    # The fields of a dataclass may come from several modules, each with its own names; a written constructor wins.
    generated = "__dataclass_params__" in vars(cls) and vars(cls)["__dataclass_params__"].init
    source = cls if generated else cls.__init__  # type: ignore[misc]
    try:
        return typing.get_type_hints(source)
    except (NameError, TypeError, AttributeError):
        return {}


def spell(hint: Any) -> str:
    """The hint as a reader would write it: `Sequence[int]`, `float | None`."""
    if isinstance(hint, type) and not typing.get_args(hint):
        return "None" if hint is type(None) else hint.__name__
    return str(hint).replace("typing.", "").replace("collections.abc.", "").replace("NoneType", "None")


def _plain(kind: type, args: tuple[Any, ...], value: Any, sort: Sort) -> bool:
    if kind in (int, float, bool, str):
        if isinstance(value, bool):
            return kind is bool
        return isinstance(value, (int, float) if kind is float else kind)
    if issubclass(kind, Mapping):
        if not isinstance(value, Mapping) or len(args) != 2:
            return isinstance(value, Mapping)
        return all(accepts(args[0], k, sort) and accepts(args[1], v, sort) for k, v in value.items())
    if issubclass(kind, Sequence):
        return isinstance(value, (list, tuple)) and _items(kind, args, value, sort)
    return isinstance(value, kind)


def _items(kind: type, args: tuple[Any, ...], value: Sequence[Any], sort: Sort) -> bool:
    if kind is tuple and args and args[-1] is not Ellipsis:
        return len(args) == len(value) and all(accepts(a, v, sort) for a, v in zip(args, value, strict=True))
    return not args or all(accepts(args[0], v, sort) for v in value)
