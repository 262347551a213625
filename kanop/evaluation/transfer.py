"""The same weights on other grids, without training again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from kanop.datasets.subsampling import coarser
from kanop.evaluation.metrics import relative_l2
from kanop.evaluation.sheets import counted_mean
from kanop.evaluation.truth import Truth, read_truth
from kanop.solvers import Grid, KanopError

__all__ = ["transfer"]

FEW = 8


def transfer(
    source: Any,
    recipe: Any,
    truth: Truth,
    factors: Sequence[float] | None,
    judge: Callable[[Truth], tuple[Tensor, float]],
    skipped: dict[str, str],
) -> list[dict[str, Any]]:
    """One row a factor: points, errors of one step and of the rollout; what cannot be had goes to `skipped`.

    Truth is sub-sampled from the stored data where these hold the points, else solved anew by the recipe.
    """
    if factors is None:
        walls = isinstance(truth.grid, Grid) and set(truth.grid.boundaries) != {"periodic"}
        factors = (1 / 3, 1, 3) if walls else (0.5, 1, 2)
    rows = []
    for factor in factors:
        shape = [max(1, round(n * factor)) for n in truth.grid.shape]
        name = f"resolution ×{factor:g}"
        try:
            other, made = _at(source, recipe, truth, shape)
            prediction, one_step = judge(other)
        except KanopError as error:
            skipped[name] = str(error)
            continue
        step = counted_mean(relative_l2(prediction, other.target, other.grid))
        row = {"factor": factor, "shape": shape, "truth": made, "samples": len(other.frames)}
        rows.append(row | {"one_step": one_step, "mean": float(step.mean()), "final": float(step[-1])})
    return rows


def _at(source: Any, recipe: Any, truth: Truth, shape: Sequence[int]) -> tuple[Truth, str]:
    if tuple(shape) == source.grid.shape or _holds(source, shape):
        other = read_truth(source, truth.spec, shape, len(truth.frames), truth.steps)
        return other.to(truth.frames), "stored data"
    fewer = any(m < n for n, m in zip(source.grid.shape, shape, strict=True))
    if recipe is None or truth.start is None or fewer:
        stored, asked = ("×".join(map(str, s)) for s in (source.grid.shape, shape))
        raise KanopError(f"the data hold {stored} points, of which {asked} are no sub-sample")
    return _solved_anew(source, recipe, truth, shape), "solved anew"


def _holds(source: Any, shape: Sequence[int]) -> bool:
    """Whether fewer points are among the stored ones; of a sphere they are given by its harmonics."""
    if not isinstance(source.grid, Grid):
        return all(m <= n for n, m in zip(source.grid.shape, shape, strict=True))
    return coarser(source.grid, shape, getattr(source, "nodes", ()))[1] is not None


def _solved_anew(source: Any, recipe: Any, truth: Truth, shape: Sequence[int]) -> Truth:
    """Finer truth than is stored: the first stored frames of a few samples, solved on `shape` points."""
    stored = read_truth(source, truth.spec, source.grid.shape, FEW, truth.steps)
    double = stored.grid.to(torch.float64)
    grid = double.with_shape(shape)
    first = stored.frames[:, 0] if truth.spec.n_in else stored.constants
    u = recipe.integrate(double.resample(first.double(), shape), grid, 1).u
    moments = torch.as_tensor(recipe.frame_times).double()
    frames = u[:, [int((moments - t).abs().argmin()) for t in stored.times]]
    constants = stored.constants.new_empty((len(u), 0, *shape))
    if truth.spec.constants:
        constants = double.resample(stored.constants.double(), shape)
    made = Truth(frames, constants, grid, stored.times, truth.spec.with_shape(shape))
    return made.to(truth.frames)
