"""Burgers' solver: error to Cole-Hopf, order of accuracy, and the time that the FNO set takes to make."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from kanop.scripts.benchmarks.tables import rows_of

__all__ = ["CELLS", "run", "table"]

CELLS = [
    {"problem": "burgers 8192 points nu=0.1", "method": "etdrk4", "measure": "error to Cole-Hopf"},
    {"problem": "burgers 128 points nu=0.02", "method": "etdrk4", "measure": "order"},
    {"problem": "burgers_fno", "method": "kanop generate", "measure": "time"},
]


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Measure one cell."""
    return {"error to Cole-Hopf": cole_hopf_error, "order": order, "time": generation_time}[cell["measure"]]()


def cole_hopf_error() -> dict[str, Any]:
    """Largest error at t = 1 over 128 points for four fields of the FNO set."""
    from kanop.solvers import Burgers, GaussianRandomField, Grid, solve

    grid, equation = Grid((8192,)), Burgers(0.1)
    u0 = GaussianRandomField(25, 5, 2).sample(grid, 0, "test", range(4))
    solution = solve(equation, u0, grid, [0, 1], dt=[(0.0625, 1 / 4096), (0.25, 1 / 2048), (1, 1 / 1024)])
    points = grid.points[0][::64]
    exact = [equation.exact(u, grid)(1.0, points) for u in solution.u[:, 0]]
    errors = [float((u[0, ::64] - e).abs().max()) for u, e in zip(solution.u[:, 1], exact, strict=True)]
    return {"max_error": max(errors), "samples": 4}


def order() -> dict[str, Any]:
    """Slopes of the error to Cole-Hopf under halvings of dt, diffusion active."""
    import torch

    from kanop.solvers import Burgers, Grid, solve

    grid, equation = Grid((128,)), Burgers(0.02)
    u0 = (0.2 + torch.sin(2 * math.pi * grid.points[0]))[None, None]
    exact = equation.exact(u0[0], grid)(0.5, grid.points[0])
    errors = [
        float((solve(equation, u0, grid, [0, 0.5], dt=0.5 / n).u[0, 1, 0] - exact).norm()) for n in (64, 128, 256)
    ]
    return {"slopes": [math.log2(a / b) for a, b in pairwise(errors)], "errors": errors}


def generation_time() -> dict[str, Any]:
    """Wall time of 1000 training and 200 test samples at 8192 points, and the certified error of their steps."""
    from kanop.builder import build
    from kanop.config import compose
    from kanop.datasets import generate
    from kanop.datasets.manifest import load_manifest

    data = compose("generate", ["data=burgers_fno"])["data"]
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        recipe = build(data["recipe"], trusted=True)
        settings = {key: data[key] for key in ("seed", "batch_size", "shard_size")}
        path = generate(
            recipe, Path(folder) / "data", sizes={"train": 1000, "test": 200}, name="burgers_fno", **settings
        )
        seconds = time.perf_counter() - begin
        manifest = load_manifest(path) or {}
    return {"seconds": seconds, "certificate": manifest["certificate"]}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a cell."""
    return rows_of(rows, ("problem", "method", "measure"))
