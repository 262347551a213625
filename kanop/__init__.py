"""kanop: write a PDE once; solve it, record it, learn it, and judge what was learnt."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Lazy (PEP 562): `import kanop` costs nothing; a name loads the module that holds it at first use.
_NAMES = {
    "kanop.solvers": (
        "Burgers",
        "DataError",
        "Equation",
        "FieldSpec",
        "GaussianRandomField",
        "Grid",
        "KanopError",
        "SolverDiverged",
        "SphereGrid",
        "Trajectory",
        "solve",
    ),
    "kanop.datasets": ("DataModule", "Recipe", "Windows", "generate", "open_data"),
    "kanop.operators": (
        "CODANO",
        "FFNO",
        "FNO",
        "FNOGNO",
        "GINO",
        "KANFNO",
        "KANO",
        "SFNO",
        "TFNO",
        "UNO",
        "DeepOKAN",
        "DeepONet",
        "Emulator",
        "KANIntegral",
        "KANSpectral",
        "LocalNO",
        "NeuralopFNO",
        "Normaliser",
        "ResNet",
        "UNet",
    ),
    "kanop.losses": ("Sobolev", "Standardised", "WeightedSum"),
    "kanop.training": ("OneStep", "Pushforward", "Unrolled", "export", "fit", "load"),
    "kanop.evaluation": ("Evaluation", "evaluate", "rollout", "write_report"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kanop' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
