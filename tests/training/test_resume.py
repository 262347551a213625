"""Killed and resumed is uninterrupted, bit for bit; stopped is resumable and says how; anything else is refused."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kanop.solvers import KanopError
from kanop.training import OneStep, OptimConfig, TrainerConfig, fit

JOB = Path(__file__).with_name("job.py")

# Each a training of 12 batches in 3 epochs, and the (step, place, signal) at which it is ended.
KILL, TERM, INT = "SIGKILL", "SIGTERM", "SIGINT"
CASES = {
    "unrolled, dropout, EMA, noise": (
        {"strategy": "unrolled", "dropout": True},
        [(1, "before", KILL), (4, "after", KILL), (6, "validation", KILL), (11, "before", INT), "drawn"],
    ),
    "pushforward": ({"strategy": "pushforward"}, [(6, "after", KILL), "drawn"]),
    "checkpoints three steps apart": (
        {"trainer": {"checkpoint_every_steps": 3}},
        [(5, "before", KILL), (7, "after", TERM)],
    ),
    "accumulation": ({"trainer": {"accumulate": 3}}, [(3, "after", KILL), (4, "before", INT)]),
    "by steps": (
        {"trainer": {"max_epochs": None, "max_steps": 7}},
        [(4, "before", INT), (5, "after", KILL), (7, "after", INT)],
    ),
    "soap": (
        {"strategy": "one_step", "optim": {"method": "soap", "betas": [0.95, 0.95]}},
        [(1, "after", KILL), (11, "before", KILL), "drawn"],
    ),
    "no averaging, the best weights": (
        {"trainer": {"ema_decay": None, "keep": "best"}, "strategy": "one_step"},
        [(8, "validation", KILL), (9, "before", KILL)],
    ),
}


def rows(run):
    with (run / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "samples_per_second"} for row in csv.DictReader(file)]


def assert_same(run, reference):
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (run, reference))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert rows(run) == rows(reference)


@pytest.mark.parametrize("case", CASES)
def test_killed_and_resumed_is_uninterrupted(forked, tmp_path, case):
    settings, kills = CASES[case]
    reference = tmp_path / "reference"
    assert forked(run=str(reference), **settings) == 0
    for i, kill in enumerate(kills):
        kill = (random.randint(1, 11), random.choice(["before", "after"]), KILL) if kill == "drawn" else kill
        run = tmp_path / str(i)
        assert forked(run=str(run), kill=kill, **settings) != 0, kill
        assert not (run / "model.safetensors").exists()
        assert forked(run=str(run), resume=True, **settings) == 0, kill
        assert_same(run, reference)


def test_killed_twice_and_resumed_twice(forked, tmp_path):
    assert forked(run=str(tmp_path / "reference")) == 0
    run = tmp_path / "run"
    assert forked(run=str(run), kill=(5, "before", "SIGKILL")) == -signal.SIGKILL
    assert forked(run=str(run), kill=(9, "after", "SIGKILL"), resume=True) == -signal.SIGKILL
    assert forked(run=str(run), resume=True) == 0
    assert_same(run, tmp_path / "reference")
    # A finished run that is resumed has nothing to do, and exports the same again.
    assert forked(run=str(run), resume=True) == 0
    assert_same(run, tmp_path / "reference")


def test_a_process_killed_from_outside_at_any_moment(forked, tmp_path):
    settings = {"run": str(tmp_path / "run"), "trainer": {"max_epochs": 8}}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, str(JOB), json.dumps(settings)], env=environment, stderr=subprocess.DEVNULL
    )
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 1.0))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert forked(**settings, resume=True) == 0
    assert forked(run=str(tmp_path / "reference"), trainer=settings["trainer"]) == 0
    assert_same(tmp_path / "run", tmp_path / "reference")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_says_how_to_go_on(job, tmp_path, monkeypatch, number):
    import kanop.training.fitting  # noqa: F401

    module = sys.modules["kanop.training.fitting"]
    monkeypatch.setattr(module, "progress", lambda: job.Kill(3, "before", number))
    before = signal.getsignal(number)
    with pytest.raises(
        KeyboardInterrupt, match=r"stopped; step 3 is saved in .*last\.ckpt; go on with: kanop train resume="
    ):
        _fit(job, tmp_path / "run")
    assert signal.getsignal(number) is before
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 3


def _fit(job, run, resume=False, emulator=None, optim=None, trainer=None, **settings):
    settings = {"seed": 5, "strategy": OneStep(), **settings}
    return fit(
        emulator or job.emulator(),
        settings.pop("data", None) or job.Data(settings["strategy"].horizon),
        settings.pop("loss", None) or job.Sobolev(1.0),
        optim=OptimConfig(**(optim or {})),
        trainer=TrainerConfig(**{"max_epochs": 1, "device": "cpu", **(trainer or {})}),
        run=run,
        resume=resume,
        **settings,
    )


@pytest.fixture(scope="module")
def finished(job, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "finished"
    _fit(job, run, config={"data": {"path": "here"}})
    return run


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trainer": {"max_epochs": 2}}, r"trainer.max_epochs: was 1, now 2\nset them back, or start a new run"),
        ({"optim": {"lr": 0.5, "schedule": "step"}}, r"optim.lr: was 0.001, now 0.5\n  optim.schedule: was 'onecycle'"),
        ({"seed": 6}, "seed: was 5, now 6"),
        ({"strategy": OneStep(noise=0.1)}, "strategy.noise: was 0.0, now 0.1"),
        ({"config": {"data": {"path": "there"}}}, "data.path: was 'here', now 'there'"),
    ],
)
def test_resume_with_a_changed_configuration(job, finished, changes, words):
    with pytest.raises(KanopError, match=words):
        _fit(job, finished, resume=True, **{"config": {"data": {"path": "here"}}, **changes})


def test_resume_as_an_increment(job, finished):
    """The weights would fit, and mean something else."""
    emulator = job.emulator()
    emulator.increment = True
    with pytest.raises(KanopError, match="increment: was False, now True"):
        _fit(job, finished, resume=True, emulator=emulator, config={"data": {"path": "here"}})


def test_resume_may_change_what_is_told(job, finished):
    same = {"config": {"data": {"path": "here"}}}
    _fit(job, finished, resume=True, trainer={"log_every_steps": 3, "checkpoint_every_steps": 7}, **same)


def test_resume_with_other_data(job, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["kanop.training.fitting"], "progress", lambda: job.Kill(2, "before", signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        _fit(job, tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(KanopError, match="started with 4 batches an epoch, and now has 2"):
        _fit(job, tmp_path / "run", resume=True, data=job.Data(1, batch_size=8))


def test_a_checkpoint_of_another_operator(job, finished):
    same = {"resume": True, "config": {"data": {"path": "here"}}}
    with pytest.raises(KanopError, match=r"last.ckpt is a checkpoint of another operator: for operator.*expected"):
        _fit(job, finished, emulator=job.emulator(width=4), **same)
    with pytest.raises(KanopError, match=r"expected kanop_test_job.Dropping, got kanop.operators.fno.FNO"):
        _fit(job, finished, emulator=job.emulator(dropout=True), **same)


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path(os.environ["KANOP_TEST_BOMB"]),))


def test_a_checkpoint_that_is_a_pickle_is_not_run(job, tmp_path, monkeypatch):
    monkeypatch.setenv("KANOP_TEST_BOMB", str(tmp_path / "exploded"))
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    torch.save({"kanop": {}, "state_dict": Bomb()}, tmp_path / "run/checkpoints/last.ckpt")
    with pytest.raises(KanopError, match=r"last.ckpt is refused: it holds pickled objects"):
        _fit(job, tmp_path / "run", resume=True)
    assert not (tmp_path / "exploded").exists()


def test_two_runs_never_share_a_folder(job, finished, tmp_path):
    with pytest.raises(KanopError, match=r"holds a run already; go on with it .*kanop train resume="):
        _fit(job, finished)
    with pytest.raises(KanopError, match="nothing to resume"):
        _fit(job, tmp_path / "nowhere", resume=True)
