"""Floor 5: fitting an operator to data, resuming bit for bit, exporting and safely loading what was learnt."""

from __future__ import annotations

import importlib
from typing import Any

# Lazy (PEP 562): `kanop.load` and the strategies never load Lightning; only fitting does.
_HOME = {
    "Fitted": "kanop.training.fitting",
    "BoxSymmetries": "kanop.training.augment",
    "Mirror": "kanop.training.augment",
    "OneStep": "kanop.training.strategies",
    "OptimConfig": "kanop.training.config",
    "Pushforward": "kanop.training.strategies",
    "TrainerConfig": "kanop.training.config",
    "Unrolled": "kanop.training.strategies",
    "export": "kanop.training.exports",
    "fit": "kanop.training.fitting",
    "learning_rate": "kanop.training.schedule",
    "load": "kanop.training.exports",
    "new_run": "kanop.training.runs",
    "read_config": "kanop.training.exports",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kanop.training' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
