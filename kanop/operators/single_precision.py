"""Models of libraries that know float32 alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kanop.solvers.errors import check

__all__ = ["SinglePrecision"]


class SinglePrecision(nn.Module):
    """A module that stays in float32: a change to another precision is refused, not half done."""

    single_precision = True

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> SinglePrecision:
        # `.double()` casts complex weights to real ones, silently, and leaves tables behind that are no buffers.
        dtype = fn(torch.zeros((), dtype=torch.float32)).dtype
        check(
            dtype == torch.float32,
            f"{type(self).__name__} of its library works in float32 only, it cannot become {dtype}; use FNO or SFNO",
        )
        return super()._apply(fn, recurse)
