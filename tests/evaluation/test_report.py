"""The report: complete, self-contained, deterministic, and its player's numbers are the fields."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from kanop.evaluation import evaluate, write_report
from kanop.evaluation.report import render
from kanop.evaluation.truth import read_truth
from kanop.solvers import FieldSpec, Grid


@pytest.fixture(scope="module")
def rolled(burgers, kit):
    recipe, source = burgers
    spec = FieldSpec(Grid((32,)), ("u",), dt=0.1)
    return evaluate(kit.Operator(spec, lambda u: 0.9 * u), source, recipe, budget=2.0)


@pytest.fixture(scope="module")
def mapped(drifting, kit):
    spec = FieldSpec(Grid((32,)), ("u",), dt=0.5)
    return evaluate(kit.Operator(spec, kit.shift(0.24, scale=1.01)), drifting)


@pytest.fixture(scope="module")
def imaged(waves, kit):
    spec = FieldSpec(Grid((48, 32), lengths=(1.5, 1.0)), ("u", "v"), dt=0.1)
    return evaluate(kit.Operator(spec, lambda u: u.clone()), waves)


@pytest.fixture(scope="module")
def page(rolled):
    return render(rolled, command="kanop train data=burgers")


def player_of(page):
    return json.loads(re.search(r'<script type="application/json" id="player-data">(.*?)</script>', page, re.S)[1])


def test_a_rollout_report_has_everything_that_the_design_asks_for(page):
    for words in (
        "What was learnt", "Error over lead time", "Correlation over lead time", "Energy by scale",
        "Error by scale", "Drift of what the equation conserves", "Error against time", "Other resolutions",
        "The solver at the same error", "Diverged", "One call", "Speed-up", "kanop train data=burgers",
        "persistence", "training mean", "coarse solver", "exactly", "versions", "machine",
    ):  # fmt: skip
        assert words in page, words


def test_a_map_report_shows_the_distribution_instead(mapped):
    page = render(mapped)
    assert "Errors of the 5 test samples" in page
    assert "Error over lead time" not in page
    assert "was not compared with a solver: the recipe of these data is not known" in " ".join(page.split())


@pytest.mark.parametrize("name", ["rolled", "mapped", "imaged"])
def test_the_page_asks_nothing_of_a_network(name, request, tmp_path):
    path = write_report(request.getfixturevalue(name), tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 3_000_000
    assert not re.search(r'(?:src|href)\s*=\s*"(?!#|data:)', page)
    assert not re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", page)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_equal_evaluations_give_equal_pages(rolled, page):
    assert render(rolled, command="kanop train data=burgers") == page


def test_the_ratio_below_one_is_printed_as_it_is(rolled):
    scores = {**rolled.scores, "speedup": 0.25}
    page = render(type(rolled)(**{**vars(rolled), "scores": scores}))
    assert "0.25 ×" in page
    assert "4 times slower than the solver" in " ".join(page.split())


def test_a_diverged_sample_is_told(drifting, kit):
    def break_one(u):
        return torch.where(torch.arange(len(u))[:, None, None] == 1, torch.nan, u)

    spec = FieldSpec(Grid((32,)), ("u",), dt=0.1)
    page = render(evaluate(kit.Operator(spec, break_one), drifting))
    assert "1 of 5 diverged" in page
    all_lost = evaluate(kit.Operator(spec, lambda u: u * torch.nan), drifting)
    assert "5 of 5 diverged" in render(all_lost)


@pytest.mark.parametrize("name", ["rolled", "imaged"])
def test_the_player_holds_the_fields_to_its_last_bit(name, request):
    e = request.getfixturevalue(name)
    source = request.getfixturevalue({"rolled": "burgers", "imaged": "waves"}[name])
    source = source[1] if name == "rolled" else source
    spec = FieldSpec(Grid(e.setting["problem"]["shape"], e.setting["problem"]["lengths"]), source.fields, dt=0.1)
    truth = read_truth(source, spec, spec.grid.shape, 64)
    p = e.player
    sample = int(re.search(r"no\. (\d+)", p["groups"][0])[1])
    top = 2 ** p["bits"] - 2
    low, high = (np.array(ends[0][0]).reshape(1, -1, *[1] * p["ndim"]) for ends in p["scale"])
    shown = low + (high - low) * p["truth"][0].astype(float) / top
    assert np.abs(shown - truth.frames[sample].numpy()).max() <= 0.51 * (high - low).max() / top
    error = p["prediction"][0].astype(float) - p["truth"][0].astype(float)
    assert np.abs((high - low) * error / top - np.array(p["error_scale"][1][0][0]).reshape(low.shape)
                  * (2 * p["error"][0].astype(float) / top - 1)).max() < 2.1 * (high - low).max() / top  # fmt: skip


def test_what_is_not_finite_is_marked_in_the_player(drifting, kit):
    spec = FieldSpec(Grid((32,)), ("u",), dt=0.1)
    p = evaluate(kit.Operator(spec, lambda u: u * torch.nan), drifting).player
    assert (p["prediction"][:, 1:] == 2**16 - 1).all()
    assert (p["truth"] <= 2**16 - 2).all()


def test_run_and_data_folders_tell_how_to_repeat(rolled, tmp_path):
    (tmp_path / "metrics.csv").write_text("step,train/loss,valid/loss\n10,0.5,\n20,0.25,\n20,,0.3\n")
    data = tmp_path / "data"
    data.mkdir()
    (data / "manifest.json").write_text('{"shards": {"a": 1}, "config": {"sizes": {"train": 7}, "seed": 3}}')
    (tmp_path / "config.yaml").write_text(
        f"seed: 41\ncommand: kanop train name=x\ndata: {{path: '{data}', seed: 3}}\n"
        "evil: '</pre><script>alert(1)</script>'\n"
    )
    page = render(rolled, run=tmp_path)
    text = " ".join(page.split())
    assert "seed = 41" in text
    assert "data.seed = 3" in text
    assert "7 train" in text
    assert "manifest sha256" in text
    assert "Loss over optimiser steps" in text
    assert f"kanop train name=x kanop evaluate run={tmp_path} kanop report run={tmp_path}" in text
    assert "<script>alert" not in page


def test_the_embedded_numbers_cannot_end_the_script(rolled):
    player = {**rolled.player, "groups": ["</script><b>"] * len(rolled.player["groups"])}
    page = render(type(rolled)(**{**vars(rolled), "player": player}))
    assert player_of(page)["groups"][0] == "</script><b>"


def test_evaluating_needs_neither_matplotlib_nor_jinja():
    code = "import sys, kanop.evaluation; print([m for m in ('matplotlib', 'jinja2', 'lightning') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
