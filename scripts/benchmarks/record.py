"""What a cell's line says beside its numbers: where they come from."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["describe", "read_rows", "same_cell"]

_PACKAGES = ("torch", "neuraloperator", "numpy", "scipy", "lightning", "pytorch-optimizer")
# What may be installed, by module: our extra, and the peers.
_PEERS = {
    "ducc0": "ducc0",
    "jax": "jax",
    "exponax": "exponax",
    "torch_cfd": "torch-cfd",
    "pyamg": "pyamg",
    "kan": "pykan",
}


def describe(command: str, cell: dict[str, Any]) -> dict[str, Any]:
    """Command, hashes of the code and of the cell, versions, machine, threads and load at the start of a cell."""
    import torch

    return {
        "command": command,
        "code": _git("rev-parse", "--short=12", "HEAD") + ("+changes" if _git("status", "--porcelain", "-uno") else ""),
        "config": hashlib.sha256(json.dumps(cell, sort_keys=True).encode()).hexdigest()[:12],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in (*_PACKAGES, *_peers())}},
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
    }


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The finished cells of a benchmark; none where there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def same_cell(cell: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether `row` holds the numbers of `cell`: every setting of the cell is the row's."""
    return all(row.get(key) == value for key, value in cell.items())


def _peers() -> list[str]:
    """The peers that are installed here."""
    return [name for module, name in _PEERS.items() if find_spec(module)]


def _git(*words: str) -> str:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
