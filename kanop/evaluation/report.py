"""`write_report`: an evaluation as one HTML file that needs no network."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from kanop.evaluation import words
from kanop.evaluation.evaluation import Evaluation, plain
from kanop.evaluation.figures import band_names, band_shares, figures
from kanop.evaluation.provenance import provenance

__all__ = ["render", "write_report"]

SEEN = 1e-3


def write_report(
    evaluation: Evaluation,
    path: str | Path,
    *,
    run: str | Path | None = None,
    data: str | Path | None = None,
    command: str | None = None,
) -> Path:
    """Write the report of `evaluation` to `path`, whole or not at all.

    Parameters
    ----------
    evaluation : what `evaluate` returned or `Evaluation.load` read
    path : the HTML file
    run : folder of the run: its `config.yaml` and `metrics.csv` give configuration, seeds and loss curve
    data : folder of the data set, whose `manifest.json` has checksums and certified errors; default: the run's
    command : what to type to make the run and this report again; default: what the run recorded

    Raises
    ------
    DataError : no space left
    """
    from kanop.datasets.durable import write_durably

    path = Path(path)
    write_durably(path, render(evaluation, run=run, data=data, command=command).encode())
    return path


def render(
    evaluation: Evaluation,
    *,
    run: str | Path | None = None,
    data: str | Path | None = None,
    command: str | None = None,
) -> str:
    """The page's text; arguments as for `write_report`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("kanop.evaluation", "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, lstrip_blocks=True)
    page.filters |= {name: getattr(words, name) for name in words.__all__}
    run, data = (None if place is None else Path(place) for place in (run, data))
    made = provenance(run, data, evaluation.setting.get("command"))
    return page.get_template("report.html.j2").render(
        e=evaluation,
        problem=evaluation.setting["problem"],
        operator=evaluation.setting["operator"],
        test=evaluation.setting["test"],
        machine=evaluation.setting["machine"],
        s=evaluation.scores,
        speed=evaluation.tables["speed"],
        rolled=evaluation.kind == "rollout",
        weakest=weakest_band(evaluation),
        naive=best_naive(evaluation),
        figures=figures(evaluation, made["losses"]),
        made=made,
        command=command or made["command"],
        style=_asset("style.css"),
        script=_asset("player.js"),
        player=_embedded(evaluation.player),
    )


def weakest_band(evaluation: Evaluation) -> tuple[str, float] | None:
    """The band with the largest error for its content at the last lead time, of those worth seeing."""
    bands = evaluation.curves["bands"]
    rows = zip(*band_shares(bands), band_names(bands["limits"]), strict=True)
    last = [(error[-1], content[-1], name) for error, content, name in rows]
    known = [(e / c, name) for e, c, name in last if e is not None and c is not None and c > SEEN]
    return (max(known)[1], max(known)[0]) if known else None


def best_naive(evaluation: Evaluation) -> tuple[str, float] | None:
    """The better of the predictions that cost nothing, at the last lead time."""
    words = {"persistence": "to say that nothing changes", "training mean": "to answer with the training mean"}
    errors = evaluation.curves["errors"]
    known = [(errors[name][-1], said) for name, said in words.items() if name in errors]
    return (min(known)[1], min(known)[0]) if known else None


def _asset(name: str) -> str:
    return (resources.files("kanop.evaluation") / "templates" / name).read_text(encoding="utf-8")


def _embedded(tree: Any) -> str:
    """JSON that is safe inside a script element."""
    text = json.dumps(plain(tree), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
