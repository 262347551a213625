"""Where an ETDRK4 step of one sample goes on one thread: transforms, point-wise work, calls.

Calls are what a step of the same equation on 8² points takes: Python and torch's dispatch, hardly any arithmetic.
Transforms are timed around every call of torch.fft, less the same on 8² points; the rest is point-wise work.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.starts import problem
from kanop.scripts.benchmarks.timing import in_turns

__all__ = ["CELLS", "run", "table"]

CELLS = [
    {"problem": "Navier-Stokes 2D", "points": points, "batch": batch, "threads": 1}
    for points, batch in ((64, 1), (256, 1), (64, 16), (256, 16))
] + [
    {"problem": "Burgers", "points": 1024, "batch": 20, "threads": 1},
    {"problem": "Kuramoto-Sivashinsky", "points": 512, "batch": 20, "threads": 1},
]

FEW = 8
ROUNDS = 9
DT = 1 / 4096
TRANSFORMS = ("fft", "ifft", "rfft", "irfft", "fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2", "irfft2")


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of a step and the three shares of it."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """Steps on many and on few points in turns, then both again with the transforms timed."""
    steps = max(8, min(128, 2**22 // (cell["batch"] * cell["points"] ** 2)))
    go = {"many": _stepping(cell, cell["points"]), "few": _stepping({**cell, "batch": 1}, FEW)}
    calls: dict[str, Callable[[], Any]] = {}
    for name, call in go.items():
        call(1)
        calls |= {f"{name} long": partial(call, steps + 1), f"{name} short": partial(call, 1)}
    wall, _ = in_turns(calls, ROUNDS)
    step = {
        name: statistics.median(
            (a - b) / steps for a, b in zip(wall[f"{name} long"], wall[f"{name} short"], strict=True)
        )
        for name in go
    }
    transforms = {name: statistics.median(_transforms(call, steps) for _ in range(ROUNDS)) for name, call in go.items()}
    bare = max(0.0, transforms["many"] - transforms["few"])
    shares = {"transforms": bare / step["many"], "calls": min(1.0, step["few"] / step["many"])}
    return {"ms a step": 1e3 * step["many"], "shares": {**shares, "point-wise": 1 - sum(shares.values())}}


def _stepping(cell: dict[str, Any], points: int) -> Callable[[int], Any]:
    from kanop.solvers import solve

    equation, grid, u0 = problem(cell["problem"], points, cell["batch"])
    return lambda steps: solve(equation, u0, grid, [0.0, steps * DT], dt=DT)


def _transforms(call: Callable[[int], Any], steps: int) -> float:
    """Seconds a step inside torch.fft."""
    with _timed() as long:
        call(steps + 1)
    with _timed() as short:
        call(1)
    return (sum(long) - sum(short)) / steps


@contextmanager
def _timed() -> Iterator[list[float]]:
    """A list that gets the seconds of every call of torch.fft."""
    import torch

    spent: list[float] = []
    originals = {name: getattr(torch.fft, name) for name in TRANSFORMS}

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **more: Any) -> Any:
            begin = time.perf_counter()
            out = function(*args, **more)
            spent.append(time.perf_counter() - begin)
            return out

        return timed

    try:
        for name, function in originals.items():
            setattr(torch.fft, name, wrap(function))
        yield spent
    finally:
        for name, function in originals.items():
            setattr(torch.fft, name, function)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a cell, the shares in percent."""
    lines = ["| problem | points | batch | ms a step | transforms | point-wise | calls |", "|---" * 7 + "|"]
    for row in rows:
        number = row["numbers"]
        shares = " | ".join(f"{number['shares'][name]:.0%}" for name in ("transforms", "point-wise", "calls"))
        lines.append(f"| {row['problem']} | {row['points']} | {row['batch']} | {number['ms a step']:.3g} | {shares} |")
    return "\n".join(lines)
