"""DeepOKAN: a projection in its linear limit, inner products written out, one function at every resolution."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.kan import Basis
from kanop.operators import DeepOKAN
from kanop.solvers import FieldSpec, Grid, KanopError

F64 = torch.float64


class Identity(Basis):
    """One function: t."""

    size, smoothness, domain = 1, math.inf, (-math.inf, math.inf)

    def functions(self, t, order=0):
        return [t if order == 0 else torch.full_like(t, float(order == 1))]


def test_with_straight_lines_for_functions_it_is_the_projection_on_its_trunk():
    """b = (mean of u, of 2u cos, of 2u sin), t = (1, cos, sin): the first Fourier modes of any input."""
    n = 12
    grid = Grid((n,), lengths=(2.0,))
    model = DeepOKAN(FieldSpec(grid, ["u"]), Identity(), n_layers=1, n_basis=3).double()
    angle = 2 * math.pi * torch.arange(n, dtype=F64) / n
    branch, trunk = model.branch[0], model.trunk[0]
    rows = torch.stack([torch.ones(n, dtype=F64), 2 * angle.cos(), 2 * angle.sin()]) / n
    with torch.no_grad():
        branch.weight[:, 0], branch.bias[:] = rows * math.sqrt(3), 0
        trunk.weight[:, 0] = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        trunk.bias[:] = torch.tensor([1.0, 0.0, 0.0])
    u = torch.randn(4, 1, n, dtype=F64)
    u_hat = grid.to_spectral(u)
    u_hat[..., 2:] = 0
    assert torch.allclose(model(u), grid.to_physical(u_hat), atol=1e-12)


def run(network, basis, z):
    """The network by hand: functions of mapped inputs, summed with their coefficients; tanh between layers."""
    layers = [m for m in network if not isinstance(m, torch.nn.Tanh)]
    for i, m in enumerate(layers):
        z = torch.tanh(z) if i else z
        t = (z - m.map.shift) * m.map.scale
        z = sum(m.weight[:, k] @ f for k, f in enumerate(basis.functions(t))) + m.bias
    return z


def test_equals_its_inner_products_written_out():
    grid = Grid((6, 5), lengths=(2.0, 3.0), boundaries=("periodic", "neumann"), origin=(1.0, -1.0))
    model = DeepOKAN(FieldSpec(grid, ["u", "v"], ["a"]), hidden_channels=7, n_basis=4).double()
    torch.nn.init.normal_(model.bias)
    u = torch.randn(2, 3, 6, 5, dtype=F64)
    v = model(u)
    for i, j in ((0, 0), (2, 4), (5, 1)):
        point = [math.cos(2 * math.pi * i / 6), math.sin(2 * math.pi * i / 6), 2 * (j + 0.5) / 5 - 1]
        t = run(model.trunk, model.basis, torch.tensor(point, dtype=F64))
        for sample in range(2):
            b = run(model.branch, model.basis, u[sample].flatten())
            for o in range(2):
                want = sum(b[4 * o + k] * t[k] for k in range(4)) / 2 + model.bias[o]
                assert torch.allclose(v[sample, o, i, j], want, atol=1e-12)


@pytest.mark.parametrize("kinds", [("periodic",), ("dirichlet", "periodic"), ("neumann", "periodic", "periodic")])
def test_the_output_is_one_function_whatever_the_resolution(kinds):
    """Three times the points: every third (the middle ones between walls) is a point of the coarse grid."""
    shape = (8, 6, 5)[: len(kinds)]
    grid = Grid(shape, boundaries=kinds)
    model = DeepOKAN(FieldSpec(grid, ["u"]), hidden_channels=6, n_basis=5).double()
    small = Grid([3] * len(kinds), boundaries=kinds)
    u = small.resample(torch.randn(2, 1, *small.shape, dtype=F64), shape)
    fine = model(grid.resample(u, [3 * n for n in shape]))
    for axis, kind in enumerate(kinds, start=2):
        start = 0 if kind == "periodic" else 1
        fine = fine[(slice(None),) * axis + (slice(start, None, 3),)]
    assert torch.allclose(fine, model(u), atol=1e-10)


def test_sensors_are_where_the_branch_looks():
    """Modes that the sensors do not hold take no part."""
    grid = Grid((32,))
    model = DeepOKAN(FieldSpec(grid, ["u"]), sensors=[9], hidden_channels=6, n_basis=5).double()
    u, k = torch.randn(1, 1, 32, dtype=F64), 2 * math.pi * grid.points[0]
    assert torch.allclose(model(u + torch.cos(5 * k)), model(u), atol=1e-12)
    assert not torch.allclose(model(u + torch.cos(4 * k)), model(u), atol=1e-3)


def test_the_maps_into_the_functions_are_learnt():
    model = DeepOKAN(FieldSpec(Grid((8,)), ["u"]), hidden_channels=6, n_basis=5)
    names = {name for name, _ in model.named_parameters() if "map" in name}
    assert {"branch.0.map.shift", "trunk.4.map.scale"} <= names


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"sensors": [8, 8]}, r"one number of sensors per axis \(1\), got \(8, 8\)"),
        ({"sensors": [0]}, "at least 1 per axis"),
        ({"hidden_channels": 0}, "hidden_channels"),
        ({"n_layers": 0}, "n_layers"),
        ({"n_basis": 0}, "n_basis"),
    ],
)
def test_what_makes_no_sense_is_refused(kwargs, message):
    spec = FieldSpec(Grid((8,)), ["u"])
    with pytest.raises(KanopError, match=message):
        DeepOKAN(spec, **kwargs)
    with pytest.raises(KanopError, match=r"DeepOKAN expects \(b, 1, \*x\)"):
        DeepOKAN(spec)(torch.zeros(1, 2, 8))
