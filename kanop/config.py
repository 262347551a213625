"""Hydra, behind one module: what can be chosen, composing a configuration, and checking it before work starts."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import itertools
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kanop.solvers.errors import KanopError, check, nearest

__all__ = ["CONFIGS", "check_groups", "check_overrides", "choices", "compose", "groups", "overlay"]

CONFIGS = Path(__file__).parent / "configs"
_SHOWN = 3
_NOT_KEYS = ("args", "kwargs", "spec")  # an operator's spec comes from the data
_NO_EXPERIMENT = ("experiment", "None")


def groups(folders: Sequence[Path] = ()) -> list[str]:
    """Names of the groups that a command chooses from: the folders of `configs/` and of the user's own."""
    found = {path.name for root in (CONFIGS, *folders) for path in root.iterdir() if path.is_dir()}
    return sorted(name for name in found if not name.startswith((".", "_")))


def choices(group: str, folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Name → file of every choice of a group."""
    files = [file for root in (CONFIGS, *folders) for file in sorted((root / group).glob("*.yaml"))]
    return {file.stem: file for file in files}


def compose(command: str, overrides: Sequence[str] = (), folders: Sequence[Path] = ()) -> dict[str, Any]:
    """The configuration of `command` as plain containers, interpolations resolved.

    Parameters
    ----------
    command : "generate", "train", "evaluate", "report", "demo" or "list"
    overrides : Hydra's `key=value` words, without sweeps
    folders : the user's own configuration folders, searched besides kanop's

    Raises
    ------
    KanopError : an unknown key or choice, or a value that does not parse

    Examples
    --------
    >>> compose("train", ["optim.lr=0.5"])["optim"]["lr"]
    0.5
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    own = [f"hydra.searchpath=[{','.join(f'file://{folder.resolve()}' for folder in folders)}]"] if folders else []
    outer = GlobalHydra.instance().hydra  # a command composes again while Hydra runs it
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(CONFIGS), version_base="1.3"):
            tree = hydra_compose(config_name=command, overrides=[*own, *overrides], return_hydra_config=True)
        with _configured(tree):
            return OmegaConf.to_container(tree, resolve=True)  # type: ignore[return-value]
    except (HydraException, OmegaConfBaseException) as error:
        raise KanopError(str(error.__cause__ or error).splitlines()[0]) from error
    finally:
        GlobalHydra.instance().hydra = outer


@contextlib.contextmanager
def _configured(tree: Any) -> Iterator[None]:
    """Let `${hydra:…}` resolve, and take Hydra's own keys out of `tree`."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict

    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(tree)
    try:
        with open_dict(tree):
            del tree["hydra"]
        yield
    finally:
        HydraConfig.instance().cfg = before


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
        keys = _keys(compose(command, job, folders)) if len(job) < len(parsed) else {}
        for i, override in enumerate(parsed):
            name = override.key_or_group
            if name in known or name.startswith("hydra"):
                continue
            # Below a class or a schema the checks of `check_groups` know what may be added; at the top nothing may.
            if name not in keys and ("." not in name or not (override.is_add() or override.is_force_add())):
                raise KanopError(_unknown_key(name, keys, known))
            if not keys.get(name, True) and not override.is_delete() and not words[i].startswith("+"):
                checked[i] = f"++{words[i]}"
    return checked


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


def check_groups(config: Mapping[str, Any]) -> None:
    """Compare every group of a composed configuration with the signatures of the classes it names, before any work.

    Raises
    ------
    KanopError : an unknown or missing argument, a value of the wrong type; says at which key
    """
    from kanop.builder import check_tree
    from kanop.solvers import FieldSpec, Grid

    data = config["data"]
    check_tree(data, trusted=True, where="data")
    if data.get("recipe") is not None:
        import kanop.datasets

        settings = {key: value for key, value in data.items() if key not in ("recipe", "windows", "layout")}
        _check_arguments(kanop.datasets.generate, settings, "data")
    if "operator" not in config:
        return
    # Only its type counts here: the data's own FieldSpec is known once they are open.
    check_tree(config["operator"], trusted=True, where="operator", spec=FieldSpec(Grid((8,)), ["u"]))
    for group in ("loss", "strategy", "optim", "trainer"):
        check_tree(config[group], trusted=True, where=group)
    from kanop.datasets import DataModule

    _check_arguments(DataModule.__init__, data["windows"], "data.windows")
    _check_arguments(DataModule.__init__, {key: config[key] for key in ("batch_size", "seed")}, "")
    _check_arguments(_run_settings, {key: config[key] for key in ("name", "runs", "increment")}, "")


def _run_settings(name: str, runs: str, increment: bool) -> None:
    """Types of the keys that belong to no class."""


def _check_arguments(function: Any, values: Mapping[str, Any], where: str) -> None:
    """Raise unless every value has the type of the argument of its name."""
    from kanop.hints import accepts, spell

    hints = typing.get_type_hints(function)
    for name, value in values.items():
        key = f"{where}.{name}" if where else name
        check(name in hints, f"{key}: {nearest(name, hints, 'key')}")
        if not accepts(hints[name], value):
            raise KanopError(f"{key}: expected {spell(hints[name])}, got {value!r} ({type(value).__name__})")


def overlay(config: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """`config` with the values of `key=value` words put in; words that choose from a group are refused.

    >>> overlay({"optim": {"lr": 1.0}}, ["optim.lr=0.5"])
    {'optim': {'lr': 0.5}}
    """
    from omegaconf import OmegaConf

    for word in words:
        name = word.partition("=")[0]
        check(name not in groups(), f"{word}: a run resumes with the choices it was started with; leave {name}= out")
    tree = OmegaConf.create(dict(config))
    tree.merge_with_dotlist([word.lstrip("+") for word in words])
    return OmegaConf.to_container(tree, resolve=True)  # type: ignore[return-value]
