"""Derivatives of expressions and of networks are those of nested autograd."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kanop.kan import BSpline, Chebyshev
from kanop.kinn import AutogradDerivatives, Box, FourierMLP, JetDerivatives, KANet, ModifiedMLP, Problem
from kanop.kinn.architectures import MLP
from kanop.kinn.leaves import Known
from kanop.kinn.networks import Inputs
from kanop.kinn.strong import Residuals
from kanop.solvers import (
    AllenCahn,
    Burgers2D,
    FisherKPP,
    GrayScott,
    Helmholtz,
    KanopError,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes2D,
    Wave,
)

F64 = torch.float64


def function(k):
    return lambda t, x, y: torch.sin(k * x + t) * torch.cos(2 * y - k * t) + torch.exp(-x * y)


def both(*names):
    points = tuple(torch.rand(3, 9, generator=torch.Generator().manual_seed(0), dtype=F64))
    functions = {name: function(1.3 + i) for i, name in enumerate(names)}
    return (
        JetDerivatives({name: Known(f, points) for name, f in functions.items()}, points),
        AutogradDerivatives(functions, points[0], list(points[1:])),
    )


@pytest.mark.parametrize(
    "equation",
    [AllenCahn(0.1), Burgers2D(0.1), FisherKPP(0.1, 2.0), GrayScott(0.03, 0.06), NavierStokes2D(0.1), Wave(2.0)],
    ids=str,
)
def test_residuals_are_those_of_nested_autograd(equation):
    ours, theirs = both(*equation.channels, *equation.auxiliary)
    want = equation.residual(theirs)
    for name, expression in equation.residual(ours).items():
        assert (expression.at((0, 0, 0)) - want[name]).abs().max() <= 1e-13 * (1 + want[name].abs().max())


def test_products_quotients_powers_and_functions_are_differentiated():
    ours, theirs = both("u")
    found = []
    for D in (ours, theirs):
        u, (x, y) = D["u"], D.coordinates
        flux = (torch.sin(x) * u / (1 + y * y), torch.sqrt(2 + u) * u**3 - 2 / (3 + u))
        found.append(D.div(flux) + D.laplacian(torch.exp(u) * x) + torch.cos(D.time) - (1 - u))
    assert (found[0].at((0, 0, 0)) - found[1]).abs().max() <= 1e-12 * found[1].abs().max()


def test_what_has_no_derivative_is_named():
    ours, _ = both("u")
    with pytest.raises(KanopError, match="floor of a field has no derivatives here"):
        torch.floor(ours["u"])
    with pytest.raises(KanopError, match="powers of fields are whole"):
        ours["u"] ** 0.5
    with pytest.raises(KanopError, match=r"make them of D\.coordinates"):
        ours.x(torch.rand(9, dtype=F64) * ours["u"]).at((0, 0, 0))


ARCHITECTURES = [MLP(6, 2), ModifiedMLP(6, 2), FourierMLP(8, 2.0, 6, 1), KANet(5, 1), KANet(5, 1, BSpline(degree=5))]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
@pytest.mark.parametrize(
    ("equation", "times"),
    [
        (AllenCahn(0.1), (0, 2)),
        (Helmholtz(2.0), None),
        (KortewegDeVries(1.0, 0.1), (0, 1)),
        (KuramotoSivashinsky(), (0, 1)),
    ],
    ids=str,
)
def test_networks_are_differentiated_as_by_nested_autograd(architecture, equation, times):
    problem = Problem(equation, Box([-1.0], [3.0]), times, periods=[0] if times else [])
    unknowns = problem.unknowns(architecture, harmonics=2)
    points = torch.rand(7, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    found = Residuals(problem, unknowns, points)()["u"]
    nested = AutogradDerivatives(
        {"u": lambda t, x: unknowns(torch.stack([t, x], 1))[:, 0]}, points[:, 0], [points[:, 1]]
    )
    want = equation.residual(nested)["u"]
    assert (found - want).abs().max() <= 1e-10 * want.abs().max()
    weights = [p for p in unknowns.parameters() if p.requires_grad]
    ours, theirs = (torch.autograd.grad(r.square().sum(), weights, allow_unused=True) for r in (found, want))
    for a, b in zip(ours, theirs, strict=True):
        assert a is None or (a - b).abs().max() <= 1e-8 * (1 + b.abs().max())


def test_a_spline_that_is_not_smooth_enough_is_refused_with_the_degree_that_is():
    problem = Problem(KortewegDeVries(), Box([0.0], [1.0]), (0, 1), periods=[0])
    unknowns = problem.unknowns(KANet(4, 1, BSpline(degree=3)))
    with pytest.raises(KanopError, match="take degree=4 or more"):
        Residuals(problem, unknowns, torch.rand(3, 2, dtype=F64))


def test_inputs_are_scaled_and_periodic():
    inputs = Inputs([(1.0, 3.0), (0.0, 5.0)], periods=[1], harmonics=2).double()
    x = torch.tensor([[1.0, 0.7], [3.0, 5.7]], dtype=F64)
    z = inputs(x)
    assert z.shape == (2, inputs.features) == (2, 5)
    assert z[:, 0].tolist() == [-1.0, 1.0]
    assert (z[0, 1:] - z[1, 1:]).abs().max() <= 1e-14
    assert isinstance(inputs, nn.Module)


def test_chebyshev_networks_take_inputs_on_the_whole_interval():
    layer = KANet(3, 1, Chebyshev(3)).make(2, 1).layers[0]
    t = layer.map(torch.tensor([[-1.0, 1.0]]))
    assert t.tolist() == [[-1.0, 1.0]]
