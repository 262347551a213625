"""Cells of a CPU and of a GPU: each runs on the device that it names, and computes what it says. No time is tested."""

from __future__ import annotations

import importlib
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

from kanop.cli import main
from kanop.scripts import benchmark
from kanop.scripts.benchmarks import fft
from kanop.solvers import KanopError, marching, replay

NUMBERS = {"full": torch.float32, "bf16": torch.bfloat16}


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """A benchmark with a cell for each device and one for no device in particular; the list of those that ran."""
    ran: list[dict] = []
    toy = ModuleType("kanop.scripts.benchmarks.toy", "A stand-in.")
    toy.CELLS = [{"size": 1, "device": "cpu"}, {"size": 2, "device": "cuda"}, {"size": 3}]
    toy.run = lambda cell: ran.append(cell) or {}
    toy.table = lambda rows: f"| {[row['size'] for row in rows]} |"
    monkeypatch.setitem(sys.modules, toy.__name__, toy)
    monkeypatch.setattr(benchmark, "names", lambda: ["toy"])
    monkeypatch.chdir(tmp_path)
    return ran


def test_cells_run_on_the_device_that_they_name(ran, monkeypatch):
    main(["benchmark", "name=toy", "folder=out"])
    assert [cell["size"] for cell in ran] == [1, 3]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    main(["benchmark", "name=toy", "folder=out", "device=cuda"])
    assert [cell["size"] for cell in ran] == [1, 3, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["name=toy", "device=cuda"], "this torch sees no CUDA device"),
        (["suite=fft", "device=cuda"], "this torch sees no CUDA device"),
        (["name=toy", "device=cud"], "did you mean 'cuda'"),
    ],
)
def test_a_device_that_is_not_there_is_named_before_any_work(ran, monkeypatch, capsys, words, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as stop:
        main(["benchmark", *words, "folder=out"])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not ran
    assert not Path("out").exists()


def test_a_benchmark_without_cells_for_a_gpu_says_so(ran, capsys):
    sys.modules["kanop.scripts.benchmarks.toy"].CELLS = [{"size": 3}]
    with pytest.raises(SystemExit):
        main(["benchmark", "name=toy", "device=cuda", "run=false"])
    assert "toy has no cells for device=cuda" in capsys.readouterr().err


def small(problem, **given):
    cell = next(cell for cell in fft.CELLS if cell["problem"] == problem)
    size = {"points": 16, "batch": 2} | ({"width": 4, "n_modes": 8} if problem == fft.CONV else {})
    return {**cell, **size, **given}


@pytest.mark.parametrize("way", [way for way in fft.WAYS["cpu"] if not way[2]], ids=str)
def test_every_convolution_is_the_exact_one_to_its_precision(way, monkeypatch, tolerances):
    monkeypatch.setattr(fft, "ROUNDS", 2)
    cell = small(fft.CONV, **dict(zip(("path", "precision", "compiled"), way, strict=True)))
    numbers = fft.measure(cell)
    assert numbers["error"] < tolerances[NUMBERS[cell["precision"]]]["tight"]
    assert len(fft.table([{**cell, "numbers": numbers}]).splitlines()) == 6


def test_layers_that_differ_end_a_cell(monkeypatch):
    layers = fft._layers(small(fft.CONV))
    with torch.no_grad():
        layers["neuralop"].bias.add_(1e-3)
    monkeypatch.setattr(fft, "_layers", lambda cell: layers)
    with pytest.raises(KanopError, match="do not compute the same"):
        fft.measure(small(fft.CONV))


def test_replayed_and_launched_steps_are_one_flow(monkeypatch):
    """Of graphs that a CPU can replay."""
    static = partial(replay.Static, capture=lambda body: body)
    monkeypatch.setattr(marching, "recorder", lambda device: static)
    monkeypatch.setattr(importlib.import_module("kanop.solvers.solve"), "check_mode", lambda *_: None)
    for name, value in {"ROUNDS": 2, "SHORT": 8, "LONG": 16}.items():
        monkeypatch.setattr(fft, name, value)
    cell = small(fft.STEP, device="cpu", points=48)
    numbers = fft.measure(cell)
    assert numbers["difference"] == 0
    assert len(fft.table([{**cell, "numbers": numbers}]).splitlines()) == 6
    monkeypatch.setattr(replay.Static, "__call__", lambda self, time, *state: state)  # a flow that stands still
    with pytest.raises(KanopError, match="launched and replayed steps differ"):
        fft.measure(cell)
