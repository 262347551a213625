"""Where tensors live, and in which precision."""

from __future__ import annotations

import torch

from kanop.solvers.errors import KanopError, check

__all__ = ["resolve_device", "resolve_dtype"]


def resolve_device(device: torch.device | str) -> torch.device:
    """The torch device named `device`, refused with advice where this torch has no such device."""
    try:
        device = torch.device(device)
    except RuntimeError as error:
        raise KanopError(f"expected a device such as cpu, cuda or cuda:1, got {device!r}") from error
    if device.type == "cuda":
        check(
            torch.cuda.is_available(),
            "device=cuda was asked for, but this torch sees no CUDA device; "
            "use device=cpu or install a CUDA build of torch",
        )
    return device


def resolve_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """float32 or float64, or the one of that name; anything else is refused."""
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if found not in (torch.float32, torch.float64):
        raise KanopError(f"dtype is float32 or float64, got {dtype}")
    return found
