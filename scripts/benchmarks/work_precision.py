"""Work against precision of Navier-Stokes in 2D on one thread: seconds of a run over its error in time.

The runs of a cell start from one batch and keep the same modes, so that they solve the same ordinary differential
equations; the error is the relative L2 distance at the end to a run of ours with far smaller steps. What a code makes
once a problem is not counted for the peers (compilation, coefficients); ours is `solve` as it is called.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.curves import Curve, at_error, draw_curves, told
from kanop.scripts.benchmarks.starts import peer_of, problem, relative
from kanop.scripts.benchmarks.timing import in_turns

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CELLS", "draw", "needs", "run", "table"]

START, DEVELOPED = "FNO start, nu=1e-3, T=1", "developed, nu=1e-5, t=10 to 11"

# (problem, points, batch, peer) → what is asked of our best scheme / the peer's best, at equal error.
CASES: dict[tuple[str, int, int, str], float] = {
    (START, 64, 16, "exponax"): 0.85,
    (START, 256, 16, "exponax"): 0.75,
    (START, 64, 16, "torch-cfd"): 0.1,
    (START, 256, 16, "torch-cfd"): 0.2,
    (DEVELOPED, 256, 2, "exponax"): 1.0,
    (DEVELOPED, 256, 2, "torch-cfd"): 1.0,
}
CELLS = [
    {"problem": name, "points": points, "batch": batch, "peer": peer, "threads": 1}
    for name, points, batch, peer in CASES
]

ERROR = {START: 1e-6, DEVELOPED: 1e-4}

# Steps of a run by a scheme's order, around those that reach the error; a scheme of order 1 is extrapolated. Developed
# flow is limited by stability: there they are close to the fewest that do not blow up.
STEPS = {
    START: {1: (16, 64), 2: (64, 160), 3: (8, 16, 32), 4: (4, 8, 16)},
    DEVELOPED: {1: (256, 512), 2: (128, 144, 192, 512), 3: (56, 64, 72, 80, 320), 4: (40, 46, 52, 56, 64)},
}
CFD_STEPS: dict[str, dict[str, tuple[int, ...]]] = {
    START: {"RK2-CN": (64, 192), "RK4-CN": (16, 32)},
    DEVELOPED: {"RK2-CN": (128, 192, 256), "RK4-CN": (40, 44, 48, 64)},
}
FINE = {START: 128, DEVELOPED: 768}
ROUNDS = {"exponax": 2, "torch-cfd": 1}

Calls = dict[tuple[str, int], Callable[[], "Tensor"]]


def needs(cell: dict[str, Any]) -> Sequence[str]:
    """Packages that the cell compares with."""
    return ("jax", "exponax") if cell["peer"] == "exponax" else ("torch_cfd",)


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """A curve a scheme, and the times at the error that is asked for."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """Every run once for its error and to warm up, then in turns for its time."""
    equation, grid, u0 = problem("Navier-Stokes 2D", cell["points"], cell["batch"], _nu(cell))
    if cell["problem"] == DEVELOPED:
        u0 = _solve(equation, grid, u0, 10.0, 1280)[:, None]
    fine = _solve(equation, grid, u0, 1.0, FINE[cell["problem"]])
    calls = _ours(cell, equation, grid, u0) | PEERS[cell["peer"]](cell, equation, grid, u0)
    errors = {key: relative(call(), fine) for key, call in calls.items()}
    wall, _ = in_turns(calls, ROUNDS[cell["peer"]])
    curves: dict[str, Curve] = {}
    blew_up: dict[str, list[int]] = {}
    for (name, steps), times in wall.items():
        error = errors[name, steps]
        if math.isfinite(error):
            curves.setdefault(name, []).append((steps, statistics.median(times), error))
        else:
            blew_up.setdefault(name, []).append(steps)
    return {"error": ERROR[cell["problem"]], "curves": curves, "blew up": blew_up}


def _nu(cell: dict[str, Any]) -> float:
    return 1e-3 if cell["problem"] == START else 1e-5


def _solve(equation: Any, grid: Any, u0: Tensor, end: float, steps: int, scheme: str = "etdrk4") -> Tensor:
    """Our ω(end); infinite where the steps are too large for the scheme."""
    from kanop.solvers import SolverDiverged, solve

    try:
        return solve(equation, u0, grid, [0.0, end], dt=end / steps, scheme=scheme).u[:, 1, 0]
    except SolverDiverged:
        return u0[:, 0] * math.inf


def _ours(cell: dict[str, Any], equation: Any, grid: Any, u0: Tensor) -> Calls:
    """Every scheme; beside torch-cfd, which takes its time, those of higher order."""
    from kanop.solvers import SCHEMES

    least = 2 if cell["peer"] == "exponax" else 3
    return {
        (f"kanop {name}", steps): partial(_solve, equation, grid, u0, 1.0, steps, name)
        for name, scheme in SCHEMES.items()
        if scheme.order >= least
        for steps in STEPS[cell["problem"]][min(scheme.order, 4)]
    }


def _exponax(cell: dict[str, Any], equation: Any, grid: Any, u0: Tensor) -> Calls:
    """ETDRK1 to 4, in the faster of its two ways to take a batch."""
    import torch

    from kanop.scripts.benchmarks.peers import exponax as peer

    make, sign = peer_of(equation, grid)
    runners = {batching: peer.runner(make, u0[:, 0].numpy(), batching, sign) for batching in peer.BATCHINGS}
    trial = {batching: partial(runner, 0.01, 4, 4) for batching, runner in runners.items()}
    for warm_up in trial.values():
        warm_up()
    wall, _ = in_turns(trial, 3)
    runner = runners[min(runners, key=lambda batching: statistics.median(wall[batching]))]

    def go(steps: int, order: int) -> Tensor:
        return torch.from_numpy(runner(1.0, steps, order))

    return {
        (f"exponax ETDRK{order}", steps): partial(go, steps, order)
        for order, counts in STEPS[cell["problem"]].items()
        for steps in counts
    }


def _torch_cfd(cell: dict[str, Any], equation: Any, grid: Any, u0: Tensor) -> Calls:
    """Its two schemes of second order."""
    from kanop.scripts.benchmarks.peers import torch_cfd as peer

    run = peer.navier_stokes(u0[:, 0], equation.nu, equation.forcing(0.0, *grid.mesh()))
    counts = CFD_STEPS[cell["problem"]]
    return {
        (f"torch-cfd {name}", steps): partial(run, 1.0, steps, name)
        for name, every in counts.items()
        for steps in every
    }


PEERS = {"exponax": _exponax, "torch-cfd": _torch_cfd}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Best of either side at the error asked for, and every scheme's time there."""
    head = "| problem | points | batch | error | best of ours: s | best of the peer's: s | ratio | asked |"
    return "\n".join([head, "|---" * 8 + "|", *(_line(row) for row in rows), "", *_schemes(rows)])


def _line(row: dict[str, Any]) -> str:
    error, times = row["numbers"]["error"], _times(row)
    ours, theirs = (
        min((t, name) for name, t in times.items() if name.startswith("kanop") == mine) for mine in (True, False)
    )
    asked = CASES.get((row["problem"], row["points"], row["batch"], row["peer"]))
    return (
        f"| {row['problem']} | {row['points']} | {row['batch']} | {error:g} | {ours[1]}: {ours[0]:.3g} "
        f"| {theirs[1]}: {theirs[0]:.3g} | {ours[0] / theirs[0]:.2f} | ≤ {asked:g} |"
    )


def _schemes(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        error, curves = row["numbers"]["error"], row["numbers"]["curves"]
        # "~": no run came down to the error, the time follows from the slope.
        far = {name: "~" for name, curve in curves.items() if min((e for _, _, e in told(curve)), default=1) > error}
        ranked = sorted(_times(row).items(), key=lambda item: item[1])
        listed = ", ".join(f"{name} {far.get(name, '')}{t:.3g}" for name, t in ranked)
        yield f"- {row['problem']}, {row['points']}², beside {row['peer']}, seconds at {error:g}: {listed}"


def _times(row: dict[str, Any]) -> dict[str, float]:
    error, curves = row["numbers"]["error"], row["numbers"]["curves"]
    found = {name: at_error(curve, error) for name, curve in curves.items()}
    return {name: t for name, t in found.items() if t is not None}


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One panel a problem: every scheme's seconds over its error, the error asked for as a line."""
    panels: dict[str, tuple[float, dict[str, Curve]]] = {}
    for row in rows:
        title = f"{row['problem']}, {row['points']}², batch {row['batch']}"
        error, curves = panels.setdefault(title, (row["numbers"]["error"], {}))
        panels[title] = (error, row["numbers"]["curves"] | curves)
    draw_curves(panels, path)
