"""Generation survives SIGKILL at any moment, a full disk and a second writer."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kanop.datasets import Frames, durable, generation, preview
from kanop.datasets.durable import exclusive
from kanop.solvers import DataError

FEW = {"sizes": {"train": 3, "test": 1}, "batch_size": 1, "shard_size": 2}
linux = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


@pytest.fixture(scope="module")
def quick(make_recipe):
    """A handful of steps: these tests run it a hundred times."""
    return make_recipe(dt=0.25, times=Frames(0, 0.5, 2))


@pytest.fixture
def plain(quick, tmp_path: Path, monkeypatch, make, tree) -> dict[str, bytes]:
    """The bytes of an uninterrupted run whose preview costs nothing: drawing takes longer than all the rest."""
    monkeypatch.setattr(preview, "preview_png", lambda *parts: b"picture")
    return tree(make(quick, tmp_path / "plain" / "waves", **FEW))


@linux
def test_killed_at_every_file_operation_it_ends_the_same(quick, plain: dict, tmp_path: Path, make, tree, child) -> None:
    """SIGKILL within the k-th write or before the k-th fsync, rename or removal, and a second kill on the way back."""
    folder = tmp_path / "waves"

    def doomed(k: int) -> Callable[[], object]:
        def work() -> None:
            count = 0

            def wrap(call: Callable) -> Callable:
                def counted(*args: object, **options: object) -> object:
                    nonlocal count
                    count += 1
                    if count > k:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return call(*args, **options)

                return counted

            plain_open = Path.open

            def torn_open(path: Path, mode: str = "r", *args: object, **options: object) -> object:
                nonlocal count
                file = plain_open(path, mode, *args, **options)
                if mode == "wb":
                    count += 1
                    if count > k:
                        content = b"half of something"
                        file.write(content[: len(content) // 2])
                        file.flush()
                        os.kill(os.getpid(), signal.SIGKILL)
                return file

            Path.open = torn_open
            os.fsync = wrap(os.fsync)
            Path.replace = wrap(Path.replace)
            Path.unlink = wrap(Path.unlink)
            make(quick, folder, **FEW)

        return work

    k, kills = 0, 0
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        status = child(doomed(k))
        if status == 0:
            break
        assert status == -signal.SIGKILL
        kills += 1
        assert child(doomed(3)) in (0, -signal.SIGKILL)
        assert child(lambda: make(quick, folder, **FEW)) == 0
        assert tree(folder) == plain, f"killed at operation {k}"
        k += 2
    assert kills > 10


@linux
def test_killed_at_random_moments_it_ends_the_same(quick, plain: dict, tmp_path: Path, make, tree) -> None:
    folder, moments, kills = tmp_path / "waves", random.Random(0), 0
    for _ in range(30):
        pid = os.fork()
        if pid == 0:
            try:
                torch.set_num_threads(1)
                make(quick, folder, **FEW)
            finally:
                os._exit(0)
        time.sleep(moments.uniform(0, 0.1))
        os.kill(pid, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
            break
        kills += 1
    else:
        make(quick, folder, **FEW)
    assert kills >= 1
    assert tree(folder) == plain


def test_a_full_disk_keeps_what_was_finished(recipe, finished: Path, tmp_path: Path, monkeypatch, make, tree) -> None:
    folder, sync, calls = tmp_path / "waves", os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"no space left while writing .*it goes on from there"):
        make(recipe, folder)
    monkeypatch.undo()
    assert not list(folder.rglob("*.tmp"))
    kept = list(folder.rglob("*.hdf5"))
    assert kept
    stamps = {p: p.stat().st_mtime_ns for p in kept}
    make(recipe, folder)
    assert {p: p.stat().st_mtime_ns for p in kept} == stamps
    assert tree(folder) == tree(finished)


def test_too_small_a_disk_is_refused_before_the_work(recipe, tmp_path: Path, monkeypatch, make) -> None:
    monkeypatch.setattr(generation, "free_space", lambda folder: 100)
    with pytest.raises(DataError, match=r"no space: .* needs"):
        make(recipe, tmp_path / "waves")


@linux
def test_a_second_writer_is_refused_and_a_dead_one_holds_nothing(recipe, tmp_path: Path, make, child) -> None:
    folder = tmp_path / "waves"
    with exclusive(folder):
        assert child(lambda: make(recipe, folder)) == 1
        with pytest.raises(DataError, match="another process is writing"):
            make(recipe, folder)
    make(recipe, folder)
    assert not (folder / ".lock").exists()


def test_a_lock_on_a_removed_file_is_no_lock(tmp_path: Path, monkeypatch) -> None:
    """The holder before us removes the file between our open and our lock."""
    lock, calls = durable._try_lock, []

    def late(handle: int) -> bool:
        calls.append(handle)
        if len(calls) == 1:
            (tmp_path / ".lock").unlink()
        return lock(handle)

    monkeypatch.setattr(durable, "_try_lock", late)
    with exclusive(tmp_path):
        assert len(calls) == 2
        with pytest.raises(DataError, match="another process"), exclusive(tmp_path):
            pass
