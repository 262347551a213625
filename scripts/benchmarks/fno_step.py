"""One training step of our FNO against neuraloperator's, from the same weights, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kanop.losses import Sobolev
from kanop.operators import FNO, NeuralopFNO, load_neuralop_weights
from kanop.scripts.benchmarks.tables import rows_of
from kanop.solvers import FieldSpec, Grid
from kanop.solvers.errors import check

__all__ = ["CASES", "CELLS", "fno_step", "run", "table"]

# Sizes of the FNO paper's Burgers and Navier-Stokes experiments (the batch of 20 is theirs, too).
CASES: dict[int, dict[str, Any]] = {
    1: {"shape": (1024,), "n_modes": (32,), "hidden_channels": 64, "batch": 20},
    2: {"shape": (64, 64), "n_modes": (24, 24), "hidden_channels": 32, "batch": 20},
}

CELLS = [
    {"problem": "training step", "method": "kanop.FNO / neuralop FNO", "dim": dim, "threads": threads}
    for dim in CASES
    for threads in (2, 1)
]


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Measure one cell."""
    return fno_step(cell["dim"], threads=cell["threads"])


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a finished cell."""
    return rows_of(rows, ("problem", "method", "dim", "threads"))


def fno_step(dim: int, rounds: int = 20, threads: int = 2) -> dict[str, Any]:
    """Median over rounds of (time of our step) / (time of neuraloperator's step).

    A round is one step of each: forward, relative L2 loss, backward, AdamW. The two take turns, so that other load
    on the machine meets both.

    Parameters
    ----------
    dim : 1 or 2, see `CASES`
    rounds : steps of each (≥ 1, after three that do not count; default 20)
    threads : threads of torch (default 2)

    Returns
    -------
    dict with `wall_ratio` and `cpu_ratio` (medians), `quartiles` of the wall ratio, median seconds and CPU seconds of
    both steps, the largest relative difference of the outputs before the first step, and for both the share of the step
    that goes into spectral layers, into pointwise maps and into the rest (activations, loss, optimiser); the
    layers are timed one by one

    Raises
    ------
    KanopError : another dim, rounds or threads below 1
    """
    check(dim in CASES, f"dim is one of {sorted(CASES)}, got {dim}")
    check(rounds >= 1 and threads >= 1, f"rounds and threads are at least 1, got {rounds} and {threads}")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return {"dim": dim, "rounds": rounds, "threads": threads, **_measure(CASES[dim], rounds)}
    finally:
        torch.set_num_threads(before)


def _measure(case: dict[str, Any], rounds: int) -> dict[str, Any]:
    spec = FieldSpec(Grid(case["shape"]), ["u"])
    torch.manual_seed(0)
    theirs = NeuralopFNO(spec, case["n_modes"], case["hidden_channels"])
    ours = FNO(spec, case["n_modes"], case["hidden_channels"])
    load_neuralop_weights(ours, theirs.model)
    u, target = (torch.randn(case["batch"], 1, *case["shape"]) for _ in range(2))
    with torch.no_grad():
        difference = ((ours(u) - theirs(u)).abs().max() / theirs(u).abs().max()).item()
    steps = {"ours": _stepper(ours, u, target, spec.box), "neuralop": _stepper(theirs, u, target, spec.box)}
    wall: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    for i in range(rounds + 3):
        for name, step in steps.items():
            seconds = _time(step)
            if i >= 3:
                wall[name].append(seconds[0])
                cpu[name].append(seconds[1])
    ratios = [a / b for a, b in zip(wall["ours"], wall["neuralop"], strict=True)]
    hidden = torch.randn(case["batch"], case["hidden_channels"], *case["shape"])
    parts = {"ours": _parts_of_ours(ours), "neuralop": _parts_of_neuralop(theirs.model)}
    return {
        "wall_ratio": statistics.median(ratios),
        "quartiles": statistics.quantiles(ratios, n=4)[::2] if rounds > 1 else ratios,
        "cpu_ratio": statistics.median(a / b for a, b in zip(cpu["ours"], cpu["neuralop"], strict=True)),
        "seconds": {name: statistics.median(values) for name, values in wall.items()},
        "cpu_seconds": {name: statistics.median(values) for name, values in cpu.items()},
        "difference": difference,
        "shares": {name: _shares(parts[name], hidden, statistics.median(cpu[name])) for name in steps},
    }


def _stepper(model: nn.Module, u: Tensor, target: Tensor, grid: Grid) -> Callable[[], None]:
    optimiser, loss = torch.optim.AdamW(model.parameters(), 1e-3), Sobolev()

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss(model(u), target, grid).backward()
        optimiser.step()

    return step


def _time(call: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


Parts = dict[str, list[tuple[nn.Module, int]]]


def _parts_of_ours(model: Any) -> Parts:
    """Layers by kind, each with its number of input channels."""
    pointwise = [model.lifting.first, model.lifting.second, *model.projection]
    for block in model.blocks:
        pointwise += [block.skip, *block.mlp]
    return {
        "spectral": [(block.conv, block.conv.in_channels) for block in model.blocks],
        "pointwise": [(layer, layer.weight.shape[1]) for layer in pointwise],
    }


def _parts_of_neuralop(model: Any) -> Parts:
    blocks = model.fno_blocks
    pointwise = [*model.lifting.fcs, *model.projection.fcs]
    for skip, mlp in zip(blocks.fno_skips, blocks.channel_mlp, strict=True):
        pointwise += [skip.conv, *mlp.fcs]
    return {
        "spectral": [(conv, conv.in_channels) for conv in blocks.convs],
        "pointwise": [(layer, layer.in_channels) for layer in pointwise],
    }


def _shares(parts: Parts, hidden: Tensor, total: float) -> dict[str, float]:
    """Share of the step by kind of layer: forward and backward of each layer alone, least of five."""
    shares = {}
    for kind, layers in parts.items():
        seconds = 0.0
        for layer, channels in layers:
            x = hidden[:, :1].expand(-1, channels, *hidden.shape[2:])
            x = (x if kind == "spectral" else x.flatten(2)).clone().requires_grad_()
            g = torch.randn_like(layer(x))
            seconds += min(_time(partial(_there_and_back, layer, x, g))[1] for _ in range(5))
        shares[kind] = seconds / total
    return {**shares, "rest": 1 - sum(shares.values())}


def _there_and_back(layer: nn.Module, x: Tensor, g: Tensor) -> None:
    torch.autograd.grad(layer(x), [x, *layer.parameters()], g)
