"""Curves of time over error: where they meet an error, and their picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

__all__ = ["Curve", "at_error", "draw_curves", "told"]

# (steps, seconds, error) of every run.
Curve = list[tuple[int, float, float]]

COLOURS = {"kanop": "#c0392b", "exponax": "#2471a3", "torch-cfd": "#7d8a2e"}
MARKERS = "osD^vP*X<>"


def told(curve: Sequence[Sequence[float]]) -> Curve:
    """The runs that say something: those that blew up, or have an error above 1, do not."""
    return [(int(n), s, e) for n, s, e in curve if 0 < e < 1]


def at_error(curve: Sequence[Sequence[float]], error: float) -> float | None:
    """Seconds at `error` on a straight line of log time over log error between runs, or beyond the finest ones.

    Above the error of the coarsest run its own time: a larger step may be unstable. None if fewer than two runs tell.

    >>> round(at_error([(10, 1.0, 1e-2), (20, 2.0, 1e-4)], 1e-3), 4)
    1.4142
    """
    points = sorted((math.log(e), math.log(s)) for _, s, e in told(curve))
    if len(points) < 2:
        return None
    want = min(math.log(error), points[-1][0])
    (a, s), (b, t) = next(pair for pair in pairwise(points) if want <= pair[1][0])
    return math.exp(s + (want - a) / (b - a) * (t - s)) if a != b else math.exp(min(s, t))


def draw_curves(panels: Mapping[str, tuple[float, Mapping[str, Sequence[Sequence[float]]]]], path: Path) -> None:
    """One panel a title, each with the error that is read off: a colour a code, a marker a scheme."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(panels), 4.6), layout="constrained")
    for axes, (title, (error, curves)) in zip(_panels(figure, len(panels)), panels.items(), strict=True):
        schemes = sorted({_scheme(name) for name in curves})
        for name, curve in sorted(curves.items()):
            points = [(e, s) for _, s, e in told(curve)]
            if points:
                marker = MARKERS[schemes.index(_scheme(name)) % len(MARKERS)]
                style = {"color": COLOURS.get(name.split()[0]), "marker": marker}
                axes.loglog(*zip(*points, strict=True), **style, label=name, markersize=4, linewidth=1)
        axes.axvline(error, color="0.6", linewidth=0.8, linestyle=":")
        axes.invert_xaxis()
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="relative L2 error in time", ylabel="seconds, one thread")
        axes.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _scheme(name: str) -> str:
    """What one scheme is called in every code: a marker each."""
    return name.split()[-1].lower()


def _panels(figure: Any, count: int) -> list[Any]:
    return list(figure.subplots(1, count, squeeze=False)[0])
