"""A KAN layer is its formula, exact in every derivative; it starts well, and says what it cannot do."""

from __future__ import annotations

import inspect
import warnings
from functools import partial

import jaxtyping
import mpmath
import pytest
import torch
from safetensors.torch import load, save
from torch.func import hessian, jvp, vmap

import kanop.kan
from kanop.kan import KAN, Basis, BSpline, Chebyshev, Fourier, GaussianRBF, KANLinear, OutOfDomain, contraction
from kanop.solvers import KanopError

F64 = torch.float64
EXPORTED = [getattr(kanop.kan, name) for name in kanop.kan.__all__]
CLASSES = [c for c in EXPORTED if isinstance(c, type) and issubclass(c, Basis) and not inspect.isabstract(c)]
BASES = [Chebyshev(5), Fourier(3), GaussianRBF(5), BSpline(4, 3)]


def names(values):
    return [type(v).__name__ if isinstance(v, Basis) else v.__name__ for v in values]


@pytest.fixture
def unchecked():
    """Without the checks of shapes at run time, which cannot be traced."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def formula(layer, x):
    t = layer.map(x)
    values = torch.stack(list(layer.basis.functions(layer.basis.squash(t))))
    y = torch.einsum("omi,mni->no", layer.weight, values)
    if layer.base_weight is not None:
        y = y + (x * torch.sigmoid(x)) @ layer.base_weight.T
    return y if layer.bias is None else y + layer.bias


@pytest.mark.parametrize("cls", CLASSES, ids=names(CLASSES))
@pytest.mark.parametrize("options", [{}, {"base": False, "bias": False, "interval": (-1.0, 3.0)}])
def test_a_layer_is_its_formula(cls, options, monkeypatch, tolerances):
    monkeypatch.setattr(contraction, "CHUNK", 100)
    layer, x = KANLinear(3, 4, cls(), **options).double(), torch.randn(23, 3, dtype=F64, requires_grad=True)
    y, want = layer(x), formula(layer, x)
    assert torch.allclose(y, want, rtol=tolerances[F64]["tight"], atol=tolerances[F64]["tight"])
    g = torch.randn_like(y)
    arguments = [x, *layer.parameters()]
    for a, b in zip(torch.autograd.grad(y, arguments, g), torch.autograd.grad(want, arguments, g), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10 * float(b.abs().max()))


@pytest.mark.parametrize(
    "cls",
    [*CLASSES, partial(BSpline, 20), partial(BSpline, 37)],
    ids=[*names(CLASSES), "BSpline of 20 cells", "BSpline of 37 cells"],
)
def test_six_layers_keep_the_spread_of_their_inputs(cls):
    torch.manual_seed(0)
    network, y = KAN([64] * 7, cls()), torch.randn(500, 64)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", OutOfDomain)
        for layer in network.layers:
            y = layer(y)
            assert 0.5 < float(y.std()) < 2
    # Of every output over the inputs, too: a network whose outputs are large constants is of no use.
    assert 0.5 < float(y.std(0).mean()) < 2
    assert float(y.mean(0).square().mean()) < 0.25


@pytest.mark.parametrize("basis", [Chebyshev(3), Fourier(1), GaussianRBF(3), BSpline(2, 3)], ids=repr)
def test_derivatives_are_exact_in_every_order(basis, monkeypatch):
    monkeypatch.setattr(contraction, "CHUNK", 20)
    t = (1.6 * torch.rand(3, 2, dtype=F64) - 0.8).requires_grad_()
    weight = torch.randn(2, basis.size, 2, dtype=F64, requires_grad=True)

    def layer(t, weight):
        return contraction.contract(t, weight, basis)

    assert torch.autograd.gradcheck(layer, (t, weight), check_forward_ad=True)
    if basis.smoothness > 2:
        assert torch.autograd.gradgradcheck(layer, (t, weight))
    derivative = layer(t, weight).sum()
    for order in range(1, 4):
        (derivative,) = torch.autograd.grad(derivative.sum(), t, create_graph=True)
        want = torch.einsum("omi,mni->ni", weight, torch.stack(list(basis.functions(t, order))))
        assert torch.allclose(derivative, want, rtol=1e-10, atol=1e-10 * float(want.detach().abs().max()))


@pytest.mark.parametrize("by", contraction.SLOTS)
def test_partial_derivatives_of_the_form_are_exact_forwards_and_backwards(by):
    """T_r is linear in s, C and g: its derivative by one of them, differentiated by t and the other two."""
    basis, shapes = Chebyshev(3), {"s": (3, 2), "weight": (2, 3, 2), "g": (3, 2)}
    t = (1.6 * torch.rand(3, 2, dtype=F64) - 0.8).requires_grad_()
    rest = {name: torch.randn(shape, dtype=F64, requires_grad=True) for name, shape in shapes.items() if name != by}

    def partial_of(t, *values):
        slots = dict.fromkeys(shapes) | dict(zip(rest, values, strict=True))
        return contraction._Partial.apply(t, *slots.values(), basis, 1, by)

    assert torch.autograd.gradcheck(partial_of, (t, *rest.values()), check_forward_ad=True)


def test_third_derivatives_of_chebyshev_polynomials_and_gaussians_against_high_precision():
    points = [-0.93, -0.31, 0.0, 0.57]
    t = torch.tensor(points, dtype=F64)
    cases = [
        (Chebyshev(8), lambda m, x: mpmath.chebyt(m + 1, x)),
        (GaussianRBF(8), lambda m, x: mpmath.exp(-(((x + 2) * 7 / 4 - m) ** 2))),
        (Fourier(2), lambda m, x: [mpmath.cos, mpmath.sin][m // 2]((m % 2 + 1) * x)),
    ]
    for basis, function in cases:
        for order in range(5):
            exact = [[high_precision(function, m, x, order) for x in points] for m in range(basis.size)]
            want = torch.tensor(exact, dtype=F64)
            for got in (torch.stack(list(basis.functions(t, order))), basis.derivatives(t, [order])[0]):
                assert torch.allclose(got, want, rtol=1e-11, atol=1e-12 * float(want.detach().abs().max()))


def high_precision(function, m, x, order):
    with mpmath.workdps(40):
        return float(mpmath.diff(lambda y: function(m, y), x, order))


@pytest.mark.parametrize("basis", [*BASES, BSpline(17, 2), GaussianRBF(21), Chebyshev(1), Fourier(1)], ids=repr)
@pytest.mark.parametrize("orders", [[0], [1], [0, 1], [1, 2], [0, 1, 2, 3], [3]], ids=str)
def test_tables_are_the_functions(basis, orders):
    t = basis.squash(torch.linspace(-3, 3, 41, dtype=F64).view(1, 41))
    want = torch.stack([torch.stack(list(basis.functions(t, order))) for order in orders])
    tables = basis.derivatives(t, orders)
    assert torch.allclose(tables, want, rtol=1e-12, atol=1e-13 * float(want.detach().abs().max()))
    scattered = basis.derivatives(t, orders, torch.empty(1, 41, len(orders), basis.size, dtype=F64).permute(2, 3, 0, 1))
    assert torch.equal(scattered, tables)


def test_transforms_of_functions():
    layer, x = KANLinear(3, 2, Chebyshev(4)).double(), torch.randn(3, 3, dtype=F64)
    y, dy = jvp(layer, (x,), (torch.ones_like(x),))
    nested = torch.autograd.functional.jacobian(layer, x).sum((2, 3))
    assert torch.allclose(y, layer(x))
    assert torch.allclose(dy, nested, atol=1e-12)
    assert torch.allclose(vmap(lambda row: layer(row))(x), y)
    second = vmap(hessian(lambda row: layer(row).sum()))(x)
    want = torch.stack([torch.autograd.functional.hessian(lambda row: layer(row).sum(), row) for row in x])
    assert torch.allclose(second, want, atol=1e-10)
    weights = torch.stack([layer.weight.detach(), -2 * layer.weight.detach()])
    many = vmap(lambda weight: contraction.contract(x, weight, layer.basis))(weights)
    assert torch.allclose(many[1], -2 * many[0], atol=1e-12)


def test_nothing_larger_than_the_inputs_is_kept_for_the_backward_pass():
    layer, x = KANLinear(8, 8, Chebyshev(8)), torch.randn(1000, 8, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda saved: kept.append(saved.numel()) or saved, lambda saved: saved
    ):
        layer(x)
    assert max(kept) <= x.numel()


@pytest.mark.slow
@pytest.mark.parametrize("basis", BASES, ids=names(BASES))
def test_compiled_equals_eager(basis, unchecked):
    layer, x = KANLinear(2, 2, basis).double(), torch.randn(9, 2, dtype=F64, requires_grad=True)
    compiled = torch.compile(layer, backend="aot_eager")
    y, want = compiled(x), layer(x)
    assert torch.allclose(y, want, atol=1e-12)
    for a, b in zip(
        torch.autograd.grad(y.square().sum(), [x, *layer.parameters()]),
        torch.autograd.grad(want.square().sum(), [x, *layer.parameters()]),
        strict=True,
    ):
        assert torch.allclose(a, b, atol=1e-10)


def test_low_precision_is_of_the_matmul_alone(tolerances):
    torch.manual_seed(0)
    layer, x = KANLinear(16, 16, BSpline(20)), torch.randn(100, 16)
    want = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    assert torch.allclose(y.float(), want, atol=3 * tolerances[torch.bfloat16]["tight"])


def test_weights_of_another_basis_are_refused():
    layer = KANLinear(3, 4, GaussianRBF(8))
    with pytest.raises(KanopError, match=r"Chebyshev\(degree=8\).*GaussianRBF\(centres=8"):
        layer.load_state_dict(KANLinear(3, 4, Chebyshev(8)).state_dict(), strict=False)
    with pytest.raises(KanopError, match=r"low=-2.*low=-1"):
        KANLinear(3, 4, GaussianRBF(8, low=-1.0)).load_state_dict(layer.state_dict())
    other = KANLinear(3, 4, GaussianRBF(8, low=-2))
    other.load_state_dict(load(save(layer.state_dict())))
    x = torch.randn(5, 3)
    assert torch.equal(layer(x), other(x))


@pytest.mark.parametrize("words", ["base=True, bias=True", "base=True, bias=False", "base=False, bias=False"])
def test_a_layer_says_how_it_was_made(words):
    options = {key: value == "True" for key, value in (word.split("=") for word in words.split(", "))}
    assert f"2, 3, {words}, interval=(-1.0, 1.0)" in repr(KANLinear(2, 3, Fourier(2), interval=(-1.0, 1.0), **options))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(KanopError, match="at least 1, got 0"):
        KANLinear(0, 3, Chebyshev())
    with pytest.raises(KanopError, match="low the smaller"):
        KANLinear(1, 3, BSpline(), interval=(1.0, 1.0))
    with pytest.raises(KanopError, match="only a BSpline has cells"):
        KANLinear(1, 3, Chebyshev()).refine(5)
    with pytest.raises(KanopError, match="finite"):
        KANLinear(1, 3, BSpline()).fit_map(torch.tensor([[float("nan")]]))
    with pytest.raises(KanopError, match="at least two centres"):
        GaussianRBF(1)
    with pytest.raises(KanopError, match="degree of at least 1"):
        Chebyshev(0)
    with pytest.raises(KanopError, match="at least one harmonic"):
        Fourier(0)
    with pytest.raises(KanopError, match="input and its output"):
        KAN([3], Chebyshev())


@pytest.mark.parametrize("size", [1, 3])
def test_inputs_of_another_size_are_named_and_not_broadcast(size):
    with pytest.raises(KanopError, match=rf"takes \(\*n, 2\) of floating point, got \(5, {size}\)"):
        KANLinear(2, 3, Chebyshev(3))(torch.zeros(5, size))
