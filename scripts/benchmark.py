"""`kanop benchmark name=NAME`: run the cells of a benchmark that are not there yet, and print its table."""

from __future__ import annotations

import importlib
import json
import pkgutil
import time
from pathlib import Path
from typing import Any

_SHARED = ("record", "tables")


def benchmark(config: dict[str, Any]) -> None:
    """Append one line a finished cell to FOLDER/NAME.jsonl; cells that are there are skipped, `only` picks some."""
    from kanop.scripts.benchmarks.record import describe, read_rows, same_cell
    from kanop.scripts.console import say, stage

    bench = find(config["name"])
    path = Path(config["folder"]) / f"{config['name']}.jsonl"
    cells = [cell for cell in bench.CELLS if _matches(cell, config["only"])]
    rows = read_rows(path)
    for cell in cells if config["run"] else []:
        if any(same_cell(cell, row) for row in rows):
            continue
        with stage(f"{config['name']}: {label(cell)}"):
            begin, about = time.perf_counter(), describe(config["command"], cell)
            numbers = bench.run(dict(cell))
        row = {**about, **cell, "numbers": numbers, "wall_s": round(time.perf_counter() - begin, 1)}
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write of one line: a killed run leaves whole lines only.
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        rows.append(row)
    done = [row for row in rows if any(same_cell(cell, row) for cell in bench.CELLS)]
    say(bench.table(done))
    say(f"{len(done)} of {len(bench.CELLS)} cells done ({path})")


def names() -> list[str]:
    """Names of the benchmarks: the modules of `scripts/benchmarks` that have cells."""
    from kanop.scripts import benchmarks

    return [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in _SHARED]


def find(name: str) -> Any:
    """The module of a benchmark: `CELLS`, `run(cell) -> numbers`, `table(rows) -> str`."""
    from kanop.solvers.errors import check, nearest

    check(name in names(), nearest(str(name), names(), "benchmark"))
    return importlib.import_module(f"kanop.scripts.benchmarks.{name}")


def label(cell: dict[str, Any]) -> str:
    """problem, method and seed of a cell in words."""
    return " ".join(f"{key}={value}" for key, value in cell.items())


def _matches(cell: dict[str, Any], only: dict[str, Any] | None) -> bool:
    return all(str(cell.get(key)) == str(value) for key, value in (only or {}).items())


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["benchmark", *sys.argv[1:]], script=[sys.argv[0]])
