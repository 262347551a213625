"""Peak memory of `solve` in fields of the state, beside the frames that it returns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.starts import problem

__all__ = ["CELLS", "run", "table"]

ASKED = 12

CELLS = [
    {"problem": "Navier-Stokes 2D", "points": 256, "batch": batch, "steps": steps, "threads": 1}
    for batch in (16, 64)
    for steps in ("dt", "tolerance")
]

TIMES = [0.0, 1 / 64, 1 / 32]


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Resident memory at its peak less that before the call and that of the frames."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """One run, after a small one that loads what every run needs."""
    from kanop.solvers import solve

    given: dict[str, Any] = {"dt": 1 / 128} if cell["steps"] == "dt" else {"tolerance": 1e-4}
    small, coarse, start = problem(cell["problem"], 32, 1)
    solve(small, start, coarse, TIMES, **given)
    equation, grid, u0 = problem(cell["problem"], cell["points"], cell["batch"])
    peak = peak_bytes(partial(solve, equation, u0, grid, TIMES, **given))
    field = u0.numel() * u0.element_size()
    return {"fields": peak / field - len(TIMES), "frames": len(TIMES), "MB a field": field / 2**20}


def peak_bytes(call: Any) -> int:
    """What the process held at its peak during the call, less what it held before: as Linux counts its pages."""
    from kanop.solvers.errors import check

    status, forget = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    check(forget.exists(), "peak memory is read from /proc: this cell runs on Linux alone")
    forget.write_text("5")  # the peak starts anew
    before = _kilobytes(status, "VmRSS")
    kept = call()
    peak = _kilobytes(status, "VmHWM")
    del kept
    return 1024 * (peak - before)


def _kilobytes(status: Path, name: str) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a cell."""
    lines = [
        "| problem | points | batch | steps given by | fields of the state at the peak | asked |",
        "|---" * 6 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row['problem']} | {row['points']} | {row['batch']} | {row['steps']} "
            f"| {row['numbers']['fields']:.1f} | ≤ {ASKED} |"
        )
    return "\n".join(lines)
