"""The law that defines each per-node activation: an integral, a circuit, a period, an orthogonality, a convexity."""

from __future__ import annotations

import cmath
import math

import pytest
import torch
from torch.nn import functional as F

from kanop.kan.activations import (
    DARUAN,
    FAN,
    KAF,
    Cauchy,
    FourierActivation,
    GroupRational,
    HermiteActivation,
    Siren,
    Snake,
    TropicalActivation,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_cauchy_units_are_the_terms_of_cauchys_integral():
    """e^x = 1/(2πi) ∮ e^ξ/(ξ − x) dξ by 32 points on a circle: one unit for each, with its pole above or below."""
    points, radius = 32, 2.0
    x = torch.linspace(-0.5, 0.5, 11, dtype=torch.float64)
    total = torch.zeros_like(x)
    for j in range(points):
        xi = cmath.rect(radius, 2 * math.pi * (j + 0.5) / points)
        weight = -cmath.exp(xi) * xi / points
        unit = Cauchy(1).double()
        with torch.no_grad():
            # weight/(x − ξ), real part: λ_1 = Re w, λ_2 = −Im w Im ξ, d = |Im ξ|, in x − Re ξ.
            unit.slope.fill_(weight.real)
            unit.offset.fill_(-weight.imag * xi.imag)
            unit.rho.fill_(math.log(math.expm1(abs(xi.imag) - 1e-3)))
        total = total + unit((x - xi.real)[:, None])[:, 0]
    torch.testing.assert_close(total, x.exp(), atol=1e-12, rtol=0)


def test_cauchy_has_no_pole():
    unit = Cauchy(2)
    with torch.no_grad():
        unit.rho.fill_(-1e4)
    x = torch.zeros(1, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(unit(x).sum(), x)
    assert unit(x).isfinite().all()
    assert slope.isfinite().all()


def circuit(turn, frequency, phase, x):
    """⟨Z⟩ by 2 × 2 complex matrices, gates as exponentials of Pauli matrices."""
    X, Y, Z = (
        torch.tensor(m, dtype=torch.complex128) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]])
    )

    def gate(pauli, angle):
        return torch.linalg.matrix_exp(-0.5j * angle * pauli)

    state = (X + Z)[:, 0] / math.sqrt(2)
    for level in range(len(frequency)):
        state = gate(Z, frequency[level] * x + phase[level]) @ gate(Y, turn[level]) @ state
    state = gate(Z, torch.tensor(0.7)) @ gate(Y, turn[-1]) @ state
    return (state.conj() @ Z @ state).real


def test_daruan_is_the_expectation_of_a_circuit():
    module = DARUAN(3).double()
    with torch.no_grad():
        module.frequency.normal_()
    x = torch.randn(5, 3, dtype=torch.float64)
    want = torch.stack(
        [
            torch.stack([circuit(module.turn[:, i], module.frequency[:, i], module.phase[:, i], row[i]) for row in x])
            for i in range(3)
        ],
        -1,
    )
    torch.testing.assert_close(module(x), want.detach(), check_dtype=False)


def test_daruan_is_bounded_and_grows_without_a_change():
    module = DARUAN(200).double()
    x = 10 * torch.randn(50, 200, dtype=torch.float64)
    assert module(x).abs().max() <= 1 + 1e-12
    longer = module.extended()
    assert longer.uploads == module.uploads + 1
    torch.testing.assert_close(longer(x), module(x))
    (slope,) = torch.autograd.grad(longer(x).square().sum(), longer.turn)
    assert slope[-1].abs().min() > 0


@pytest.mark.parametrize("uploads", [1, 3])
def test_daruan_fills_the_sphere_at_the_start(uploads):
    torch.manual_seed(0)
    value = DARUAN(40000, uploads)(torch.full((1, 40000), 0.3)).square().mean().item()
    assert value == pytest.approx(1 / 3 + 4**-uploads / 6, rel=0.02)


@pytest.mark.parametrize("powers", [(2, 4), (1, 2, 3, 4)])
@pytest.mark.parametrize("fit", ["gelu", "silu", "tanh", "identity"])
def test_rational_meets_its_activation(fit, powers):
    x = torch.linspace(-3, 3, 601, dtype=torch.float64)[:, None]
    known = {"gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh, "identity": lambda x: x}[fit]
    error = GroupRational(1, 1, powers=powers, fit=fit).double()(x) - known(x)
    assert error.abs().max() < 6e-3


def test_rational_is_its_plain_formula_group_by_group():
    module = GroupRational(6, groups=3, degree=4, powers=(3, 1)).double()
    with torch.no_grad():
        module.numerator.normal_()
        module.denominator.normal_()
    x = torch.randn(7, 6, dtype=torch.float64)
    y = module(x)
    for i in range(6):
        a, b, z = module.numerator[i // 2], module.denominator[i // 2].abs(), x[:, i]
        plain = sum(a[j] * z**j for j in range(5)) / (1 + b[0] * z.abs() ** 3 + b[1] * z.abs())
        torch.testing.assert_close(y[:, i], plain)


def test_rational_with_even_powers_is_smooth_at_zero():
    """f'' left and right of 0: equal with (2, 4), apart with |x| in the denominator."""

    def jump(powers):
        x = torch.tensor([[-1e-9], [1e-9]], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(GroupRational(1, 1, powers=powers).double()(x).sum(), x, create_graph=True)
        (curve,) = torch.autograd.grad(slope.sum(), x)
        return (curve[1] - curve[0]).abs().item()

    assert jump((2, 4)) < 1e-6
    assert jump((1, 2, 3, 4)) > 1e-3


def test_snake_rises_by_pi_over_a_in_its_period():
    module = Snake(3).double()
    with torch.no_grad():
        module.log_frequency.normal_()
    period = math.pi / module.log_frequency.exp()
    x = torch.randn(20, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(module(x + period), module(x) + period)
    (slope,) = torch.autograd.grad(module(x).sum(), x)
    torch.testing.assert_close(slope, 1 + torch.sin(2 * math.pi / period * x), check_dtype=False)


def test_siren_has_the_published_start():
    first, later = Siren(50, 4000, first=True), Siren(50, 4000)
    assert first.weight.abs().max().item() == pytest.approx(1 / 50, rel=1e-3)
    assert later.weight.abs().max().item() == pytest.approx(math.sqrt(6 / 50) / 30, rel=1e-3)
    # Sines of all phases have mean square ½.
    x = torch.sin(100 * torch.randn(2000, 50))
    assert (30 * x @ later.weight.T).var().item() == pytest.approx(1.0, rel=0.05)


def test_fan_is_periodic_along_its_rows():
    module = FAN(3, 8).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    shift = torch.linalg.lstsq(module.periodic, 2 * math.pi * torch.tensor([1.0, -2.0], dtype=torch.float64)).solution
    here, there = module(x), module(x + shift)
    torch.testing.assert_close(here[:, :4], there[:, :4])
    assert (here[:, 4:] - there[:, 4:]).abs().max() > 0.1
    torch.testing.assert_close(here[:, :2].square() + here[:, 2:4].square(), torch.ones(5, 2, dtype=torch.float64))


def test_kaf_is_a_gelu_layer_where_its_waves_are_off():
    module = KAF(3, 5).double()
    with torch.no_grad():
        module.wave_scale.zero_()
    x = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(module(x), F.linear(F.gelu(x), module.weight, module.bias))


def test_kaf_waves_have_the_frequencies_they_say():
    """Without the GELU, a shift that turns every phase by a whole number of periods changes nothing."""
    module = KAF(3, 2, waves=3).double()
    with torch.no_grad():
        module.gelu_scale.zero_()
        module.wave_scale.fill_(1.0)
    turns = 2 * math.pi * torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)
    shift = torch.linalg.solve(module.frequencies.T, turns)
    x = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(module(x + shift), module(x))
    assert (module(x + shift / 2) - module(x)).abs().max() > 0.1


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_hermite_keeps_values_and_slopes_in_the_mean(degree):
    module = HermiteActivation(1, degree, reach=None).double()
    x = torch.linspace(-12, 12, 20001, dtype=torch.float64)[:, None].requires_grad_()
    weight = torch.softmax(-0.5 * x.detach() ** 2, 0)
    y = module(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert (weight * y.square()).sum().item() == pytest.approx(1, rel=1e-6)
    assert (weight * slope.square()).sum().item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_fourier_keeps_values_and_slopes_over_a_period(degree):
    omega = 1.5
    module = FourierActivation(1, degree, omega).double()
    x = (2 * math.pi / omega / 64 * torch.arange(64, dtype=torch.float64))[:, None].requires_grad_()
    y = module(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert y.square().mean().item() == pytest.approx(1, rel=1e-6)
    assert slope.square().mean().item() == pytest.approx(omega**2, rel=1e-6)


@pytest.mark.parametrize(
    "family",
    [
        lambda d: HermiteActivation(1, d, fit="gelu"),
        lambda d: FourierActivation(1, d, omega=0.5, fit="gelu"),
        lambda d: TropicalActivation(1, d, fit="gelu"),
    ],
    ids=["hermite", "fourier", "tropical"],
)
def test_fits_to_gelu_are_best_in_the_mean(family):
    """The error is at right angles to every function of the family, and falls as the degree grows."""
    x = torch.linspace(-8, 8, 8001, dtype=torch.float64)[:, None]
    weight = torch.softmax(-0.5 * x * x, 0)
    errors = []
    for degree in (1, 2, 6):
        module = family(degree).double()
        residual = module(x) - F.gelu(x)
        errors.append((weight * residual.square()).sum().sqrt().item())
        slopes = torch.autograd.grad((weight * residual.square()).sum(), list(module.parameters()))
        assert all(slope.abs().max() < 5e-4 for slope in slopes)
    assert errors[2] < errors[1] <= errors[0] + 1e-12
    assert errors[2] < 0.07


def test_tropical_is_convex_with_whole_multiples_of_one_slope():
    module = TropicalActivation(1).double()
    x = torch.linspace(-6, 6, 1001, dtype=torch.float64)[:, None].requires_grad_()
    (slope,) = torch.autograd.grad(module(x).sum(), x)
    assert (slope.diff(dim=0) >= 0).all()
    multiples = (slope / module.step).unique()
    torch.testing.assert_close(multiples, torch.arange(5, dtype=torch.float64))
