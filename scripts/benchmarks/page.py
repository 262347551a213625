"""The page of a suite: every benchmark's table, its figure, and where its numbers come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["write_page"]


def write_page(suite: str, done: Mapping[Any, Sequence[dict[str, Any]]], folder: Path) -> Path:
    """Write FOLDER/SUITE.md, and the figures of those benchmarks that have some and finished cells."""
    path = folder / f"{suite}.md"
    parts = [f"# {suite}: what `kanop benchmark suite={suite}` measured"]
    for bench, rows in done.items():
        parts += _section(bench, rows, folder)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def _section(bench: Any, rows: Sequence[dict[str, Any]], folder: Path) -> Iterator[str]:
    name = bench.__name__.rpartition(".")[2]
    yield f"## {name}"
    yield str(bench.__doc__).strip()
    yield bench.table(rows)
    if rows and hasattr(bench, "draw"):
        bench.draw(rows, folder / f"{name}.png")
        yield f"![{name}]({name}.png)"
    yield "; ".join([f"{len(rows)} of {len(bench.CELLS)} cells done", *dict.fromkeys(map(_source, rows))])


def _source(row: dict[str, Any]) -> str:
    """Machine, threads and versions of a line; lines that agree on them are one."""
    versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items() if name in _SHOWN)
    threads = f"{row['threads']} thread" + ("s" if row["threads"] != 1 else "")
    return f"{row['machine']}, {threads}; {versions}; code {row['code']}"


_SHOWN = ("python", "torch", "numpy", "scipy", "ducc0", "jax", "exponax", "torch-cfd", "pyamg", "pykan")
