"""A picture of the first trajectories, the same bytes for the same frames."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Grid

__all__ = ["preview_png"]

# From this many frames on a one-dimensional trajectory is shown as an image over space and time.
MANY_FRAMES = 8


def preview_png(u: Float[Tensor, "b t c *x"], grid: Grid, times: Sequence[float], fields: Sequence[str]) -> bytes:
    """PNG with one row a sample: lines or a space-time image in 1D; in 2D and 3D the first and last frame."""
    # Drawn without pyplot, which keeps global state, and in matplotlib's own style whatever the user's is.
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.style.context("default"):
        columns = 1 if grid.ndim == 1 else 2
        figure = Figure(figsize=(4.5 * columns, 2.4 * len(u)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(u), columns, squeeze=False)
        for row, sample in enumerate(u):
            if grid.ndim == 1:
                _draw_line(axes[row, 0], sample[:, 0], grid, times, fields[0])
                continue
            for column, frame in enumerate((0, len(times) - 1)):
                _draw_image(axes[row, column], sample[frame, 0], grid)
                axes[row, column].set_title(f"{fields[0]}, t = {times[frame]:g}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    return buffer.getvalue()


def _draw_line(axes: Any, u: Tensor, grid: Grid, times: Sequence[float], field: str) -> None:
    x = grid.points[0].cpu().numpy()
    if len(times) >= MANY_FRAMES:
        axes.pcolormesh(x, times, u.numpy(), cmap="RdBu_r", shading="nearest", rasterized=True)
        axes.set(xlabel="x", ylabel="t", title=field)
        return
    for time, values in zip(times, u, strict=True):
        axes.plot(x, values.numpy(), label=f"t = {time:g}")
    axes.set(xlabel="x", ylabel=field)
    axes.legend(loc="upper right", fontsize=8)


def _draw_image(axes: Any, u: Tensor, grid: Grid) -> None:
    while u.ndim > 2:
        u = u[..., u.shape[-1] // 2]
    (left, bottom), (width, height) = grid.origin[:2], grid.lengths[:2]
    axes.imshow(u.T.numpy(), origin="lower", cmap="RdBu_r", extent=(left, left + width, bottom, bottom + height))
    axes.set(xlabel="x", ylabel="y")
