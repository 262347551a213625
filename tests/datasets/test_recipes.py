"""Every recipe in configs/data composes, and makes finite samples at a tiny size."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from kanop.builder import build
from kanop.config import check_groups, choices, compose
from kanop.datasets import Certificate, SteadyRecipe, generate, generation, open_data, preview
from kanop.solvers import KanopError

SIDES = (9, 16, 24, 32, 36, 48, 64, 72, 96, 128, 160)
NAMES = [name for name, file in choices("data").items() if "recipe: null" not in file.read_text(encoding="utf-8")]


def steady(recipe: Any) -> bool:
    return isinstance(recipe, SteadyRecipe)


def shrunk(tree: dict[str, Any]) -> Any:
    """The recipe for a few steps, on the smallest grid that takes its law, its force and its storage."""
    if "times" in tree:
        dt = tree["dt"] if isinstance(tree["dt"], float) else tree["dt"][0][1]
        burn_in = 2 * dt if tree["times"].get("burn_in") else 0.0
        few = {"stop": tree["times"]["start"] + 4 * dt, "count": 3, "burn_in": burn_in}
        tree = {**tree, "dt": dt, "times": {**tree["times"], **few}}
    if "cells" in tree.get("initial", {}):
        tree = {**tree, "initial": {**tree["initial"], "cells": 16}}
    for side in SIDES:
        shape = [side] * len(tree["grid"]["shape"])
        try:
            recipe = build({**tree, "grid": {**tree["grid"], "shape": shape}}, trusted=True)
            recipe.record(0, "train", [0])
            return recipe
        except KanopError as error:
            refused = error
    raise refused


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_makes_finite_samples_at_a_tiny_size(name: str, tmp_path: Path, monkeypatch) -> None:
    # Neither the picture nor the certificate, which solves every sample some ten times.
    monkeypatch.setattr(preview, "preview_png", lambda *parts: b"picture")
    exact, certify = Certificate(0.0, 0.0, 0.0, 0.0, 1), generation.certify
    monkeypatch.setattr(generation, "certify", lambda r, *more: certify(r, *more) if steady(r) else exact)
    config = compose("generate", [f"data={name}"])
    check_groups(config)
    data = config["data"]
    assert data["name"] == name
    assert data["shard_size"] % data["batch_size"] == 0
    build(data["recipe"], trusted=True)
    recipe = shrunk(data["recipe"])
    folder = generate(recipe, tmp_path / name, {"train": 2}, batch_size=2, shard_size=2, note=data.get("note"))
    source = open_data(folder)
    u = source.block(0, 2)
    assert u.shape == (2, len(recipe.frame_times), len(recipe.fields), *recipe.stored_grid.shape)
    assert bool(torch.isfinite(u).all())
    assert not torch.equal(u[0], u[1])
    card = (folder / "card.md").read_text()
    assert (data.get("note") or "") in card
    numbers = source.diagnostic("residual" if steady(recipe) else "spectrum_tail")
    assert bool(torch.isfinite(numbers).all())


@pytest.mark.parametrize("name", NAMES)
def test_the_steps_lead_from_frame_to_frame(name: str) -> None:
    """A step that does not divide the time between frames costs one more step a frame, and its coefficients."""
    recipe = build(compose("generate", [f"data={name}"])["data"]["recipe"], trusted=True)
    times = recipe.frame_times
    for start, stop in pairwise(times):
        now = start
        for until, dt in recipe.schedule(start, stop):
            steps = (min(until, stop) - now) / dt
            assert steps == pytest.approx(round(steps), abs=1e-6), f"{name}: {dt} does not lead from {now} to {stop}"
            now = min(until, stop)
