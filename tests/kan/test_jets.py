"""Jets are nested autograd to rounding, with ordinary gradients afterwards."""

from __future__ import annotations

import inspect
import warnings

import jaxtyping
import pytest
import torch
from torch import nn

import kanop.kan
from kanop.kan import (
    KAN,
    Basis,
    BSpline,
    Chebyshev,
    GaussianRBF,
    KANLinear,
    OutOfDomain,
    check_smoothness,
    contraction,
    jet,
)
from kanop.solvers import KanopError

F64 = torch.float64
EXPORTED = [getattr(kanop.kan, name) for name in kanop.kan.__all__]
CLASSES = [c for c in EXPORTED if isinstance(c, type) and issubclass(c, Basis) and not inspect.isabstract(c)]
SECOND = [(0, 0), (0, 1), [(0, 0), (1, 1)]]
MLP = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.SiLU(), nn.Identity(), nn.Linear(4, 2)).double()


def nested(network, x, first, second):
    x = x.clone().requires_grad_()
    u = network(x)

    def along(f, a):
        parts = [torch.autograd.grad(f[:, c].sum(), x, create_graph=True)[0][:, a] for c in range(f.shape[1])]
        return torch.stack(parts, 1)

    slopes = [along(u, a) for a in first]
    pairs = [[entry] if isinstance(entry, tuple) else entry for entry in second]
    return [u, *slopes, *(sum(along(slopes[a], first[b]) for a, b in entry) for entry in pairs)]


def assert_same(got, want, tolerance=1e-11):
    for a, b in zip(got, want, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=tolerance * (1e-3 + float(b.detach().abs().max())))


def check_jet(network, x, first=(0, 2), second=SECOND):
    got, want = jet(network, x, first, second).streams(), nested(network, x, first, second)
    assert_same(got, want)
    weights = [torch.randn_like(w) for w in want]
    losses = [sum((w * s).sum() ** 2 for w, s in zip(weights, streams, strict=True)) for streams in (got, want)]
    gradients = [torch.autograd.grad(loss, list(network.parameters()), materialize_grads=True) for loss in losses]
    assert_same(*gradients, tolerance=1e-10)


@pytest.mark.parametrize("cls", CLASSES, ids=[c.__name__ for c in CLASSES])
@pytest.mark.parametrize("base", [True, False])
def test_jets_are_nested_derivatives_for_every_basis(cls, base, monkeypatch):
    monkeypatch.setattr(contraction, "CHUNK", 100)
    basis = cls()
    if basis.smoothness < 2:
        pytest.skip(f"{basis} has no continuous second derivatives")
    torch.manual_seed(0)
    network = KAN((3, 4, 2), basis, base=base).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutOfDomain)
        check_jet(network, torch.randn(5, 3, dtype=F64))


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_few_outputs_and_many_take_different_ways_to_the_same_jet(outputs):
    network = KAN((3, outputs), Chebyshev(4)).double()
    check_jet(network, torch.randn(7, 3, dtype=F64))
    check_jet(network, torch.randn(7, 3, dtype=F64), second=[])


def test_jets_pass_through_the_modules_of_a_perceptron():
    check_jet(MLP, torch.randn(7, 3, dtype=F64))


def test_a_quadratic_form_is_differentiated_exactly():
    class Square(nn.Module):
        def push_jet(self, u):
            second = [
                2 * u.value * s + 2 * sum(u.first[a] * u.first[b] for a, b in pairs)
                for s, pairs in zip(u.second, u.pairs, strict=True)
            ]
            return u.like([u.value**2, *(2 * u.value * a for a in u.first), *second])

    x = torch.randn(4, 2, 2, dtype=F64)
    direction = torch.tensor([0.6, 0.8], dtype=F64)
    u = jet(Square(), x, (0, direction), [(0, 0), [(0, 0), (1, 1)]])
    assert torch.allclose(u.first[0], 2 * x * torch.tensor([1.0, 0.0], dtype=F64))
    assert torch.allclose(u.first[1], 2 * x * direction)
    assert torch.allclose(u.second[0], torch.tensor([2.0, 0.0], dtype=F64).expand_as(x))
    assert torch.allclose(u.second[1], torch.tensor([2 + 2 * 0.36, 2 * 0.64], dtype=F64).expand_as(x))


def test_the_inputs_may_need_gradients_too():
    network = KAN((2, 3, 1), GaussianRBF()).double()
    x = torch.randn(4, 2, dtype=F64, requires_grad=True)
    u = jet(network, x, (0, 1), [(0, 0)])
    third = torch.autograd.grad(u.second[0].sum(), x)[0]
    y = x.detach().requires_grad_()
    want = torch.autograd.grad(nested(network, y, (0, 1), [(0, 0)])[3].sum(), y)[0]
    assert_same([third], [want])


@pytest.fixture
def unchecked():
    """Without the checks of shapes at run time, which cannot be traced."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.slow
def test_a_residual_compiles(unchecked):
    network, x = KAN((2, 3, 1), BSpline(2, 3)).double(), torch.rand(6, 2, dtype=F64)

    def loss():
        u = jet(network, x, (0, 1), [(0, 0)])
        return (u.first[1] + u.value * u.first[0] - 0.01 * u.second[0]).square().mean()

    gradients = [
        torch.autograd.grad(f(), list(network.parameters()), materialize_grads=True)
        for f in (torch.compile(loss, backend="aot_eager"), loss)
    ]
    assert_same(*gradients)


def test_a_spline_of_too_low_a_degree_is_refused_with_the_degree_that_is_needed():
    network = KAN((1, 2, 1), BSpline(degree=2))
    jet(network, torch.zeros(3, 1), (0,))
    with pytest.raises(KanopError, match="continuous up to order 1; take degree=3 or more"):
        jet(network, torch.zeros(3, 1), (0,), [(0, 0)])
    with pytest.raises(KanopError, match="take degree=5 or more"):
        check_smoothness(network, 4)
    check_smoothness(KAN((1, 1), Chebyshev()), 10)


def test_what_makes_no_sense_is_refused():
    network, x = KANLinear(2, 1, Chebyshev()), torch.zeros(3, 2)
    with pytest.raises(KanopError, match="0 to 1, got 2"):
        jet(network, x, (2,))
    with pytest.raises(KanopError, match="one number for each of 2 inputs"):
        jet(network, x, (torch.ones(3),))
    with pytest.raises(KanopError, match=r"of the 1 directions in `first`, got \(0, 1\)"):
        jet(network, x, (0,), [(0, 1)])
    with pytest.raises(KanopError, match="a ReLU is none of the modules"):
        jet(nn.ReLU(), x, (0,))
