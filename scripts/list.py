"""`kanop list`: everything that can be chosen, with its one line of maths."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any


def list(config: dict[str, Any]) -> None:
    """Print every group's choices, equations, schemes and benchmarks; `group=operator` prints one of them."""
    from rich.console import Console
    from rich.table import Table

    from kanop.config import choices, groups
    from kanop.solvers.errors import KanopError, nearest

    tables: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
        group: partial(_described, choices(group)) for group in groups()
    }
    tables |= {"equations": _equations, "schemes": _schemes, "benchmarks": _benchmarks}
    wanted = config["group"]
    if wanted is not None and wanted not in tables:
        raise KanopError(nearest(wanted, tables, "group"))
    console = Console(soft_wrap=True, highlight=False)
    for name in tables if wanted is None else [wanted]:
        table = Table(title=name, box=None, title_justify="left", title_style="bold", show_header=False)
        for choice, line in tables[name]():
            table.add_row(f"  {choice}", line)
        console.print(table, "")


def _described(files: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """(choice, its line): the comment that opens the YAML, else the first line of its class' docstring."""
    for name, file in files.items():
        if name.startswith("_"):
            continue
        text = file.read_text(encoding="utf-8").removeprefix("# @package _global_\n")
        line = text.splitlines()[0].lstrip("# ") if text.startswith("#") else _first_line(text)
        yield name, line


def _first_line(text: str) -> str:
    import yaml

    from kanop.builder import locate

    target = (yaml.safe_load(text) or {}).get("_target_")
    return _line(locate(target)) if target else ""


def _line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _equations() -> Iterator[tuple[str, str]]:
    import kanop.solvers as solvers

    for name in solvers.__all__:
        thing = getattr(solvers, name)
        if inspect.isclass(thing) and issubclass(thing, solvers.Equation) and not inspect.isabstract(thing):
            yield name, _line(thing)


def _benchmarks() -> Iterator[tuple[str, str]]:
    from kanop.scripts.benchmark import find, names

    for name in names():
        yield name, _line(find(name))


def _schemes() -> Iterator[tuple[str, str]]:
    from kanop.solvers import SCHEMES

    for name, scheme in SCHEMES.items():
        yield name, f"order {scheme.order}, {len(scheme.nodes) - 1} evaluations of the nonlinear term a step"


if __name__ == "__main__":
    try:
        from kanop.cli import main
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}; install kanop first: `make dev`, or `pip install -e .` in its folder") from None
    import sys

    main(["list", *sys.argv[1:]], script=[sys.argv[0]])
