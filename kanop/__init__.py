"""kanop: write a PDE once; solve it, record it, learn it, and judge what was learnt."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Lazy (PEP 562): `import kanop` costs nothing; a name loads the module that holds it at first use.
_HOME = {
    "Grid": "kanop.solvers",
    "FieldSpec": "kanop.solvers",
    "Trajectory": "kanop.solvers",
    "KanopError": "kanop.solvers",
    "SolverDiverged": "kanop.solvers",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kanop' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
