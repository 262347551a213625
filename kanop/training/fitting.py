"""Fit an operator to data."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn

from kanop.operators import Emulator
from kanop.solvers import KanopError
from kanop.solvers.errors import check
from kanop.training.augment import Augmentation
from kanop.training.checkpoints import BEST, LAST, Checkpoints, DurableIO, Stopped, check_resume, read_checkpoint
from kanop.training.config import OptimConfig, TrainerConfig
from kanop.training.exports import model_tree, write_config
from kanop.training.loggers import make_loggers
from kanop.training.metrics_file import Rows
from kanop.training.module import Fitting
from kanop.training.progress import PlainLines, progress
from kanop.training.runs import lock, rank
from kanop.training.strategies import OneStep, Strategy

__all__ = ["Fitted", "fit"]


@dataclass(frozen=True)
class Fitted:
    """What training gives back.

    Attributes
    ----------
    emulator : with the trained (averaged, where EMA is on) weights, in evaluation mode, on the CPU
    run : the folder with `config.yaml`, `metrics.csv` and `checkpoints/`
    metrics : the last logged values
    steps : optimiser steps done
    seconds : of this process
    """

    emulator: Emulator
    run: Path
    metrics: dict[str, float]
    steps: int
    seconds: float


def fit(
    emulator: Emulator,
    data: lightning.LightningDataModule,
    loss: Any,
    strategy: Strategy | None = None,
    optim: OptimConfig | None = None,
    trainer: TrainerConfig | None = None,
    augment: Augmentation | None = None,
    *,
    run: str | Path,
    seed: int = 0,
    resume: bool = False,
    config: Mapping[str, Any] | None = None,
) -> Fitted:
    """min_θ E L(G_θ(u), v) by AdamW or SOAP; killed and resumed, it ends with the same bits on the CPU.

    Parameters
    ----------
    emulator : the operator with its normaliser; trained in place
    data : train and validation loaders of (input, target), resumable (`state_dict`), windows of
        n_out = strategy.horizon · spec.n_out frames
    loss : loss(prediction, target, grid) → scalar
    strategy : default `OneStep()`
    optim, trainer : default `OptimConfig()`, `TrainerConfig()`
    augment : symmetries that enlarge the data: `Mirror()` for Burgers, `BoxSymmetries()` for Darcy; default none
    run : the run's folder, as `new_run` made it; made here if it is not there
    seed : of noise, unrolling and dropout (≥ 0). The initial weights and the order of the data have their own.
    resume : go on from `run/checkpoints/last.ckpt`
    config : the resolved configuration, plain values, kept in `run/config.yaml`

    Raises
    ------
    KanopError : a folder that has a run already, a resume without checkpoint, with another configuration or operator,
        `device=cuda` without CUDA, windows of another length than the strategy needs
    KeyboardInterrupt : stopped by Ctrl-C or SIGTERM, after saving; its message says how to go on
    """
    strategy, optim, trainer = strategy or OneStep(), optim or OptimConfig(), trainer or TrainerConfig()
    run, started = Path(run), time.monotonic()
    if hasattr(data, "unroll"):
        data.unroll = strategy.horizon
    _check_before(emulator, strategy, trainer, seed)
    _claim(run, resume)
    module = Fitting(emulator, loss, strategy, optim, seed, trainer.max_steps, trainer.log_every_steps, augment)
    module.description = _description(emulator, loss, strategy, optim, trainer, augment, seed, config or {})
    with lock(run), _quiet(), torch.random.fork_rng(devices=[]), _threads(trainer.threads):
        start = run / LAST if resume and (run / LAST).exists() else None
        until = 0
        if start is not None:
            checkpoint = read_checkpoint(start)
            check_resume(start, checkpoint, module.description, emulator)
            until = int(checkpoint["global_step"])
        if rank() == 0 and not (run / "config.yaml").exists():
            write_config(run, emulator, config)
        driver = _driver(trainer, run, until)
        try:
            driver.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
        except Stopped as stop:
            raise KeyboardInterrupt(_how_to_go_on(run, stop.args[0])) from None
        return _result(emulator, driver, run, trainer.keep, time.monotonic() - started)


def _driver(trainer: TrainerConfig, run: Path, until: int) -> lightning.Trainer:
    """Lightning's Trainer for these settings."""
    bar = progress()
    callbacks: list[Callback] = [Rows(trainer.log_every_steps), bar, Checkpoints(run, trainer.checkpoint_every_steps)]
    if trainer.ema_decay is not None:
        # The normaliser's buffers are constants: averaging them would only round them.
        # One kernel for all weights; Lightning's EMAWeightAveraging takes them one by one.
        average = get_ema_multi_avg_fn(trainer.ema_decay)
        callbacks.append(WeightAveraging(use_buffers=False, multi_avg_fn=average))
    return lightning.Trainer(
        accelerator={"cuda": "gpu"}.get(trainer.device, trainer.device),
        devices=trainer.devices,
        num_nodes=trainer.num_nodes,
        strategy=trainer.distributed,
        precision=trainer.precision,  # type: ignore[arg-type]
        max_epochs=-1 if trainer.max_epochs is None else trainer.max_epochs,
        accumulate_grad_batches=trainer.accumulate,
        gradient_clip_val=trainer.gradient_clip,
        check_val_every_n_epoch=trainer.valid_every_epochs,
        log_every_n_steps=1,  # `Rows` says what is logged when
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=make_loggers(trainer.loggers, run, until),
        plugins=[DurableIO()],
        default_root_dir=run,
        enable_progress_bar=not isinstance(bar, PlainLines),
        enable_model_summary=False,
        inference_mode=False,
    )


def _result(emulator: Emulator, driver: lightning.Trainer, run: Path, keep: str, seconds: float) -> Fitted:
    # A checkpoint's `state_dict` holds the averaged weights where there are any, also when nothing was left to train.
    path = run / (BEST if keep == "best" and (run / BEST).exists() else LAST)
    weights = read_checkpoint(path)["state_dict"]
    own = {n.removeprefix("emulator."): w for n, w in weights.items() if n.startswith("emulator.")}
    emulator.cpu().load_state_dict(own)
    metrics = {name: float(value) for name, value in driver.callback_metrics.items()}
    return Fitted(emulator.eval(), run, metrics, driver.global_step, seconds)


def _check_before(emulator: Emulator, strategy: Strategy, trainer: TrainerConfig, seed: int) -> None:
    check(seed >= 0, f"seed is at least 0, got {seed}")
    needs_frames = strategy.horizon > 1 or strategy.noise > 0
    check(
        emulator.spec.n_in >= 1 or not needs_frames,
        "a map without given frames (n_in=0) has no rollout and no input noise: use strategy=one_step with noise=0",
    )
    if trainer.device == "cuda" and not torch.cuda.is_available():
        raise KanopError(
            "trainer.device=cuda was asked for, but this torch sees no CUDA device; use trainer.device=cpu (or auto), "
            "or install a CUDA build of torch"
        )


def _claim(run: Path, resume: bool) -> None:
    """The exclusive `mkdir` of `checkpoints/` is what makes a folder a run: one process wins, ever."""
    folder = run / "checkpoints"
    if resume:
        check(folder.is_dir(), f"nothing to resume in {run}: it has no checkpoints/; start a new run without resume")
        return
    if rank() != 0:
        return
    run.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise KanopError(
            f"{run} holds a run already; go on with it (kanop train resume={run}) or choose another folder"
        ) from error


def _description(
    emulator: Emulator,
    loss: Any,
    strategy: Strategy,
    optim: OptimConfig,
    trainer: TrainerConfig,
    augment: Augmentation | None,
    seed: int,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Plain values that say which run this is."""
    operator, tree = type(getattr(emulator, "operator", emulator)), model_tree(emulator, config.get("operator"))
    return {
        "class": f"{operator.__module__}.{operator.__qualname__}",
        "operator": tree["operator"],
        "increment": tree.get("increment"),
        "loss": _spell(loss),
        "strategy": _spell(strategy),
        "optim": asdict(optim),
        "trainer": asdict(trainer),
        "augment": None if augment is None else _spell(augment),
        "seed": seed,
        "data": config.get("data", {}),
    }


def _spell(thing: Any) -> dict[str, Any]:
    cls = type(thing)
    fields = asdict(thing) if is_dataclass(thing) and not isinstance(thing, type) else {"is": repr(thing)}
    return {"class": f"{cls.__module__}.{cls.__qualname__}", **fields}


def _how_to_go_on(run: Path, step: int) -> str:
    return f"stopped; step {step} is saved in {run / LAST}; go on with: kanop train resume={run}"


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's notes on hardware and its advertisements are not what a user asked for; warnings stay."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            # Lightning's own use of torch's trees, old to this torch; nothing that a user can act on.
            warnings.filterwarnings("ignore", message=r".*LeafSpec", category=FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
