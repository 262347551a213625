"""`generate`: recipe → folder, in shards that are whole or absent; a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kanop.datasets.card import companions
from kanop.datasets.certificate import certify
from kanop.datasets.diagnostics import summary, warning
from kanop.datasets.durable import LOCK, TEMPORARY, checksum, exclusive, free_space, write_durably
from kanop.datasets.estimation import Estimate, estimate
from kanop.datasets.manifest import describe, load_manifest, refuse_other, save_manifest, versions
from kanop.datasets.problem import Problem
from kanop.datasets.sharding import Progress, make_shard, shards
from kanop.datasets.splits import SPLITS
from kanop.datasets.steady import SteadyRecipe
from kanop.solvers import DataError
from kanop.solvers.errors import check, nearest

__all__ = ["generate"]

# Samples that the certificate looks at, by number of axes: twice the points cost 2ᵈ times as much. Steady problems
# are cheap, and their errors scatter.
SAMPLES, STEADY_SAMPLES = {1: 4, 2: 2, 3: 1}, 8


def generate(
    recipe: Problem,
    path: str | Path,
    sizes: Mapping[str, int],
    seed: int = 0,
    batch_size: int = 50,
    shard_size: int = 250,
    name: str | None = None,
    dtype: str = "float32",
    note: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Solve `recipe` for the given numbers of inputs and record the frames in `path`, in The Well's layout.

    The folder ends byte for byte the same however often the run was killed and started again. Sample i of a
    split does not depend on the sizes.

    Parameters
    ----------
    recipe : what to solve
    path : the folder; made if absent
    sizes : trajectories per split; train ≥ 1, absent ones count 0
    seed : of the random inputs
    batch_size : trajectories solved at once; part of the bits, hence recorded
    shard_size : trajectories per file, a multiple of batch_size
    name : the data set's name; default the folder's
    dtype : of the stored frames, "float32" (default) or "float64"
    note : a line for the card, e.g. how the set differs from a published one of that name
    progress : called as progress(trajectories done, all, message) at the start, after each batch and at the end

    Returns
    -------
    the folder

    Raises
    ------
    DataError : the folder holds data of other settings, another process writes there, no space left
    SolverDiverged : the recipe's step is too long
    """
    folder = Path(path)
    report = progress or (lambda done, total, message: None)
    sizes = _checked_sizes(sizes)
    _check_writing(batch_size, shard_size, dtype)
    config = {
        "name": name or folder.resolve().name,
        "recipe": describe(recipe),
        "sizes": sizes,
        "seed": seed,
        "batch_size": batch_size,
        "shard_size": shard_size,
        "dtype": dtype,
    }
    expected = estimate(recipe, sizes, batch_size, shard_size, dtype)
    with exclusive(folder):
        manifest = _opened(folder, config, recipe, expected, note)
        report(_done(manifest), expected.trajectories, str(expected))
        if not manifest["complete"]:
            _fill(folder, manifest, recipe, report)
        report(expected.trajectories, expected.trajectories, f"{folder} is complete{warning(manifest)}")
    return folder


def _check_writing(batch_size: int, shard_size: int, dtype: str) -> None:
    check(dtype in ("float32", "float64"), nearest(dtype, ("float32", "float64"), "dtype"))
    check(
        batch_size >= 1 and shard_size % batch_size == 0,
        f"shard_size must be a multiple of batch_size = {batch_size}, got {shard_size}; "
        f"nearest: {max(1, round(shard_size / max(1, batch_size))) * batch_size}",
    )


def _checked_sizes(sizes: Mapping[str, int]) -> dict[str, int]:
    for split in sizes:
        check(split in SPLITS, nearest(split, SPLITS, "split"))
    full = {split: int(sizes.get(split, 0)) for split in SPLITS}
    check(full["train"] >= 1 and min(full.values()) >= 0, f"expected sizes with train >= 1, got {dict(sizes)}")
    return full


def _opened(
    folder: Path, config: dict[str, Any], recipe: Problem, expected: Estimate, note: str | None
) -> dict[str, Any]:
    """The manifest to go on from: the one that is there, if it is of the same settings, or a new one."""
    manifest = load_manifest(folder)
    if manifest is None:
        strange = sorted(p.name for p in folder.iterdir() if p.suffix != TEMPORARY and p.name != LOCK)
        check(
            not strange,
            f"{folder} is not empty and has no manifest.json ({', '.join(strange[:5])}); choose another name "
            "or empty it",
            DataError,
        )
        needed, free = expected.disk, free_space(folder)
        check(
            needed <= free,
            f"no space: {folder} needs {needed / 2**20:.0f} MiB, free are {free / 2**20:.0f} MiB; "
            "free some space, choose another folder (KANOP_DATA), fewer samples or a larger data.recipe.store.factor",
            DataError,
        )
        return _new_manifest(config, recipe) | {"note": note}
    refuse_other(folder, manifest["config"], config)
    if not _all_there(folder, manifest):
        manifest["complete"] = False
    if not manifest["complete"]:
        # Other versions may give other last bits: one data set, one set of versions.
        refuse_other(folder, {"versions": manifest["versions"]}, {"versions": versions(recipe.grid.device)})
        _sweep(folder, manifest)
    return manifest


def _all_there(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether every file that the manifest lists exists with its size."""
    entries = {**manifest["shards"], **manifest["files"]}
    return all((folder / k).exists() and (folder / k).stat().st_size == e["bytes"] for k, e in entries.items())


def _new_manifest(config: dict[str, Any], recipe: Problem) -> dict[str, Any]:
    return {
        "config": config,
        "versions": versions(recipe.grid.device),
        "grid": describe(recipe.stored_grid),
        "times": list(recipe.frame_times),
        "fields": list(recipe.fields),
        "constants": list(recipe.constants),
        "scalars": recipe.scalars,
        "certificate": None,
        "diagnostics": {},
        "shards": {},
        "files": {},
        "complete": False,
    }


def _sweep(folder: Path, manifest: dict[str, Any]) -> None:
    """Remove what a killed run left half-done, and forget shards that are no longer what was written."""
    for leftover in folder.rglob(f"*{TEMPORARY}"):
        leftover.unlink()
    for key, entry in list(manifest["shards"].items()):
        path = folder / key
        if not path.exists() or path.stat().st_size != entry["bytes"] or checksum(path) != entry["sha256"]:
            del manifest["shards"][key]


def _fill(folder: Path, manifest: dict[str, Any], recipe: Problem, report: Progress) -> None:
    config = manifest["config"]
    total = sum(config["sizes"].values())
    if manifest["certificate"] is None:
        report(_done(manifest), total, "certifying the errors on a few samples")
        steady = isinstance(recipe, SteadyRecipe)
        few = STEADY_SAMPLES if steady else min(SAMPLES[recipe.grid.ndim], config["sizes"]["train"])
        manifest["certificate"] = asdict(certify(recipe, config["seed"], few))
        save_manifest(folder, manifest)
    plan = list(shards(config))
    written = manifest["shards"]
    for key, split, start, stop in plan:
        if key in written:
            continue
        content = make_shard(recipe, config, split, range(start, stop), _done(manifest), report)
        write_durably(folder / key, content)
        written[key] = _entry(content) | {"split": split, "start": start, "stop": stop}
        # In the order of the plan, whatever was found on the disk.
        manifest["shards"] = written = {k: written[k] for k, *_ in plan if k in written}
        save_manifest(folder, manifest)
    report(total, total, "statistics, card and preview")
    manifest["diagnostics"] = summary(folder, manifest)
    manifest["files"] = {}
    for key, content in companions(folder, manifest, recipe):
        write_durably(folder / key, content)
        manifest["files"][key] = _entry(content)
    manifest["complete"] = True
    save_manifest(folder, manifest)


def _entry(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _done(manifest: Mapping[str, Any]) -> int:
    return sum(entry["stop"] - entry["start"] for entry in manifest["shards"].values())
