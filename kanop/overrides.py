"""The words of a command line, checked against what can be chosen: unknown ones are answered by the nearest known."""

from __future__ import annotations

import difflib
import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kanop.config import choices, compose, groups
from kanop.solvers.errors import KanopError, check, nearest

__all__ = ["check_overrides"]

_SHOWN = 3
_NO_EXPERIMENT = ("experiment", "None")
_NOT_KEYS = ("args", "kwargs", "spec")  # an operator's spec comes from the data


def check_overrides(command: str, words: Sequence[str], folders: Sequence[Path] = ()) -> list[str]:
    """The words of the command line, each known to `command`.

    An argument that a chosen class has, but its YAML leaves out, gets Hydra's `++`.

    Raises
    ------
    KanopError : a bare word, an unknown key or choice (the nearest valid ones are named), a value that does not parse
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    known = groups(folders)
    for word in words:
        if "=" not in word and not word.startswith("~"):
            raise KanopError(_bare(word, command, folders))
    parsed = []
    for word in words:
        try:
            parsed.append(OverridesParser.create().parse_override(word))
        except HydraException as error:
            raise KanopError(f"expected key=value, got {word!r}: {str(error).splitlines()[0]}") from error
    checked = list(words)
    for job in _jobs(parsed, known, folders):
        tree = compose(command, job, folders) if len(job) < len(parsed) else {}
        keys = _keys(tree)
        for i, override in enumerate(parsed):
            name = override.key_or_group
            if name in known or name.startswith("hydra"):
                continue
            # Below a class or a schema the checks of `check_groups` know what may be added; at the top nothing may.
            if name not in keys and ("." not in name or not (override.is_add() or override.is_force_add())):
                raise KanopError(_unknown_key(name, keys, known))
            _check_kind(override, tree)
            if not keys.get(name, True) and not override.is_delete() and not words[i].startswith("+"):
                checked[i] = f"++{words[i]}"
    return checked


def _check_kind(override: Any, tree: Any) -> None:
    """Raise where a list is given for keys, or keys for a list: Hydra merges neither."""
    node, name = tree, override.key_or_group
    for part in name.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    value = None if override.is_sweep_override() or override.is_delete() else override.value()
    if isinstance(node, Mapping) and isinstance(value, list):
        first = next(key for key in (*node, "key") if key != "_target_")
        raise KanopError(f"{name} has the keys {', '.join(node)}, got the list {value}; set each, as {name}.{first}=…")
    if isinstance(node, list) and isinstance(value, dict):
        raise KanopError(f"{name} is a list, got {value}; give [value, …]")


def _jobs(parsed: Sequence[Any], known: Sequence[str], folders: Sequence[Path]) -> Iterator[list[str]]:
    """The choices of groups of every job of a sweep (one job where nothing is swept)."""
    options: list[list[str]] = []
    for override in parsed:
        if override.key_or_group not in known:
            continue
        check(
            not override.is_delete(), f"{override.input_line}: a command needs one choice of each group; choose another"
        )
        values = override.sweep_string_iterator() if override.is_sweep_override() else [override.value()]
        names = [str(value) for value in values]
        for name in names:
            if name not in choices(override.key_or_group, folders) and (override.key_or_group, name) != _NO_EXPERIMENT:
                raise KanopError(nearest(name, choices(override.key_or_group, folders), override.key_or_group))
        options.append([f"{override.key_or_group}={name}" for name in names])
    return (list(job) for job in itertools.product(*options))


def _keys(node: Any, prefix: str = "") -> dict[str, bool]:
    """Dotted key → whether the tree has it already: False for arguments of a class that its node leaves out."""
    found: dict[str, bool] = {}
    if not isinstance(node, Mapping):
        return found
    for name in _arguments(node.get("_target_")):
        found[prefix + name] = False
    for name, child in node.items():
        if name == "_target_":
            continue
        found[f"{prefix}{name}"] = True
        found |= _keys(child, f"{prefix}{name}.")
    return found


def _arguments(target: str | None) -> Iterable[str]:
    """Names of the arguments of a class given by its dotted path; none where there is no such class."""
    if target is None:
        return ()
    from kanop.builder import locate

    try:
        return [name for name in inspect.signature(locate(target)).parameters if name not in _NOT_KEYS]
    except (KanopError, ImportError, ValueError):
        return ()


def _unknown_key(name: str, keys: Mapping[str, bool], known: Sequence[str]) -> str:
    """The sentence that answers an unknown key: the keys nearest in spelling, whole or in their last part."""
    parent, _, last = name.rpartition(".")

    def likeness(key: str) -> float:
        above, _, end = key.rpartition(".")
        whole = difflib.SequenceMatcher(None, key, name).ratio()
        return max(whole if above == parent else 0.9 * whole, difflib.SequenceMatcher(None, end, last).ratio())

    ranked = sorted({*keys, *known}, key=likeness, reverse=True)
    close = [key for key in ranked[:_SHOWN] if likeness(key) > max(0.6, likeness(ranked[0]) - 0.1)]
    if close:
        return f"unknown key {name!r}; did you mean {' or '.join(close)}?"
    siblings = [key for key in keys if key.rpartition(".")[0] == parent]
    return f"unknown key {name!r}; keys there: {', '.join(siblings) or 'none'}; `kanop list` names every choice"


def _bare(word: str, command: str, folders: Sequence[Path]) -> str:
    """The sentence that answers a word without `key=`: the keys whose value it could be."""
    said = f"expected key=value, got the bare word {word!r}"
    if Path(word).is_dir() and (Path(word) / "config.yaml").exists():
        return f"{said}; did you mean run={word}?"
    for cutoff in (1.0, 0.6):  # an exact choice before one that is spelt alike
        for group in groups(folders):
            for name in difflib.get_close_matches(word, choices(group, folders), n=1, cutoff=cutoff):
                return f"{said}; did you mean {group}={name}?"
    close = [key for key in _keys(compose(command, (), folders)) if key.rpartition(".")[2] == word]
    guess = f"; did you mean {min(close, key=len)}=…?" if close else "; for example operator=fno"
    return said + guess
