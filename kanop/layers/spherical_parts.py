"""Parts of torch-harmonics that not every version has."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Any

from kanop.solvers import KanopError

__all__ = ["spherical_part"]


def spherical_part(name: str, since: str, module: str = "torch_harmonics") -> Any:
    """`module.name`, or KanopError saying which version has it."""
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise KanopError(
            f"torch-harmonics {version('torch-harmonics')} has no {module}.{name}, which is there since {since}: "
            "pip install 'torch-harmonics>=0.8,<0.9'"
        ) from error
