"""The report's figures, one function each; a figure that has nothing to show is the empty string."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kanop.evaluation.drawing import COLOURS, FAINT, INK, STYLE, canvas, gaps, line, log_axis, settings, svg
from kanop.evaluation.evaluation import Evaluation
from kanop.evaluation.words import duration, number, percent

__all__ = ["band_names", "band_shares", "figures"]

TINY = 1e-18
# Single precision has no digits below this share of the field.
LEAST_SHARE = 1e-6
Rows = list[list[float | None]]


def figures(evaluation: Evaluation, losses: Mapping[str, Any]) -> dict[str, str]:
    """SVG by name, of those that have something to show."""
    from matplotlib import rc_context

    rolled = evaluation.kind == "rollout"
    with rc_context(settings()):
        made = {
            "errors": _errors(evaluation) if rolled else "",
            "correlation": _correlation(evaluation) if rolled else "",
            "invariants": _invariants(evaluation) if rolled else "",
            "distribution": _distribution(evaluation) if not rolled else "",
            "spectra": _spectra(evaluation),
            "bands": _bands_over_time(evaluation) if rolled else _bands(evaluation),
            "speed": _speed(evaluation),
            "loss": _loss(losses),
        }
    return {name: picture for name, picture in made.items() if picture}


def band_names(limits: Sequence[float]) -> list[str]:
    """The three bands in words."""
    low, high = limits
    return [f"large scales, |m| < {low}", f"middle, {low} ≤ |m| < {high}", f"small scales, |m| ≥ {high}"]


def band_shares(bands: Mapping[str, Any]) -> tuple[Rows, Rows]:
    """√(band's squared error ÷ ⟨u²⟩) and √(band's content ÷ ⟨u²⟩) over lead time; None where not finite."""
    whole = [sum(c) for c in zip(*bands["content"], strict=True)]
    error, content = (
        [[None if v is None or not w else (v / w) ** 0.5 for v, w in zip(row, whole, strict=True)] for row in bands[k]]
        for k in ("error", "content")
    )
    return error, content


def _errors(evaluation: Evaluation) -> str:
    figure, (axes,) = canvas()
    curves = evaluation.curves
    shade = {"color": COLOURS[0], "alpha": 0.18, "linewidth": 0}
    axes.fill_between(curves["times"], gaps(curves["low"]), gaps(curves["high"]), **shade)
    for name, values in curves["errors"].items():
        line(axes, name, curves["times"], values)
    axes.set(xlabel="lead time t", ylabel="relative L2 error")
    log_axis(axes.yaxis, percent)
    return svg(figure)


def _correlation(evaluation: Evaluation) -> str:
    figure, (axes,) = canvas()
    for name in ("operator", "persistence"):
        if name in evaluation.curves["correlation"]:
            line(axes, name, evaluation.curves["times"], evaluation.curves["correlation"][name])
    axes.axhline(0.8, color=FAINT, linewidth=0.8)
    axes.text(1, 0.8, "0.8 ", ha="right", va="bottom", color=FAINT, transform=axes.get_yaxis_transform())
    axes.set(xlabel="lead time t", ylabel="correlation with the truth")
    axes.set_ylim(top=1.02)
    return svg(figure)


def _distribution(evaluation: Evaluation) -> str:
    errors = [max(e, TINY) for e in evaluation.tables["distribution"]["errors"] if e is not None]
    if not errors:
        return ""
    figure, (axes,) = canvas()
    low, high = min(errors), max(errors)
    bins = min(30, max(6, round(2 * len(errors) ** 0.5)))
    ratio = max(high / low, 1.001)
    axes.hist(errors, [low * ratio ** (i / bins) for i in range(bins + 1)], color=COLOURS[0], alpha=0.75)
    # Far baselines would squeeze the samples into a corner: those are named in the caption alone.
    known = {n: v[-1] for n, v in evaluation.curves["errors"].items() if n != "operator"}
    near = {n: v for n, v in known.items() if v is not None and low / 10 < v < 10 * high}
    looks = {"mean": (COLOURS[3], "-", 1.4), "median": (INK, "--", 1.2), **STYLE}
    for name, value in {"mean": evaluation.scores["mean"], "median": evaluation.scores["median"], **near}.items():
        if value:
            colour, dashes, width = looks[name]
            axes.axvline(value, color=colour, linestyle=dashes, linewidth=width, label=name)
    axes.set(xlabel="relative L2 error of one sample", ylabel="samples")
    log_axis(axes.xaxis, percent)
    return svg(figure)


def _spectra(evaluation: Evaluation) -> str:
    shown = [s for s in evaluation.spectra if s["prediction"]]
    if not shown:
        return ""
    figure, panels = canvas(len(shown))
    peak = max(max(s["truth"]) for s in shown)
    floor = max(TINY, 1e-15 * peak)
    operator, problem = evaluation.setting["operator"], evaluation.setting["problem"]
    for axes, entry in zip(panels, shown, strict=True):
        for name in ("truth", "prediction", "error"):
            values = [v if v is not None and v > floor else None for v in entry[name]]
            line(axes, name, range(len(values)), values)
        # κ = 0 has its place, which a logarithm does not give it.
        axes.set(xlabel="mode number κ", yscale="log", ylim=(floor, 5 * peak))
        axes.set_xscale("symlog", linthresh=2)
        ticks = [0, *(2**j for j in range(14) if 2**j < len(entry["truth"]))]
        axes.set_xticks(ticks, [str(t) for t in ticks], minor=False)
        axes.minorticks_off()
        axes.set_xlim(0, len(entry["truth"]) * 1.05)
        if operator["n_modes"]:
            _mark(axes, min(operator["n_modes"]) / 2, "highest mode kept")
        _mark(axes, problem.get("highest", min(problem["shape"]) // 2), "training grid's highest")
        if evaluation.kind == "rollout":
            axes.set_title(f"t = {entry['time']:.4g}")
    panels[0].set_ylabel("energy E(κ)")
    return svg(figure)


def _mark(axes: Any, kappa: float, words: str) -> None:
    axes.axvline(kappa, color=FAINT, linewidth=0.9, linestyle=":")
    place = {"transform": axes.get_xaxis_transform(), "rotation": 90, "ha": "right", "va": "top"}
    axes.text(kappa, 1, words, color=FAINT, fontsize=7, **place)


def _bands_over_time(evaluation: Evaluation) -> str:
    bands, times = evaluation.curves["bands"], evaluation.curves["times"]
    figure, (axes,) = canvas()
    rows = zip(band_names(bands["limits"]), *band_shares(bands), COLOURS, strict=False)
    for name, error, content, colour in rows:
        axes.plot(times, gaps(error), color=colour, linewidth=1.6, label=name)
        axes.plot(times, gaps(content), color=colour, linewidth=1.0, linestyle=":")
    axes.set(xlabel="lead time t", ylabel="share of the whole field", ylim=(LEAST_SHARE, 2))
    log_axis(axes.yaxis, percent)
    return svg(figure)


def _bands(evaluation: Evaluation) -> str:
    bands = evaluation.curves["bands"]
    figure, (axes,) = canvas()
    error, content = ([row[-1] or LEAST_SHARE / 2 for row in rows] for rows in band_shares(bands))
    places = range(len(error))
    axes.bar([i - 0.2 for i in places], content, color=FAINT, alpha=0.6, width=0.36, label="content")
    axes.bar([i + 0.2 for i in places], error, color=COLOURS[3], alpha=0.85, width=0.36, label="error")
    axes.set_xticks(places, [name.replace(", ", "\n") for name in band_names(bands["limits"])])
    axes.set(ylabel="share of the whole field", ylim=(LEAST_SHARE, 2))
    log_axis(axes.yaxis, percent)
    axes.grid(False, axis="x")
    return svg(figure)


def _invariants(evaluation: Evaluation) -> str:
    found = evaluation.curves.get("invariants")
    if not found:
        return ""
    figure, (axes,) = canvas()
    for (name, rows), colour in zip(found.items(), COLOURS, strict=False):
        for who, dashes in (("prediction", "-"), ("truth", ":")):
            values = [None if v is None else max(v, TINY) for v in rows[who]]
            words = f"{name}, {who}"
            axes.plot(evaluation.curves["times"], gaps(values), color=colour, linestyle=dashes, label=words)
    axes.set(xlabel="lead time t", ylabel="drift |I(t) − I(0)|")
    log_axis(axes.yaxis, number)
    return svg(figure)


def _speed(evaluation: Evaluation) -> str:
    table = evaluation.tables["speed"]
    cells = [c for c in table["cells"] if c["error"] is not None]
    if not cells:
        return ""
    figure, (axes,) = canvas()
    axes.plot(*_xy(cells), "o", color=COLOURS[1], markersize=4, alpha=0.75, label="solver, settings tried")
    if table.get("best"):
        axes.plot(*_xy([table["best"]]), "D", color=COLOURS[2], markersize=7, label="solver at equal error")
    if table["operator_error"] is not None:
        axes.axhline(table["operator_error"], color=FAINT, linewidth=0.8)
        own = (table["operator_seconds"], table["operator_error"])
        axes.plot(*own, "*", color=COLOURS[0], markersize=11, label="operator")
    axes.set(xlabel=f"seconds for {table['batch']} samples", ylabel="mean relative L2 error")
    log_axis(axes.xaxis, duration)
    log_axis(axes.yaxis, percent)
    return svg(figure)


def _xy(cells: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    return [c["seconds"] for c in cells], [c["error"] for c in cells]


def _loss(losses: Mapping[str, Any]) -> str:
    if not losses:
        return ""
    figure, (axes,) = canvas()
    looks = {
        "train/loss": ("training loss", FAINT, 0.8),
        "valid/loss": ("validation loss", COLOURS[0], 1.6),
        "valid/relative_l2": ("validation, relative L2 of one step", COLOURS[1], 1.6),
    }
    for name, series in losses.items():
        words, colour, width = looks[name]
        axes.plot(series["step"], series["value"], color=colour, linewidth=width, label=words)
    axes.set(xlabel="training step", ylabel="loss")
    log_axis(axes.yaxis, number)
    return svg(figure)
