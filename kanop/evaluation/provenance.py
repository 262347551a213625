"""What a run's folder tells: configuration, seeds, checksums of the data, and the loss while it trained."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["losses", "provenance"]

SERIES = ("train/loss", "valid/loss", "valid/relative_l2")


def provenance(run: Path | None, data: Path | None, judged: str | None = None) -> dict[str, Any]:
    """What the folders of the run and of its data say, empty where there is none; `judged` is how it was evaluated."""
    out: dict[str, Any] = {"config": "", "command": "", "seeds": {}, "data": {}, "losses": {}}
    if run is not None:
        config = run / "config.yaml"
        if config.is_file():
            out["config"] = config.read_text(encoding="utf-8")
            tree = _yaml(out["config"]) or {}
            out["seeds"] = dict(_seeds(tree))
            out["command"] = _commands(tree, run, judged)
            named = (tree.get("data") or {}).get("path")
            data = Path(named) if data is None and named else data
        out["losses"] = losses(run / "metrics.csv")
    if data is not None:
        out["data"] = _data(data)
    return out


def losses(path: Path) -> dict[str, dict[str, list[float]]]:
    """{name: {"step": […], "value": […]}} of the loss columns of `metrics.csv`."""
    out: dict[str, dict[str, list[float]]] = {}
    if not path.is_file():
        return out
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name in SERIES:
                if row.get(name) and row.get("step"):
                    series = out.setdefault(name, {"step": [], "value": []})
                    series["step"].append(float(row["step"]))
                    series["value"].append(float(row[name]))
    return out


def _yaml(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


def _commands(tree: Mapping[str, Any], run: Path, judged: str | None) -> str:
    """The command that made the run, and those that make this page of it."""
    first = str(tree.get("command") or "")
    if first.startswith("kanop train"):
        return f"{first}\n{judged or f'kanop evaluate run={run}'}\nkanop report run={run}"
    return first


def _seeds(tree: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            name = f"{prefix}.{key}".lstrip(".")
            if key == "seed" and isinstance(value, int):
                yield name, value
            yield from _seeds(value, name)


def _data(folder: Path) -> dict[str, Any]:
    """Checksum of the manifest, which holds the checksum of every file, and the certified errors."""
    import hashlib

    path = folder / "manifest.json"
    if not path.is_file():
        return {"folder": str(folder)}
    content = path.read_bytes()
    manifest = json.loads(content)
    return {
        "folder": str(folder),
        "sha256": hashlib.sha256(content).hexdigest(),
        "files": len(manifest.get("shards", {})),
        "sizes": manifest.get("config", {}).get("sizes", {}),
        "seed": manifest.get("config", {}).get("seed"),
        "certificate": manifest.get("certificate"),
        "versions": manifest.get("versions", {}),
    }
