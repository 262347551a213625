"""`kanop report run=RUN`: the report of an evaluated run, one HTML file that works offline; several runs are ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def report(config: dict[str, Any]) -> None:
    """Write RUN/report.html; of run=[A,B,…] print the ranking and draw it."""
    from kanop.scripts.console import say

    if isinstance(config["run"], list):
        rank_runs([Path(run) for run in config["run"]], Path(config["picture"]))
    else:
        say(f"wrote {report_run(Path(config['run']))}")


def rank_runs(runs: list[Path], picture: Path) -> Path:
    """The table of several evaluated runs, and its picture."""
    from kanop.evaluation import Evaluation, draw_ranking, ranking
    from kanop.scripts.console import say
    from kanop.solvers.errors import check

    check(
        len({run.name for run in runs}) == len(runs), f"expected runs of different names, got {[str(r) for r in runs]}"
    )
    found = {run.name: Evaluation.load(run / "evaluation.json") for run in runs}
    say(ranking(found))
    say(f"wrote {draw_ranking(found, picture)}")
    return picture


def report_run(run: Path) -> Path:
    """The report of `run`, from its evaluation, its loss curve and its configuration."""
    from kanop.evaluation import Evaluation, write_report

    return write_report(Evaluation.load(run / "evaluation.json"), run / "report.html", run=run)


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["report", *sys.argv[1:]], script=[sys.argv[0]])
