"""`evaluate`: an operator against the truth, against what costs nothing, and against the solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kanop.datasets import SteadyRecipe
from kanop.evaluation import sheets
from kanop.evaluation.baselines import baselines
from kanop.evaluation.comparison import rollout_seconds, solver_comparison
from kanop.evaluation.evaluation import Evaluation, plain
from kanop.evaluation.metrics import (
    correlation,
    correlation_time,
    diverged_share,
    geometric_mean,
    nrmse,
    relative_l2,
    relative_l2_full,
    vrmse,
)
from kanop.evaluation.player import player
from kanop.evaluation.rollout import rollout
from kanop.evaluation.setting import setting
from kanop.evaluation.transfer import transfer
from kanop.evaluation.truth import Truth, read_truth
from kanop.solvers.errors import check

__all__ = ["evaluate", "one_step_error", "predict"]


def evaluate(
    emulator: Any,
    source: Any,
    recipe: Any = None,
    *,
    samples: int = 64,
    steps: int | None = None,
    batch_size: int = 32,
    factors: Sequence[float] | None = None,
    budget: float = 20.0,
) -> Evaluation:
    """‖û−u‖/‖u‖ over lead time, spectra, bands, resolutions, invariants, and the solver at the same error.

    Parameters
    ----------
    emulator : maps (b, c_in, *x) to (b, c_out, *x), physical units; its `.spec` has the training grid
    source : test data (`open_data`), or `Windows` on them; read at the emulator's own grid
    recipe : the data's `Recipe`; without it what needs equation or solver is left out, with that reason
    samples : test trajectories to use (default 64)
    steps : frames to roll out; default all that the data hold
    batch_size : trajectories a call; seconds are measured with it
    factors : resolutions for the transfer table, as multiples of the training grid; default ½, 1, 2, or ⅓, 1, 3
        where there are walls: cell centres are shared by odd multiples
    budget : seconds to spend at most on looking for the solver's cheapest setting

    Returns
    -------
    Evaluation : `.save(path)`, `write_report(evaluation, path)`

    Raises
    ------
    KanopError : data that the operator was not made for; samples, steps or batch_size below 1
    """
    for name, value in (("samples", samples), ("steps", steps), ("batch_size", batch_size)):
        check(value is None or value >= 1, f"{name} is at least 1, got {value}")
    source = getattr(source, "source", source)
    like = next(iter(emulator.parameters()), torch.zeros(()))
    truth = read_truth(source, emulator.spec, emulator.spec.grid.shape, samples, steps).to(like)
    truth = replace(truth, steady=isinstance(recipe, SteadyRecipe))
    prediction = predict(emulator, truth, batch_size)
    one_step = one_step_error(emulator, truth, batch_size)
    kind = "rollout" if truth.steps > truth.spec.n_out else "map"
    skipped: dict[str, str] = {}

    def judge(other: Truth) -> tuple[Tensor, float]:
        return predict(emulator, other, batch_size), one_step_error(emulator, other, batch_size)

    speed, solver = solver_comparison(emulator, source, recipe, truth, prediction, budget, skipped)
    tables = {
        "speed": speed,
        "transfer": transfer(source, recipe, truth, factors, judge, skipped),
        "distribution": sheets.distribution(prediction, truth),
    }
    compared = {"operator": prediction, **baselines(emulator, truth, skipped), **solver}
    curves = sheets.curves(compared, truth) | sheets.invariants(prediction, truth, recipe, skipped)
    spectra = sheets.spectra(prediction, truth)
    scores: dict[str, Any] = _scores(prediction, truth) | _seconds(emulator, truth.take(batch_size))
    scores |= {"one_step": one_step, "log_spectral_distance": spectra[-1]["distance"], "speedup": speed.get("speedup")}
    about = setting(emulator, source, recipe, truth, prediction, min(batch_size, len(truth.frames)))
    shown = player(prediction, truth, kind)
    return Evaluation(kind, plain(about), plain(scores), plain(curves), plain(spectra), plain(tables), skipped, shown)


def predict(emulator: Any, truth: Truth, batch_size: int = 32) -> Float[Tensor, "b steps c *x"]:
    """Roll out from the given frames of every sample."""
    first = 1 if truth.spec.n_in else 0
    parts = truth.window().split(batch_size)
    return torch.cat([rollout(emulator, u0, truth.steps).u[:, first:] for u0 in parts])


def one_step_error(emulator: Any, truth: Truth, batch_size: int = 32) -> float:
    """Mean relative L2 of single calls from true frames, over all windows and the frames of each call."""
    n_in, n_out = truth.spec.n_in, truth.spec.n_out
    errors = []
    for first in range(truth.steps - n_out + 1):
        target = truth.frames[:, first + n_in : first + n_in + n_out]
        errors.append(relative_l2(_one_call(emulator, truth, first, batch_size), target, truth.grid))
    return float(torch.stack(errors).nan_to_num(nan=torch.inf).mean())


def _scores(prediction: Tensor, truth: Truth) -> dict[str, float]:
    pair = (prediction, truth.target, truth.grid)
    step = relative_l2(*pair).nan_to_num(nan=torch.inf)
    rho = correlation(*pair).nan_to_num(0.0).mean(0)
    return {
        "mean": step.mean().item(),
        "final": step[:, -1].mean().item(),
        "median": step.mean(1).median().item(),
        "worst": step.mean(1).max().item(),
        "full": relative_l2_full(*pair).nan_to_num(nan=torch.inf).mean().item(),
        "geometric_mean_nrmse": geometric_mean(sheets.counted_mean(nrmse(*pair))).item(),
        "vrmse": sheets.counted_mean(vrmse(*pair)).mean().item(),
        "correlation_time": correlation_time(rho, truth.leads),
        "horizon": float(truth.leads[-1]),
        "diverged_share": diverged_share(prediction),
    }


def _seconds(emulator: Any, truth: Truth) -> dict[str, float]:
    took, calls = rollout_seconds(emulator, truth), -(-truth.steps // truth.spec.n_out)
    return {"seconds_per_call": took / calls, "seconds_per_step": took / truth.steps}


def _one_call(emulator: Any, truth: Truth, first: int, batch_size: int) -> Float[Tensor, "b n_out c *x"]:
    parts = truth.window(first).split(batch_size)
    return torch.cat([rollout(emulator, u, truth.spec.n_out).u[:, -truth.spec.n_out :] for u in parts])
