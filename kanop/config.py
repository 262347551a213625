"""Hydra, behind one module: what can be chosen, composing a configuration, and checking it before work starts."""

from __future__ import annotations

import contextlib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kanop.solvers.errors import KanopError, check, nearest

__all__ = ["CONFIGS", "check_arguments", "check_groups", "choices", "compose", "groups", "overlay"]

CONFIGS = Path(__file__).parent / "configs"


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
        check_arguments(kanop.datasets.generate, settings, "data")
    if "operator" not in config:
        return
    # Only its type counts here: the data's own FieldSpec is known once they are open.
    check_tree(config["operator"], trusted=True, where="operator", spec=FieldSpec(Grid((8,)), ["u"]))
    for group in ("loss", "strategy", "optim", "trainer", "augment"):
        check_tree(config[group], trusted=True, where=group)
    from kanop.datasets import DataModule

    check_arguments(DataModule.__init__, data["windows"], "data.windows")
    check_arguments(DataModule.__init__, {key: config[key] for key in ("batch_size", "seed")}, "")
    check_arguments(_run_settings, {key: config[key] for key in ("name", "runs", "increment", "standardise")}, "")


def _run_settings(name: str, runs: str, increment: bool, standardise: bool) -> None:
    """Types of the keys that belong to no class."""


def check_arguments(function: Any, values: Mapping[str, Any], where: str) -> None:
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
