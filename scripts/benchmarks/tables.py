"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["rows_of"]


def rows_of(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> str:
    """A line a finished cell: its `keys`, then its numbers."""
    lines = ["| " + " | ".join([*keys, "numbers"]) + " |", "|---" * (len(keys) + 1) + "|"]
    for row in rows:
        numbers = ", ".join(f"{name} {_short(value)}" for name, value in row["numbers"].items())
        lines.append("| " + " | ".join([*(str(row[key]) for key in keys), numbers]) + " |")
    return "\n".join(lines)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} {_short(item)}" for key, item in value.items()) + "}"
    return str(value)
