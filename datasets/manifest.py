"""`manifest.json`: what a generated data set is, how it was made, and the checksum of every file in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from kanop.datasets.durable import write_durably
from kanop.solvers import DataError, Geometry, Grid, KanopError, SphereGrid

__all__ = ["MANIFEST", "describe", "grid_of", "load_manifest", "refuse_other", "save_manifest", "versions"]

MANIFEST = "manifest.json"


def describe(value: Any) -> Any:
    """Plain values for a tree of dataclasses; `_target_` names each class, as in a configuration."""
    if isinstance(value, torch.dtype):
        return str(value).removeprefix("torch.")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return [describe(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): describe(v) for k, v in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        out = {"_target_": f"{kind.__module__}.{kind.__qualname__}"}
        for field in fields(value):
            # Where it was computed is not part of what was computed.
            if field.init and field.name != "device":
                out[field.name] = describe(getattr(value, field.name))
        return out
    raise KanopError(
        f"a recipe is made of dataclasses, numbers, words and sequences, got {type(value).__name__}: "
        f"{value!r}; "
        "make your equation or initial condition a (frozen) dataclass, so that the manifest can say what it "
        "was"
    )


def grid_of(description: Mapping[str, Any]) -> Geometry:
    """The grid that `describe` described."""
    kind = SphereGrid if str(description.get("_target_", "")).endswith(".SphereGrid") else Grid
    return kind(**{key: value for key, value in description.items() if key != "_target_"})


def versions(device: torch.device | str = "cpu") -> dict[str, str]:
    """Versions of everything that has a say in the bits, and the kind of device."""
    import h5py
    import numpy

    import kanop

    return {
        "kanop": kanop.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "h5py": h5py.__version__,
        "hdf5": h5py.version.hdf5_version,
        **({"ducc0": version("ducc0")} if find_spec("ducc0") else {}),
        "device": torch.device(device).type,
    }


def load_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of `folder`, None where there is none."""
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest["shards"], manifest["complete"], manifest["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no manifest of kanop ({error!r}); restore it, or delete the folder and generate again"
        ) from error
    return manifest


def save_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest as a whole."""
    write_durably(folder / MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def refuse_other(folder: Path, there: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise a DataError naming every setting in which `there`, found in `folder`, and `now` differ."""
    old, new = _flat(there), _flat(now)
    differing = [key for key in {**old, **new} if old.get(key, MISSING) != new.get(key, MISSING)]
    if differing:
        lines = [f"  {key}: there {_shown(old, key)}, now {_shown(new, key)}" for key in differing]
        raise DataError(
            f"{folder} holds data made with other settings:\n" + "\n".join(lines) + "\n"
            "Choose another name, or delete that folder, or go back to the settings that it was made with"
        )


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, Mapping):
        return {prefix: tree}
    return {
        name: leaf for key, value in tree.items() for name, leaf in _flat(value, f"{prefix}.{key}".lstrip(".")).items()
    }


def _shown(flat: Mapping[str, Any], key: str) -> str:
    text = repr(flat[key]) if key in flat else "(absent)"
    return text if len(text) <= 80 else text[:77] + "..."
