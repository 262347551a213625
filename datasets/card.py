"""What lies beside the shards: `stats.yaml`, `preview.png` and `card.md`, which says what the data are."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import torch
import yaml
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.manifest import grid_of
from kanop.datasets.recipe import Recipe
from kanop.datasets.statistics import folder_statistics

__all__ = ["companions"]

BLOCK_BYTES = 64 * 2**20

CARD = """\
# {name}

{sentence}

| | |
|---|---|
| equation | {equation} |
| constants | {constants} |
| domain | {domain} |
| units | as the equation is written: lengths, times and fields without dimension |
| inputs | {initial}{burn_in} |
| frames | {frames} |
| fields | {fields} |
| stored | {shape} points, {dtype}: {stored} |
| solved | {solved} points, {solver_dtype}, {scheme}, dt = {dt} |
| dealiasing | exact for products of degree {degree} |
| certified temporal error | {temporal:.1e} over all frames, {temporal_next:.1e} at the second: against half the step |
| certified spatial error | {spatial:.1e} over all frames, {spatial_next:.1e} at the second: against twice the points |
| certified on | {samples} training samples from their first frame: relative L2, largest of them |
| trajectories | {sizes} |
| seed | {seed}; sample i of a split is a pure function of (recipe, seed, split, i) |
| made with | {versions} |
| licence | CC-BY-4.0 |

![the first trajectories](preview.png)

## To open it

```python
from kanop.datasets import Windows, open_data
train = Windows(open_data("path/to/{name}", split="train"))

from the_well.data import WellDataset
train = WellDataset(path="path/to/{name}", well_split_name="train")
```

`manifest.json` has the whole recipe and the SHA-256 of every file; `stats.yaml` has the statistics of the
training split.
"""


def companions(folder: Path, manifest: Mapping[str, Any], recipe: Recipe) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files beside the shards, from the shards in `folder`."""
    from kanop.datasets.preview import preview_png

    table = folder_statistics(train_blocks(folder, manifest), manifest["fields"])
    yield "stats.yaml", yaml.safe_dump(dict(table), sort_keys=True).encode("utf-8")
    first = next(train_blocks(folder, manifest))
    grid = grid_of(manifest["grid"])
    yield "preview.png", preview_png(first[:3], grid, manifest["times"], manifest["fields"])
    yield "card.md", _card(manifest, recipe).encode("utf-8")


def train_blocks(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Float[Tensor, "b t c *x"]]:
    """The training trajectories in order, some at a time."""
    for key, entry in manifest["shards"].items():
        if entry["split"] != "train":
            continue
        with h5py.File(folder / key, "r") as file:
            stored = [file["t0_fields"][name] for name in manifest["fields"]]
            size = max(1, BLOCK_BYTES // max(1, stored[0].nbytes // len(stored[0]) * len(stored)))
            for start in range(0, len(stored[0]), size):
                block = torch.stack([torch.from_numpy(data[start : start + size]) for data in stored])
                yield rearrange(block, "c b t ... -> b t c ...")


def _card(manifest: Mapping[str, Any], recipe: Recipe) -> str:
    config, grid, times = manifest["config"], grid_of(manifest["grid"]), manifest["times"]
    described, certificate, equation = config["recipe"], manifest["certificate"], recipe.equation
    solver = described["grid"]
    return CARD.format(
        name=config["name"],
        sentence=f"Solutions of {type(equation).__name__} from random inputs, one trajectory a sample.",
        equation=inspect.cleandoc(type(equation).__doc__ or type(equation).__name__).split("\n")[0],
        constants=", ".join(f"{k} = {v:.6g}" for k, v in manifest["scalars"].items()) or "none",
        domain=" × ".join(
            f"[{o:g}, {o + length:.6g}] {kind}"
            for o, length, kind in zip(grid.origin or (), grid.lengths or (), grid.boundaries, strict=True)
        ),
        initial=_call(described["initial"]),
        burn_in=f", integrated for {recipe.burn_in:g} before the first frame" if recipe.burn_in else "",
        frames=f"{len(times)}, from t = {times[0]:g} to {times[-1]:g}"
        + (f", {times[1] - times[0]:.6g} between the first two" if len(times) > 2 else ""),
        fields=", ".join(manifest["fields"]),
        shape=" × ".join(map(str, grid.shape)),
        dtype=config["dtype"],
        stored=recipe.store.words,
        solved=" × ".join(map(str, solver["shape"])),
        solver_dtype=solver["dtype"],
        scheme=recipe.scheme,
        dt=_steps(recipe.dt),
        degree=equation.degree,
        sizes=", ".join(f"{n} {split}" for split, n in config["sizes"].items()),
        seed=config["seed"],
        versions=", ".join(f"{k} {v}" for k, v in manifest["versions"].items()),
        **certificate,
    )


def _call(description: Any) -> str:
    """GaussianRandomField(sigma=25, …) for a described dataclass."""
    if not isinstance(description, Mapping):
        return str(description)
    arguments = ", ".join(f"{k}={_call(v)}" for k, v in description.items() if k != "_target_")
    return f"{description.get('_target_', '').rsplit('.', 1)[-1]}({arguments})"


def _steps(dt: Any) -> str:
    return f"{dt:.6g}" if isinstance(dt, float) else ", ".join(f"{h:.6g} until t = {until:g}" for until, h in dt)
