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
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.operator_problems import PROBLEMS, Problem, choices, count, sized

__all__ = ["CELLS", "given", "run", "table"]


OPERATORS = ("fno", "ffno", "tfno", "unet", "resnet", "deeponet", "kan_spectral", "kano", "kan_integral", "kan_fno")
RATES = (3e-3, 1e-2, 3e-2)
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


class Training(NamedTuple):
    """Configuration and data of a training, and the seconds of one of its steps."""

    config: dict[str, Any]
    data: Any
    a_step: float


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
    from kanop.solvers.errors import check

    problem = PROBLEMS[cell["problem"]]
    found = cell["found"]
    check(
        _searches(cell) or found is not None,
        f"the cell of seed 0 with seconds={SECONDS} comes first: it finds the learning rate and the modes",
    )
    opened: dict[int | None, Training] = {}
    tried: dict[str, float] = {}
    if found is None:
        found, tried = _search(cell, problem, opened)
    config, data, a_step = opened.get(found["modes"]) or _open(cell, problem, found["modes"])
    steps = cell["steps"] if "steps" in cell else max(20, int(cell["seconds"] / a_step))
    emulator, valid = _train(config, data, found["rate"], steps)
    error = math.inf if emulator is None else _test_error(emulator, data, problem)
    return {
        "error": error if error < DIVERGED else None,
        "valid": valid,
        **found,
        "tried": tried,
        "parameters": count(emulator or _emulator(config, data)),
        "width": config["operator"]["hidden_channels"],
        "ms a step": round(1e3 * a_step, 2),
        "steps": steps,
        "MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _search(
    cell: Mapping[str, Any], problem: Problem, opened: dict[int | None, Training]
) -> tuple[dict[str, Any], dict[str, float]]:
    """The modes and the rate of the least validation error after a quarter of the time, and the errors of all."""
    errors: dict[tuple[int | None, float], float] = {}

    def attempt(modes: int | None, rate: float) -> None:
        if modes not in opened:
            opened[modes] = _open(cell, problem, modes)
        config, data, a_step = opened[modes]
        error = _train(config, data, rate, max(5, int(cell["seconds"] / a_step) // 4))[1]
        errors[modes, rate] = math.inf if error is None else error

    for modes in choices(cell["operator"], problem):
        attempt(modes, RATES[1])
    best = min(errors, key=lambda key: errors[key])[0]
    for rate in (RATES[0], RATES[2]):
        attempt(best, rate)
    modes, rate = min(errors, key=lambda key: errors[key])
    tried = {f"{m or ''} {r:g}".strip(): e for (m, r), e in errors.items() if math.isfinite(e)}
    return {"rate": rate, "modes": modes}, tried


def _open(cell: Mapping[str, Any], problem: Problem, modes: int | None) -> Training:
    from kanop.config import compose
    from kanop.scripts.train import open_module

    one = ["trainer=cpu", "++trainer.threads=1", "trainer.max_epochs=null", "++trainer.valid_every_epochs=1000000"]
    best = ["optim=soap", "++trainer.gradient_clip=1.0", "++trainer.max_steps=1"]
    words = [*problem.words, *sized(cell["operator"], problem, modes), *one, *best]
    config = compose("train", [*words, f"seed={cell['seed']}"])
    data = open_module(config, 1)
    return Training(config, data, _seconds_a_step(config, data))


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
    """Processor time of a training step, its optimiser included: what 25 steps take beyond 5, once all is loaded."""
    spent = []
    for steps in (5, 5, 25):
        begin = time.process_time()
        _train(config, data, RATES[0], steps)
        spent.append(time.process_time() - begin)
    return (spent[2] - spent[1]) / 20


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
