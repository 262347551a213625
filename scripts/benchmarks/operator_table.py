"""Backbones on one footing: equal parameters and equal training, each at the best of three learning rates.

Every operator gets the width whose parameters come nearest below the problem's budget. Training is one cycle of SOAP:
as many steps as fit a time, at the processor time of a step, which leaves out what else the machine does; or, for a few
operators, as many steps for all. Seed 0 first tries settings for a quarter of the time each and takes the one of the
least validation error: three numbers of modes at the middle rate, for operators that keep a table of modes, then the
other rates. All other cells take the same. Errors are relative L2, means over the test samples; of rollouts over all
predicted frames at once.
"""

from __future__ import annotations

import math
import resource
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.operator_problems import PROBLEMS, Problem, count
from kanop.scripts.benchmarks.operator_training import open_training, search, steps_within, train, validation

__all__ = ["CELLS", "given", "run", "table"]


OPERATORS = ("fno", "ffno", "tfno", "unet", "resnet", "deeponet", "kan_spectral", "kano", "kan_integral", "kan_fno")
SEEDS = 3
# Seconds of training on one thread; with as much again for the settings, a cell ends within ten minutes.
SECONDS = 120
CELLS = [
    {"problem": problem, "operator": operator, "seed": seed, "seconds": SECONDS, "threads": 1}
    for seed in range(SEEDS)
    for problem in PROBLEMS
    for operator in OPERATORS
]
# A prediction of zeros has error 1.
DIVERGED = 10
# At equal steps, whatever they cost.
STEPS = 1200
CELLS += [
    {"problem": problem, "operator": operator, "seed": seed, "steps": STEPS, "threads": 1}
    for problem in ("darcy", "navier_stokes")
    for seed in range(SEEDS)
    for operator in ("fno", "kan_spectral", "kano", "kan_integral", "kan_fno")
]


def given(cell: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The learning rate and the modes that seed 0 of the same problem and operator found in the given time."""
    if _searches(cell):
        return {"found": None}
    wanted = {"problem": cell["problem"], "operator": cell["operator"], "seed": 0, "seconds": SECONDS}
    same = [row for row in rows if wanted.items() <= row.items()]
    return {"found": {key: same[-1]["numbers"][key] for key in ("rate", "modes")} if same else None}


def _searches(cell: Mapping[str, Any]) -> bool:
    return cell["seed"] == 0 and "seconds" in cell


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Train one operator with one seed and measure it, in a process of its own."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a cell; a training or a rollout that diverges has no error."""
    from kanop.evaluation.metrics import relative_l2
    from kanop.scripts.train import make_emulator
    from kanop.solvers.errors import check

    problem, found = PROBLEMS[cell["problem"]], cell["found"]
    check(
        _searches(cell) or found is not None,
        f"the cell of seed 0 with seconds={SECONDS} comes first: it finds the learning rate and the modes",
    )
    tried: dict[str, float] = {}
    if found is None:
        found, tried, opened = search(cell["operator"], problem, cell["seed"], cell["seconds"], relative_l2)
    else:
        opened = open_training(cell["operator"], problem, found["modes"], cell["seed"])
    config, data, a_step = opened
    steps = cell["steps"] if "steps" in cell else steps_within(cell["seconds"], a_step)
    emulator = train(config, data, found["rate"], steps)
    valid = validation(emulator, data, "valid", relative_l2)
    error = math.inf if math.isinf(valid) else _test_error(emulator, data, problem)
    return {
        "error": error if error < DIVERGED else None,
        "valid": valid if math.isfinite(valid) else None,
        **found,
        "tried": tried,
        "parameters": count(emulator or make_emulator(config, data)),
        "width": config["operator"]["hidden_channels"],
        "ms a step": round(1e3 * a_step, 2),
        "steps": steps,
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _test_error(emulator: Any, data: Any, problem: Problem) -> float:
    """Of one call, or of a rollout over all its frames."""
    import torch

    from kanop.evaluation import rollout
    from kanop.evaluation.metrics import relative_l2, relative_l2_full

    if not problem.steps:
        return validation(emulator, data, "test", relative_l2)

    windows = data.windows("test", unroll=problem.steps)
    at = [i * windows.per_trajectory + problem.start for i in range(len(windows) // windows.per_trajectory)]
    given, target = windows.__getitems__(at)
    found = rollout(emulator, given, problem.steps)
    u = found.u[:, -problem.steps :]
    errors = relative_l2_full(u, target.reshape(u.shape), found.grid)
    return float(torch.nan_to_num(errors, nan=math.inf).mean())


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A line an operator and problem: mean and spread over the seeds that are done, cost and what diverged."""
    parts = []
    for budget, title in (("seconds", f"{SECONDS} s of training each"), ("steps", f"{STEPS} steps each")):
        some = [row for row in rows if budget in row]
        if some:
            parts += [f"{title}:", "\n".join(_lines(some))]
    return "\n\n".join(parts) or "\n".join(_lines([]))


def _lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    head = "| problem | operator | seeds | error | spread | parameters | modes | width | ms a step | steps | "
    lines = [head + "MiB | rate | diverged |", "|---" * 13 + "|"]
    for problem in PROBLEMS:
        groups = [[r["numbers"] for r in rows if (r["problem"], r["operator"]) == (problem, o)] for o in OPERATORS]
        named = [(name, group) for name, group in zip(OPERATORS, groups, strict=True) if group]
        for name, group in sorted(named, key=lambda pair: _mean(pair[1])):
            errors = [n["error"] for n in group if n["error"] is not None]
            spread = f"{statistics.stdev(errors):.2g}" if len(errors) > 1 else ""
            first = group[0]
            cost = [f"{statistics.median(n[key] for n in group):.4g}" for key in ("ms a step", "steps", "MiB")]
            entries: list[Any] = [problem, name, f"{len(group)} of {SEEDS}", f"{_mean(group):.3g}", spread]
            entries += [f"{first['parameters']:,}", first["modes"] or "", first["width"], *cost]
            entries += [f"{first['rate']:g}", len(group) - len(errors)]
            lines.append("| " + " | ".join(map(str, entries)) + " |")
    return lines


def _mean(group: Sequence[Mapping[str, Any]]) -> float:
    errors = [numbers["error"] for numbers in group if numbers["error"] is not None]
    return statistics.mean(errors) if errors else math.inf
