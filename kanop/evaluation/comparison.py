"""The solver's side of an evaluation: its settings, and the cheapest one at the operator's error."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.evaluation.ladders import EvolutionLadder, SteadyLadder
from kanop.evaluation.metrics import relative_l2
from kanop.evaluation.rollout import rollout
from kanop.evaluation.setting import cell
from kanop.evaluation.speedup import seconds
from kanop.evaluation.truth import Truth, read_truth

__all__ = ["rollout_seconds", "solver_comparison"]

FEW = 16


def rollout_seconds(emulator: Any, truth: Truth) -> float:
    """Seconds of one whole rollout of all samples of `truth` in one batch: median of five."""
    u0 = truth.window()
    return seconds(lambda: rollout(emulator, u0, truth.steps), 5, u0.device)


def solver_comparison(
    emulator: Any,
    source: Any,
    recipe: Any,
    truth: Truth,
    prediction: Float[Tensor, "b steps c *x"],
    budget: float,
    skipped: dict[str, str],
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The table of solver settings; the frames of a coarse one and of the cheapest at the operator's error.

    Operator and solver get the same few samples in one batch, the same threads, the same lead times.
    """
    count = min(FEW, len(truth.frames))
    own = truth.take(count)
    error = float(relative_l2(prediction[:count], own.target, truth.grid).nan_to_num(nan=torch.inf).mean())
    table: dict[str, Any] = {"operator_error": error, "batch": count, "cells": []}
    table["operator_seconds"] = rollout_seconds(emulator, own)
    why = _why_not(recipe, truth)
    if why:
        skipped["coarse solver, speed-up at equal error"] = why
        return table, {}
    stored = read_truth(source, truth.spec, source.grid.shape, count, truth.steps).to(truth.frames)
    kind = SteadyLadder if truth.steady else EvolutionLadder
    ladder = kind(recipe, stored, tuple(truth.grid.shape), budget)
    best, cells = ladder.cheapest(error)
    coarse = ladder.coarse()
    if coarse.error < torch.inf:
        coarse = ladder.timed(coarse)
    table |= {"cells": [cell(c) for c in cells], "coarse": cell(coarse)}
    if best is None:
        skipped["speed-up at equal error"] = f"no setting of the solver reached the error within {budget:g} s"
    else:
        table |= {"best": cell(best), "speedup": best.seconds / table["operator_seconds"]}
    faster = [c for c in cells if c.seconds <= table["operator_seconds"] and c.error < torch.inf]
    if faster:
        table["same_time"] = cell(min(faster, key=lambda c: c.error))
    named = {"coarse solver": coarse, "solver at equal error": best}
    wanted = {name: c for name, c in named.items() if c is not None and c.error < torch.inf}
    return table, {name: ladder.frames(c).to(prediction) for name, c in wanted.items()}


def _why_not(recipe: Any, truth: Truth) -> str:
    if recipe is None:
        return "the recipe of these data is not known, so there is no equation to solve"
    if truth.steady:
        return ""
    if truth.start is None:
        return "the map gives no state to start the solver from"
    if float(truth.leads[0]) <= 0:
        return "the data do not say at which time the output is"
    if not set(truth.grid.boundaries) <= set(recipe.equation.boundaries):
        return f"the solver takes {' or '.join(recipe.equation.boundaries)} axes"
    return ""
