"""FactorisedConv: a sum of multipliers of one component of the wave vector each, exact at every resolution."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.layers import FactorisedConv, SpectralConv
from kanop.solvers import Grid, KanopError

F64 = torch.float64


def series(shape, bound, channels=1, seed=0):
    """Random real fields with modes |k_i| <= bound, the same functions at every resolution."""
    generator = torch.Generator().manual_seed(seed)
    coarse = Grid([2 * bound + 1] * len(shape))
    return coarse.resample(torch.randn((2, channels, *coarse.shape), generator=generator, dtype=F64), shape)


@pytest.mark.parametrize("shape", [(16,), (16, 13), (12, 12), (9, 12, 10)])
def test_represents_the_laplacian_exactly(shape):
    conv = FactorisedConv(1, 1, [8] * len(shape)).double()
    for axis in conv.axes:
        k = 2 * math.pi * torch.arange(5, dtype=F64)
        axis.set_kernel((-(k**2)).to(torch.complex128).view(1, 1, -1))
    u, grid = series(shape, 3), Grid(shape)
    want = grid.to_physical(grid.laplacian * grid.to_spectral(u))
    assert torch.allclose(conv(u), want, atol=1e-9)


def test_equals_the_full_convolution_with_the_sum_of_its_kernels():
    """R(k, l) = R_1(k) + R_2(l) in a table over all modes of odd axes, where no mode stands at an edge."""
    shape = (9, 11)
    conv = FactorisedConv(2, 3, shape).double()
    full = SpectralConv(2, 3, shape, bias=False).double()
    first, second = (axis.kernel for axis in conv.axes)
    for kernel in (first, second):
        kernel[..., 0].imag.zero_()  # the mean along a line is real, and so is what comes of it
    both = torch.cat([first[..., 1:].flip(-1).conj(), first], -1)  # k = -4 … 4 from k = 0 … 4
    full.set_kernel(both[..., :, None] + second[..., None, :])
    u = torch.randn(2, 2, *shape, dtype=F64)
    assert torch.allclose(conv(u), full(u), atol=1e-12)


def test_with_one_axis_is_a_spectral_convolution():
    conv = FactorisedConv(2, 3, (8,)).double()
    u = torch.randn(4, 2, 15, dtype=F64)
    assert torch.equal(conv(u), conv.axes[0](u))


@pytest.mark.parametrize(("coarse", "fine"), [((16,), (33,)), ((12, 15), (24, 31)), ((8, 9, 10), (16, 11, 12))])
def test_commutes_with_resampling_and_with_shifts(coarse, fine):
    conv = FactorisedConv(2, 2, [6] * len(coarse)).double()
    u, grid = series(coarse, 3, channels=2), Grid(coarse)
    assert torch.allclose(grid.resample(conv(u), fine), conv(grid.resample(u, fine)), atol=1e-12)
    axes = list(range(2, 2 + len(coarse)))
    shifts = [3, 2, 5][: len(coarse)]
    assert torch.allclose(conv(u.roll(shifts, axes)), conv(u).roll(shifts, axes), atol=1e-12)


def test_bad_input_is_named():
    with pytest.raises(KanopError, match=r"expects \(b, 2, \*x\) with 2 axes x, got shape \(1, 2, 8\)"):
        FactorisedConv(2, 1, (4, 4))(torch.zeros(1, 2, 8))
    with pytest.raises(KanopError, match="n_modes"):
        FactorisedConv(2, 1, (4, 0))
