"""Training of a backbone for a comparison: as wide as parameters allow, as many steps as a time buys, at its best rate.

Training is one cycle of SOAP. A time is processor time of a step, which leaves out what else the machine does.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kanop.scripts.benchmarks.operator_problems import Problem, choices, sized

__all__ = ["RATES", "Training", "open_training", "search", "steps_within", "train", "validation"]

RATES = (3e-3, 1e-2, 3e-2)


class Training(NamedTuple):
    """Configuration and data of a training, and the seconds of one of its steps."""

    config: dict[str, Any]
    data: Any
    a_step: float


def open_training(operator: str, problem: Problem, modes: int | None, seed: int) -> Training:
    """Compose the training of `operator` with so many modes, open its data and time a step."""
    from kanop.config import compose
    from kanop.scripts.train import open_module

    one = ["trainer=cpu", "++trainer.threads=1", "trainer.max_epochs=null", "++trainer.valid_every_epochs=1000000"]
    best = ["optim=soap", "++trainer.gradient_clip=1.0", "++trainer.max_steps=1"]
    words = [*problem.words, *sized(operator, problem, modes), *one, *best]
    config = compose("train", [*words, f"seed={seed}"])
    data = open_module(config, 1)
    return Training(config, data, _seconds_a_step(config, data))


def steps_within(seconds: float, a_step: float, least: int = 20) -> int:
    """Steps that a time buys."""
    return max(least, int(seconds / a_step))


def train(config: Mapping[str, Any], data: Any, rate: float, steps: int, start: Any = None) -> Any:
    """The emulator after `steps` at `rate`, from new weights or from those of `start`; None where it diverged."""
    from kanop.builder import build
    from kanop.scripts.train import in_units, make_emulator
    from kanop.solvers import KanopError
    from kanop.training import fit

    names = ("loss", "strategy", "optim", "trainer", "augment")
    tree = {**config, "optim": {**config["optim"], "lr": rate}, "trainer": {**config["trainer"], "max_steps": steps}}
    parts = {name: build(tree[name], trusted=True) for name in names}
    parts["loss"] = in_units(parts["loss"], config, data)
    emulator = make_emulator(config, data) if start is None else start
    with tempfile.TemporaryDirectory() as folder:
        try:
            fitted = fit(emulator, data, **parts, run=Path(folder), seed=config["seed"], config=tree)
        except KanopError as error:
            if "diverged" not in str(error):
                raise
            return None
    return fitted.emulator.eval()


def validation(emulator: Any, data: Any, split: str, metric: Callable[..., Any]) -> float:
    """Mean of an error of one call over the windows of a split; infinite where it is not finite or nothing came."""
    import torch

    if emulator is None:
        return math.inf
    windows = data.windows(split)
    errors = []
    with torch.no_grad():
        for start in range(0, len(windows), 50):
            given, target = windows.__getitems__(list(range(start, min(start + 50, len(windows)))))
            errors.append(metric(emulator(given), target, windows.spec.grid))
    error = float(torch.cat(errors).mean())
    return error if math.isfinite(error) else math.inf


def search(
    operator: str, problem: Problem, seed: int, seconds: float, metric: Callable[..., Any]
) -> tuple[dict[str, Any], dict[str, float], Training]:
    """The modes and the rate of the least validation error after a quarter of the time; all errors; its training.

    Every number of modes is tried at the middle rate, then the other rates with the best of them.
    """
    errors: dict[tuple[int | None, float], float] = {}
    opened: dict[int | None, Training] = {}

    def attempt(modes: int | None, rate: float) -> None:
        if modes not in opened:
            opened[modes] = open_training(operator, problem, modes, seed)
        config, data, a_step = opened[modes]
        emulator = train(config, data, rate, steps_within(seconds / 4, a_step, 5))
        errors[modes, rate] = validation(emulator, data, "valid", metric)

    for modes in choices(operator, problem):
        attempt(modes, RATES[1])
    best = min(errors, key=lambda key: errors[key])[0]
    for rate in (RATES[0], RATES[2]):
        attempt(best, rate)
    modes, rate = min(errors, key=lambda key: errors[key])
    tried = {f"{m or ''} {r:g}".strip(): e for (m, r), e in errors.items() if math.isfinite(e)}
    return {"rate": rate, "modes": modes}, tried, opened[modes]


def _seconds_a_step(config: Mapping[str, Any], data: Any) -> float:
    """Processor time of a training step, its optimiser included: what 25 steps take beyond 5, once all is loaded."""
    spent = []
    for steps in (5, 5, 25):
        begin = time.process_time()
        train(config, data, RATES[0], steps)
        spent.append(time.process_time() - begin)
    return (spent[2] - spent[1]) / 20
