"""What lies beside the shards: `stats.yaml`, `preview.png` and `card.md`, which says what the data are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import torch
import yaml
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from kanop.datasets.card_rows import rows
from kanop.datasets.manifest import grid_of
from kanop.datasets.problem import Problem
from kanop.datasets.statistics import folder_statistics
from kanop.datasets.steady import SteadyRecipe

__all__ = ["companions"]

BLOCK_BYTES = 64 * 2**20
Block = tuple[Float[Tensor, "b t c *x"], Float[Tensor, "b a *x"]]

CARD = """\
# {name}

{sentence}

| | |
|---|---|
{rows}

![the first samples](preview.png)
{remarks}
## To open it

```python
from kanop.datasets import Windows, open_data
train = Windows(open_data("path/to/{name}", split="train"))

from the_well.data import WellDataset
train = WellDataset(path="path/to/{name}", well_split_name="train"{steps})
```

`manifest.json` has the whole recipe and the SHA-256 of every file; `stats.yaml` has the statistics of the
training split.
"""

TAIL = """
The spectrum tail of a frame is the ratio of two root mean squares, that of its outermost modes to its own: on the
solver's grid, before anything is thinned out, the modes that dealiasing keeps and whose number exceeds 0.9 of the
highest kept one on at least one axis, over all kept modes with the mean; the largest of the fields. Each file has it
per sample and frame in `diagnostics/spectrum_tail`: `open_data(…).diagnostic("spectrum_tail") > {limit:g}` finds the
frames that are flagged.
"""

STEADY = """
Residual and flux balance are those of the double-precision solution, before it is rounded to be stored; each file has
them per sample in `diagnostics/residual` and `diagnostics/flux_balance`.
"""


def companions(folder: Path, manifest: Mapping[str, Any], recipe: Problem) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files beside the shards, from the shards in `folder`."""
    from kanop.datasets.preview import preview_png

    table = folder_statistics(train_blocks(folder, manifest), manifest["fields"], manifest["constants"])
    yield "stats.yaml", yaml.safe_dump(dict(table), sort_keys=True).encode("utf-8")
    u, a = next(train_blocks(folder, manifest))
    grid, names = grid_of(manifest["grid"]), (manifest["fields"], manifest["constants"])
    yield "preview.png", preview_png((u[:3], a[:3]), grid, manifest["times"], names)
    yield "card.md", _card(manifest, recipe).encode("utf-8")


def train_blocks(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Block]:
    """The training trajectories and their constants in order, some at a time."""
    for key, entry in manifest["shards"].items():
        if entry["split"] != "train":
            continue
        with h5py.File(folder / key, "r") as file:
            stored = [file["t0_fields"][name] for name in manifest["fields"]]
            given = [file["t0_fields"][name] for name in manifest["constants"]]
            size = max(1, BLOCK_BYTES // max(1, stored[0].nbytes // len(stored[0]) * len(stored)))
            for start in range(0, len(stored[0]), size):
                samples = slice(start, start + size)
                u = rearrange(_stacked(stored, samples), "b c t ... -> b t c ...")
                yield u, _stacked(given, samples) if given else u.new_empty((len(u), 0, *u.shape[3:]))


def _stacked(stored: list[h5py.Dataset], samples: slice) -> Tensor:
    return torch.stack([torch.from_numpy(data[samples]) for data in stored], 1)


def _card(manifest: Mapping[str, Any], recipe: Problem) -> str:
    steady = isinstance(recipe, SteadyRecipe)
    equation = type(recipe.equation).__name__
    kind = "random coefficients, one pair a sample" if steady else "random inputs, one trajectory a sample"
    note = f"\n{manifest['note']}\n" if manifest["note"] else ""
    remarks = STEADY if steady else TAIL.format(**manifest["diagnostics"]["spectrum_tail"])
    return CARD.format(
        name=manifest["config"]["name"],
        sentence=f"Solutions of {equation} from {kind}.\n{note}".rstrip("\n"),
        rows="\n".join(f"| {name} | {_cell(text)} |" for name, text in rows(manifest, recipe).items()),
        remarks=remarks,
        steps=", n_steps_input=0, n_steps_output=1" if steady else "",
    )


def _cell(text: str) -> str:
    # A bar would end the cell.
    return text.replace("|", "\\|")
