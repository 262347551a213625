"""What is read back is the layer: edges add up to it; a formula is found again, owns up to its error or is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kanop.kan import Basis, Chebyshev, GaussianRBF, KANLinear, edge_functions, nearest_formula, plot_edges
from kanop.kan.formulas import FUNCTIONS
from kanop.solvers import KanopError


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Planted(Basis):
    """One given function, and the constant."""

    size, smoothness, domain = 2, 0, (-math.inf, math.inf)

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def functions(self, t, order=0):
        return [torch.from_numpy(self.function(t.double().numpy())).to(t), torch.ones_like(t)]


def planted(function, a=1.0, d=0.0) -> KANLinear:
    layer = KANLinear(2, 1, Planted(function), base=False).double()
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, :, 1] = torch.tensor([a, d])
    return layer


@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("basis", [Chebyshev(4), GaussianRBF(5, low=-1.0, high=1.0)], ids=lambda b: type(b).__name__)
def test_edges_add_up_to_the_layer(basis, base):
    layer = KANLinear(3, 4, basis, base=base, interval=(-1.0, 3.0)).double().eval()
    x = torch.randn(10, 3, dtype=torch.float64)
    values = edge_functions(layer, x)
    torch.testing.assert_close(values.sum(-1) + layer.bias, layer(x))
    torch.testing.assert_close(edge_functions(layer, x, [2, 0], [1]), values[:, [2, 0]][:, :, [1]])
    same = edge_functions(layer, x[:, 0], inputs=[2, 0])
    torch.testing.assert_close(same[..., 1], values[..., 0])


def test_the_picture_shows_the_functions():
    layer = KANLinear(3, 2, Chebyshev(3))
    x = torch.randn(50, 3)
    figure = plot_edges(layer, x, outputs=[1])
    assert len(figure.axes) == 3
    for i, panel in enumerate(figure.axes):
        along, values = panel.lines[0].get_data()
        assert along.min() == pytest.approx(x[:, i].min().item())
        want = edge_functions(layer, torch.from_numpy(along), [1], [i])[:, 0, 0]
        np.testing.assert_allclose(values, want.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_formula_is_found_again(name):
    """φ(x) = 1.7 f(b x + c) − 0.4 on (0, 2), b and c such that all of it is in the domain of f."""
    b, c = (1.3, 0.6) if name in {"1/x", "√x", "log"} else (2.1, -1.9)
    layer = planted(lambda x: FUNCTIONS[name](b * x + c), a=1.7, d=-0.4)
    formula = nearest_formula(layer, 0, 1, torch.linspace(0, 2, 30, dtype=torch.float64))
    assert formula.error < 1e-6
    assert formula.name == name
    x = np.linspace(0, 2, 77)
    np.testing.assert_allclose(formula(x), 1.7 * FUNCTIONS[name](b * x + c) - 0.4, atol=1e-5)
    if name in {"sin", "tanh", "arctan", "gaussian"}:
        assert abs(formula.b) == pytest.approx(b, rel=1e-4)


def test_only_the_data_of_the_input_count():
    layer = planted(np.sin)
    x = torch.stack([torch.linspace(-9, 9, 20), torch.linspace(-1, 0.5, 20)], -1)
    formula = nearest_formula(layer, 0, 1, x)
    assert (formula.low, formula.high) == (-1.0, 0.5)


def test_the_error_is_that_of_the_formula():
    """|x|^1.5 is none of the list: the error stated is the one measured, and rounding has to own up to its own."""
    layer = planted(lambda x: np.abs(x) ** 1.5)
    points = torch.linspace(-1, 1, 200, dtype=torch.float64)
    formula = nearest_formula(layer, 0, 1, points, tolerance=0.2)
    y = points.abs().numpy() ** 1.5
    assert 1e-4 < formula.error < 0.2
    assert formula.error == pytest.approx(np.sqrt(np.mean((formula(points.numpy()) - y) ** 2)) / y.std())
    rough = formula.rounded(1)
    assert rough.a == float(f"{formula.a:.1g}")
    assert rough.error > formula.error
    assert rough.error == pytest.approx(np.sqrt(np.mean((rough(points.numpy()) - y) ** 2)) / y.std())
    assert repr(formula.b) in str(formula)


def test_a_bad_fit_is_refused_with_the_best_one():
    layer = planted(lambda x: np.sin(5 * x) + np.cos(13 * x))
    with pytest.raises(KanopError, match=r"edge \(output 0, input 1\): no formula is within 0.01 .* nearest is"):
        nearest_formula(layer, 0, 1, torch.linspace(-2, 2, 20), tolerance=0.01)


def test_a_domain_is_never_left():
    """Where data cross 0 neither logarithm nor root may pass through it; nothing comes out that is not finite."""
    layer = planted(lambda x: x**2 + x)
    x = torch.linspace(-3, 3, 20)
    only = {name: FUNCTIONS[name] for name in ("log", "√x", "1/x")}
    formula = nearest_formula(layer, 0, 1, x, only, tolerance=10)
    assert np.isfinite(formula(np.linspace(-3, 3, 500))).all()
    assert math.isfinite(formula.error)
    with pytest.raises(KanopError, match="none of nothing is finite"):
        nearest_formula(layer, 0, 1, x, {"nothing": lambda z: z * np.nan})


def test_a_constant_edge_is_its_constant():
    formula = nearest_formula(planted(np.sin, a=0.0, d=0.3), 0, 1, torch.linspace(-1, 1, 20))
    assert formula(np.zeros(1)) == pytest.approx(0.3)
    assert formula.error == 0


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda layer: edge_functions(layer, torch.zeros(3), outputs=[1]), "outputs 0 to 0, got output 1"),
        (lambda layer: edge_functions(layer, torch.zeros(3), inputs=[-1]), "inputs 0 to 1, got input -1"),
        (lambda layer: edge_functions(layer, torch.zeros(3, 4)), r"\(n, 2\) for this layer"),
        (lambda layer: plot_edges(KANLinear(11, 10, Chebyshev(1))), "more than 100 panels"),
        (lambda layer: nearest_formula(layer, 0, 1, torch.ones(5)), "single value 1"),
    ],
)
def test_what_makes_no_sense_is_refused(read, message):
    with pytest.raises(KanopError, match=message):
        read(planted(np.sin))


def test_an_edge_that_diverged_is_named():
    layer = planted(np.sin)
    with torch.no_grad():
        layer.weight[0, 0, 1] = math.nan
    with pytest.raises(KanopError, match=r"edge \(output 0, input 1\) is not finite"):
        nearest_formula(layer, 0, 1, torch.linspace(-1, 1, 5))
