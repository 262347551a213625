"""One ETDRK4 step in double precision on one thread: ours, exponax's, and the bare transforms that it needs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.starts import peer_of, problem, relative
from kanop.scripts.benchmarks.timing import in_turns, ratio, seconds

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CELLS", "needs", "run", "table"]

# (problem, points an axis, batch) → what is asked of ours/exponax; None where nothing is.
CASES: dict[tuple[str, int, int], float | None] = {
    ("Navier-Stokes 2D", 256, 16): 0.75,
    ("Navier-Stokes 2D", 64, 16): 0.85,
    ("Navier-Stokes 2D", 512, 1): 0.85,
    ("Navier-Stokes 2D", 256, 1): None,
    ("Navier-Stokes 2D", 64, 1): None,
    ("Burgers", 1024, 20): 0.75,
    ("Kuramoto-Sivashinsky", 512, 20): 1.0,
}
CELLS = [{"problem": name, "points": points, "batch": batch, "threads": 1} for name, points, batch in CASES]

ROUNDS = 9
DT = {"Navier-Stokes 2D": 1 / 256, "Burgers": 1 / 4096, "Kuramoto-Sivashinsky": 0.05}

# Ours with torch's transforms alone, as a plain installation has it.
PLAIN = "kanop without ducc0"

# Two codes that solve the same ordinary differential equations by one scheme differ by their rounding alone.
SAME = 1e-10

Run = Callable[[int], Any]


def needs(cell: dict[str, Any]) -> Sequence[str]:
    """Packages that the cell runs with."""
    return ("ducc0", "jax", "exponax")


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Medians of a step, of both sides and of its transforms, taken in turns in one process."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """The time of a step is that of a long run less that of a run of one step, over the difference in steps."""
    runs, u0 = _runs(cell)
    steps = max(8, min(128, 2**22 // u0.numel()))
    difference = _same(runs, steps)
    calls: dict[str, Callable[[], Any]] = {"transforms": _fastest_transforms(u0)}
    for name, go in runs.items():
        go(1)
        calls |= {f"{name} long": partial(go, steps + 1), f"{name} short": partial(go, 1)}
    spent = in_turns(calls, ROUNDS)
    wall, processor = (_a_step(times, runs, steps) for times in spent)
    median = {name: statistics.median(values) for name, values in wall.items()}
    best = min((name for name in runs if name.startswith("exponax")), key=lambda name: median[name])
    middle, quartiles = ratio(wall["kanop"], wall[best])
    return {
        "ms a step": {name: 1e3 * value for name, value in median.items()},
        "best": best,
        "ratio": middle,
        "ratio without ducc0": ratio(wall[PLAIN], wall[best])[0],
        "quartiles": quartiles,
        "processor ratio": ratio(processor["kanop"], processor[best])[0],
        "over transforms": {name: value / median["transforms"] for name, value in median.items()},
        # Beside its steps: coefficients, transforms of start and end; what a compiled program keeps is not counted.
        "ms of a call": {name: 1e3 * (statistics.median(spent[0][f"{name} short"]) - median[name]) for name in runs},
        "difference": difference[best],
        "steps": steps,
    }


def _runs(cell: dict[str, Any]) -> tuple[dict[str, Run], Tensor]:
    """Runs of a number of steps from one start, by name, each as its users have it best."""
    from kanop.scripts.benchmarks.peers import exponax as peer
    from kanop.solvers import solve
    from kanop.solvers.fft import torch_alone

    dt = DT[cell["problem"]]
    equation, grid, u0 = problem(cell["problem"], cell["points"], cell["batch"])

    def ours(steps: int) -> Tensor:
        return solve(equation, u0, grid, [0.0, steps * dt], dt=dt).u[:, 1, 0]

    def ours_plain(steps: int) -> Tensor:
        with torch_alone():
            return ours(steps)

    def theirs(runner: peer.Runner, steps: int) -> Any:
        return runner(steps * dt, steps, 4)

    runs: dict[str, Run] = {"kanop": ours, PLAIN: ours_plain}
    make, sign = peer_of(equation, grid)
    for batching in peer.BATCHINGS if cell["batch"] > 1 else peer.BATCHINGS[:1]:
        runs[f"exponax {batching}"] = partial(theirs, peer.runner(make, u0[:, 0].numpy(), batching, sign))
    if cell["problem"] == "Burgers":
        # Its default form, u ∂u/∂x, transforms once more than the conservative one.
        make = peer.burgers(grid.shape[0], equation.nu, grid.lengths[0], conservative=False)
        runs["exponax vmap u u_x"] = partial(theirs, peer.runner(make, u0[:, 0].numpy(), "vmap", sign))
    return runs, u0


def _same(runs: Mapping[str, Run], steps: int) -> dict[str, float]:
    """Relative differences to our field after the long run; large ones end the cell."""
    import torch

    from kanop.solvers.errors import check

    u = runs["kanop"](steps + 1)
    found = {name: relative(torch.as_tensor(go(steps + 1)), u) for name, go in runs.items() if name != "kanop"}
    check(max(found.values()) <= SAME, f"these runs do not solve the same equations, they differ by {found}")
    return found


def _a_step(times: Mapping[str, list[float]], runs: Mapping[str, Run], steps: int) -> dict[str, list[float]]:
    one = {
        name: [(a - b) / steps for a, b in zip(times[f"{name} long"], times[f"{name} short"], strict=True)]
        for name in runs
    }
    return one | {"transforms": times["transforms"]}


def _fastest_transforms(u: Tensor) -> Callable[[], None]:
    """What a step must transform: 16 half spectra in 2D (4 a stage), 8 in 1D; in the best cut of the batch."""
    cuts = [size for size in (1, 2, 4, 8) if size < len(u)] + [len(u)]
    calls = [partial(_transforms, u, size) for size in cuts]
    for call in calls:
        call()
    return min(calls, key=lambda call: statistics.median(seconds(call)[0] for _ in range(5)))


def _transforms(u: Tensor, size: int) -> None:
    import torch

    axes = tuple(range(2, u.ndim))
    for part in u.split(size):
        for _ in range(8 if u.ndim == 4 else 4):
            torch.fft.irfftn(torch.fft.rfftn(part, dim=axes), s=u.shape[2:], dim=axes)


HEAD = (
    "| problem | points | batch | ms a step: kanop | exponax | kanop / exponax (quartiles) | asked | without ducc0 "
    "| kanop / transforms | exponax / transforms |"
)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a cell, with what is asked of it."""
    return "\n".join([HEAD, "|---" * 10 + "|", *_lines(rows)])


def _lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        number = row["numbers"]
        asked = CASES.get((row["problem"], row["points"], row["batch"]))
        best, (low, high) = number["best"], number["quartiles"]
        entries = [row["problem"], row["points"], row["batch"]]
        entries += [f"{number['ms a step'][name]:.3g}" for name in ("kanop", best)]
        entries += [f"{number['ratio']:.2f} ({low:.2f} to {high:.2f})", "" if asked is None else f"≤ {asked:g}"]
        entries += [f"{number['ratio without ducc0']:.2f}"]
        entries += [f"{number['over transforms'][name]:.2f}" for name in ("kanop", best)]
        yield "| " + " | ".join(map(str, entries)) + " |"
