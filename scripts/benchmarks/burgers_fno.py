"""burgers_fno, 1000 training and 200 test samples: our FNO, neuraloperator's with the same training, the public script.

Every method sees the same data and seeds. Each seed's error is the mean relative L2 over the 200 test samples, at the
training resolution s = 1024 and, by the same weights, at others.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["CELLS", "run", "table"]

SIZES = (256, 512, 1024, 2048, 4096, 8192)
METHODS = {
    "fno": ["experiment=burgers_fno"],
    # The library's default architecture, coordinates included, and the same training, step by step.
    "neuralop_fno": ["experiment=burgers_fno", "operator=neuralop_fno", "operator.position=true"],
    # The script trains at s = 1024; at 128 points its 500 epochs fit a cell.
    "fno_script": ["experiment=fno_script", "data.windows.subsample=64"],
}
CELLS = [{"problem": "burgers_fno", "method": method, "seed": seed} for seed in range(3) for method in METHODS]


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Train one method with one seed and measure it at every resolution."""
    from kanop.builder import build
    from kanop.config import compose
    from kanop.scripts.train import make_emulator, open_module
    from kanop.training import fit

    config = compose("train", [*METHODS[cell["method"]], f"seed={cell['seed']}"])
    names = ("loss", "strategy", "optim", "trainer", "augment")
    parts = {name: build(config[name], trusted=True) for name in names}
    data = open_module(config, parts["strategy"].horizon)
    emulator = make_emulator(config, data)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        fitted = fit(emulator, data, **parts, run=folder, seed=config["seed"], config=config).emulator.eval()
        seconds = time.perf_counter() - begin
    errors = {str(s): test_error(fitted, data, s) for s in SIZES}
    parameters = sum(p.numel() * (2 if p.is_complex() else 1) for p in fitted.parameters())
    return {"errors": errors, "seconds": round(seconds, 1), "parameters": parameters, "points": data.spec.grid.shape[0]}


def test_error(emulator: Any, data: Any, points: int) -> float:
    """Mean relative L2 error over the test samples at `points` of the stored points."""
    import torch

    from kanop.losses import Sobolev

    windows = data.test_windows(data.sources["test"].grid.shape[0] // points)
    loss, total = Sobolev(), 0.0
    with torch.no_grad():
        for start in range(0, len(windows), 20):
            given, target = windows.__getitems__(list(range(start, min(start + 20, len(windows)))))
            total += float(loss(emulator(given), target, windows.spec.grid)) * len(given)
    return total / len(windows)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Mean over the seeds done, per method and resolution."""
    lines = [
        "| method | seeds | " + " | ".join(f"s={s}" for s in SIZES) + " | min a seed |",
        "|---" * (len(SIZES) + 3) + "|",
    ]
    for method in METHODS:
        mine = [row for row in rows if row["method"] == method]
        means = [f"{statistics.mean(r['numbers']['errors'][str(s)] for r in mine):.3g}" if mine else "" for s in SIZES]
        minutes = f"{statistics.mean(r['numbers']['seconds'] for r in mine) / 60:.1f}" if mine else ""
        lines.append(f"| {method} | {len(mine)} of 3 | " + " | ".join(means) + f" | {minutes} |")
    return "\n".join(lines)
