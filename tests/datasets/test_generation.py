"""Generation is byte-reproducible, certified, and refuses what it cannot go on with."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import torch

from kanop.datasets import Estimate, certify, estimate, generation
from kanop.solvers import Burgers, DataError, GaussianRandomField, KanopError, SolverDiverged

SIZES = {"train": 7, "valid": 2, "test": 3}


def test_two_runs_write_the_same_bytes(recipe, finished: Path, tmp_path: Path, make, tree) -> None:
    # Over a second later, should any file hold a time.
    time.sleep(1.1)
    assert tree(make(recipe, tmp_path / "waves")) == tree(finished)


def test_a_shard_holds_what_the_recipe_solves(recipe, finished: Path) -> None:
    from kanop.datasets import open_data

    want = torch.cat([recipe.solve(recipe.inputs(3, "train", range(a, min(a + 2, 7)))).u for a in (0, 2, 4, 6)])
    assert torch.equal(open_data(finished, "train").block(0, 7), want.float())


def test_more_samples_change_no_earlier_one(recipe, finished: Path, tmp_path: Path, make) -> None:
    from kanop.datasets import open_data

    more = make(recipe, tmp_path / "waves", sizes={"train": 9})
    kept = 6  # whole batches of two
    old, new = (open_data(f, "train").block(0, kept) for f in (finished, more))
    assert torch.equal(old, new)


def test_changed_settings_are_named(recipe, make_recipe, copied: Path, make) -> None:
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


def test_other_versions_do_not_go_on_with_half_a_set(recipe, copied: Path, monkeypatch, make) -> None:
    monkeypatch.setattr(generation, "versions", lambda device: {"torch": "9.9"})
    make(recipe, copied)  # complete: nothing is computed
    next((copied / "data" / "test").glob("*")).unlink()
    with pytest.raises(DataError, match=r"versions\.torch: there .*, now '9\.9'"):
        make(recipe, copied)


def test_damaged_and_missing_shards_are_made_anew(recipe, finished: Path, copied: Path, make, tree) -> None:
    first, second, *_ = sorted((copied / "data" / "train").glob("*"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-9])
    third = next((copied / "data" / "test").glob("*"))
    third.write_bytes(third.read_bytes()[:-1] + b"?")
    (copied / "data" / "train" / "left.hdf5.tmp").write_bytes(b"half")
    make(recipe, copied)
    assert tree(copied) == tree(finished)


def test_a_foreign_folder_is_left_alone(recipe, tmp_path: Path, make) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"not empty and has no manifest.json \(thesis.txt\)"):
        make(recipe, tmp_path)


def test_a_broken_manifest_is_named(recipe, copied: Path, make) -> None:
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
def test_bad_arguments_say_what_is_wrong(recipe, tmp_path: Path, changes: dict, words: str, make) -> None:
    with pytest.raises(KanopError, match=words):
        make(recipe, tmp_path / "waves", **changes)


def test_overflow_in_single_precision_is_never_written(recipe, tmp_path: Path, monkeypatch, make) -> None:
    record = type(recipe).record

    def huge(self, *which):
        found = record(self, *which)
        found.fields[-1, -1, 0, 3] = 1e39
        return found

    monkeypatch.setattr(type(recipe), "record", huge)
    with pytest.raises(DataError, match="train sample 1 has values that are not finite in float32"):
        make(recipe, tmp_path / "waves")
    assert not list(tmp_path.rglob("*.hdf5"))


def test_a_diverging_sample_is_named_by_its_number(recipe, make_recipe, tmp_path: Path, monkeypatch, make) -> None:
    monkeypatch.setattr(generation, "certify", lambda *given: certify(recipe, 0, 1))
    wild = make_recipe(equation=Burgers(nu=1e-3), initial=GaussianRandomField(4900, 7, 2.5), dt=0.25)
    with pytest.raises(SolverDiverged, match=r"sample [01] diverged .*in the train split"):
        make(wild, tmp_path / "waves")
    assert not list(tmp_path.rglob("*.hdf5"))


def test_a_path_that_is_a_file_is_explained(recipe, tmp_path: Path, make) -> None:
    (tmp_path / "waves").write_text("")
    with pytest.raises(DataError, match=r"cannot write into .*choose another folder"):
        make(recipe, tmp_path / "waves")


def test_progress_and_prediction(recipe, tmp_path: Path, make) -> None:
    seen: list[tuple[int, int, str]] = []
    folder = make(recipe, tmp_path / "waves", progress=lambda *event: seen.append(event))
    expected = estimate(recipe, SIZES, 2, 4)
    assert isinstance(expected, Estimate)
    assert seen[0] == (0, 12, str(expected))
    assert seen[-1][:2] == (12, 12)
    assert [done for done, *_ in seen] == sorted(done for done, *_ in seen)
    frames = sum(p.stat().st_size for p in folder.rglob("*.hdf5"))
    overhead = 20 * 2**10 * len(list(folder.rglob("*.hdf5")))
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
