"""Continuation: equals the field inside, smooth on the longer circle, undone by `restrict`."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from kanop.layers import Continuation, restrict
from kanop.solvers import Grid, KanopError

F64 = torch.float64


def smooth(n):
    """A function between walls that no period fits."""
    x = Grid((n,), boundaries="neumann").points[0]
    return torch.exp(x) + torch.sin(5 * x) + x**3


def decay(order, n=256):
    """How steeply the coefficients of the extended function fall between |k| = 8 and 64."""
    v = Continuation(0.5, order).extend(smooth(n)[None, None], ["dirichlet"])
    size = torch.fft.rfft(v[0, 0], norm="forward").abs()
    low, high = size[6:11].norm(), size[56:73].norm() / math.sqrt(17 / 5)
    return math.log(low / high) / math.log(8)


def test_zeros_leave_a_jump_and_every_order_adds_a_derivative():
    """A jump gives |k|^-1; `order` matched points give order - 1 continuous derivatives, |k|^-(order + 1)."""
    assert decay(0) == pytest.approx(1, abs=0.3)
    for order in (1, 2, 3):
        assert decay(order) == pytest.approx(order + 1, abs=0.5)


def derivative_error(order, n):
    x = Grid((n,), boundaries="neumann").points[0]
    exact = torch.exp(x) + 5 * torch.cos(5 * x) + 3 * x**2
    v = Continuation(0.5, order).extend(smooth(n)[None, None], ["neumann"])
    k = 2j * torch.pi * torch.fft.rfftfreq(v.shape[-1], 1 / n)
    derivative = torch.fft.irfft(k * torch.fft.rfft(v), n=v.shape[-1])[0, 0, :n]
    return float((derivative - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("order", [2, 3, 4])
def test_a_fourier_derivative_up_to_the_walls_converges_with_order_minus_one(order):
    """With a strip of zeros it does not converge at all."""
    rate = math.log2(derivative_error(order, 128) / derivative_error(order, 256))
    assert rate == pytest.approx(order - 1, abs=0.25)
    assert derivative_error(0, 256) > derivative_error(0, 128) > 1


def test_a_strip_of_order_d_is_the_hermite_interpolant_in_the_limit():
    """Between f = 0 and f = x the C¹ strip of unit length is the cubic with the end values and slopes."""
    n = 4000
    x = (torch.arange(n, dtype=F64) + 0.5) / n
    strip = Continuation(1.0, 2).extend(x[None, None], ["neumann"])[0, 0, n:]
    t = torch.linspace(0, 1, n, dtype=F64)
    hermite = (1 - 3 * t**2 + 2 * t**3) + (t - 2 * t**2 + t**3) + (t**3 - t**2)
    assert (strip - hermite).abs().max() < 5e-3


@pytest.mark.parametrize(("order", "extra"), [(1, 6), (2, 8), (4, 20), (5, 50)])
def test_equals_neuraloperators_legendre_continuation(order, extra):
    with warnings.catch_warnings():
        from neuralop.layers.fourier_continuation import FCLegendre
    u = torch.randn(2, 3, 40, dtype=F64)
    theirs = FCLegendre(d=order, n_additional_pts=extra).extend(u, 1)
    ours = Continuation(extra / 40, order).extend(u, ["dirichlet"])
    assert torch.allclose(ours.roll(extra // 2, -1), theirs, atol=1e-8 * ours.abs().max())


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("kinds", [("periodic", "neumann"), ("dirichlet", "dirichlet"), ("neumann", "periodic")])
def test_only_walls_are_extended_and_the_field_stays_where_it_was(order, kinds):
    u = torch.randn(2, 3, 12, 17, dtype=F64)
    v = Continuation(0.5, order).extend(u, kinds)
    want = [n if kind == "periodic" else n + round(n / 2) for n, kind in zip((12, 17), kinds, strict=True)]
    assert list(v.shape[2:]) == want
    assert torch.equal(restrict(v, (12, 17)), u)


def test_constants_stay_constant_and_axes_with_few_points_match_all_of_them():
    u = torch.full((1, 1, 2, 9), 3.0, dtype=F64)
    v = Continuation(1.0, 4).extend(u, ("neumann", "neumann"))
    assert v.shape == (1, 1, 4, 18)
    assert torch.allclose(v, torch.full_like(v, 3.0))


def test_gradients_pass_through_the_strip():
    u = torch.randn(1, 2, 6, 5, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda u: Continuation(0.5, 2).extend(u, ("dirichlet", "neumann")), u)


@pytest.mark.parametrize(("arguments", "message"), [((-0.1, 2), "at least 0"), ((0.25, 9), "0 to 8, got 9")])
def test_impossible_strips_are_refused(arguments, message):
    with pytest.raises(KanopError, match=message):
        Continuation(*arguments)
