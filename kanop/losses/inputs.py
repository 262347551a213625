"""What every loss demands of its arguments."""

from __future__ import annotations

from torch import Tensor

from kanop.solvers import Geometry, KanopError

__all__ = ["check_pair"]


def check_pair(prediction: Tensor, target: Tensor, grid: Geometry) -> None:
    """Raise KanopError unless both are (b, c, *x) of one shape, with x the shape of `grid`; nothing broadcasts."""
    if prediction.shape != target.shape:
        raise KanopError(
            f"prediction and target need one shape (b, c, *x), got {tuple(prediction.shape)} and {tuple(target.shape)}"
        )
    if prediction.ndim != grid.ndim + 2 or tuple(prediction.shape[2:]) != tuple(grid.shape):
        raise KanopError(
            f"expected fields (b, c, *x) on the grid {tuple(grid.shape)}, got shape {tuple(prediction.shape)}; "
            "use grid.with_shape(...) for another resolution"
        )
