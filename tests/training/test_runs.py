"""Run folders: many processes, each its own; the ranks of one launch, the same."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kanop.solvers import KanopError
from kanop.training import new_run
from kanop.training.runs import lock

JOB = Path(__file__).with_name("job.py")


def _make(base, barrier, queue):
    barrier.wait()
    for _ in range(5):
        queue.put(str(new_run(base, "race")))


def test_eight_processes_racing_get_forty_folders(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(8), context.Queue()
    processes = [context.Process(target=_make, args=(tmp_path, barrier, queue)) for _ in range(8)]
    for process in processes:
        process.start()
    paths = [queue.get(timeout=60) for _ in range(40)]
    for process in processes:
        process.join()
    assert len(set(paths)) == 40
    assert {p.name for p in tmp_path.iterdir()} == {"race", *(f"race-{i}" for i in range(2, 41))}


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".."])
def test_a_name_stays_in_its_base(tmp_path, name):
    with pytest.raises(KanopError, match="one plain word"):
        new_run(tmp_path, name)


def test_one_process_trains_in_a_folder(tmp_path):
    with lock(tmp_path):
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=_try_lock, args=(tmp_path, queue))
        process.start()
        process.join()
        assert "another process" in queue.get(timeout=10)


def _try_lock(path, queue):
    try:
        with lock(path):
            queue.put("locked")
    except KanopError as error:
        queue.put(str(error))


def test_ranks_of_torchrun_share_one_folder_and_train(tmp_path):
    settings = {"base": str(tmp_path), "strategy": "one_step", "trainer": {"devices": 2, "max_steps": 3}}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, str(JOB), json.dumps(settings)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["shared"]
    assert (tmp_path / "shared" / "model.safetensors").exists()
