"""`kanop demo`: from an equation to an honest report, small enough for two cores and two minutes."""

from __future__ import annotations

import time
from typing import Any


def demo(config: dict[str, Any]) -> None:
    """Generate, train, evaluate, report; each stage says how long it took."""
    from kanop.config import check_groups, compose
    from kanop.scripts.console import duration, say, stage
    from kanop.scripts.evaluate import evaluate_run
    from kanop.scripts.generate import make_data
    from kanop.scripts.report import report_run
    from kanop.scripts.train import fit_run

    start = time.perf_counter()
    check_groups(config)
    with stage("1/4 generate"):
        make_data(config["data"])
    with stage("2/4 train"):
        run = fit_run(config)
    with stage("3/4 evaluate"):
        evaluation = evaluate_run(compose("evaluate", [f"run='{run}'"]))
    with stage("4/4 report"):
        path = report_run(run)
    say(
        f"one-step relative L2 error {evaluation.scores['one_step']:.2%}; "
        f"all in {duration(time.perf_counter() - start)}"
    )
    say(f"open {path.resolve()}")


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["demo", *sys.argv[1:]], script=[sys.argv[0]])
