"""What the benchmark of the sphere's solver found, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["table"]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a cell, by what was measured."""
    lines = ["| what | setting | found | asked |", "|---|---|---|---|"]
    words = {
        "steady": _steady_words,
        "jet": _jet_words,
        "longest step": _longest_words,
        "transform": _transform_words,
        "torch-harmonics": _peer_words,
    }
    for row in rows:
        lines.append("| " + " | ".join([row["what"], *words[row["what"]](row, row["numbers"])]) + " |")
    return "\n".join(lines)


def _steady_words(row: dict[str, Any], n: dict[str, Any]) -> list[str]:
    found = ", ".join(f"{error:.1e} (dt = {dt} s)" for dt, error in n["height"].items())
    return [f"Williamson 2, tilt {row['tilt']}°, 42 degrees: height after five days", found, "≤ 1e-11"]


def _jet_words(row: dict[str, Any], n: dict[str, Any]) -> list[str]:
    days = ", ".join(
        f"day {d}: {n[f'vorticity, day {d}']:.2%} ({n[f'shared degrees, day {d}']:.2%} of shared degrees)"
        for d in (4, 6)
    )
    cost = (
        f"{n['seconds 256']:.0f} s at 256 latitudes, {n['seconds 128']:.0f} s at 128; mass to {abs(n['mass 256']):.0e}"
    )
    return ["Galewsky, ν = 1e5 m²/s, 128 against 256 latitudes: vorticity", f"{days}; {cost}", "≤ 1 %, ≤ 3 %; ≤ 15 min"]


def _longest_words(row: dict[str, Any], n: dict[str, Any]) -> list[str]:
    damping = "damped" if row["damped"] else "undamped"
    found = "none of the ladder" if n["dt"] is None else f"{n['dt']} s, energy changed by {n['energy']:.0e}"
    return [f"{row['case']}, {n['degree']} degrees, {damping}", found, ""]


def _transform_words(row: dict[str, Any], n: dict[str, Any]) -> list[str]:
    found = f"{n['ratio']:.2f} of torch-harmonics' time; they differ by {n['difference']:.0e}"
    return [f"{row['rows']} latitudes, {row['batch']} fields, there and back", found, ""]


def _peer_words(row: dict[str, Any], n: dict[str, Any]) -> list[str]:
    dt, error, hour = n["dt"], n["error"], n["trajectories an hour"]
    sides = "; ".join(f"{name}: dt = {dt[name]:g} s, error {error[name]:.1e}, {hour[name]:.0f} an hour" for name in dt)
    return [
        f"{row['rows']} latitudes, six hours from random states",
        f"{n['ratio']:.1f} times as many ({sides})",
        "≥ 2",
    ]
