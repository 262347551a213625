"""A picture of the first samples, the same bytes for the same fields."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from kanop.solvers import Geometry, Grid, SphereGrid

__all__ = ["preview_png"]

# From this many frames on a one-dimensional trajectory is shown as an image over space and time.
MANY_FRAMES = 8


def preview_png(
    sample: tuple[Float[Tensor, "b t c *x"], Float[Tensor, "b a *x"]],
    grid: Geometry,
    times: Sequence[float],
    names: tuple[Sequence[str], Sequence[str]],
) -> bytes:
    """PNG with one row a sample: what is given, then each field.

    In 1D lines, or an image over space and time; in 2D the first, the middle and the last frame, in 3D slices through
    the middle of these; one field of many has one column of its own at the last frame.
    """
    # Drawn without pyplot, which keeps global state, and in matplotlib's own style whatever the user's is.
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    frames, given = sample
    with matplotlib.style.context("default"):
        rows = [list(_panels(u, a, grid, times, names)) for u, a in zip(frames, given, strict=True)]
        columns = len(rows[0])
        width = 4.5 if grid.ndim == 1 else 3.1
        figure = Figure(figsize=(width * columns, 2.5 * len(rows)), layout="constrained")
        FigureCanvasAgg(figure)
        kind = {"projection": "mollweide"} if isinstance(grid, SphereGrid) else {}
        axes = figure.subplots(len(rows), columns, squeeze=False, subplot_kw=kind)
        for row, panels in zip(axes, rows, strict=True):
            for place, (title, values) in zip(row, panels, strict=True):
                _drawing(grid)(figure, place, values, grid, times)
                place.set_title(title, fontsize=9)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    return buffer.getvalue()


def _drawing(grid: Geometry) -> Callable[..., None]:
    return _draw_map if isinstance(grid, SphereGrid) else _draw_line if grid.ndim == 1 else _draw_image


def _panels(
    u: Tensor, a: Tensor, grid: Geometry, times: Sequence[float], names: tuple[Sequence[str], Sequence[str]]
) -> Iterator[tuple[str, Tensor]]:
    """(title, values) of every panel of one sample."""
    fields, constants = names
    for name, values in zip(constants, a, strict=True):
        yield name, values[None] if grid.ndim == 1 else values
    if grid.ndim == 1:
        yield from ((name, u[:, i]) for i, name in enumerate(fields))
        return
    last = len(times) - 1
    for frame in sorted({0, last // 2, last}):
        yield fields[0] + (f", t = {times[frame]:g}" if last else ""), u[frame, 0]
    yield from ((f"{name}, t = {times[last]:g}", u[last, i]) for i, name in enumerate(fields) if i)


def _draw_line(figure: Any, axes: Any, u: Tensor, grid: Geometry, times: Sequence[float]) -> None:
    x = grid.points[0].cpu().numpy()
    axes.set_xlabel("x")
    if len(u) >= MANY_FRAMES:
        shown = axes.pcolormesh(x, times, u.numpy(), shading="nearest", rasterized=True, **_colours(u))
        axes.set_ylabel("t")
        figure.colorbar(shown, ax=axes)
        return
    for time, values in zip(times, u, strict=False):
        axes.plot(x, values.numpy(), label=f"t = {time:g}")
    if len(u) > 1:
        axes.legend(loc="upper right", fontsize=8)


def _draw_map(figure: Any, axes: Any, u: Tensor, grid: SphereGrid, times: Sequence[float]) -> None:
    """The whole sphere with true areas, longitude 0 in the middle."""
    latitude, longitude = (x.cpu().numpy() for x in grid.points)
    # Edges of the cells; the poles close the first and the last row.
    rows = np.concatenate([[np.pi / 2], (latitude[1:] + latitude[:-1]) / 2, [-np.pi / 2]])
    columns = np.linspace(-np.pi, np.pi, len(longitude) + 1)
    turned = u.roll(len(longitude) // 2, -1).numpy()
    shown = axes.pcolormesh(columns, rows, turned, rasterized=True, **_colours(u))
    axes.grid(linewidth=0.3)
    axes.set(xticklabels=[], yticklabels=[])
    figure.colorbar(shown, ax=axes, shrink=0.7).ax.tick_params(labelsize=7)


def _draw_image(figure: Any, axes: Any, u: Tensor, grid: Grid, times: Sequence[float]) -> None:
    while u.ndim > 2:
        u = u[..., u.shape[-1] // 2]
    (left, bottom), (width, height) = grid.origin[:2], grid.lengths[:2]
    extent = (left, left + width, bottom, bottom + height)
    shown = axes.imshow(u.T.numpy(), origin="lower", extent=extent, interpolation="nearest", **_colours(u))
    axes.tick_params(labelsize=7)
    figure.colorbar(shown, ax=axes).ax.tick_params(labelsize=7)


def _colours(u: Tensor) -> dict[str, Any]:
    """Two colours that meet at zero for fields of both signs, one scale for the others."""
    low, high = float(u.min()), float(u.max())
    if low >= 0 or high <= 0:
        return {"cmap": "viridis", "vmin": low, "vmax": high}
    reach = max(-low, high)
    return {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach}
