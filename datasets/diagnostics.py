"""What the recorded diagnostics of a whole data set say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kanop.datasets.recording import FLAGGED, SPECTRUM_TAIL
from kanop.datasets.store import DIAGNOSTICS

__all__ = ["summary", "warning"]


def summary(folder: Path, manifest: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Largest and median of every diagnostic over all samples (and frames); of the spectrum tail the flagged frames."""
    found: dict[str, list[np.ndarray]] = {}
    for key in manifest["shards"]:
        with h5py.File(folder / key, "r") as file:
            for name, values in file.get(DIAGNOSTICS, {}).items():
                found.setdefault(name, []).append(values[()].ravel())
    table: dict[str, dict[str, float]] = {}
    for name, parts in found.items():
        values = np.concatenate(parts).astype(np.float64)
        table[name] = {"largest": float(values.max()), "median": float(np.median(values)), "count": values.size}
        if name == SPECTRUM_TAIL:
            table[name] |= {"limit": FLAGGED, "flagged": int((values > FLAGGED).sum())}
    return table


def warning(manifest: Mapping[str, Any]) -> str:
    """A clause about frames that the solver's grid does not resolve; empty if there are none."""
    tail = manifest.get("diagnostics", {}).get(SPECTRUM_TAIL)
    if not tail or not tail["flagged"]:
        return ""
    return (
        f"; {tail['flagged']} of {tail['count']} frames have a spectrum tail above {tail['limit']:g} (largest "
        f"{tail['largest']:.1e}, see card.md): a finer data.recipe.grid.shape resolves them"
    )
