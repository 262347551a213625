"""`import kanop` is lazy: it costs little, and heavy packages come only where they are used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import kanop

HEAVY = ("lightning", "pytorch_lightning", "matplotlib", "wandb", "neuralop", "hydra", "torch_harmonics", "scipy")


def fresh(code: str) -> str:
    """Standard output of `code` in a new interpreter."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_the_central_names_leave_heavy_packages_unloaded() -> None:
    out = fresh(
        "import kanop, json, sys; kanop.FNO; kanop.solve; kanop.Grid;"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    assert json.loads(out) == []


def test_import_alone_loads_no_torch() -> None:
    assert fresh("import kanop, sys; print('torch' in sys.modules)").strip() == "False"


@pytest.mark.slow
def test_import_costs_at_most_06_seconds_beyond_torch() -> None:
    code = (
        "import torch, time; start = time.perf_counter(); import kanop; kanop.FNO; kanop.solve; kanop.Grid;"
        "print(time.perf_counter() - start)"
    )
    assert min(float(fresh(code)) for _ in range(3)) <= 0.6


def test_every_exported_name_resolves() -> None:
    for name in kanop.__all__:
        assert getattr(kanop, name) is not None, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="FNOO"):
        kanop.FNOO  # noqa: B018
