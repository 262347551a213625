"""A run on disk: `model.safetensors` (weights and normaliser) and `config.yaml` (everything that rebuilds them).

Loading runs no pickle and constructs only classes that `kanop.builder` admits.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from kanop.builder import build, locate
from kanop.datasets.durable import write_durably
from kanop.operators import Emulator
from kanop.solvers import KanopError
from kanop.solvers.errors import check
from kanop.training.describe import describe
from kanop.training.runs import rank

__all__ = ["CONFIG", "WEIGHTS", "export", "fill", "load", "model_tree", "read_config", "write_config"]

WEIGHTS, CONFIG = "model.safetensors", "config.yaml"


def export(run: str | Path, emulator: Emulator, config: Mapping[str, Any] | None = None) -> Path:
    """Write weights, normaliser and configuration of `emulator` to the folder `run`; of many ranks, the first writes.

    Parameters
    ----------
    run : the folder, which is there
    emulator : what `kanop.load(run)` will give back
    config : the resolved configuration of the run, plain values; the tree `model` is added to it

    Returns
    -------
    Path : the weights' file

    Raises
    ------
    KanopError : a model that its own description does not rebuild
    """
    from safetensors.torch import save

    run = Path(run)
    if rank() != 0:
        return run / WEIGHTS
    tree = write_config(run, emulator, config)["model"]
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in emulator.state_dict().items()}
    _check_rebuilds(emulator, tree, tensors)
    write_durably(run / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    return run / WEIGHTS


def load(run: str | Path, allow: Sequence[type] = ()) -> Emulator:
    """Return the emulator of a trained run, in evaluation mode, on the CPU.

    Parameters
    ----------
    run : the run's folder
    allow : your own classes that the run's configuration may name

    Raises
    ------
    KanopError : no such run, weights that are a pickle, damaged or of another operator, a class that is not admitted
    """
    run = Path(run)
    path = run / WEIGHTS if run.is_dir() or not run.exists() else run
    tensors = read_weights(path)
    config = read_config(path.parent)
    check("model" in config, f"{path.parent / CONFIG} has no `model` tree: it was not written by kanop.training.export")
    with torch.random.fork_rng(devices=[]):
        emulator = build(config["model"], trusted=False, allow=allow)
    fill(emulator, tensors, path)
    return emulator.eval()


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; pickles are refused by their first bytes, whatever they are called."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check(path.exists(), f"no {path.name} in {path.parent}: expected the folder of a finished run")
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file opens with the length of its header in 8 bytes (any bytes), then the header, which is JSON.
    if start[8:] != b"{" and start.startswith((b"\x80", b"PK\x03\x04")):
        raise KanopError(
            f"{path} is refused: it is a pickle (torch.save, .pt, .ckpt), and opening one runs the code inside; "
            f"expected a safetensors file. Export the run that made it with kanop.training.export, and load that folder"
        )
    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise KanopError(f"{path} is no safetensors file, or a damaged one ({error})") from error


def fill(emulator: Emulator, tensors: Mapping[str, Tensor], source: Path | str) -> None:
    """Load `tensors` into `emulator`, or raise `KanopError` naming what differs."""
    have = {name: tuple(value.shape) for name, value in emulator.state_dict().items()}
    came = {name: tuple(value.shape) for name, value in tensors.items()}
    if have != came:
        lines = [
            f"  {name}: expected {have.get(name, 'nothing')}, got {came.get(name, 'nothing')}"
            for name in sorted(have.keys() | came.keys())
            if have.get(name) != came.get(name)
        ]
        more = f"\n  … and {len(lines) - 5} more" if len(lines) > 5 else ""
        operator = type(getattr(emulator, "operator", emulator)).__name__
        raise KanopError(f"the weights in {source} are not of this {operator}:\n" + "\n".join(lines[:5]) + more)
    dtypes = {value.dtype for value in tensors.values() if value.is_floating_point()}
    if len(dtypes) == 1 and dtypes != {v.dtype for v in emulator.state_dict().values() if v.is_floating_point()}:
        emulator.to(dtypes.pop())
    emulator.load_state_dict(dict(tensors))


def write_config(run: Path, emulator: Emulator, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write `config` and the `model` tree of `emulator` to `config.yaml`, and return them.

    A run's file keeps what it already says where `config` is None.
    """
    if config is None:
        config = read_config(run) if (run / CONFIG).exists() else {}
    full = {**config, "model": model_tree(emulator, config.get("operator"))}
    try:
        text = yaml.dump(full, Dumper=_Plain, sort_keys=False, allow_unicode=True)
    except yaml.YAMLError as error:
        raise KanopError(f"the configuration of a run holds plain values only: {error}") from error
    write_durably(run / CONFIG, text.encode())
    return full


def read_config(run: Path) -> dict[str, Any]:
    """The configuration of a run, plain values."""
    path = run / CONFIG
    check(path.exists(), f"no {CONFIG} in {run}: expected the folder of a run")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KanopError(f"{path} is no YAML of plain values: {error}") from error
    check(isinstance(config, dict), f"{path} holds no mapping")
    return config


def model_tree(emulator: Emulator, operator: Mapping[str, Any] | None) -> dict[str, Any]:
    """The emulator as a tree; its operator's arguments as the configuration gave them, where it did."""
    if operator is None:
        return describe(emulator)
    spec = describe(emulator.spec)
    wanted = "spec" in inspect.signature(locate(operator.get("_target_"))).parameters
    known = {"operator": {**operator, **({"spec": spec} if wanted else {})}, "spec": spec}
    return describe(emulator, known=known)


@torch.no_grad()
def _check_rebuilds(emulator: Emulator, tree: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """The rebuilt model must answer as the trained one: an argument that left no trace in the weights shows here."""
    twin = deepcopy(emulator).cpu().eval()
    spec, dtype = twin.spec, next(twin.parameters()).dtype
    name = type(getattr(twin, "operator", twin)).__name__
    remedy = f"{name}'s constructor arguments must be in config['operator'], or kept as attributes of the same names"
    try:
        with torch.random.fork_rng(devices=[]):
            # The user's own class needs no `allow` here: it is the one that stands before us.
            again = build(tree, trusted=True)
        fill(again, tensors, "memory")
    except KanopError as error:
        raise KanopError(f"the model cannot be rebuilt from its description; {remedy} ({error})") from error
    u = torch.linspace(-1, 1, spec.in_channels * torch.Size(spec.grid.shape).numel())
    u = u.reshape(1, spec.in_channels, *spec.grid.shape).to(dtype)
    same = torch.equal(twin(u).nan_to_num(), again.eval()(u).nan_to_num())
    check(same, f"the model rebuilt from its description answers differently; {remedy}")


class _Plain(yaml.SafeDumper):
    """Writes shared values out in full: no anchors in a file that people read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
