"""Floor 2: recipes, generation, storage, and readers for foreign formats."""

from __future__ import annotations

import importlib
from typing import Any

# Lazy (PEP 562): reading data must not load lightning, writing it must not load matplotlib before the
# preview.
_HOME = {
    "ArrayLayout": "arrays",
    "ArraySource": "arrays",
    "Certificate": "certificate",
    "DataModule": "datamodule",
    "Estimate": "estimation",
    "EveryPoint": "storing",
    "Frames": "frames",
    "Loader": "loader",
    "Recipe": "recipe",
    "Source": "source",
    "Statistics": "windows",
    "SteadyCertificate": "steady_certificate",
    "SteadyRecipe": "steady",
    "Truncated": "storing",
    "WellSource": "well",
    "Windows": "windows",
    "certify": "certificate",
    "estimate": "estimation",
    "from_arrays": "arrays",
    "generate": "generation",
    "open_data": "opening",
    "open_splits": "opening",
    "subsampled": "subsampling",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOME)
