"""A KAN convolution is KANLinear on patches: at one point, at all taps, under shifts, at walls."""

from __future__ import annotations

import pytest
import torch

from kanop.kan import Chebyshev, Fourier, GaussianRBF, KANConv1d, KANConv2d, KANConv3d, KANLinear
from kanop.solvers import KanopError

CLASSES = {1: KANConv1d, 2: KANConv2d, 3: KANConv3d}
SIZES = {1: (9,), 2: (6, 5), 3: (4, 5, 3)}
# A bounded domain other than (−2, 2), where the map of the inputs shows.
BASES = [Chebyshev(4), GaussianRBF(5, low=-1.0, high=1.0)]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def double(layer):
    return layer.to(torch.float64).eval()


@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("basis", BASES, ids=lambda basis: type(basis).__name__)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_kernel_of_one_point_is_kan_linear(ndim, basis, base):
    conv, linear = CLASSES[ndim](3, 2, basis, kernel_size=1, base=base), KANLinear(3, 2, basis, base=base)
    double(conv), double(linear)
    with torch.no_grad():
        conv.bias.normal_()
        linear.weight.copy_(conv.weight.reshape(linear.weight.shape))
        linear.bias.copy_(conv.bias)
        if base:
            linear.base_weight.copy_(conv.base_weight.reshape(2, 3))
    u = torch.randn(2, 3, *SIZES[ndim], dtype=torch.float64)
    torch.testing.assert_close(conv(u), linear(u.movedim(1, -1)).movedim(-1, 1))


@pytest.mark.parametrize("kernel_size", [2, 3])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_commutes_with_circular_shifts(ndim, kernel_size):
    conv = double(CLASSES[ndim](2, 3, Chebyshev(3), kernel_size))
    u = torch.randn(2, 2, *SIZES[ndim], dtype=torch.float64)
    shifts, axes = tuple(range(1, ndim + 1)), tuple(range(2, ndim + 2))
    torch.testing.assert_close(conv(u.roll(shifts, axes)), conv(u).roll(shifts, axes))


@pytest.mark.parametrize("kernel_size", [2, 3, 4])
def test_is_the_sum_of_kan_linears_over_the_taps(kernel_size):
    """v(x) = Σ_y Φ_y(u(x + y)) with a KANLinear Φ_y for every tap y, from −(k−1)//2 to k//2."""
    basis = BASES[1]
    conv = double(KANConv1d(3, 2, basis, kernel_size, bias=False))
    u = torch.randn(1, 3, 8, dtype=torch.float64)
    total = 0
    for tap in range(kernel_size):
        linear = double(KANLinear(3, 2, basis, bias=False))
        with torch.no_grad():
            linear.weight.copy_(conv.weight[..., tap])
            linear.base_weight.copy_(conv.base_weight[..., tap])
        shifted = u.roll((kernel_size - 1) // 2 - tap, -1)
        total = total + linear(shifted.movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(conv(u), total)


def test_nothing_comes_from_behind_a_wall():
    """With zeros, the outermost output is that of the inner taps alone, though B(0) is not 0 for Gaussians."""
    conv = double(KANConv2d(1, 1, BASES[1], 3, padding=("periodic", "zeros")))
    inner = double(KANConv2d(1, 1, BASES[1], (3, 2), padding="periodic"))
    with torch.no_grad():
        inner.weight.copy_(conv.weight[..., 1:])
        inner.base_weight.copy_(conv.base_weight[..., 1:])
        inner.bias.copy_(conv.bias)
    u = torch.randn(2, 1, 5, 6, dtype=torch.float64)
    torch.testing.assert_close(conv(u)[..., 0], inner(u)[..., 0])
    assert not torch.allclose(conv(u)[..., -1], inner(u)[..., -1])


def test_a_stride_takes_every_second_point():
    conv = double(KANConv2d(2, 2, Chebyshev(3), 3))
    coarse = double(KANConv2d(2, 2, Chebyshev(3), 3, stride=(2, 3)))
    coarse.load_state_dict(conv.state_dict())
    u = torch.randn(1, 2, 7, 6, dtype=torch.float64)
    torch.testing.assert_close(coarse(u), conv(u)[..., ::2, ::3])


@pytest.mark.parametrize("basis", BASES, ids=lambda basis: type(basis).__name__)
def test_mean_and_variance_are_kept_at_the_start(basis):
    torch.manual_seed(0)
    u = torch.randn(2, 16, 32, 32)
    assert KANConv2d(16, 16, basis)(u).mean((0, 2, 3)).abs().max() < 0.1
    for _ in range(4):
        u = KANConv2d(16, 16, basis)(u)
    assert 0.5 < u.std() < 2


def test_two_derivatives_are_exact():
    conv = double(KANConv1d(2, 1, Chebyshev(3), 3))
    u = torch.randn(1, 2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(conv, u)
    assert torch.autograd.gradgradcheck(conv, u)


def test_half_precision_keeps_the_functions_in_full():
    """Of the same rounded x; functions made in bfloat16 would err three times as much as the matmul does."""
    conv = KANConv1d(1, 1, Fourier(8), 1, base=False, bias=False)
    u = (3 + torch.rand(1, 1, 50)).bfloat16()
    exact = conv(u.float())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = conv(u)
    half = conv.to(torch.bfloat16)(u)
    assert half.dtype == torch.bfloat16
    for value in (mixed, half):
        assert (value.float() - exact).abs().max() < 0.008 * exact.abs().max()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KANConv1d(0, 1, BASES[0]), "at least 1"),
        (lambda: KANConv2d(1, 1, BASES[0], kernel_size=(3, 3, 3)), "kernel_size is one number or 2"),
        (lambda: KANConv1d(1, 1, BASES[0], stride=0), "stride is one number or 1"),
        (lambda: KANConv1d(1, 1, BASES[0], padding="periodical"), "did you mean 'periodic'"),
        (lambda: KANConv2d(1, 1, BASES[0], padding=("zeros",)), "one word an axis"),
        (lambda: KANConv1d(2, 1, BASES[0])(torch.zeros(1, 3, 8)), r"expects \(b, 2"),
        (lambda: KANConv1d(2, 1, BASES[0])(torch.zeros(1, 2, 8, 8)), "1 axes x"),
        (lambda: KANConv1d(2, 1, BASES[0], 5)(torch.zeros(1, 2, 4)), "not shorter than the kernel"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()
