"""The functions of each basis are those of the books: against scipy, their own integrals and their plain formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import eval_hermitenorm, eval_jacobi, roots_hermitenorm, roots_jacobi
from torch.nn import functional as F

from kanop.kan import Hermite, Jacobi, Legendre, ReLUPower, Sine, Wavelet
from kanop.solvers import KanopError


def stack(basis, t, order=0):
    return torch.stack(list(basis.functions(torch.as_tensor(t), order)))


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (1.0, 1.0), (-0.5, 0.7), (2.5, 0.0)])
def test_jacobi_is_orthonormal_and_a_multiple_of_scipys(alpha, beta):
    t, w = roots_jacobi(20, alpha, beta)
    values = stack(Jacobi(8, alpha, beta), t).numpy()
    gram = (values * w / w.sum()) @ values.T
    np.testing.assert_allclose(gram, np.eye(8), atol=1e-12)
    for n, value in enumerate(values, 1):
        ratio = value / eval_jacobi(n, alpha, beta, t)
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
        assert ratio[0] > 0


def test_the_named_cases_of_jacobi():
    t = torch.linspace(-1, 1, 41, dtype=torch.float64)
    for order in range(4):
        torch.testing.assert_close(stack(Legendre(7), t, order), stack(Jacobi(7, 0, 0), t, order))
    chebyshev = torch.stack([math.sqrt(2) * torch.cos(n * torch.arccos(t)) for n in range(1, 8)])
    torch.testing.assert_close(stack(Jacobi(7, -0.5, -0.5), t), chebyshev, atol=1e-12, rtol=0)


def test_derivatives_above_the_degree_vanish():
    t = torch.linspace(-1, 1, 5)
    assert not stack(Legendre(3), t, 4).any()
    assert not stack(Jacobi(1), t, 3).any()
    assert not stack(Hermite(2), t, 3).any()


def test_hermite_is_orthonormal_under_the_normal_distribution():
    t, w = roots_hermitenorm(20)
    values = stack(Hermite(8), t).numpy()
    np.testing.assert_allclose((values * w / w.sum()) @ values.T, np.eye(8), atol=1e-12)
    for n, value in enumerate(values, 1):
        np.testing.assert_allclose(value, eval_hermitenorm(n, t) / math.sqrt(math.factorial(n)), rtol=1e-9, atol=1e-9)


def test_hermite_is_tame_far_outside():
    basis = Hermite(6, reach=3.0)
    far, end = basis.expand(torch.tensor([[1e4]])), stack(basis, torch.tensor([3.0]))
    torch.testing.assert_close(far[0, :, 0], end[:, 0])
    # Near the middle the clamp is the identity up to x³/(3R²).
    x = torch.tensor([[0.05]], dtype=torch.float64)
    assert abs(basis.squash(x) - x + x**3 / 27).item() < 1e-8


def test_sine_is_its_plain_formula_and_has_its_period():
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)
    plain = torch.stack([torch.sin(1.5 * g * x + g * torch.pi / 5) for g in range(1, 5)])
    torch.testing.assert_close(stack(Sine(4, omega=1.5), x), plain)
    torch.testing.assert_close(stack(Sine(4, omega=1.5), x + 2 * torch.pi / 1.5), plain)


@pytest.mark.parametrize("kind", ["mexican_hat", "morlet", "dog"])
def test_wavelets_have_unit_energy_and_mean_zero(kind):
    basis = Wavelet(kind, translations=3, dilations=[1.0, 0.4], low=-1.0, high=1.0)
    x = torch.linspace(-12, 12, 6001, dtype=torch.float64)
    values = stack(basis, x)
    torch.testing.assert_close(torch.trapezoid(values.square(), x), torch.ones(6, dtype=x.dtype), rtol=1e-9, atol=0)
    assert torch.trapezoid(values, x).abs().max() < 2e-5
    # Every one is centred on its translation: even or odd about it.
    for m, tau in enumerate((-1.0, 0.0, 1.0)):
        left, right = stack(basis, tau - x)[m], stack(basis, tau + x)[m]
        torch.testing.assert_close(left, -right if kind == "dog" else right)


def test_the_kinds_of_wavelets_are_related():
    """The Mexican hat is the derivative of the derivative of a Gaussian, up to its factor."""
    x = torch.linspace(-4, 4, 60, dtype=torch.float64)
    alone = {"translations": 1, "dilations": [1.0]}
    slope = stack(Wavelet("dog", **alone), x, 1)
    torch.testing.assert_close(slope, -math.sqrt(3 / 2) * stack(Wavelet("mexican_hat", **alone), x))


@pytest.mark.parametrize("power", [1, 2, 3, 5])
def test_relu_power_is_its_plain_formula(power):
    basis = ReLUPower(power, cells=5, overlap=3, low=0.0, high=1.0)
    x = torch.linspace(-1, 2, 301, dtype=torch.float64)
    for j, value in enumerate(basis.functions(x)):
        s = (j - 3) / 5
        e = s + 4 / 5
        plain = (4 * 5**2 / 4**2 * F.relu(x - s) * F.relu(e - x)) ** power
        torch.testing.assert_close(value, plain)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Jacobi(0), "at least degree 1"),
        (lambda: Jacobi(3, alpha=-1.0), "above −1"),
        (lambda: Legendre(0), "at least degree 1"),
        (lambda: Hermite(0), "at least degree 1"),
        (lambda: Hermite(3, reach=0.0), "reach is positive"),
        (lambda: Sine(0), "at least one function"),
        (lambda: Sine(3, omega=-1.0), "omega is positive"),
        (lambda: Wavelet("mexican"), "did you mean 'mexican_hat'"),
        (lambda: Wavelet(translations=0), "at least one translation"),
        (lambda: Wavelet(dilations=[1.0, 0.0]), "dilations are positive"),
        (lambda: Wavelet(low=1.0, high=1.0), "low < high"),
        (lambda: ReLUPower(power=0), "power is at least 1"),
        (lambda: ReLUPower(cells=0), "at least one cell"),
        (lambda: ReLUPower(overlap=-1), "overlap is at least 0"),
        (lambda: ReLUPower(low=1.0, high=0.0), "low < high"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()
