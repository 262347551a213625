"""Checkpoints that a kill cannot break, from which training goes on bit for bit, and that hold no pickled objects."""

from __future__ import annotations

import io
import pickle
import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from kanop.datasets.durable import write_durably
from kanop.operators import Emulator
from kanop.solvers import KanopError
from kanop.solvers.errors import check

__all__ = ["BEST", "LAST", "Checkpoints", "DurableIO", "Stopped", "check_resume", "read_checkpoint"]

LAST, BEST = "checkpoints/last.ckpt", "checkpoints/best.ckpt"
# What a run may change and still be the same run: where it computes and what it tells.
_FREE = {
    "trainer.checkpoint_every_steps",
    "trainer.device",
    "trainer.keep",
    "trainer.log_every_steps",
    "trainer.loggers",
    "trainer.threads",
}


class Stopped(BaseException):
    """Training was asked to stop, and has saved where it is; no error, hence no Exception."""


class DurableIO(TorchCheckpointIO):
    """Whole files or none, and nothing but tensors and plain values when reading."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write beside, flush to the disk, rename."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_durably(Path(path), buffer.getvalue())

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Read without running code."""
        return read_checkpoint(Path(path))


class Checkpoints(Checkpoint):
    """`last.ckpt` at the start, every N steps and at every epoch's end; `best.ckpt` at the lowest validation loss.

    SIGINT (Ctrl-C) and SIGTERM stop training after the step under way, which is saved first; a second one stops at
    once. A checkpoint is only written between two steps: from the middle of one, none can go on exactly.

    Parameters
    ----------
    run : the run's folder
    every : steps between checkpoints
    """

    def __init__(self, run: Path, every: int) -> None:
        super().__init__()
        self.run, self.every = run, every
        self.best = float("inf")
        self.batches: float = 0
        self._asked, self._saved = False, -1
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        now = trainer.num_training_batches
        self.batches = self.batches or now
        # Every step of a resumed epoch would differ.
        words = f"this run was started with {self.batches} batches an epoch, and now has {now}: give it the same data"
        check(self.batches == now, words)
        self._saved = self._step = trainer.global_step
        if not (self.run / LAST).exists():
            self._save(trainer, LAST)
        try:
            self._before = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: whoever owns it handles signals
            self._before = {}

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        step, last_batch = trainer.global_step, trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        # Between two batches whose gradients are summed into one step there is nothing that could be saved.
        stepped, self._step = step != self._step, step
        # The last step of an epoch, and of training, is saved after validation.
        if not stepped or last_batch or step >= pl_module.steps:
            return
        stop = self._stop(trainer)
        if stop or step % self.every == 0:
            self._save(trainer, LAST)
        if stop:
            raise Stopped(self._saved)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        loss = trainer.callback_metrics.get("valid/loss")
        if loss is not None and float(loss) < self.best:
            self.best = float(loss)
            self._save(trainer, BEST)
        # Last: a kill between the two writes goes on from before both, and makes both again.
        self._save(trainer, LAST)
        if self._stop(trainer):
            raise Stopped(self._saved)

    def on_exception(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._release()

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._release()

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "batches": self.batches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.batches = state_dict["best"], state_dict["batches"]

    def _save(self, trainer: lightning.Trainer, name: str) -> None:
        # Rows that a checkpoint has behind it must be on disk when it is.
        for logger in trainer.loggers:
            logger.save()
        self._saved = trainer.global_step
        trainer.save_checkpoint(self.run / name)

    def _stop(self, trainer: lightning.Trainer) -> bool:
        # All ranks stop at the same step, or the others would wait for the gradients of one that left.
        alone = trainer.world_size == 1
        return self._asked if alone else trainer.strategy.reduce_boolean_decision(self._asked, all=False)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            self._release()
            raise Stopped(self._saved)
        self._asked = True

    def _release(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The tensors and plain values of a checkpoint; a file with anything else is refused.

    Raises
    ------
    KanopError : no such file, a damaged one, one that holds pickled objects
    """
    check(path.exists(), f"no checkpoint {path}")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise KanopError(
            f"{path} is refused: it holds pickled objects, and reading those runs the code inside; expected a "
            "checkpoint of kanop: tensors and plain values"
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise KanopError(f"{path} is damaged, or no checkpoint at all: {str(error).splitlines()[0]}") from error
    check(isinstance(checkpoint, dict) and "kanop" in checkpoint, f"{path} is no checkpoint of kanop")
    return checkpoint


def check_resume(path: Path, checkpoint: Mapping[str, Any], description: Mapping[str, Any], emulator: Emulator) -> None:
    """Raise `KanopError` unless `checkpoint` is of this operator and of this run's configuration."""
    was, now = checkpoint["kanop"], description
    check(
        was["class"] == now["class"],
        f"{path} is a checkpoint of another operator: expected {now['class']}, got {was['class']}",
    )
    weights = checkpoint["state_dict"]
    have = {f"emulator.{name}": tuple(value.shape) for name, value in emulator.state_dict().items()}
    came = {name: tuple(value.shape) for name, value in weights.items() if name.startswith("emulator.")}
    for name in sorted(have.keys() | came.keys()):
        check(
            have.get(name) == came.get(name),
            f"{path} is a checkpoint of another operator: for {name.removeprefix('emulator.')} expected the shape "
            f"{have.get(name, 'none')}, got {came.get(name, 'none')}",
        )
    before, after = _flat(was), _flat(now)
    changed = [
        f"  {key}: was {before.get(key)!r}, now {after.get(key)!r}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and not any(key == f or key.startswith(f"{f}.") for f in _FREE)
    ]
    check(
        not changed,
        "a run resumes with the configuration that it was started with, from which its schedule and its random numbers "
        "follow; these keys differ:\n" + "\n".join(changed) + "\nset them back, or start a new run",
    )


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, Mapping) or not tree:
        return {prefix: list(tree) if isinstance(tree, tuple) else tree}
    parts = (_flat(child, f"{prefix}.{name}" if prefix else name) for name, child in tree.items())
    return {key: value for part in parts for key, value in part.items()}
