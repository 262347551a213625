"""Where tensors live."""

from __future__ import annotations

import torch

from kanop.solvers.errors import check

__all__ = ["resolve_device"]


def resolve_device(device: torch.device | str) -> torch.device:
    """The torch device named `device`, refused with advice where this torch has no such device."""
    device = torch.device(device)
    if device.type == "cuda":
        check(
            torch.cuda.is_available(),
            "device=cuda was asked for, but this torch sees no CUDA device; "
            "use device=cpu or install a CUDA build of torch",
        )
    return device
