"""`kanop solve` and the page that shows how to solve one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kanop.cli import main

SMALL = ["first.steps=5", "form.points=64", "minimiser.iterations=5", "seconds=20"]


def refusal(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["solve", *words])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_a_run_leaves_weights_numbers_and_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["solve", "problem=poisson_sines", "network=kan", *SMALL])
    said = capsys.readouterr().out
    run = Path("runs/poisson_sines-kan")
    assert "relative L2 error" in said
    numbers = json.loads((run / "result.json").read_text())
    assert numbers["iterations"] == 10
    assert numbers["stopped"] == ["Adam: all 5 steps done", "SSBroyden: all 5 iterations done"]
    assert numbers["parameters"] == sum(
        w.numel() for name, w in load_file(run / "model.safetensors").items() if "weight" in name or "bias" in name
    )
    assert len((run / "history.csv").read_text().splitlines()) == 11
    assert (run / "solution.png").stat().st_size > 10_000
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "solve needs problem=NAME, one of allen_cahn_fronts, burgers_shock"),
        (["problem=burgers"], "did you mean 'burgers_shock'"),
        (["problem=burgers_shock", "form.point=3"], "did you mean form.points"),
        (["problem=burgers_shock", "network.width=0"], "sizes are at least 1"),
        (
            ["problem=kdv_waves", "network=kan", "network.basis={_target_: kanop.kan.BSpline, degree: 3}"],
            "take degree=4",
        ),
        (["problem=burgers_shock", "seconds=-1"], "a time is positive"),
    ],
)
def test_bad_words_are_answered_before_the_work(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in refusal(capsys, *words)


def test_the_page_solves_an_equation_of_ones_own_on_a_polygon_of_ones_own():
    page = (Path(__file__).parents[2] / "docs/kinn.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    space: dict = {"__name__": "__main__"}
    exec(code.replace("seconds=60", "seconds=4"), space)
    u = space["solution"].unknowns(space["points"]).detach()
    assert bool(u.isfinite().all())
    walls = torch.tensor([[0.0, 0.0, 0.7], [0.0, 1.0, 1.5]], dtype=torch.float64)
    assert space["solution"].unknowns(walls).abs().max() <= 1e-6
