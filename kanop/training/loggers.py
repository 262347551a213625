"""Where numbers go while training: `metrics.csv` always, and the trackers that were asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import loggers as trackers
from lightning.pytorch.loggers import Logger

from kanop.solvers import KanopError
from kanop.training.metrics_file import MetricsFile

__all__ = ["make_loggers"]

# Lightning names a tracker's arguments differently for each.
_TRACKERS: dict[str, Callable[[Path], Any]] = {
    "tensorboard": lambda run: trackers.TensorBoardLogger(run, name="", version="tensorboard"),
    "wandb": lambda run: trackers.WandbLogger(name=run.name, save_dir=run, project="kanop"),
    "mlflow": lambda run: trackers.MLFlowLogger(
        "kanop", run_name=run.name, tracking_uri=(run / "mlflow").resolve().as_uri()
    ),
}


def make_loggers(names: Sequence[str], run: Path, until: int) -> list[Logger]:
    """`metrics.csv` of `run`, kept up to step `until`, and the trackers called `names`.

    Raises
    ------
    KanopError : a tracker that is not installed
    """
    made: list[Logger] = [MetricsFile(run / "metrics.csv", until)]
    for name in names:
        try:
            made.append(_TRACKERS[name](run))
        except ModuleNotFoundError as error:
            raise KanopError(f"the logger {name} is not installed: pip install 'kanop[{name}]'") from error
    return made
