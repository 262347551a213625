"""`kanop evaluate run=RUN`: measure a trained operator on test data and against the solver."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def evaluate(config: dict[str, Any]) -> None:
    """Write RUN/evaluation.json and print the main numbers."""
    from kanop.scripts.console import say

    run = Path(config["run"])
    evaluation = evaluate_run(config)
    for name, value in evaluation.scores.items():
        say(f"   {name:<24} {'–' if value is None else f'{value:.4g}'}")
    say(f"wrote {run / 'evaluation.json'}\nnext: kanop report run={run}")


def evaluate_run(config: dict[str, Any]) -> Any:
    """Evaluate the run's emulator on the test split of the data that it was trained on."""
    from dataclasses import replace

    import torch

    from kanop.builder import build
    from kanop.config import check_arguments
    from kanop.datasets import open_data
    from kanop.evaluation import evaluate as measure
    from kanop.solvers.devices import resolve_device
    from kanop.solvers.errors import check
    from kanop.training import load, read_config

    settings = {name: config[name] for name in ("samples", "steps", "batch_size", "budget") if config[name] is not None}
    check_arguments(measure, settings, "")
    run = Path(config["run"])
    saved = read_config(run)
    data, trust = saved.get("data") or {}, config["trust"]
    check("path" in data, f"{run}/config.yaml does not say on which data the run was trained")
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    device = resolve_device(automatic if config["device"] == "auto" else config["device"])
    emulator = load(run, allow=named_classes(saved) if trust else ())
    tree, layout = data.get("recipe"), data.get("layout")
    recipe = None if tree is None else build(tree, trusted=trust)
    source = open_data(data["path"], "test", None if layout is None else build(layout, trusted=trust))
    evaluation = measure(emulator.to(device), source, recipe, **settings)
    # Its options made the numbers: the report repeats them.
    evaluation = replace(evaluation, setting={**evaluation.setting, "command": config.get("command")})
    evaluation.save(run / "evaluation.json")
    return evaluation


def named_classes(tree: Any) -> list[type]:
    """Every class that a run's configuration names, imported: only for runs that you trust."""
    from kanop.builder import locate

    if isinstance(tree, dict):
        own = [locate(tree["_target_"])] if "_target_" in tree else []
        return own + [cls for child in tree.values() for cls in named_classes(child)]
    return [cls for child in tree for cls in named_classes(child)] if isinstance(tree, list) else []


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["evaluate", *sys.argv[1:]], script=[sys.argv[0]])
