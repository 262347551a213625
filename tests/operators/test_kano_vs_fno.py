"""On an operator with a variable coefficient, KANO's few dozen numbers beat an FNO's hundred thousands."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.kan import BSpline
from kanop.operators import FNO, KANO
from kanop.solvers import FieldSpec, Grid

F64 = torch.float64
GRID = Grid((32,), lengths=(2 * math.pi,))


def schroedinger(count, seed, bound=12):
    """Pairs (u, −u″ + (1 − cos x) u): u of modes up to `bound`, the products still on the grid."""
    generator = torch.Generator().manual_seed(seed)
    coarse = GRID.with_shape((2 * bound + 1,))
    u = coarse.resample(torch.randn(count, 1, *coarse.shape, generator=generator, dtype=F64), GRID.shape)
    bends = GRID.to_physical(-GRID.laplacian * GRID.to_spectral(u))
    return u, (bends + (1 - torch.cos(GRID.points[0])) * u) / bound**2


@torch.no_grad()
def error(model, u, v):
    difference = (model(u.to(next(model.parameters()).dtype)).to(F64) - v).flatten(1)
    return float((difference.norm(dim=1) / v.flatten(1).norm(dim=1)).mean())


def trained_fno(spec, u, v, steps=1000):
    """Adam with one cycle of the learning rate, on the relative error."""
    torch.manual_seed(0)
    model, u, v = FNO(spec, (32,), 64), u.float(), v.float()
    optimiser = torch.optim.Adam(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(steps):
        batch = torch.randint(0, len(u), (20,))
        optimiser.zero_grad()
        loss = (model(u[batch]) - v[batch]).flatten(1).norm(dim=1) / v[batch].flatten(1).norm(dim=1)
        loss.mean().backward()
        optimiser.step()
        schedule.step()
    return model


def trained_kano(spec, u, v, seed, steps=400):
    """L-BFGS on the squared error of 20 samples."""
    torch.manual_seed(seed)
    model = KANO(spec, BSpline(cells=1, degree=2), rank=3, hidden_channels=1, n_layers=1, nonlinear=False).double()
    optimiser = torch.optim.LBFGS(
        model.parameters(), max_iter=steps, history_size=100, line_search_fn="strong_wolfe", tolerance_change=0.0
    )

    def closure():
        optimiser.zero_grad()
        loss = (model(u) - v).square().mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return model


@pytest.mark.slow
def test_kano_reaches_a_hundredth_of_the_error_with_a_hundredth_of_the_parameters(record_property):
    spec = FieldSpec(GRID, ["u"])
    given, held = schroedinger(200, seed=0), schroedinger(100, seed=1)
    fno = trained_fno(spec, *given)
    kanos = [trained_kano(spec, *(w[:20] for w in given), seed) for seed in range(3)]
    count = [sum(p.numel() for p in model.parameters()) for model in (fno, kanos[0])]
    errors = [error(model, *held) for model in (fno, *kanos)]
    record_property("parameters", count)
    record_property("errors", errors)
    assert count[1] <= 0.01 * count[0]
    assert errors[0] < 0.05
    assert max(errors[1:]) <= 0.01 * errors[0]
