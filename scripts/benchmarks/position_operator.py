"""u ↦ −u″ + V(x) u on an interval: a KANO of two dozen parameters beside an FNO of six hundred thousand.

V is 1 − cos x on a circle, or (x − L/2)² between walls where u = 0. The KANO is linear, one layer of one channel: its
symbol is a sum of three products, by L-BFGS on 20 pairs in float64, the best of six starts on these pairs; with splines
of one cell, which hold k² and x², and with the default basis. The FNO takes 200 pairs and SOAP, at the best of three
rates for 100 others. Errors are relative L2 on 100 pairs that nobody has seen; seed by seed the pairs and the weights
are others.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kanop.scripts.benchmarks.alone import alone
from kanop.scripts.benchmarks.operator_problems import count

if TYPE_CHECKING:
    from torch import Tensor, nn

    from kanop.solvers import FieldSpec, Grid

__all__ = ["CELLS", "run", "table"]

POTENTIALS = {"1 - cos x": "periodic", "(x - L/2)^2": "dirichlet"}
METHODS = ("fno", "kano, splines of degree 2", "kano, default basis")
SEEDS = 3
CELLS = [
    {"potential": potential, "method": method, "seed": seed, "threads": 1}
    for potential in POTENTIALS
    for method in METHODS
    for seed in range(SEEDS)
]
MODES, STEPS, RATES, STARTS = 12, 1500, (1e-3, 3e-3, 1e-2), 6


def run(cell: dict[str, Any]) -> dict[str, Any]:
    """Train one method on one operator, in a process of its own."""
    return alone(measure, cell)


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    """Error on unseen pairs and number of parameters."""
    from kanop.solvers import FieldSpec, Grid

    grid = Grid((32,), (2 * math.pi,), POTENTIALS[cell["potential"]])
    given, valid, test = (_pairs(grid, n, 3 * cell["seed"] + part) for part, n in enumerate((200, 100, 100)))
    spec = FieldSpec(grid, ["u"])
    if cell["method"] == "fno":
        tried = [_fno(spec, *given, rate, cell["seed"]) for rate in RATES]
        model = min(tried, key=lambda fno: _error(fno, *valid))
    else:
        few = [w[:20] for w in given]
        starts = [_kano(spec, few[0], few[1], cell["method"], STARTS * cell["seed"] + start) for start in range(STARTS)]
        model = min(starts, key=lambda kano: _error(kano, *few))
    return {"error": _error(model, *test), "parameters": count(model)}


def _pairs(grid: Grid, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """Fields of random modes up to `MODES`, and what the operator makes of them over the size of its symbol."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    walls = grid.boundaries[0] != "periodic"
    u_hat = grid.to_spectral(torch.zeros(samples, 1, *grid.shape, dtype=torch.float64))
    size = (samples, 1, MODES + (0 if walls else 1))
    u_hat[..., : size[-1]] = torch.randn(size, generator=generator, dtype=u_hat.dtype)
    u = grid.to_physical(u_hat)
    u = u / u.std()
    x = grid.points[0]
    potential = (x - math.pi).square() if walls else 1 - torch.cos(x)
    largest = (MODES / (2 if walls else 1)) ** 2
    return u, (potential * u - grid.to_physical(grid.laplacian * grid.to_spectral(u))) / largest


def _error(model: nn.Module, u: Tensor, v: Tensor) -> float:
    import torch

    with torch.no_grad():
        difference = (model(u.to(next(model.parameters()).dtype)).to(v.dtype) - v).flatten(1)
    return float((difference.norm(dim=1) / v.flatten(1).norm(dim=1)).mean())


def _fno(spec: FieldSpec, u: Tensor, v: Tensor, rate: float, seed: int) -> nn.Module:
    """SOAP with one cycle of the rate, on the relative error."""
    import torch

    from kanop.operators import FNO
    from kanop.training import OptimConfig, learning_rate
    from kanop.training.optimisers import soap

    torch.manual_seed(seed)
    model, u, v = FNO(spec, (32,), 64), u.float(), v.float()
    optim = OptimConfig(method="soap", lr=rate, betas=[0.95, 0.95])
    optimiser = soap(optim, list(model.parameters()))
    for step in range(STEPS):
        batch = torch.randint(0, len(u), (20,))
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(optim, step, STEPS)
        optimiser.zero_grad()
        loss = (model(u[batch]) - v[batch]).flatten(1).norm(dim=1) / v[batch].flatten(1).norm(dim=1)
        loss.mean().backward()
        optimiser.step()
    return model


def _kano(spec: FieldSpec, u: Tensor, v: Tensor, method: str, seed: int) -> nn.Module:
    """L-BFGS on the squared error."""
    import torch

    from kanop.kan import BSpline
    from kanop.operators import KANO

    torch.manual_seed(seed)
    basis = BSpline(cells=1, degree=2) if "splines" in method else None
    padding = 0.0 if spec.grid.boundaries[0] == "periodic" else "odd"
    sizes: dict[str, Any] = {"rank": 3, "hidden_channels": 1, "n_layers": 1, "nonlinear": False, "padding": padding}
    model = KANO(spec, basis, **sizes).double()
    optimiser = torch.optim.LBFGS(
        model.parameters(),
        max_iter=500,
        history_size=100,
        line_search_fn="strong_wolfe",
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = (model(u) - v).square().mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return model


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Mean error of each method over the seeds that are done, and beside the FNO's."""
    lines = ["| V | method | parameters | seeds | error: mean | largest | FNO's over it |", "|---" * 7 + "|"]
    for potential in POTENTIALS:
        groups = {m: [r["numbers"] for r in rows if (r["potential"], r["method"]) == (potential, m)] for m in METHODS}
        means = {m: statistics.mean(n["error"] for n in group) for m, group in groups.items() if group}
        for method, mean in means.items():
            group = groups[method]
            ratio = f"{means['fno'] / mean:.3g}" if "fno" in means else ""
            entries = [f"{group[0]['parameters']:,}", f"{len(group)} of {SEEDS}", f"{mean:.2g}"]
            entries += [f"{max(n['error'] for n in group):.2g}", ratio]
            lines.append("| " + " | ".join([potential, method, *entries]) + " |")
    return "\n".join(lines)
