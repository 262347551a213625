"""What a generation will take, before it starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from kanop.datasets.problem import Problem

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True)
class Estimate:
    """What a generation will take: bytes on disk and in memory, trajectories, frames of each."""

    disk: int
    memory: int
    trajectories: int
    frames: int

    def __str__(self) -> str:
        size, memory = (f"{n / 2**20:.3g} MiB" for n in (self.disk, self.memory))
        what = f"{self.trajectories} trajectories of {self.frames} frames"
        if self.frames == 1:
            what = f"{self.trajectories} pairs"
        return f"{what}: {size} on disk, about {memory} of memory"


def estimate(
    recipe: Problem,
    sizes: Mapping[str, int],
    batch_size: int = 50,
    shard_size: int = 250,
    dtype: str = "float32",
) -> Estimate:
    """Predict what `generate` with the same arguments will take."""
    total, frames = sum(sizes.values()), len(recipe.frame_times)
    channels = len(recipe.fields)
    fine = channels * recipe.grid.points[0].element_size() * math.prod(recipe.grid.shape)
    kept = channels * frames + len(recipe.constants)
    stored = kept * getattr(torch, dtype).itemsize * math.prod(recipe.stored_grid.shape)
    # A batch: its frames on the solver's grid and some ten work arrays; a shard: its frames, their copy and
    # the file's bytes.
    memory = min(batch_size, total) * fine * (frames + 12) + 3 * min(shard_size, total) * stored
    return Estimate(total * stored, memory, total, frames)
