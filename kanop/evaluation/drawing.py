"""From matplotlib to SVG that takes colours and fonts from the page, so that it reads in light and in dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["COLOURS", "FAINT", "INK", "STYLE", "canvas", "gaps", "line", "log_axis", "settings", "svg"]

# matplotlib wants numbers for colours: each of these stands for a variable of the page's style sheet.
INK, RULE, FAINT = "#0a0b01", "#0a0b02", "#0a0b03"
COLOURS = tuple(f"#0a0b1{i}" for i in range(5))
VARIABLES = {INK: "--ink", RULE: "--rule", FAINT: "--faint"} | {c: f"--c{i}" for i, c in enumerate(COLOURS)}
STYLE = {
    "operator": (COLOURS[0], "-", 1.9),
    "persistence": (FAINT, "--", 1.2),
    "training mean": (FAINT, ":", 1.4),
    "coarse solver": (COLOURS[1], "-.", 1.4),
    "solver at equal error": (COLOURS[2], "--", 1.4),
    "truth": (INK, "-", 1.3),
    "prediction": (COLOURS[0], "--", 1.8),
    "error": (COLOURS[3], "-", 1.1),
}
FONT = 8.5


def settings() -> Any:
    """matplotlib's settings for every figure."""
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "kanop",
        "font.size": FONT,
        "axes.titlesize": FONT,
        "legend.fontsize": FONT - 1,
        "text.color": INK,
        "axes.edgecolor": RULE,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": RULE,
        "grid.linewidth": 0.5,
        "xtick.color": RULE,
        "ytick.color": RULE,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
    }


def canvas(panels: int = 1) -> tuple[Any, list[Any]]:
    """A figure of half the page's width, or of all of it for several panels; no global state of pyplot."""
    from matplotlib.figure import Figure

    # Fixed margins: to search for the best ones would double the time of every figure.
    width, left = (4.7, 0.165) if panels == 1 else (9.6, 0.08)
    figure = Figure(figsize=(width, 3.0))
    figure.subplots_adjust(left, 0.155, 0.985, 0.85, wspace=0.06)
    return figure, list(figure.subplots(1, panels, sharey=True, squeeze=False)[0])


def gaps(values: Sequence[Any]) -> list[float]:
    """None as a gap in the line."""
    return [math.nan if v is None else float(v) for v in values]


def line(axes: Any, name: str, x: Sequence[Any], y: Sequence[Any]) -> None:
    """A curve in the style of its name."""
    colour, dashes, width = STYLE[name]
    axes.plot(x, gaps(y), color=colour, linestyle=dashes, linewidth=width, label=name)


def log_axis(axis: Any, words: Callable[[float], str], most: int = 6) -> None:
    """Logarithmic ticks at 1, 2, 5 times powers of ten, or at the powers alone where those are enough."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    low, high = axis.get_view_interval()
    decades = math.log10(max(high, 1e-300) / max(low, 1e-300))
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < most / 3 else (1,), numticks=most + 2))
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axis.set_minor_locator(NullLocator())


def svg(figure: Any) -> str:
    """The figure as an inline SVG element of full width; equal figures give equal bytes."""
    if figure.axes[0].get_legend_handles_labels()[0]:
        # Above the axes, so that it never hides a curve.
        shown = figure.axes[0].get_legend_handles_labels()
        if len(shown[0]) <= 3 and not figure.axes[0].get_title():
            figure.subplots_adjust(top=0.91)
        figure.legend(*shown, loc="upper left", bbox_to_anchor=(0.01, 1), ncols=3, borderpad=0, columnspacing=1.4)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg ") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(?<=[ "])(width|height)="[0-9.]+pt" ?', "", text, count=2)
    # Only clip paths and markers are referred to; the other names repeat from figure to figure.
    text = re.sub(r'(<g) id="[^"]*"', r"\1", text)
    # Sizes stay, the family is the page's.
    text = re.sub(r"font: (?:normal )*([0-9.]+px)[^;\"]*", r"font-size: \1", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text
