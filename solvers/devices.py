"""Where tensors live."""

from __future__ import annotations

import torch

from kanop.solvers.errors import KanopError, check

__all__ = ["resolve_device"]


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
