"""Shallow water on the sphere: steady flow, an unstable jet on two grids, the longest steps, and a peer's speed.

Williamson's second case is steady: what it changes in five days is error. Galewsky's jet, with the published viscosity,
is compared between 128 and 256 latitudes after four and six days, over all degrees and over those that both have. The
longest step is the largest of a ladder with which five days end finite and keep their energy to one percent. The
transform is compared with torch-harmonics' by processor time; and its example solver, at its own step of 150 s for 128
latitudes, with ours at the longest step that errs no more after six hours, each against itself with steps eight times
shorter, in trajectories per processor hour (ours four at once, theirs one by one, as it takes them), on Gauss'
latitudes in double precision.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.sphere_words import table
from kanop.scripts.benchmarks.timing import in_turns, ratio

if TYPE_CHECKING:
    from torch import Tensor

    from kanop.solvers import ShallowWater, SphereGrid

__all__ = ["CELLS", "run", "table"]

CELLS: list[dict[str, Any]] = [
    *({"what": "steady", "tilt": tilt, "threads": 1} for tilt in (0, 45, 90)),
    {"what": "jet", "threads": 2},
    *(
        {"what": "longest step", "case": case, "rows": rows, "damped": damped, "threads": 1}
        for rows in (64, 128)
        for case in ("Williamson 2", "Williamson 5", "Williamson 6", "Galewsky")
        for damped in (False, True)
    ),
    *({"what": "transform", "rows": rows, "batch": 4, "threads": 1} for rows in (64, 128, 256)),
    {"what": "torch-harmonics", "rows": 128, "threads": 1},
]
LADDER = (300, 600, 900, 1200, 1800, 2400, 3600, 5400, 7200)
DAYS = 5
# By which the highest degree decays in two hours.
DAMPING = 7200.0


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Measure one cell in a process of its own."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a cell."""
    made: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "steady": _steady,
        "jet": _jet,
        "longest step": _longest,
        "transform": _transforms,
        "torch-harmonics": _peer,
    }
    return made[cell["what"]](cell)


def _grid(rows: int) -> SphereGrid:
    from kanop.solvers import SphereGrid
    from kanop.solvers.sphere.cases import EARTH

    return SphereGrid((rows, 2 * rows), radius=EARTH)


def _steady(cell: dict[str, Any]) -> dict[str, Any]:
    from kanop.solvers import ShallowWater, solve
    from kanop.solvers.sphere.cases import DAY, williamson_2

    grid, tilt = _grid(64), math.radians(cell["tilt"])
    u0 = williamson_2(grid, tilt)
    errors = {}
    for dt in (600, 1800, 3600):
        u = solve(ShallowWater(tilt=tilt), u0, grid, [0, DAYS * DAY], dt=dt).u[:, 1]
        errors[str(dt)] = _apart(grid, u[0, 0], u0[0, 0])
    return {"height": errors}


def _apart(grid: SphereGrid, u: Tensor, v: Tensor) -> float:
    return float((grid.mean((u - v) ** 2) / grid.mean(v**2)).sqrt())


def _jet(cell: dict[str, Any]) -> dict[str, Any]:
    import torch

    from kanop.solvers import ShallowWater, solve
    from kanop.solvers.sphere.cases import DAY, GRAVITY, Jet

    equation = ShallowWater(mean=1e4 * GRAVITY, viscosity=1e5)
    hats: dict[int, Tensor] = {}
    out: dict[str, Any] = {}
    for rows in (128, 256):
        grid, begin = _grid(rows), time.perf_counter()
        u = solve(equation, Jet().state(grid), grid, [0, 4 * DAY, 6 * DAY], dt=600).u[0]
        mass = equation.invariants(u, grid)["mass"]
        out |= {f"seconds {rows}": time.perf_counter() - begin, f"mass {rows}": float(mass[2] / mass[0] - 1)}
        hats[rows] = grid.to_spectral(u[1:, 1])
    weight, size = _grid(256).parseval, hats[128].shape[-1]
    coarse = torch.zeros_like(hats[256])
    coarse[:, :size, :size] = hats[128]
    square = (weight * (coarse - hats[256]).abs() ** 2).sum(-1)
    whole = (weight * hats[256].abs() ** 2).sum((-2, -1))
    shared = _grid(128).dealiased(2).degree + 1
    for i, day in enumerate((4, 6)):
        out |= {
            f"vorticity, day {day}": float((square[i].sum() / whole[i]).sqrt()),
            f"shared degrees, day {day}": float((square[i, :shared].sum() / whole[i]).sqrt()),
        }
    return out


def _longest(cell: dict[str, Any]) -> dict[str, Any]:
    """Up the ladder until a step fails."""
    from kanop.solvers import SolverDiverged, solve
    from kanop.solvers.sphere.cases import DAY

    grid = _grid(cell["rows"])
    equation, u0 = _case(cell["case"], grid, cell["damped"])
    best, drift = None, None
    for dt in LADDER:
        try:
            u = solve(equation, u0, grid, [0, DAYS * DAY], dt=dt).u
        except SolverDiverged:
            break
        change = abs(float(_energy(equation, u, grid)))
        if not change < 0.01:
            break
        best, drift = dt, change
    return {"dt": best, "energy": drift, "degree": grid.dealiased(2).degree}


def _energy(equation: ShallowWater, u: Tensor, grid: SphereGrid) -> Tensor:
    """Relative change of the energy."""
    from dataclasses import replace

    energy = replace(equation, viscosity=0.0).invariants(u, grid)["energy"]
    return energy[0, -1] / energy[0, 0] - 1


def _case(name: str, grid: SphereGrid, damped: bool) -> tuple[ShallowWater, Tensor]:
    from kanop.solvers import ShallowWater
    from kanop.solvers.sphere import Cone
    from kanop.solvers.sphere.cases import GRAVITY, Jet, rossby_haurwitz, williamson_2, williamson_5

    given: dict[str, Any] = {}
    if damped:
        highest = -float(grid.dealiased(2).laplacian[-1, 0])
        given = {"viscosity": highest**-4 / DAMPING, "power": 4}
    if name == "Williamson 2":
        return ShallowWater(**given), williamson_2(grid)
    if name == "Williamson 5":
        u0 = williamson_5(grid)
        return ShallowWater(mean=float(grid.mean(u0[0, 0])), surface=Cone(), **given), u0
    u0 = rossby_haurwitz(grid) if name == "Williamson 6" else Jet().state(grid)
    mean = float(grid.mean(u0[0, 0])) if name == "Williamson 6" else 1e4 * GRAVITY
    return ShallowWater(mean=mean, **given), u0


def _transforms(cell: dict[str, Any]) -> dict[str, Any]:
    import torch
    import torch_harmonics

    grid = _grid(cell["rows"]).dealiased(2)
    size = {"lmax": grid.degree + 1, "mmax": grid.degree + 1, "grid": "legendre-gauss"}
    there = torch_harmonics.RealSHT(*grid.shape, **size).double()
    back = torch_harmonics.InverseRealSHT(*grid.shape, **size).double()
    u = torch.randn(cell["batch"], *grid.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    calls: dict[str, Callable[[], Any]] = {
        "kanop": lambda: grid.to_physical(grid.to_spectral(u)),
        "torch-harmonics": lambda: back(there(u)),
    }
    difference = float((calls["kanop"]() - calls["torch-harmonics"]()).norm() / u.norm())
    spent = in_turns(calls, 21)[1]
    return {
        "ms": {name: 1e3 * statistics.median(times) for name, times in spent.items()},
        "ratio": ratio(spent["kanop"], spent["torch-harmonics"])[0],
        "difference": difference,
    }


def _peer(cell: dict[str, Any]) -> dict[str, Any]:
    import torch
    from torch_harmonics.examples import ShallowWaterSolver

    from kanop.solvers import ShallowWater, solve
    from kanop.solvers.sphere import RandomShallowWater
    from kanop.solvers.sphere.cases import GRAVITY

    rows, hours = cell["rows"], 6
    grid = _grid(rows)
    degree = grid.dealiased(2).degree
    u0 = RandomShallowWater().sample(grid, 0, "test", range(4))
    u0 = grid.dealiased(2).to_physical(grid.dealiased(2).to_spectral(u0))

    def theirs(dt: float, count: int = 4) -> Tensor:
        size = {"lmax": degree + 1, "mmax": degree + 1, "grid": "legendre-gauss"}
        solver = ShallowWaterSolver(rows, 2 * rows, dt, **size).double()
        ends = []
        for start in u0[:count]:
            spectrum = solver.grid2spec(start)
            ends.append(solver.spec2grid(solver.timestep(spectrum, round(3600 * hours / dt))))
        return torch.stack(ends)

    highest = -float(grid.dealiased(2).laplacian[-1, 0])
    equation = ShallowWater(mean=1e4 * GRAVITY, viscosity=highest**-4 / DAMPING, power=4)

    def ours(dt: float) -> Tensor:
        return solve(equation, u0, grid, [0, 3600.0 * hours], dt=dt).u[:, 1]

    def error(u: Tensor, v: Tensor) -> float:
        return max(_apart(grid, a[1], b[1]) for a, b in zip(u, v, strict=True))

    their_dt = 150.0 * 128 / rows
    aim = error(theirs(their_dt, 1), theirs(their_dt / 8, 1))
    exact, dt, found = ours(75.0), 3600.0, math.inf
    for dt in (3600.0, 1800.0, 1200.0, 900.0, 600.0, 450.0, 300.0, 150.0):
        found = error(ours(dt), exact)
        if found <= aim:
            break
    calls: dict[str, Callable[[], Any]] = {"kanop": lambda: ours(dt), "torch-harmonics": lambda: theirs(their_dt)}
    spent = in_turns(calls, 3)[1]
    hour = {name: 3600 * len(u0) / statistics.median(times) for name, times in spent.items()}
    return {
        "trajectories an hour": hour,
        "ratio": 1 / ratio(spent["kanop"], spent["torch-harmonics"])[0],
        "dt": {"kanop": dt, "torch-harmonics": their_dt},
        "error": {"kanop": found, "torch-harmonics": aim},
    }
