"""Generation is byte-reproducible, survives SIGKILL at any moment, and refuses what it cannot go on with."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kanop.datasets import Estimate, certify, durable, estimate, generate, generation, preview
from kanop.datasets.durable import exclusive
from kanop.solvers import Burgers, DataError, GaussianRandomField, KanopError, SolverDiverged

SIZES = {"train": 7, "valid": 2, "test": 3}
FEW = {"sizes": {"train": 3, "test": 1}, "batch_size": 1, "shard_size": 2}
linux = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def make(recipe, folder: Path, **changes: object) -> Path:
    return generate(recipe, folder, **{"sizes": SIZES, "seed": 3, "batch_size": 2, "shard_size": 4} | changes)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def child(work: Callable[[], object]) -> int:
    """Run `work` in a forked process; its exit status, negative for the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            torch.set_num_threads(1)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_two_runs_write_the_same_bytes(recipe, finished: Path, tmp_path: Path) -> None:
    # Over a second later, should any file hold a time.
    time.sleep(1.1)
    assert tree(make(recipe, tmp_path / "waves")) == tree(finished)


def test_a_shard_holds_what_the_recipe_solves(recipe, finished: Path) -> None:
    from kanop.datasets import open_data

    want = torch.cat([recipe.solve(recipe.inputs(3, "train", range(a, min(a + 2, 7)))).u for a in (0, 2, 4, 6)])
    assert torch.equal(open_data(finished, "train").block(0, 7), want.float())


@pytest.fixture(scope="module")
def quick(make_recipe):
    """A handful of steps: these tests run it a hundred times."""
    return make_recipe(dt=0.25, frames=2)


@pytest.fixture
def plain(quick, tmp_path: Path, monkeypatch) -> dict[str, bytes]:
    """The bytes of an uninterrupted run whose preview costs nothing: drawing takes longer than all the rest."""
    monkeypatch.setattr(preview, "preview_png", lambda *parts: b"picture")
    return tree(make(quick, tmp_path / "plain" / "waves", **FEW))


@linux
def test_killed_at_every_file_operation_it_ends_the_same(quick, plain: dict, tmp_path: Path) -> None:
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
def test_killed_at_random_moments_it_ends_the_same(quick, plain: dict, tmp_path: Path) -> None:
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


def test_more_samples_change_no_earlier_one(recipe, finished: Path, tmp_path: Path) -> None:
    from kanop.datasets import open_data

    more = make(recipe, tmp_path / "waves", sizes={"train": 9})
    kept = 6  # whole batches of two
    old, new = (open_data(f, "train").block(0, kept) for f in (finished, more))
    assert torch.equal(old, new)


def test_changed_settings_are_named(recipe, make_recipe, copied: Path) -> None:
    with pytest.raises(DataError) as error:
        make(make_recipe(equation=Burgers(nu=0.5)), copied, seed=4)
    text = str(error.value)
    for words in (
        "recipe.equation.nu: there 0.05, now 0.5",
        "seed: there 3, now 4",
        "another name",
        "delete",
    ):
        assert words in text
    assert "batch_size" not in text


def test_other_versions_do_not_go_on_with_half_a_set(recipe, copied: Path, monkeypatch) -> None:
    monkeypatch.setattr(generation, "versions", lambda device: {"torch": "9.9"})
    make(recipe, copied)  # complete: nothing is computed
    next((copied / "data" / "test").glob("*")).unlink()
    with pytest.raises(DataError, match=r"versions\.torch: there .*, now '9\.9'"):
        make(recipe, copied)


def test_damaged_and_missing_shards_are_made_anew(recipe, finished: Path, copied: Path) -> None:
    first, second, *_ = sorted((copied / "data" / "train").glob("*"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-9])
    third = next((copied / "data" / "test").glob("*"))
    third.write_bytes(third.read_bytes()[:-1] + b"?")
    (copied / "data" / "train" / "left.hdf5.tmp").write_bytes(b"half")
    make(recipe, copied)
    assert tree(copied) == tree(finished)


def test_a_full_disk_keeps_what_was_finished(recipe, finished: Path, tmp_path: Path, monkeypatch) -> None:
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


def test_too_small_a_disk_is_refused_before_the_work(recipe, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(generation, "free_space", lambda folder: 100)
    with pytest.raises(DataError, match=r"no space: .* needs"):
        make(recipe, tmp_path / "waves")


@linux
def test_a_second_writer_is_refused_and_a_dead_one_holds_nothing(recipe, tmp_path: Path) -> None:
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


def test_a_foreign_folder_is_left_alone(recipe, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"not empty and has no manifest.json \(thesis.txt\)"):
        make(recipe, tmp_path)


def test_a_broken_manifest_is_named(recipe, copied: Path) -> None:
    (copied / "manifest.json").write_text('{"config": 1')
    with pytest.raises(DataError, match="no manifest of kanop"):
        make(recipe, copied)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": {"train": 0}}, "train >= 1"),
        ({"sizes": {"tain": 4}}, "did you mean 'train'"),
        ({"shard_size": 5}, "multiple of batch_size = 2, got 5; nearest: 4"),
        ({"dtype": "float16"}, "float32"),
    ],
)
def test_bad_arguments_say_what_is_wrong(recipe, tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(KanopError, match=words):
        make(recipe, tmp_path / "waves", **changes)


def test_overflow_in_single_precision_is_never_written(recipe, tmp_path: Path, monkeypatch) -> None:
    solve = type(recipe).solve

    def huge(self, u0):
        found = solve(self, u0)
        found.u[-1, -1, 0, 3] = 1e39
        return found

    monkeypatch.setattr(type(recipe), "solve", huge)
    with pytest.raises(DataError, match="train sample 1 has values that are not finite in float32"):
        make(recipe, tmp_path / "waves")
    assert not list(tmp_path.rglob("*.hdf5"))


def test_a_diverging_sample_is_named_by_its_number(recipe, make_recipe, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(generation, "certify", lambda *given: certify(recipe, 0, 1))
    wild = make_recipe(equation=Burgers(nu=1e-3), initial=GaussianRandomField(4900, 7, 2.5), dt=0.25)
    with pytest.raises(SolverDiverged, match=r"sample [01] diverged .*in the train split"):
        make(wild, tmp_path / "waves")
    assert not list(tmp_path.rglob("*.hdf5"))


def test_a_path_that_is_a_file_is_explained(recipe, tmp_path: Path) -> None:
    (tmp_path / "waves").write_text("")
    with pytest.raises(DataError, match=r"cannot write into .*choose another folder"):
        make(recipe, tmp_path / "waves")


def test_progress_and_prediction(recipe, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    folder = make(recipe, tmp_path / "waves", progress=lambda *event: seen.append(event))
    expected = estimate(recipe, SIZES, 2, 4)
    assert isinstance(expected, Estimate)
    assert seen[0] == (0, 12, str(expected))
    assert seen[-1][:2] == (12, 12)
    assert [done for done, *_ in seen] == sorted(done for done, *_ in seen)
    frames = sum(p.stat().st_size for p in folder.rglob("*.hdf5"))
    overhead = 16 * 2**10 * len(list(folder.rglob("*.hdf5")))
    assert expected.disk <= frames <= expected.disk + overhead


def test_card_and_manifest_tell_the_whole_story(recipe, finished: Path) -> None:
    card = (finished / "card.md").read_text()
    for words in (
        "∂u/∂t",
        "nu = 0.05",
        "etdrk4",
        "0.01 until t = 0.1",
        "seed | 3",
        "CC-BY-4.0",
        "7 train, 2 valid, 3 test",
    ):
        assert words in card
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["config"]["recipe"]["initial"]["tau"] == 7
    assert 0 < manifest["certificate"]["temporal"] < 1e-2
    assert {"card.md", "stats.yaml", "preview.png"} == set(manifest["files"])
