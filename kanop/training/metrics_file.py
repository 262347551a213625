"""`metrics.csv`: one row a logged step, continued by a resumed run where its checkpoint stood."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from kanop.datasets.durable import write_durably
from kanop.solvers import KanopError
from kanop.training.runs import rank

__all__ = ["COLUMNS", "MetricsFile", "Rows"]

COLUMNS = ("epoch", "step", "train/loss", "valid/loss", "valid/relative_l2", "lr", "grad_norm", "samples_per_second")


class Rows(Callback):
    """Hands the numbers of steps and validations to the loggers, before a checkpoint of that step is written.

    Lightning's own `log` does it after, so that a resumed run would lack the row of the step that it goes on from.

    Parameters
    ----------
    every : steps between rows
    """

    def __init__(self, every: int) -> None:
        self.every, self._step, self._seen, self._since = every, -1, 0, 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Validation is no training time.
        self._step, self._seen, self._since = trainer.global_step, 0, time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._seen += len(batch[0])
        step = trainer.global_step
        if step == self._step or step % self.every:
            return
        now = time.monotonic()
        speed = self._seen * trainer.world_size / max(now - self._since, 1e-9)
        self._step, self._seen, self._since = step, 0, now
        loss = float(trainer.callback_metrics["train/loss"])
        if not math.isfinite(loss):
            raise KanopError(
                f"the training loss is {loss} at step {step}: training diverged. Lower optim.lr, or limit the gradient "
                "(trainer.gradient_clip=1.0); in half precision, try trainer.precision=32-true"
            )
        self._hand(trainer, {"train/loss": loss, **pl_module.row, "samples_per_second": speed})

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        values = {n: float(v) for n, v in trainer.callback_metrics.items() if n.startswith("valid/")}
        self._hand(trainer, values)

    def _hand(self, trainer: lightning.Trainer, values: Mapping[str, float]) -> None:
        for logger in trainer.loggers:
            logger.log_metrics({"epoch": trainer.current_epoch, **values}, trainer.global_step)


class MetricsFile(Logger):
    """Rows of `COLUMNS`, `step` counting optimiser steps done.

    Lightning's own CSV logger deletes the rows of the run that it continues.

    Parameters
    ----------
    path : the file
    until : rows after this step are dropped: the killed run wrote them after its last checkpoint; None = a new file
    """

    def __init__(self, path: Path, until: int | None = None) -> None:
        super().__init__()
        self.path = path
        self._rows: list[dict[str, Any]] = []
        if until is not None and path.exists() and rank() == 0:
            rows = csv.DictReader(io.StringIO(path.read_text()))
            self._rows = [row for row in rows if int(row["step"]) <= until]
            # In one rename: a kill leaves the old file or the new one.
            write_durably(path, self._text(header=True).encode())

    @property
    def name(self) -> str:
        """No name: the run's folder has one."""
        return ""

    @property
    def version(self) -> str:
        """No version: a run is trained once."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration lies beside, in `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep a row until the next `save`."""
        known = {name: value for name, value in metrics.items() if name in COLUMNS}
        self._rows.append({**known, "step": step or 0})

    @rank_zero_only
    def save(self) -> None:
        """Append the rows that were kept."""
        if not self._rows:
            return
        with self.path.open("a") as file:
            file.write(self._text(header=not self.path.stat().st_size))

    def _text(self, header: bool) -> str:
        """The rows that were kept, which are then forgotten."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(self._rows)
        self._rows = []
        return text.getvalue()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left."""
        self.save()
