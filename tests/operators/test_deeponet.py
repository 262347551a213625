"""DeepONet: an inner product of branch and trunk, one function at every resolution, periodic where the grid is."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from kanop.operators import DeepONet
from kanop.solvers import FieldSpec, Grid, KanopError

F64 = torch.float64


def run(network, z):
    """A multilayer perceptron by hand; the trunk ends with its activation."""
    linear = [m for m in network if isinstance(m, torch.nn.Linear)]
    for i, m in enumerate(linear):
        z = m.weight @ z + m.bias
        if i < len(linear) - 1 or isinstance(network[-1], torch.nn.GELU):
            z = F.gelu(z)
    return z


def test_equals_its_inner_products_written_out():
    grid = Grid((6, 5), lengths=(2.0, 3.0), boundaries=("periodic", "neumann"), origin=(1.0, -1.0))
    model = DeepONet(FieldSpec(grid, ["u", "v"], ["a"]), hidden_channels=7, n_basis=4).double()
    torch.nn.init.normal_(model.bias)
    u = torch.randn(2, 3, 6, 5, dtype=F64)
    v = model(u)
    for i in range(6):
        for j in range(5):
            point = [math.cos(2 * math.pi * i / 6), math.sin(2 * math.pi * i / 6), 2 * (j + 0.5) / 5 - 1]
            t = run(model.trunk, torch.tensor(point, dtype=F64))
            for sample in range(2):
                b = run(model.branch, u[sample].flatten())
                for o in range(2):
                    want = sum(b[4 * o + k] * t[k] for k in range(4)) / 2 + model.bias[o]
                    assert torch.allclose(v[sample, o, i, j], want, atol=1e-12)


@pytest.mark.parametrize(
    ("coarse", "kinds"),
    [((9,), ["periodic"]), ((8,), ["dirichlet"]), ((9, 6), ["periodic", "neumann"]), ((5, 6, 7), ["periodic"] * 3)],
)
def test_is_one_function_at_every_resolution(coarse, kinds):
    """At three times the resolution every point of the coarse grid is a point of the fine one."""
    grid = Grid(coarse, boundaries=kinds)
    model = DeepONet(FieldSpec(grid, ["u"]), hidden_channels=8, n_basis=5).double()
    narrow = grid.with_shape([max(3, n // 2 - 1) for n in coarse])
    u = narrow.resample(torch.randn(2, 1, *narrow.shape, dtype=F64), coarse)
    fine = grid.resample(u, [3 * n for n in coarse])
    w = model(fine)
    for axis, kind in enumerate(kinds, start=2):
        start = 0 if kind == "periodic" else 1
        w = w.index_select(axis, torch.arange(start, w.shape[axis], 3))
    assert torch.allclose(w, model(u), atol=1e-12)


def test_without_hidden_layers_is_linear():
    model = DeepONet(FieldSpec(Grid((12,)), ["u"]), n_layers=1, n_basis=6).double()
    torch.nn.init.zeros_(model.branch[0].bias)
    u, w = torch.randn(2, 3, 1, 12, dtype=F64)
    assert torch.allclose(model(2 * u - w), 2 * model(u) - model(w), atol=1e-12)


def test_the_output_is_periodic_where_the_grid_is():
    """Of a function of angles, the coefficients fall to rounding: no jump at the seam."""
    model = DeepONet(FieldSpec(Grid((8,)), ["u"]), hidden_channels=8).double()
    v = model(Grid((8,)).resample(torch.randn(1, 1, 8, dtype=F64), (256,)))
    size = torch.fft.rfft(v[0, 0], norm="forward").abs()
    assert size[100:].max() < 1e-12 * size.max()


def test_impossible_sizes_are_refused():
    spec = FieldSpec(Grid((8, 8)), ["u"])
    with pytest.raises(KanopError, match=r"one number of sensors per axis \(2\), got \(8,\)"):
        DeepONet(spec, sensors=(8,))
    with pytest.raises(KanopError, match="sensors are at least 1"):
        DeepONet(spec, sensors=(8, 0))
    with pytest.raises(KanopError, match="n_basis is at least 1, got 0"):
        DeepONet(spec, n_basis=0)
