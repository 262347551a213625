"""Which trajectories go into which file, and the bytes of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from kanop.datasets.problem import Problem
from kanop.datasets.recording import Recorded
from kanop.datasets.store import shard_bytes
from kanop.solvers import DataError, SolverDiverged
from kanop.solvers.errors import check

__all__ = ["make_shard", "shards"]

Progress = Callable[[int, int, str], None]


def shards(config: Mapping[str, Any]) -> Iterator[tuple[str, str, int, int]]:
    """(file, split, first trajectory, last + 1) of every shard."""
    for split, size in config["sizes"].items():
        for number, start in enumerate(range(0, size, config["shard_size"])):
            key = f"data/{split}/{config['name']}_{split}_{number:04d}.hdf5"
            yield key, split, start, min(start + config["shard_size"], size)


def make_shard(
    recipe: Problem,
    config: Mapping[str, Any],
    split: str,
    trajectories: range,
    done: int,
    report: Progress,
) -> bytes:
    """The file of `trajectories` of one split; `done` are made already and counted in the progress."""
    total = sum(config["sizes"].values())
    batches: list[Recorded] = []
    for first in range(trajectories.start, trajectories.stop, config["batch_size"]):
        indices = range(first, min(first + config["batch_size"], trajectories.stop))
        batches.append(_recorded(recipe, config, split, indices))
        done += len(indices)
        report(done, total, f"{split}: solved {indices.stop} of {config['sizes'][split]}")
    fields = rearrange(torch.cat([b.fields for b in batches]), "b t c ... -> c b t ...")
    given = [b.constants for b in batches if b.constants is not None]
    constants = rearrange(torch.cat(given), "b c ... -> c b ...") if given else ()
    return shard_bytes(
        config["name"],
        recipe.stored_grid,
        recipe.frame_times,
        dict(zip(recipe.fields, fields, strict=True)),
        recipe.scalars,
        config["dtype"],
        dict(zip(recipe.constants, constants, strict=True)),
        {name: torch.cat([b.diagnostics[name] for b in batches]) for name in batches[0].diagnostics},
    )


def _recorded(recipe: Problem, config: Mapping[str, Any], split: str, indices: range) -> Recorded:
    """One batch, rounded to the stored precision, on the CPU."""
    try:
        made = recipe.record(config["seed"], split, indices)
    except SolverDiverged as error:
        # The batch's row means nothing to the caller.
        hint = f"{error.hint} (in the {split} split)"
        raise SolverDiverged(indices[error.sample], error.time, error.dt, hint) from error
    dtype = getattr(torch, config["dtype"])
    fields = _finite(made.fields.to(dtype), config["dtype"], split, indices)
    constants = None if made.constants is None else _finite(made.constants.to(dtype), config["dtype"], split, indices)
    return Recorded(fields, constants, {name: values.cpu() for name, values in made.diagnostics.items()})


def _finite(u: Tensor, dtype: str, split: str, indices: range) -> Tensor:
    bad = (~torch.isfinite(u)).flatten(1).any(1).nonzero()
    check(
        len(bad) == 0,
        f"{split} sample {indices[int(bad[0])] if len(bad) else ''} has values that are not finite in {dtype}; "
        "nothing of it was written",
        DataError,
    )
    return u.cpu()
