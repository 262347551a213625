"""Darcy on cells: time of a solve to one residual, beside pyamg and a sparse direct solver in the same run."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from kanop.scripts.benchmarks.tables import rows_of

__all__ = ["CELLS", "needs", "run", "table"]

RESIDUAL = 1e-10
REPEATS = 5

CELLS = [
    {"problem": problem, "points": 421, "samples": 1, "threads": 1, "method": method}
    for problem in ("two values, contrast 4", "log-normal, contrast 1e4")
    for method in ("beside pyamg", "beside spsolve")
] + [
    {"problem": "two values, contrast 4", "points": 421, "samples": 16, "threads": 2, "method": "beside one at a time"},
    {"problem": "two values, contrast 4", "points": 85, "samples": 1, "threads": 1, "method": "sine and multigrid"},
    {"problem": "two values, contrast 4", "points": 421, "samples": 1, "threads": 1, "method": "sine and multigrid"},
]


def needs(cell: dict[str, Any]) -> Sequence[str]:
    """Packages that the cell compares with."""
    return ("pyamg",) if cell["method"] == "beside pyamg" else ()


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Median seconds a sample of both sides, taken in turns, and their ratio."""
    import torch

    from kanop.solvers import Grid
    from kanop.solvers.darcy import solve_darcy

    threads = torch.get_num_threads()
    torch.set_num_threads(cell["threads"])
    try:
        grid = Grid((cell["points"],) * 2, boundaries="dirichlet")
        a = coefficients(cell["problem"], grid, cell["samples"])

        def ours(preconditioner: str = "auto") -> float:
            solution = solve_darcy(a, 1.0, grid, tolerance=RESIDUAL, preconditioner=preconditioner)
            return float(solution.residual.max())

        if cell["method"] == "sine and multigrid":
            return in_turns({kind: partial(ours, kind) for kind in ("sine", "multigrid")}, len(a))
        peer = PEERS[cell["method"]](a, grid)
        return in_turns({"kanop": ours, cell["method"].removeprefix("beside "): peer}, len(a))
    finally:
        torch.set_num_threads(threads)


def in_turns(solvers: dict[str, Callable[[], float]], samples: int) -> dict[str, Any]:
    """Seconds a sample and residual of each, their solves alternating; `ratio` is first over second."""
    seconds: dict[str, list[float]] = {name: [] for name in solvers}
    residuals = {name: solve() for name, solve in solvers.items()}
    for _ in range(REPEATS):
        for name, solve in solvers.items():
            begin = time.perf_counter()
            solve()
            seconds[name].append((time.perf_counter() - begin) / samples)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    first, second = median.values()
    return {"seconds a sample": median, "ratio": first / second, "residual": residuals}


def coefficients(problem: str, grid: Any, samples: int) -> Any:
    """(b, 1, n, n): N(0, (−Δ+9)^(−2)), zero flux at walls (arXiv:2010.08895 §5.2), cut in two values or as exponent."""
    import torch

    fields = []
    for seed in range(samples):
        noise = torch.randn(grid.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        series = type(grid)(grid.shape, boundaries="neumann")
        spectrum = noise / (9 - series.laplacian)
        spectrum[0, 0] = 0
        fields.append(series.to_physical(spectrum))
    field = torch.stack(fields)[:, None]
    if problem.startswith("two values"):
        return torch.where(field > 0, 12.0, 3.0).double()
    low, high = field.amin((2, 3), keepdim=True), field.amax((2, 3), keepdim=True)
    return torch.exp(math.log(1e4) * (field - low) / (high - low))


def assembled(a: Any, grid: Any) -> tuple[Any, Any]:
    """The matrix of the first sample in CSR form, and a source of ones."""
    import numpy as np
    from scipy.sparse import csr_matrix

    from kanop.solvers.finite_volumes import FaceOperator, conductances

    operator = FaceOperator(conductances(a[:1, 0], grid))
    cells = np.arange(a[0].numel()).reshape(grid.shape)
    rows, columns = [cells.ravel()], [cells.ravel()]
    values = [operator.diagonal.numpy().ravel()]
    for axis, t in enumerate(operator.faces):
        inner = t.numpy()[0].take(range(1, grid.shape[axis]), axis).ravel()
        left, right = (np.delete(cells, end, axis).ravel() for end in (-1, 0))
        rows += [left, right]
        columns += [right, left]
        values += [-inner, -inner]
    parts = tuple(np.concatenate(v) for v in (values, rows, columns))
    return csr_matrix((parts[0], parts[1:]), shape=(cells.size,) * 2), np.ones(cells.size)


def pyamg_solver(a: Any, grid: Any) -> Callable[[], float]:
    """Ruge-Stueben set-up and conjugate gradients; the assembly is not counted."""
    import numpy as np
    import pyamg

    matrix, ones = assembled(a, grid)

    def solve() -> float:
        u = pyamg.ruge_stuben_solver(matrix).solve(ones, tol=RESIDUAL, accel="cg", maxiter=200)
        return float(np.linalg.norm(ones - matrix @ u) / np.linalg.norm(ones))

    return solve


def direct_solver(a: Any, grid: Any) -> Callable[[], float]:
    """SuperLU as `spsolve` calls it."""
    import numpy as np
    from scipy.sparse.linalg import spsolve

    matrix, ones = assembled(a, grid)
    columns = matrix.tocsc()

    def solve() -> float:
        u = spsolve(columns, ones)
        return float(np.linalg.norm(ones - matrix @ u) / np.linalg.norm(ones))

    return solve


def one_at_a_time(a: Any, grid: Any) -> Callable[[], float]:
    """The same samples in single calls on one thread."""
    import torch

    from kanop.solvers.darcy import solve_darcy

    def solve() -> float:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return max(float(solve_darcy(one[None], 1.0, grid, tolerance=RESIDUAL).residual) for one in a)
        finally:
            torch.set_num_threads(threads)

    return solve


PEERS = {
    "beside pyamg": pyamg_solver,
    "beside spsolve": direct_solver,
    "beside one at a time": one_at_a_time,
}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """One line a cell."""
    return rows_of(rows, ("problem", "points", "samples", "threads", "method"))
