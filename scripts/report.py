"""`kanop report run=RUN`: the report of an evaluated run, one HTML file that works offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def report(config: dict[str, Any]) -> None:
    """Write RUN/report.html."""
    from kanop.scripts.console import say

    say(f"wrote {report_run(Path(config['run']))}")


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
