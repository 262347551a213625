"""`kanop train data=NAME operator=NAME …`: fit an operator to a data set and export it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def train(config: dict[str, Any]) -> None:
    """Fit `operator` to `data` and export it to a new run folder.

    `resume=RUN` goes on with one that was stopped; `start=RUN` fine-tunes a finished one in a new folder.
    """
    from kanop.config import check_groups
    from kanop.scripts.console import say

    if config["resume"] is not None:
        config = resumed(config)
    elif config["start"] is not None:
        config = started(config)
    check_groups(config)
    run = fit_run(config)
    say(f"next: kanop evaluate run={run}, then kanop report run={run}")


def fit_run(config: dict[str, Any]) -> Path:
    """Train as `config` says and return the run folder."""
    from kanop.builder import build
    from kanop.scripts.console import say
    from kanop.training import export, fit, new_run

    names = ("loss", "strategy", "optim", "trainer", "augment")
    parts = {name: build(config[name], trusted=True) for name in names}
    foresee(config, parts)
    data = open_module(config, parts["strategy"].horizon)
    emulator = make_emulator(config, data)
    parts["loss"] = in_units(parts["loss"], config, data)
    say(f"   {forecast(emulator, data, parts)}")
    resume = config["resume"] is not None
    run = Path(config["resume"]) if resume else new_run(config["runs"], config["name"])
    say(f"   run folder {run}")
    kept = {key: value for key, value in config.items() if key not in ("resume", "words")}
    fitted = fit(emulator, data, **parts, run=run, seed=config["seed"], resume=resume, config=kept)
    export(run, fitted.emulator, kept)
    return run


def foresee(config: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """Meet what would stop the training before the data are made: a device that is not there, modes that do not fit."""
    from kanop.builder import build
    from kanop.datasets.subsampling import subsampled
    from kanop.solvers import FieldSpec
    from kanop.solvers.devices import resolve_device

    if parts["trainer"].device != "auto":
        resolve_device(parts["trainer"].device)
    tree, windows = config["data"].get("recipe"), config["data"]["windows"]
    if tree is not None:
        recipe = build(tree, trusted=True)
        grid, _ = subsampled(recipe.stored_grid, windows["subsample"])
        frames = {name: windows[name] for name in ("n_in", "n_out")}
        build(config["operator"], trusted=True, spec=FieldSpec(grid, recipe.fields, recipe.constants, **frames))


def open_module(config: Mapping[str, Any], horizon: int) -> Any:
    """The data module of `data`, made first where the data are missing."""
    import os

    from kanop.builder import build
    from kanop.datasets import DataModule, open_splits
    from kanop.datasets.manifest import load_manifest
    from kanop.scripts.generate import make_data
    from kanop.solvers.errors import check

    data = config["data"]
    if data.get("recipe") is not None:
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            make_data(data)
        path = Path(data["path"])
        manifest = load_manifest(path) if path.is_dir() else None
        made = manifest is not None and manifest["complete"]
        check(made, f"{path} is not there or not finished; before many ranks start: kanop generate data={data['name']}")
    layout = data.get("layout")
    sources = open_splits(data["path"], None if layout is None else build(layout, trusted=True))
    module = DataModule(sources, **data["windows"], batch_size=config["batch_size"], seed=config["seed"])
    module.unroll = horizon
    return module


def make_emulator(config: Mapping[str, Any], data: Any) -> Any:
    """The operator of `config` with the normalisers of the training data; its weights are a function of `seed`.

    With `start`, the emulator of that run as it is.
    """
    import torch

    from kanop.builder import build
    from kanop.operators import Emulator, Normaliser
    from kanop.solvers.errors import check
    from kanop.training import load

    # Runs from before this key was there can be resumed.
    if config.get("start") is not None:
        emulator = load(config["start"]).train()
        for name in ("fields", "constants", "n_in", "n_out", "dt"):
            had, has = getattr(emulator.spec, name), getattr(data.spec, name)
            check(had == has, f"{config['start']} was trained on {name} = {had}, the data have {name} = {has}")
        return emulator
    increment, spec, known = config["increment"], data.spec, data.statistics()
    check(
        not increment or known.increment_mean is not None,
        "increment=true needs a given frame: n_in >= 1 in data.windows",
    )
    mean, std = known.output_mean, known.output_std
    if increment:
        mean, std = known.increment_mean, known.increment_std
    torch.manual_seed(config["seed"])
    operator = build(config["operator"], trusted=True, spec=spec)
    given = Normaliser(known.input_mean, known.input_std)
    return Emulator(operator, spec, given, Normaliser(mean, std), increment)


def in_units(loss: Any, config: Mapping[str, Any], data: Any) -> Any:
    """`loss`, where `standardise` says so of fields in units of the training data's spread."""
    from kanop.losses import Standardised

    known = data.statistics()
    return Standardised(loss, known.output_mean.tolist(), known.output_std.tolist()) if config["standardise"] else loss


def forecast(emulator: Any, data: Any, parts: Mapping[str, Any]) -> str:
    """Size, memory and time of the training, from one step on this machine."""
    import time

    import torch

    from kanop.scripts.console import duration

    trainer, strategy = parts["trainer"], parts["strategy"]
    loader = data.train_dataloader()
    batch, _ = next(iter(loader))
    cuda = trainer.device == "cuda" or (trainer.device == "auto" and torch.cuda.is_available())
    device = "cuda" if cuda and torch.cuda.is_available() else "cpu"
    model, batch, kept = emulator.to(device), batch.to(device), {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    for _ in range(3):  # the last of three: the first ones also make plans and caches
        kept.clear()
        begin = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model(batch).square().mean().backward()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
    model.zero_grad(set_to_none=True)
    emulator.cpu()
    weights = sum(p.numel() * p.element_size() for p in emulator.parameters())
    calls = sum(strategy.calls(p / 10, 0.5) for p in range(10)) / 10
    each = -(-len(loader) // (trainer.devices * trainer.num_nodes * trainer.accumulate))
    steps = each * trainer.max_epochs if trainer.max_epochs else trainer.max_steps
    steps = min(steps, trainer.max_steps or steps)
    count = sum(p.numel() * (2 if p.is_complex() else 1) for p in emulator.parameters())
    memory = (5 * weights + sum(kept.values()) * strategy.horizon) / 2**20
    return (
        f"training {type(emulator.operator).__name__}: {count:,} parameters, {len(data.windows('train')):,} samples, "
        f"{steps:,} steps on {device}, about {memory:.3g} MiB and {duration(1.15 * steps * seconds * calls)}"
    )


def started(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the operator of the run that this one starts from."""
    from kanop.solvers.errors import check
    from kanop.training import load, read_config

    run = Path(config["start"])
    for key in ("operator", "increment"):
        given = [word for word in config["words"] if word.lstrip("+~").startswith((f"{key}=", f"{key}."))]
        check(not given, f"start={run} brings its own {key}: leave out {' '.join(given)}")
    # What loads is what safe loading admits; nothing else of that file is built.
    load(run)
    before = read_config(run)
    operator = {key: value for key, value in before["model"]["operator"].items() if key != "spec"}
    named = any(word.startswith("name=") for word in config["words"])
    name = config["name"] if named else f"{before.get('name', run.name)}-tuned"
    return {**config, "operator": operator, "increment": before["model"]["increment"], "name": name}


def resumed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that the run to resume was started with, and what the command line changes in it."""
    from kanop.config import overlay
    from kanop.training import read_config

    run = Path(config["resume"])
    before = {key: value for key, value in read_config(run).items() if key != "model"}
    words = [word for word in config["words"] if not word.startswith("resume=")]
    return {**overlay(before, words), "resume": str(run)}


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["train", *sys.argv[1:]], script=[sys.argv[0]])
