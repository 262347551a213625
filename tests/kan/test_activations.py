"""Each per-node activation obeys its defining law, has exact derivatives and starts with the spread it states."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from kanop.builder import build
from kanop.kan import Chebyshev, Fourier, GaussianRBF, jet
from kanop.kan.activations import (
    DARUAN,
    FAN,
    KAF,
    Cauchy,
    FourierActivation,
    GroupRational,
    HermiteActivation,
    SelectablePool,
    Siren,
    Snake,
    TropicalActivation,
)
from kanop.solvers import KanopError
from kanop.training.describe import describe

ACTIVATIONS = {
    "cauchy": Cauchy,
    "daruan": DARUAN,
    "fourier": FourierActivation,
    "fourier_gelu": lambda i: FourierActivation(i, 4, omega=0.5, fit="gelu"),
    "hermite": HermiteActivation,
    "hermite_gelu": lambda i: HermiteActivation(i, 6, fit="gelu"),
    "hermite_free": lambda i: HermiteActivation(i, 2, reach=None),
    "pool": lambda i: SelectablePool(i, [Chebyshev(4), Fourier(2), GaussianRBF(4, -1.0, 1.0)]),
    "rational": lambda i: GroupRational(i, groups=i // 2),
    "rational_published": lambda i: GroupRational(i, groups=1, powers=(1, 2, 3, 4)),
    "snake": Snake,
    "tropical": TropicalActivation,
    "tropical_gelu": lambda i: TropicalActivation(i, 3, fit="gelu"),
}
LAYERS = {
    "fan": FAN,
    "kaf": KAF,
    "siren": lambda i, o: Siren(i, o, omega=3.0),
    "siren_first": lambda i, o: Siren(i, o, omega=3.0, first=True),
}


def make(name: str, features: int) -> nn.Module:
    torch.manual_seed(0)
    return ACTIVATIONS[name](features) if name in ACTIVATIONS else LAYERS[name](features, features)


def moved(name: str, features: int) -> nn.Module:
    """With parameters away from their start, where terms may vanish."""
    module = make(name, features).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("name", [*ACTIVATIONS, *LAYERS])
def test_two_derivatives_are_exact(name):
    module = moved(name, 4)
    parameters = dict(module.named_parameters())
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)

    def function(x, *values):
        return torch.func.functional_call(module, dict(zip(parameters, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(function, (x, *parameters.values()), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, (x, *parameters.values()), atol=1e-4, fast_mode=True)


ROUGH = {"rational_published", "tropical", "tropical_gelu"}


@pytest.mark.parametrize("name", sorted(ROUGH))
def test_second_derivatives_of_rough_ones_are_refused(name):
    assert make(name, 4).smoothness == 0
    with pytest.raises(KanopError, match="continuous up to order 0; take a smoother one"):
        jet(make(name, 4), torch.zeros(1, 4), first=(0,), second=[(0, 0)])


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS, *LAYERS} - ROUGH))
def test_jets_are_nested_derivatives(name):
    """u, u_a, u_aa + u_bb carried through a network, and the gradients of a loss of them."""
    net = nn.Sequential(nn.Linear(2, 4), moved(name, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    u = jet(net, x.detach(), first=(0, 1), second=[(0, 1), [(0, 0), (1, 1)]])
    y = net(x)
    slope = torch.stack([torch.autograd.grad(y[:, c].sum(), x, create_graph=True)[0] for c in range(3)], 1)
    curve = torch.stack(
        [
            torch.stack([torch.autograd.grad(slope[:, c, a].sum(), x, create_graph=True)[0] for a in range(2)], 1)
            for c in range(3)
        ],
        1,
    )
    nested = (y, slope[..., 0], slope[..., 1], curve[..., 0, 1], curve[..., 0, 0] + curve[..., 1, 1])
    for carried, want in zip(u.streams(), nested, strict=True):
        torch.testing.assert_close(carried, want)
    parameters = list(net.parameters())
    gradients, wanted = (
        torch.autograd.grad(sum(s.square().sum() for s in streams), parameters) for streams in (u.streams(), nested)
    )
    for gradient, want in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, want)


def test_jets_need_no_gradients():
    net = nn.Sequential(nn.Linear(2, 4), moved("snake", 4), nn.Linear(4, 1)).double()
    x = torch.randn(5, 2, dtype=torch.float64)
    want = jet(net, x, (0,), [(0, 0)]).streams()
    with torch.no_grad():
        got = jet(net, x, (0,), [(0, 0)]).streams()
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("name", [*ACTIVATIONS, *LAYERS])
def test_precision_state_and_shapes(name):
    module = make(name, 4)
    for shape in ((4,), (2, 3, 4)):
        x = torch.randn(shape)
        y = module(x)
        assert y.shape == shape
        assert y.dtype == torch.float32
        torch.testing.assert_close(copy.deepcopy(module).double()(x.double()).float(), y, atol=1e-5, rtol=1e-4)
    again = ACTIVATIONS[name](4) if name in ACTIVATIONS else LAYERS[name](4, 4)
    again.load_state_dict(module.state_dict())
    assert torch.equal(again(x), module(x))
    y.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("name", [*ACTIVATIONS, *LAYERS])
def test_a_description_rebuilds_it(name):
    module = make(name, 4)
    again = build(describe(module), trusted=False)
    again.load_state_dict(module.state_dict())
    x = torch.randn(3, 4)
    assert torch.equal(again(x), module(x))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_second_moment_is_that_of_normal_inputs(name):
    """By quantiles of equal probability, another way than the quadrature of the property."""
    module = make(name, 2).double()
    levels = (torch.arange(40000, dtype=torch.float64) + 0.5) / 40000
    x = (math.sqrt(2) * torch.erfinv(2 * levels - 1))[:, None].expand(-1, 2)
    assert module.second_moment == pytest.approx(module(x).square().mean().item(), rel=2e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [("cauchy", 1.0), ("hermite", 1.0), ("tropical", 1.0), ("rational", 0.4252), ("snake", 1.3073), ("fourier", 1.927)],
)
def test_second_moment_at_the_start_is_as_stated(name, value):
    assert make(name, 4).second_moment == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "hermite_free"])
def test_depth_keeps_the_spread(name):
    """Linear layers of variance 1/(i · second_moment) between activations: six of them keep a standard deviation."""
    width = 128
    torch.manual_seed(0)
    x = torch.randn(512, width)
    with torch.no_grad():
        for _ in range(6):
            module = make(name, width)
            torch.manual_seed(1)
            x = module(x) @ torch.randn(width, width) / math.sqrt(width * module.second_moment)
    assert 0.4 < x.std() < 2.5


@pytest.mark.parametrize(("name", "low", "high"), [("fan", 0.8, 1.25), ("kaf", 0.8, 1.2), ("siren", 0.6, 0.7)])
def test_depth_keeps_the_mean_square_of_layers(name, low, high):
    torch.manual_seed(0)
    x = torch.randn(512, 128)
    with torch.no_grad():
        for _ in range(6):
            x = LAYERS[name](128, 128)(x)
    assert low < x.square().mean().sqrt() < high


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_another_number_of_features_is_refused(name):
    with pytest.raises(KanopError, match=r"expects \(\*n, 4\)"):
        make(name, 4)(torch.zeros(2, 1))
    with pytest.raises(KanopError):
        ACTIVATIONS[name](0)


@pytest.mark.parametrize(
    ("fail", "message"),
    [
        (lambda: GroupRational(6, groups=4), "groups divide the features"),
        (lambda: GroupRational(8, powers=()), "powers of the denominator"),
        (lambda: GroupRational(8, powers=(2, 2)), "powers of the denominator"),
        (lambda: GroupRational(8, degree=0), "at least degree 1"),
        (lambda: GroupRational(8, fit="gellu"), "did you mean 'gelu'"),
        (lambda: HermiteActivation(2, 0), "at least 1"),
        (lambda: HermiteActivation(2, fit="relu"), "unknown activation to fit 'relu'"),
        (lambda: HermiteActivation(2, reach=0.0), "reach is positive"),
        (lambda: FourierActivation(2, 0), "at least 1"),
        (lambda: FourierActivation(2, omega=0.0), "omega is positive"),
        (lambda: TropicalActivation(2, 0), "at least 1"),
        (lambda: DARUAN(2, 0), "at least once"),
        (lambda: Snake(2, frequency=0.0), "positive"),
        (lambda: Siren(0, 2), "at least 1"),
        (lambda: Siren(2, 2, omega=0.0), "omega is positive"),
        (lambda: FAN(2, 2, share=0.6), "from 0 to ½"),
        (lambda: KAF(2, 2, waves=0), "at least one wave"),
        (lambda: SelectablePool(2, []), "at least one basis"),
        (lambda: SelectablePool(2, [Fourier(1)]).select(2), "keep is from 1 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(fail, message):
    with pytest.raises(KanopError, match=message):
        fail()
