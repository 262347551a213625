"""What is exported is what loads, and nothing else loads."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import kanop
from kanop.operators import FNO, Emulator, NeuralopFNO, Normaliser
from kanop.solvers import FieldSpec, Grid, KanopError
from kanop.training import export, load
from kanop.training.exports import read_weights

SPEC = FieldSpec(Grid((12,), [2.0], origin=[-1.0]), ["u"], ["a"], n_in=2, dt=0.1)
CONFIG = {
    "operator": {"_target_": "kanop.operators.FNO", "n_modes": [4], "hidden_channels": 6, "n_layers": 2},
    "seed": 3,
    "data": {"name": "made-up", "sizes": [1, 2]},
}


def _emulator(operator=None, spec=SPEC):
    operator = operator or FNO(spec, [4], hidden_channels=6, n_layers=2)
    norm = Normaliser(torch.arange(spec.in_channels) / 7, torch.arange(1, 1 + spec.in_channels) / 3)
    return Emulator(operator, spec, norm, Normaliser([0.3], [1.7]), increment=True)


@pytest.fixture
def run(tmp_path):
    export(tmp_path, _emulator(), CONFIG)
    return tmp_path


def test_a_loaded_run_answers_as_the_exported_model(tmp_path):
    emulator = _emulator()
    export(tmp_path, emulator, CONFIG)
    again = kanop.load(tmp_path)
    u = torch.randn(2, 3, 20)
    assert torch.equal(again(u), emulator(u))
    assert again.spec == SPEC
    assert not again.training
    assert torch.equal(load(str(tmp_path / "model.safetensors"))(u), emulator(u))


def test_the_library_s_own_model_too(tmp_path):
    config = {"operator": {**CONFIG["operator"], "_target_": "kanop.operators.NeuralopFNO"}}
    emulator = _emulator(NeuralopFNO(SPEC, [4], hidden_channels=6, n_layers=2))
    export(tmp_path, emulator, config)
    u = torch.randn(2, 3, 12)
    assert torch.equal(kanop.load(tmp_path)(u), emulator(u))


def test_double_precision_survives(tmp_path):
    emulator = _emulator().double()
    export(tmp_path, emulator, CONFIG)
    u = torch.randn(2, 3, 12, dtype=torch.float64)
    assert torch.equal(kanop.load(tmp_path)(u), emulator(u))


def test_the_configuration_is_kept(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert {name: config[name] for name in CONFIG} == CONFIG
    assert config["model"]["_target_"] == "kanop.operators.emulator.Emulator"


def test_loading_draws_no_random_numbers(run):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    kanop.load(run)
    assert torch.equal(torch.rand(3), expected)


def test_loading_needs_no_lightning(run):
    code = (
        "import sys, kanop; kanop.load(sys.argv[1]); "
        "print([m for m in ('lightning', 'matplotlib', 'neuralop', 'wandb', 'hydra') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(run)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


class Mine(torch.nn.Module):
    """A user's own operator."""

    def __init__(self, channels: int, factor: float = 1.0):
        super().__init__()
        self.channels, self.scale, self.conv = channels, factor, torch.nn.Conv1d(3, channels, 1)

    def forward(self, u):
        return self.scale * self.conv(u)


@pytest.fixture
def importable(monkeypatch):
    """This file as a module that can be imported by the name it has under pytest."""
    module = types.ModuleType(Mine.__module__)
    module.Mine = Mine
    monkeypatch.setitem(sys.modules, Mine.__module__, module)


def test_a_user_s_class_loads_when_it_is_handed_over(tmp_path, importable):
    emulator = _emulator(Mine(1))
    export(tmp_path, emulator)
    with pytest.raises(KanopError, match=r"Mine' is refused.*allow=\[MyOperator\]"):
        kanop.load(tmp_path)
    u = torch.randn(2, 3, 12)
    assert torch.equal(kanop.load(tmp_path, allow=[Mine])(u), emulator(u))


def test_an_argument_that_leaves_no_trace_is_noticed(tmp_path, importable):
    # `factor` is in no weight, and kept under another name.
    with pytest.raises(KanopError, match="answers differently; Mine's constructor arguments must be in config"):
        export(tmp_path, _emulator(Mine(1, factor=2.0)))
    assert not (tmp_path / "model.safetensors").exists()
    node = {"_target_": f"{Mine.__module__}.Mine", "channels": 1, "factor": 2.0}
    emulator, u = _emulator(Mine(1, factor=2.0)), torch.randn(2, 3, 12)
    export(tmp_path, emulator, {"operator": node})
    assert torch.equal(kanop.load(tmp_path, allow=[Mine])(u), emulator(u))


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path(os.environ["KANOP_TEST_BOMB"]),))


@pytest.mark.parametrize("how", ["pickle", "pickle protocol 0", "torch.save", "old torch.save"])
def test_a_pickle_offered_as_weights(run, tmp_path, monkeypatch, how):
    monkeypatch.setenv("KANOP_TEST_BOMB", str(tmp_path / "exploded"))
    path = run / "model.safetensors"
    if how.startswith("pickle"):
        path.write_bytes(pickle.dumps(Bomb(), protocol=0 if "0" in how else 4))
    else:
        torch.save(Bomb(), path, _use_new_zipfile_serialization=not how.startswith("old"))
    words = "no safetensors file" if "0" in how else "is refused: it is a pickle"
    with pytest.raises(KanopError, match=words):
        kanop.load(run)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["last.ckpt", "model.pt"])
def test_a_checkpoint_offered_as_a_run(run, name):
    torch.save({"state_dict": {}}, run / name)
    with pytest.raises(KanopError, match="Export the run that made it"):
        kanop.load(run / name)


@pytest.mark.parametrize("damage", ["empty", "truncated", "text"])
def test_damaged_weights(run, damage):
    path = run / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"weights\n"}[damage])
    with pytest.raises(KanopError, match=r"model.safetensors is no safetensors file, or a damaged one"):
        kanop.load(run)


def test_weights_of_another_operator(run):
    weights = load_file(run / "model.safetensors")
    name = next(n for n in weights if n.endswith("projection.1.weight"))
    save_file({**weights, name: torch.zeros(2, 12)}, run / "model.safetensors")
    with pytest.raises(KanopError, match=rf"not of this FNO:\n  {name}: expected \(1, 12\), got \(2, 12\)"):
        kanop.load(run)
    save_file({n: w for n, w in weights.items() if n != name}, run / "model.safetensors")
    with pytest.raises(KanopError, match=rf"{name}: expected \(1, 12\), got nothing"):
        kanop.load(run)


@pytest.mark.parametrize(
    "target", ["torch.nn.modules.module.torch.hub.load", "os.system", "kanop.builder.importlib.import_module"]
)
def test_a_configuration_that_attacks(run, target):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["model"]["operator"] = {"_target_": target, "name": "x"}
    (run / "config.yaml").write_text(json.dumps(config))
    with pytest.raises(KanopError, match=r"operator: .*(is refused|names no module)"):
        kanop.load(run)


def test_yaml_that_would_make_objects_is_not_read(run):
    (run / "config.yaml").write_text("model: !!python/object/apply:os.getcwd []")
    with pytest.raises(KanopError, match="no YAML of plain values"):
        kanop.load(run)


def test_no_run_at_all(tmp_path):
    with pytest.raises(KanopError, match="expected the folder of a finished run"):
        kanop.load(tmp_path / "nowhere")


def test_safetensors_whose_header_length_looks_like_a_pickle(tmp_path):
    """A header of 128 bytes more than a multiple of 256 makes 0x80 the first byte of a good file."""
    for n in range(1, 400):
        path = tmp_path / "model.safetensors"
        save_file({"w" * n: torch.zeros(1)}, path)
        if path.read_bytes()[0] == 0x80:
            assert list(read_weights(path)) == ["w" * n]
            return
    pytest.fail("no header of that length came up")
