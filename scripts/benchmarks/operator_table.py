"""Backbones on one footing: equal parameters and equal training time, each at the best of three learning rates.

Every operator gets the width whose parameters come nearest below the problem's budget, and as many AdamW steps (one
cycle) as fit the training time at the processor time of a step, which leaves out what else the machine does. Seed 0
first tries each rate for a quarter of that time and takes the one of the least validation error; the other seeds take
the same. Errors are relative L2, means over the test samples; of rollouts over all predicted frames at once.
"""

from __future__ import annotations

import math
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.operator_problems import PROBLEMS, Problem, count, sized

__all__ = ["CELLS", "given", "run", "table"]


OPERATORS = ("fno", "ffno", "tfno", "unet", "resnet", "deeponet", "kan_spectral", "kano", "kan_integral", "kan_fno")
RATES = (5e-4, 2e-3, 8e-3)
SEEDS = 3
# Seconds of training on one thread; with three quarters of it for the rates, a cell ends within ten minutes.
SECONDS = 240
CELLS = [
    {"problem": problem, "operator": operator, "seed": seed, "seconds": SECONDS, "threads": 1}
    for seed in range(SEEDS)
    for problem in PROBLEMS
    for operator in OPERATORS
]


def given(cell: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The learning rate that seed 0 of the same problem and operator found."""
    same = [row for row in rows if all(row[key] == cell[key] for key in ("problem", "operator")) and row["seed"] == 0]
    return {"rate": same[-1]["numbers"]["rate"] if same and cell["seed"] else None}


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Train one operator with one seed and measure it, in a process of its own."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a cell; a training that diverges has no error."""
    from kanop.scripts.train import open_module
    from kanop.solvers.errors import check

    problem = PROBLEMS[cell["problem"]]
    check(cell["seed"] == 0 or cell["rate"] is not None, "seed 0 comes first: it finds the learning rate")
    words = list(sized(cell["operator"], problem))
    config = _config(cell, problem, words)
    data = open_module(config, 1)
    a_step = _seconds_a_step(config, data)
    steps = max(20, int(cell["seconds"] / a_step))
    tried: dict[str, float] = {}
    rate = cell["rate"]
    if rate is None:
        errors = {r: _train(config, data, r, max(5, steps // 4))[1] for r in RATES}
        tried = {f"{r:g}": error for r, error in errors.items() if error is not None}
        rate = min(RATES, key=lambda r: tried.get(f"{r:g}", math.inf))
    emulator, valid = _train(config, data, rate, steps)
    return {
        "error": None if emulator is None else _test_error(emulator, data, problem),
        "valid": valid,
        "rate": rate,
        "tried": tried,
        "parameters": count(emulator or _emulator(config, data)),
        "width": config["operator"]["hidden_channels"],
        "ms a step": round(1e3 * a_step, 2),
        "steps": steps,
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _config(cell: Mapping[str, Any], problem: Problem, words: Sequence[str]) -> dict[str, Any]:
    from kanop.config import compose

    one = ["trainer=cpu", "++trainer.threads=1", "trainer.max_epochs=null", "++trainer.valid_every_epochs=1000000"]
    return compose("train", [*problem.words, *words, *one, "++trainer.max_steps=1", f"seed={cell['seed']}"])


def _train(config: Mapping[str, Any], data: Any, rate: float, steps: int) -> tuple[Any, float | None]:
    """The emulator after `steps` at `rate`, and its validation error; None where it diverged."""
    from kanop.builder import build
    from kanop.solvers import KanopError
    from kanop.training import fit

    names = ("loss", "strategy", "optim", "trainer", "augment")
    tree = {**config, "optim": {**config["optim"], "lr": rate}, "trainer": {**config["trainer"], "max_steps": steps}}
    parts = {name: build(tree[name], trusted=True) for name in names}
    emulator = _emulator(config, data)
    with tempfile.TemporaryDirectory() as folder:
        try:
            fitted = fit(emulator, data, **parts, run=Path(folder), seed=config["seed"], config=tree).emulator.eval()
        except KanopError as error:
            if "diverged" not in str(error):
                raise
            return None, None
    valid = _one_step(fitted, data, "valid")
    return (fitted, valid) if math.isfinite(valid) else (None, None)


def _emulator(config: Mapping[str, Any], data: Any) -> Any:
    from kanop.scripts.train import make_emulator

    return make_emulator(config, data)


def _seconds_a_step(config: Mapping[str, Any], data: Any) -> float:
    """Median processor time of a training step, its optimiser included."""
    import torch

    emulator = _emulator(config, data)
    optimiser = torch.optim.AdamW(emulator.parameters())
    u, target = next(iter(data.train_dataloader()))
    spent = []
    for _ in range(12):
        begin = time.process_time()
        optimiser.zero_grad()
        (emulator(u) - target).square().mean().backward()
        optimiser.step()
        spent.append(time.process_time() - begin)
    return statistics.median(spent[2:])


def _test_error(emulator: Any, data: Any, problem: Problem) -> float:
    """Of one call, or of a rollout over all its frames."""
    if not problem.steps:
        return _one_step(emulator, data, "test")
    import torch

    from kanop.evaluation import rollout
    from kanop.evaluation.metrics import relative_l2_full

    windows = data.windows("test", unroll=problem.steps)
    at = [i * windows.per_trajectory + problem.start for i in range(len(windows) // windows.per_trajectory)]
    given, target = windows.__getitems__(at)
    found = rollout(emulator, given, problem.steps)
    u = found.u[:, -problem.steps :]
    errors = relative_l2_full(u, target.reshape(u.shape), found.grid)
    return float(torch.nan_to_num(errors, nan=math.inf).mean())


def _one_step(emulator: Any, data: Any, split: str) -> float:
    import torch

    from kanop.evaluation.metrics import relative_l2

    windows = data.windows(split)
    errors = []
    with torch.no_grad():
        for start in range(0, len(windows), 50):
            given, target = windows.__getitems__(list(range(start, min(start + 50, len(windows)))))
            errors.append(relative_l2(emulator(given), target, windows.spec.grid))
    return float(torch.cat(errors).mean())


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A line an operator and problem: mean and spread over the seeds that are done, cost and what diverged."""
    head = "| problem | operator | seeds | error | spread | parameters | width | ms a step | steps | MiB | rate | "
    lines = [head + "diverged |", "|---" * 12 + "|"]
    for problem in PROBLEMS:
        groups = [[r["numbers"] for r in rows if (r["problem"], r["operator"]) == (problem, o)] for o in OPERATORS]
        named = [(name, group) for name, group in zip(OPERATORS, groups, strict=True) if group]
        for name, group in sorted(named, key=lambda pair: _mean(pair[1])):
            errors = [n["error"] for n in group if n["error"] is not None]
            spread = f"{statistics.stdev(errors):.2g}" if len(errors) > 1 else ""
            first = group[0]
            cost = [f"{statistics.median(n[key] for n in group):.4g}" for key in ("ms a step", "steps", "MiB")]
            entries: list[Any] = [problem, name, f"{len(group)} of {SEEDS}", f"{_mean(group):.3g}", spread]
            entries += [
                f"{first['parameters']:,}",
                first["width"],
                *cost,
                f"{first['rate']:g}",
                len(group) - len(errors),
            ]
            lines.append("| " + " | ".join(map(str, entries)) + " |")
    return "\n".join(lines)


def _mean(group: Sequence[Mapping[str, Any]]) -> float:
    errors = [numbers["error"] for numbers in group if numbers["error"] is not None]
    return statistics.mean(errors) if errors else math.inf
