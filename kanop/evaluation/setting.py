"""What was evaluated: problem, operator, test data, machine, as plain words and numbers."""

from __future__ import annotations

import inspect
import platform
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kanop.evaluation.speedup import Cell
from kanop.evaluation.truth import Truth
from kanop.solvers import SphereGrid

__all__ = ["cell", "setting"]


def setting(emulator: Any, source: Any, recipe: Any, truth: Truth, prediction: Tensor, batch: int) -> dict[str, Any]:
    """The four tables above the numbers."""
    return {
        "problem": _problem(recipe, truth),
        "operator": _operator(emulator),
        "test": {
            "data": str(getattr(source, "name", "")),
            "samples": len(truth.frames),
            "steps": truth.steps,
            "batch": batch,
            "stored_shape": list(source.grid.shape),
            "diverged": int((~torch.isfinite(prediction).flatten(1).all(1)).sum()),
        },
        "machine": {
            "device": str(truth.frames.device),
            "processor": _processor(truth.frames.device),
            "threads": torch.get_num_threads(),
            "precision": str(truth.frames.dtype).removeprefix("torch."),
            "versions": _versions(),
        },
    }


def cell(c: Cell) -> dict[str, Any]:
    """A solver setting, with the words for it."""
    return {**asdict(c), "words": str(c)}


def _problem(recipe: Any, truth: Truth) -> dict[str, Any]:
    spec = truth.spec
    out: dict[str, Any] = {
        "fields": list(spec.fields),
        "constants": list(spec.constants),
        "n_in": spec.n_in,
        "n_out": spec.n_out,
        "dt": spec.dt,
        "shape": list(truth.grid.shape),
        "highest": truth.grid.degree if isinstance(truth.grid, SphereGrid) else min(truth.grid.shape) // 2,
        "lengths": list(getattr(truth.grid, "lengths", ())),
        "boundaries": list(truth.grid.boundaries),
        "origin": list(getattr(truth.grid, "origin", ())),
        "horizon": float(truth.leads[-1]),
        "equation": None,
        "parameters": {},
    }
    if recipe is not None:
        equation = recipe.equation
        out["equation"] = type(equation).__name__
        out["formula"] = (inspect.getdoc(type(equation)) or "").split("\n")[0].split(". ")[0].rstrip(".")
        if is_dataclass(equation):
            constants = {f.name: getattr(equation, f.name) for f in fields(equation)}
            out["parameters"] = {k: v for k, v in constants.items() if isinstance(v, int | float | str)}
    return out


def _operator(emulator: Any) -> dict[str, Any]:
    operator = getattr(emulator, "operator", emulator)
    weights = [p for p in emulator.parameters() if p.requires_grad]
    return {
        "name": type(operator).__name__,
        # A complex weight is two numbers.
        "parameters": sum(p.numel() * (2 if p.is_complex() else 1) for p in weights),
        "n_modes": list(getattr(operator, "n_modes", None) or []),
        "increment": bool(getattr(emulator, "increment", False)),
        "formula": (inspect.getdoc(type(operator)) or "").split("\n")[0].rstrip("."),
    }


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    names = [s for s in info.read_text().splitlines() if s.startswith("model name")] if info.exists() else []
    return names[0].split(":", 1)[1].strip() if names else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    import kanop

    return {"kanop": kanop.__version__, "torch": torch.__version__, "python": platform.python_version()}
