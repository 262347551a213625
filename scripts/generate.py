"""`kanop generate data=NAME`: solve a recipe's equation for random inputs and write the data set."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def generate(config: dict[str, Any]) -> None:
    """Generate `data` into `data.path`; a run that was killed goes on where it stopped."""
    from kanop.config import check_groups
    from kanop.scripts.console import say
    from kanop.solvers.errors import check

    check_groups(config)
    check(
        config["data"].get("recipe") is not None,
        f"data={config['data']['name']} is read, not generated: it has no recipe",
    )
    make_data(config["data"])
    # With the words of this call: a data set of other settings needs them again.
    say(f"next: kanop train {shlex.join(word for word in config['words'] if word.startswith('data'))}")


def make_data(data: Mapping[str, Any]) -> None:
    """Write the data set of the group `data` where it is missing or unfinished; refuse a folder with another one."""
    from kanop.builder import build
    from kanop.datasets import estimate
    from kanop.datasets import generate as write
    from kanop.datasets.manifest import load_manifest
    from kanop.scripts.console import duration, progress, say

    recipe = build(data["recipe"], trusted=True)
    path, sizes = Path(data["path"]), dict(data["sizes"])
    manifest = load_manifest(path) if path.is_dir() else None
    if manifest is None or not manifest["complete"]:
        cost = estimate(recipe, sizes, data["batch_size"], data["shard_size"])
        seconds = predict_seconds(recipe, sum(sizes.values()), data["batch_size"], data["seed"])
        say(f"   generating {path}: {cost}, about {duration(seconds)}")
    with progress("trajectories") as report:
        quiet = manifest is not None and manifest["complete"]
        write(
            recipe,
            path,
            sizes,
            seed=data["seed"],
            batch_size=data["batch_size"],
            shard_size=data["shard_size"],
            name=data["name"],
            note=data.get("note"),
            progress=None if quiet else report,
        )


def predict_seconds(recipe: Any, samples: int, batch_size: int, seed: int) -> float:
    """Time to solve `samples` inputs, from a few steps of one batch, or from a few samples of a steady problem.

    The certificate solves a few samples again, with half the step and then on twice the points; steady ones on three
    times the points.
    """
    import math
    import time

    from kanop.datasets import SteadyRecipe
    from kanop.datasets.generation import SAMPLES, STEADY_SAMPLES
    from kanop.solvers import solve

    if isinstance(recipe, SteadyRecipe):
        few = min(2, samples)
        recipe.record(seed, "train", [0])  # the first call makes tables
        begin = time.perf_counter()
        recipe.record(seed, "train", range(few))
        return (time.perf_counter() - begin) / few * (samples + 1.5 * STEADY_SAMPLES * 3**recipe.grid.ndim)
    start, stop = recipe.frame_times[0], recipe.frame_times[-1]
    before, recorded = _steps(recipe, start - recipe.burn_in, start), _steps(recipe, start, stop)
    dt, batch = recipe.schedule(start, stop)[0][1], min(batch_size, samples)
    u0 = recipe.initial.sample(recipe.grid, seed, "train", range(batch))

    def seconds(steps: int) -> float:
        begin = time.perf_counter()
        solve(recipe.equation, u0, recipe.grid, [start, start + steps * dt], dt=dt, scheme=recipe.scheme)
        return time.perf_counter() - begin

    # The first call makes tables; two lengths tell a step from the coefficients, made once for each dt and batch.
    _, short, long = (seconds(steps) for steps in (2, 2, 8))
    step = max(long - short, long / 16) / 6
    made = max(0.0, short - 2 * step) * (len(recipe.schedule(start, stop)) + bool(recipe.burn_in))
    finer = 2**recipe.grid.ndim
    again = min(SAMPLES[recipe.grid.ndim], samples) * (before + (3 + 2 * finer) * recorded)
    return step / batch * (samples * (before + recorded) + again) + made * (math.ceil(samples / batch) + 2 + finer)


def _steps(recipe: Any, start: float, stop: float) -> float:
    """Time steps from `start` to `stop`."""
    count = 0.0
    for until, dt in recipe.schedule(start, stop) if stop > start else ():
        count += (min(until, stop) - start) / dt
        start = min(until, stop)
    return count


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["generate", *sys.argv[1:]], script=[sys.argv[0]])
