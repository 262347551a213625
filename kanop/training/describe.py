"""From an object to the tree that rebuilds it: the inverse of `kanop.builder.build`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import torch
from torch import nn

from kanop.hints import accepts, argument_types
from kanop.solvers import KanopError

__all__ = ["describe"]

_FEW = 256


def describe(thing: Any, where: str = "", known: Mapping[str, Any] | None = None) -> Any:
    """Return `thing` as plain values, objects as nodes with `_target_` and their constructor's arguments.

    The arguments of a module or dataclass are read from the attributes of the same names; an optional one whose
    attribute is of another type is left to its default. A yes or no may be kept as a parameter or None, as torch keeps
    `bias`. `known` holds trees for arguments of the outermost node.

    Raises
    ------
    KanopError : an argument without default that the object does not keep

    Examples
    --------
    >>> from kanop import Grid
    >>> describe(Grid((8,)))["_target_"]
    'kanop.solvers.grid.Grid'
    """
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if isinstance(thing, torch.dtype):
        return str(thing).removeprefix("torch.")
    if isinstance(thing, torch.device):
        return "cpu"  # where a run is loaded, wherever it was trained
    if isinstance(thing, torch.Tensor) and thing.numel() <= _FEW:
        return thing.tolist()
    if isinstance(thing, Mapping):
        return {str(name): describe(value, f"{where}.{name}") for name, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [describe(value, f"{where}[{i}]") for i, value in enumerate(thing)]
    if isinstance(thing, nn.Module) or is_dataclass(thing):
        return _node(thing, where, known or {})
    raise KanopError(
        f"{where.lstrip('.') or 'this'} is a {type(thing).__name__}, which a run's config.yaml cannot hold"
    )


def _node(thing: Any, where: str, known: Mapping[str, Any]) -> dict[str, Any]:
    cls = type(thing)
    hints = argument_types(cls)
    node: dict[str, Any] = {"_target_": f"{cls.__module__}.{cls.__qualname__}"}
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint, value = hints.get(name, Any), getattr(thing, name, parameter.empty)
        if hint is bool and (value is None or isinstance(value, nn.Parameter)):
            value = value is not None
        if name in known:
            node[name] = known[name]
        elif value is not parameter.empty and accepts(hint, value):
            node[name] = describe(value, f"{where}.{name}")
        elif parameter.default is parameter.empty:
            raise KanopError(
                f"{cls.__name__} keeps no attribute {name!r}, so a run cannot record how to rebuild it: "
                f"set self.{name} = {name} in its constructor"
            )
    return node
