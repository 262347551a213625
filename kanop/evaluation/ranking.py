"""Several operators judged on one set of test samples, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kanop.evaluation.drawing import log_axis
from kanop.evaluation.evaluation import Evaluation
from kanop.evaluation.words import count, duration, percent
from kanop.solvers.errors import check

__all__ = ["draw_ranking", "ranking"]

SAME = ("data", "samples", "steps", "stored_shape")


def ranking(evaluations: Mapping[str, Evaluation]) -> str:
    """A table, the least error first: errors, parameters, time of a call, speed-up at equal error.

    Parameters
    ----------
    evaluations : by the name of the run

    Raises
    ------
    KanopError : tests on other data, or on other points
    """
    _check_same(evaluations)
    lines = ["| run | operator | error | worst sample | parameters | a call | speed-up |", "|---" * 7 + "|"]
    for name in _ordered(evaluations):
        scores, about = evaluations[name].scores, evaluations[name].setting["operator"]
        speedup = "–" if scores["speedup"] is None else f"{scores['speedup']:.3g}"
        call = duration(scores["seconds_per_call"] or 0.0)
        entries = [name, about["name"], percent(scores["mean"]), percent(scores["worst"])]
        lines.append("| " + " | ".join([*entries, count(about["parameters"]), call, speedup]) + " |")
    return "\n".join(lines)


def draw_ranking(evaluations: Mapping[str, Evaluation], path: str | Path) -> Path:
    """A picture of every sample's error by run, the least mean on top; samples that diverged are left out."""
    from matplotlib.figure import Figure

    _check_same(evaluations)
    names = _ordered(evaluations)[::-1]
    figure = Figure(figsize=(7.5, 1.2 + 0.55 * len(names)), layout="constrained")
    axes = figure.subplots()
    for row, name in enumerate(names):
        found = evaluations[name]
        errors = [e for e in found.tables["distribution"]["errors"] if e is not None]
        axes.plot(errors, [row] * len(errors), "|", markersize=12, alpha=0.35, color="C0")
        if found.scores["mean"] is not None:
            axes.plot(found.scores["mean"], row, "D", color="C3")
            words = f"{percent(found.scores['mean'])}, {count(found.setting['operator']['parameters'])} parameters"
            axes.annotate(
                words, (found.scores["mean"], row), (0, 9), textcoords="offset points", ha="center", fontsize=8
            )
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(-0.6, len(names) - 0.2))
    log_axis(axes.xaxis, percent)
    axes.set_xlabel("relative L2 error: a bar a test sample, ◆ their mean")
    axes.grid(axis="x", which="both", alpha=0.25)
    path = Path(path)
    figure.savefig(path, dpi=130)
    return path


def _ordered(evaluations: Mapping[str, Evaluation]) -> list[str]:
    def error(name: str) -> float:
        mean = evaluations[name].scores["mean"]
        return float("inf") if mean is None else mean

    return sorted(evaluations, key=error)


def _check_same(evaluations: Mapping[str, Evaluation]) -> None:
    tests: dict[str, Any] = {}
    for name, found in evaluations.items():
        about = found.setting
        tests[name] = {key: about["test"][key] for key in SAME} | {"shape": about["problem"]["shape"]}
    check(len(tests) >= 2, f"a ranking needs two runs or more, got {', '.join(tests) or 'none'}")
    first, *others = tests
    for name in others:
        for key, value in tests[first].items():
            check(
                tests[name][key] == value,
                f"{first} was tested with {key} = {value}, {name} with {tests[name][key]}: errors on different tests "
                "are not to be ranked",
            )
