"""`kanop benchmark name=NAME` or `suite=NAME`: run the cells that are not there yet, and print their tables."""

from __future__ import annotations

import importlib
import json
import pkgutil
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# In the order of the pages that suites write.
SUITES = {
    "solvers": ("solver_step", "work_precision", "darcy", "solver_memory", "solver_profile", "solver"),
    "operators": ("operator_table", "position_operator", "kan_layer", "kan_pinn"),
    "fft": ("fft",),
    "sphere": ("sphere_solver", "sphere_operators"),
}
DEVICES = ("cpu", "cuda")
_SHARED = {"alone", "curves", "operator_problems", "operator_training", "page", "record", "sphere_words", "starts"}
_SHARED |= {"tables", "timing"}


def benchmark(config: dict[str, Any]) -> None:
    """Append one line a finished cell to FOLDER/NAME.jsonl; cells that are there are skipped, `only` picks some.

    A suite is several benchmarks in one run; its tables and figures are written to FOLDER/SUITE.md. Cells run on the
    `device` that they name, or on the CPU.
    """
    from kanop.scripts.benchmarks.page import write_page
    from kanop.scripts.console import say
    from kanop.solvers.devices import resolve_device
    from kanop.solvers.errors import check, nearest

    name, suite = config["name"], config["suite"]
    known = f"a benchmark is one of {', '.join(names())}, a suite one of {', '.join(SUITES)}"
    check((name is None) != (suite is None), f"give name=… or suite=…; {known}")
    check(config["device"] in DEVICES, nearest(str(config["device"]), DEVICES, "device"))
    if config["run"]:
        resolve_device(config["device"])
    if suite is None:
        _one(str(name), config)
        return
    check(suite in SUITES, nearest(str(suite), SUITES, "suite"))
    done = {name: _one(name, config) for name in SUITES[suite]}
    if config["run"]:
        path = write_page(suite, {find(name): rows for name, rows in done.items()}, Path(config["folder"]))
        say(f"wrote {path}")


def _one(name: str, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Run and print one benchmark; its finished rows."""
    from kanop.scripts.benchmarks.record import read_rows, same_cell
    from kanop.scripts.console import say
    from kanop.solvers.errors import check

    bench = find(name)
    path = Path(config["folder"]) / f"{name}.jsonl"
    there = [cell for cell in bench.CELLS if cell.get("device", "cpu") == config["device"]]
    check(len(there) > 0, f"{name} has no cells for device={config['device']}; they are for device=cpu")
    cells = [cell for cell in there if _matches(cell, config["only"])]
    rows = read_rows(path)
    left = [cell for cell in cells if not any(same_cell(cell, row) for row in rows)] if config["run"] else []
    missing = {package for cell in left for package in _absent(bench, cell)}
    for cell in left:
        if not _absent(bench, cell):
            more = bench.given(cell, rows) if hasattr(bench, "given") else {}
            rows.append(_cell(name, cell, more, config["command"], path))
    done = [row for cell in bench.CELLS for row in rows if same_cell(cell, row)]
    say(bench.table(done))
    if missing:
        say(f"cells beside {', '.join(sorted(missing))} stay empty: pip install 'kanop[bench]'")
    say(f"{len(done)} of {len(bench.CELLS)} cells done ({path})")
    return done


def _cell(name: str, cell: dict[str, Any], more: dict[str, Any], command: str, path: Path) -> dict[str, Any]:
    from kanop.scripts.benchmarks.record import describe
    from kanop.scripts.console import stage

    with stage(f"{name}: {label(cell)}"):
        begin, about = time.perf_counter(), describe(command, cell)
        numbers = find(name).run({**cell, **more})
    row = {**about, **cell, "numbers": numbers, "wall_s": round(time.perf_counter() - begin, 1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    # One write of one line: a killed run leaves whole lines only.
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return row


def names() -> list[str]:
    """Names of the benchmarks: the modules of `scripts/benchmarks` that have cells."""
    from kanop.scripts import benchmarks

    modules = pkgutil.iter_modules(benchmarks.__path__)
    return [module.name for module in modules if module.name not in _SHARED and not module.ispkg]


def find(name: str) -> Any:
    """The module of a benchmark: `CELLS`, `run(cell) -> numbers`, `table(rows) -> str`.

    It may also have `needs(cell) -> names of packages` without which a cell stays empty, `draw(rows, path)`, and
    `given(cell, rows) -> settings` that a cell takes from rows before it.
    """
    from kanop.solvers.errors import check, nearest

    check(name in names(), nearest(str(name), names(), "benchmark"))
    return importlib.import_module(f"kanop.scripts.benchmarks.{name}")


def label(cell: dict[str, Any]) -> str:
    """problem, method and seed of a cell in words."""
    return " ".join(f"{key}={value}" for key, value in cell.items())


def _absent(bench: Any, cell: dict[str, Any]) -> list[str]:
    """The packages that a cell needs and that are not installed."""
    return [name for name in (bench.needs(cell) if hasattr(bench, "needs") else ()) if find_spec(name) is None]


def _matches(cell: dict[str, Any], only: dict[str, Any] | None) -> bool:
    return all(str(cell.get(key)) == str(value) for key, value in (only or {}).items())


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["benchmark", *sys.argv[1:]], script=[sys.argv[0]])
