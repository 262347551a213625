"""From a tree of plain values to the objects it names: checked whole before the first constructor runs.

A node is a mapping with `_target_`, the dotted name of a class; its other keys are that class' keyword arguments. There
are no functions, no methods, no positional or partial arguments, and no string is ever evaluated.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

from torch import nn

from kanop.hints import accepts, argument_types, spell
from kanop.solvers import KanopError
from kanop.solvers.errors import check, nearest

__all__ = ["build", "check_tree", "locate"]

# What a file that came from somewhere else may name. Classes are compared by the module that *defines* them, so
# that a name which such a module merely imported (torch.nn.modules.module.torch...) is no way out.
HOMES = ("kanop", "torch.nn", "neuralop")


def build(tree: Any, *, trusted: bool, allow: Sequence[type] = (), **given: Any) -> Any:
    """Return the object that `tree` names, its nested nodes built first.

    Parameters
    ----------
    tree : plain values (mappings, lists, numbers, strings, None) with nodes among them
    trusted : True for the user's own configuration, where any importable class will do; False for a file from
        elsewhere: only `nn.Module`s defined under kanop, torch.nn or neuralop, dataclasses of kanop, and `allow`
    allow : further classes admitted by identity, without importing anything
    given : objects handed to the outermost node as keyword arguments besides its own (an operator's `spec`)

    Raises
    ------
    KanopError : a name that is not admitted, an unknown or missing argument, a value of the wrong type; each says where
        in the tree. Nothing has been constructed by then.

    Examples
    --------
    >>> build({"_target_": "kanop.Grid", "shape": [8]}, trusted=False).shape
    (8,)
    """
    check_tree(tree, trusted=trusted, allow=allow, **given)
    return _construct(tree, trusted, tuple(allow), given)


def check_tree(tree: Any, *, trusted: bool, allow: Sequence[type] = (), where: str = "", **given: Any) -> None:
    """Raise `KanopError` unless `build` can construct every node of `tree`: names, arguments and types."""
    if isinstance(tree, Mapping) and "_target_" in tree:
        cls = locate(tree["_target_"], trusted=trusted, allow=allow, where=where)
        arguments = {k: v for k, v in tree.items() if k != "_target_"}
        for name in arguments:
            check(isinstance(name, str), f"{_at(where)}argument names are text, got {name!r}")
            check(
                not name.startswith("_"), f"{_at(where)}{name!r} is refused: a node holds `_target_` and arguments only"
            )
        twice = sorted(set(arguments) & set(given))
        check(not twice, f"{_at(where)}{', '.join(twice)} is set by kanop itself; remove it from the configuration")
        for name, value in arguments.items():
            check_tree(value, trusted=trusted, allow=allow, where=_join(where, name))
        _check_call(cls, {**arguments, **given}, trusted, allow, where)
    elif isinstance(tree, Mapping):
        for name, value in tree.items():
            check_tree(value, trusted=trusted, allow=allow, where=_join(where, str(name)))
    elif isinstance(tree, (list, tuple)):
        for i, value in enumerate(tree):
            check_tree(value, trusted=trusted, allow=allow, where=f"{where}[{i}]")


def locate(target: Any, *, trusted: bool = True, allow: Sequence[type] = (), where: str = "") -> type:
    """Return the class called `target`, or raise `KanopError` saying why it is refused."""
    check(isinstance(target, str), f"{_at(where)}_target_ is the dotted name of a class, got {target!r}")
    for cls in allow:
        if target == f"{cls.__module__}.{cls.__qualname__}":
            return cls
    module, _, name = target.rpartition(".")
    check(bool(module), f"{_at(where)}_target_ is a dotted name like kanop.operators.FNO, got {target!r}")
    if not trusted:
        private = [part for part in target.split(".") if part.startswith("_")]
        check(not private and _is_home(module), _refusal(target, where))
    holder = _import(module, target, where)
    public = getattr(holder, "__all__", None) or [n for n in vars(holder) if not n.startswith("_")]
    check(hasattr(holder, name), f"{_at(where)}{nearest(name, public, f'class of {module}')}")
    cls = getattr(holder, name)
    check(isinstance(cls, type), f"{_at(where)}_target_ {target!r} is a {type(cls).__name__}, expected a class")
    if not trusted:
        model = issubclass(cls, nn.Module) and _is_home(cls.__module__)
        record = is_dataclass(cls) and _is_home(cls.__module__, HOMES[:1])
        check(model or record, _refusal(target, where))
    return cls


def _construct(tree: Any, trusted: bool, allow: tuple[type, ...], given: Mapping[str, Any]) -> Any:
    if isinstance(tree, Mapping):
        values = {k: _construct(v, trusted, allow, {}) for k, v in tree.items() if k != "_target_"}
        if "_target_" not in tree:
            return values
        return locate(tree["_target_"], trusted=trusted, allow=allow)(**values, **given)
    if isinstance(tree, (list, tuple)):
        return [_construct(v, trusted, allow, {}) for v in tree]
    return tree


def _check_call(cls: type, arguments: Mapping[str, Any], trusted: bool, allow: Sequence[type], where: str) -> None:
    """Compare `arguments` with the signature of `cls`: unknown, missing, wrong type."""
    parameters = inspect.signature(cls).parameters
    named = {n: p for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in arguments:
        known = name in named or open_ended
        check(known, f"{_at(where)}{nearest(name, named, f'argument of {cls.__name__}')}")
    missing = [n for n, p in named.items() if p.default is p.empty and n not in arguments]
    check(not missing, f"{_at(where)}{cls.__name__} needs {', '.join(missing)}, which {_is_are(missing)} not given")
    hints = argument_types(cls)

    def sort(value: Any) -> type | None:
        node = isinstance(value, Mapping) and "_target_" in value
        return locate(value["_target_"], trusted=trusted, allow=allow, where=where) if node else None

    for name, value in arguments.items():
        if name in hints and not accepts(hints[name], value, sort):
            became = sort(value)
            came = f"a {became.__name__}" if became else f"{value!r} ({type(value).__name__})"
            raise KanopError(f"{_at(_join(where, name))}expected {spell(hints[name])}, got {came}")


def _import(module: str, target: str, where: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise KanopError(
                f"{_at(where)}_target_ {target!r} names no module that can be imported ({error}); "
                "write the module that holds the class, a dot, and the class"
            ) from error
        raise


def _is_home(module: str, homes: Iterable[str] = HOMES) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def _refusal(target: str, where: str) -> str:
    return (
        f"{_at(where)}_target_ {target!r} is refused: a saved run may only name nn.Module classes defined in kanop, "
        "torch.nn or neuralop, and dataclasses of kanop; a class of your own needs kanop.load(run, allow=[MyOperator])"
    )


def _is_are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _at(where: str) -> str:
    return f"{where}: " if where else ""
