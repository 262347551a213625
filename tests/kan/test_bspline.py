"""B-splines are those of de Boor inside their interval, straight lines outside, and the same function when refined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline as Reference

from kanop.kan import KAN, BSpline, KANLinear, bspline
from kanop.solvers import KanopError

F64 = torch.float64
SHAPES = [(5, 3), (1, 1), (3, 2), (20, 4), (4, 7)]


@pytest.mark.parametrize(("cells", "degree"), SHAPES)
def test_inside_they_are_those_of_scipy_with_all_derivatives(cells, degree):
    basis, width = BSpline(cells, degree, -1.0, 2.0), 3 / cells
    x = np.linspace(-0.9991, 1.9973, 333)  # none on a knot
    knots = -1 + width * np.arange(-degree, cells + degree + 1)
    for order in range(degree + 3):
        got = torch.stack(basis.functions(torch.as_tensor(x), order)).numpy()
        for m in range(basis.size):
            spline = Reference(knots, np.eye(basis.size)[m], degree)
            want = spline.derivative(order)(x) if 0 < order <= degree else spline(x) * (order == 0)
            np.testing.assert_allclose(got[m], want, rtol=0, atol=1e-11 * (1 + abs(want).max()))


@pytest.mark.parametrize(("cells", "degree"), SHAPES)
def test_they_sum_to_one_and_degree_plus_one_of_them_are_active(cells, degree):
    t = torch.rand(500, dtype=F64) * 2 - 1
    values = torch.stack(BSpline(cells, degree).functions(t))
    assert torch.allclose(values.sum(0), torch.ones(500, dtype=F64), atol=1e-13)
    assert bool((values >= -1e-15).all())
    assert bool(((values != 0).sum(0) <= degree + 1).all())


@pytest.mark.parametrize(("cells", "degree"), SHAPES)
def test_outside_they_are_straight_lines_in_every_order(cells, degree):
    basis = BSpline(cells, degree, -1.0, 2.0)
    for end, far in ((-1.0, torch.tensor([-1.1, -7.0], dtype=F64)), (2.0, torch.tensor([2.3, 1000.0], dtype=F64))):
        at = torch.tensor([end], dtype=F64)
        value, slope = (torch.stack(basis.functions(at, order)) for order in (0, 1))
        assert torch.allclose(torch.stack(basis.functions(far)), value + slope * (far - end), atol=1e-9)
        assert torch.allclose(torch.stack(basis.functions(far, 1)), slope.expand(-1, 2))
        for order in (2, 3, 8):
            assert not torch.stack(basis.functions(far, order)).any()


def test_a_spline_far_outside_still_learns_and_does_not_blow_up():
    layer, x = KANLinear(1, 1, BSpline(), base=False), torch.tensor([[1e4]], requires_grad=True)
    y = layer(x)
    slope, _ = torch.autograd.grad(y, [x, layer.weight])
    assert abs(float(y)) < 1e6
    assert float(slope) != 0


@pytest.mark.parametrize("orders", [[0], [1], [0, 1], [0, 1, 2, 3]], ids=str)
def test_both_ways_of_placing_the_active_functions_agree(orders, monkeypatch):
    basis, t = BSpline(6, 3), torch.linspace(-2, 2, 60, dtype=F64).view(3, 20)
    by_products = basis.derivatives(t, orders)
    monkeypatch.setattr(bspline, "FEW", 0)
    assert torch.equal(basis.derivatives(t, orders), by_products)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_refined_to_a_multiple_of_its_cells_a_spline_is_the_same_function(degree):
    layer, x = KANLinear(3, 4, BSpline(5, degree)).double(), torch.randn(500, 3, dtype=F64) * 3
    before = layer(x)
    assert layer.refine(15) < 1e-10
    assert torch.allclose(layer(x), before, rtol=1e-10, atol=1e-10)
    assert layer.basis.cells == 15
    assert layer.weight.shape == (4, 15 + degree, 3)


def test_refined_otherwise_the_error_is_stated_and_falls_with_the_cells():
    errors = []
    for cells in (7, 23, 101):
        torch.manual_seed(0)
        layer, x = (
            KANLinear(1, 1, BSpline(5, 3), base=False, bias=False).double(),
            torch.linspace(-2, 2, 999, dtype=F64),
        )
        before = layer(x[:, None]).detach()
        errors.append(layer.refine(cells))
        change = float((layer(x[:, None]) - before).detach().abs().max() / before.abs().max())
        assert 0 < change <= 1.05 * errors[-1]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


def test_a_network_is_refined_whole_and_its_layers_share_the_basis():
    network, x = KAN((2, 5, 1), BSpline(4, 3)), torch.randn(50, 2)
    before = network(x)
    assert network.refine(8) < 1e-10
    assert torch.allclose(network(x), before, atol=1e-5)
    assert all(layer.basis is network.basis for layer in network.layers)
    twin = KAN((2, 5, 1), BSpline(8, 3))
    twin.load_state_dict(network.state_dict())
    assert torch.equal(twin(x), network(x))
    with pytest.raises(KanopError, match=r"cells=8.*cells=4"):
        KAN((2, 5, 1), BSpline(4, 3)).load_state_dict(network.state_dict())


def test_what_makes_no_sense_is_refused():
    with pytest.raises(KanopError, match="cells=0"):
        BSpline(cells=0)
    with pytest.raises(KanopError, match="degree of a spline is at least 1, got degree=0"):
        BSpline(degree=0)
    with pytest.raises(KanopError, match="low=1 and high=1"):
        BSpline(low=1.0, high=1.0)
    with pytest.raises(KanopError, match="cells=-3"):
        KANLinear(1, 1, BSpline()).refine(-3)
