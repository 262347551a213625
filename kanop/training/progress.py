"""Progress of training: a bar on a terminal, plain lines in a file or a pipe."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback, RichProgressBar
from rich.console import Console

__all__ = ["PlainLines", "progress"]


def progress(console: Console | None = None) -> Callback:
    """The progress display that suits standard output."""
    console = console or Console()
    return RichProgressBar(leave=True) if console.is_terminal else PlainLines(console)


class PlainLines(Callback):
    """A line at the end of training's epochs, at most one every `seconds`, with loss, speed and time left.

    Parameters
    ----------
    console : where lines go
    seconds : least time between lines (≥ 0); the last epoch always has one
    """

    def __init__(self, console: Console, seconds: float = 10.0) -> None:
        self.console, self.seconds = console, seconds
        self._start, self._last, self._first = 0.0, 0.0, 0

    def on_train_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        self._start = self._last = time.monotonic()
        self._first = trainer.global_step

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        if time.monotonic() - self._last >= self.seconds:
            self._line(trainer, pl_module)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if trainer.global_step >= pl_module.steps:
            self._line(trainer, pl_module)

    def _line(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if not trainer.is_global_zero:
            return
        now, step, total = time.monotonic(), trainer.global_step, pl_module.steps
        self._last = now
        rate = (step - self._first) / max(now - self._start, 1e-9)
        values = {name: float(v) for name, v in trainer.callback_metrics.items() if "/" in name}
        said = "  ".join(f"{name} {value:.3g}" for name, value in values.items())
        left = (total - step) / rate if rate else float("inf")
        self.console.print(
            f"epoch {trainer.current_epoch + 1}  step {step}/{total}  {said}  {rate:.3g} steps/s  {left:.0f} s left",
            highlight=False,
            soft_wrap=True,
        )
