"""SpectralConv: exact under change of resolution, one result by two ways, equal to the definition of a convolution."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from kanop.layers import SpectralConv
from kanop.solvers import Grid, KanopError

F64 = torch.float64


def band_limited(shape, bound, channels=1, batch=2, seed=0):
    """Random real fields with modes |k_i| <= bound on `shape` points, the same function at every resolution."""
    generator = torch.Generator().manual_seed(seed)
    coarse = Grid([2 * bound + 1] * len(shape))
    u = torch.randn((batch, channels, *coarse.shape), generator=generator, dtype=F64)
    return coarse.resample(u, shape)


def identity(n_modes, path):
    conv = SpectralConv(1, 1, n_modes, bias=False, path=path).double()
    conv.set_kernel(torch.ones_like(conv.kernel))
    return conv


SHAPES = [
    *itertools.permutations([(16,), (17,), (24,), (33,), (64,)], 2),
    *itertools.permutations([(16, 16), (17, 15), (12, 33), (32, 20)], 2),
    *itertools.permutations([(8, 8, 8), (9, 7, 12), (16, 11, 10)], 2),
]


@pytest.mark.parametrize("path", ["fft", "dft"])
@pytest.mark.parametrize(("before", "after"), SHAPES)
def test_identity_kernel_resamples_exactly(before, after, path):
    bound = min(*before, *after) // 2 - 1
    u = band_limited(before, bound)
    v = identity([2 * bound + 2] * len(before), path)(u, after)
    assert torch.allclose(v, Grid(before).resample(u, after), rtol=0, atol=1e-12)
    assert torch.allclose(v, band_limited(after, bound), rtol=0, atol=1e-12)


@pytest.mark.parametrize("path", ["fft", "dft"])
@pytest.mark.parametrize("shape", [(16,), (17,), (8, 8), (9, 9), (8, 9), (6, 8, 10), (5, 7, 7)])
def test_identity_kernel_with_all_modes_is_the_identity(shape, path):
    u = torch.randn(2, 1, *shape, dtype=F64)
    assert torch.allclose(identity(shape, path)(u), u, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "n_modes", "target"),
    [
        ((32,), (8,), (32,)),
        ((31,), (8,), (20,)),
        ((16,), (16,), (16,)),
        ((16,), (16,), (32,)),
        ((16,), (40,), (8,)),
        ((12, 10), (6, 5), (12, 10)),
        ((12, 10), (5, 6), (9, 14)),
        ((8, 8), (8, 8), (8, 8)),
        ((8, 8), (12, 12), (8, 8)),
        ((8, 8), (12, 12), (16, 16)),
        ((16, 16), (12, 12), (8, 8)),
        ((6, 8, 10), (4, 3, 6), (6, 8, 10)),
        ((6, 6, 6), (8, 8, 8), (9, 12, 4)),
    ],
)
def test_two_paths_agree_in_value_and_gradient(shape, n_modes, target):
    fft = SpectralConv(2, 3, n_modes, path="fft").double()
    dft = SpectralConv(2, 3, n_modes, path="dft").double()
    dft.load_state_dict(fft.state_dict())
    u = torch.randn(2, 2, *shape, dtype=F64, requires_grad=True)
    g = torch.randn(2, 3, *target, dtype=F64)
    values, gradients = [], []
    for conv in (fft, dft):
        v = conv(u, target)
        values.append(v)
        gradients.append(torch.autograd.grad(v, [u, conv.weight, conv.bias], g))
    assert torch.allclose(*values, atol=1e-12)
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-11)


def plane_waves(shape, modes):
    """exp(2πi k·x) at every point x of the unit grid, (modes, points)."""
    x = torch.stack(Grid(shape).mesh()).flatten(1)
    return torch.exp(2j * math.pi * (torch.tensor(modes, dtype=F64) @ x))


@pytest.mark.parametrize("path", ["fft", "dft"])
@pytest.mark.parametrize(("before", "after"), [((16,), (24,)), ((17,), (17,)), ((9, 14), (20, 11)), ((9, 8, 7),) * 2])
def test_equals_its_definition_as_a_sum_of_plane_waves(before, after, path):
    n_modes = (5, 4, 6)[-len(before) :]
    conv = SpectralConv(1, 1, n_modes, path=path).double()
    sets = [range(-(n // 2), (n - 1) // 2 + 1) for n in n_modes[:-1]] + [range(n_modes[-1] // 2 + 1)]
    modes = list(itertools.product(*sets))
    u = torch.randn(1, 1, *before, dtype=F64)
    u_hat = plane_waves(before, modes).conj() @ u.flatten().to(torch.complex128) / math.prod(before)
    pairs = torch.tensor([1.0 if k[-1] == 0 else 2.0 for k in modes], dtype=F64)  # −k is the conjugate of k
    want = (pairs * conv.kernel.flatten() * u_hat) @ plane_waves(after, modes)
    assert torch.allclose(conv(u, after).flatten(), want.real + conv.bias, atol=1e-12)


@pytest.mark.parametrize("n_modes", [(8,), (6, 7), (4, 5, 6)])
def test_commutes_with_translations(n_modes):
    shape = (12, 11, 10)[: len(n_modes)]
    conv = SpectralConv(2, 2, n_modes).double()
    u = torch.randn(2, 2, *shape, dtype=F64)
    shifts, axes = (3, 5, 2)[: len(shape)], list(range(2, 2 + len(shape)))
    assert torch.allclose(conv(u.roll(shifts, axes)), conv(u).roll(shifts, axes), atol=1e-12)


@pytest.mark.parametrize("path", ["fft", "dft"])
def test_a_coarse_grid_uses_the_modes_that_it_has_and_the_rest_stays_exact(path):
    conv = SpectralConv(1, 1, (24, 24), path=path).double()
    u = band_limited((48, 48), 4)
    fine, coarse = conv(u), conv(Grid((48, 48)).resample(u, (10, 9)))
    assert torch.allclose(Grid((10, 9)).resample(coarse, (48, 48)), fine, atol=1e-12)


def test_skip_adds_a_pointwise_map():
    for path in ("fft", "dft"):
        conv, skip = SpectralConv(3, 2, (4, 4), path=path).double(), torch.randn(2, 3, dtype=F64)
        u = torch.randn(2, 3, 8, 9, dtype=F64)
        want = conv(u) + torch.einsum("oi,bixy->boxy", skip, u)
        assert torch.allclose(conv(u, skip=skip), want, atol=1e-12)


@pytest.mark.parametrize("path", ["fft", "dft"])
def test_gradients_of_first_and_second_order(path):
    conv = SpectralConv(2, 2, (4, 3), path=path).double()
    u = torch.randn(1, 2, 6, 5, dtype=F64, requires_grad=True)
    skip = torch.randn(2, 2, dtype=F64, requires_grad=True)

    def call(u, skip, weight, bias):
        return torch.func.functional_call(conv, {"weight": weight, "bias": bias}, (u,), {"skip": skip})

    arguments = (u, skip, conv.weight, conv.bias)
    assert torch.autograd.gradcheck(call, arguments)
    assert torch.autograd.gradgradcheck(call, arguments)


def test_weights_are_stored_mode_by_mode_and_read_as_one_complex_kernel():
    conv = SpectralConv(3, 4, (6, 8))
    assert conv.weight.shape == (6, 5, 3, 2, 4)
    kernel = torch.randn(3, 4, 6, 5, dtype=torch.complex64)
    conv.set_kernel(kernel)
    assert torch.equal(conv.kernel, kernel)


def test_initial_variance_is_that_of_neuraloperator():
    conv = SpectralConv(24, 40, (16, 16))
    assert conv.kernel.abs().square().mean().item() == pytest.approx(2 / 64, rel=0.02)


def test_trains_in_bfloat16_autocast_in_full_precision():
    conv = SpectralConv(2, 2, (4,))
    u = torch.randn(2, 2, 16)
    with torch.autocast("cpu", torch.bfloat16):
        v = conv(u.bfloat16())
    assert v.dtype == torch.float32
    assert torch.allclose(v, conv(u.bfloat16().float()), atol=1e-6)


@pytest.mark.parametrize("n_modes", [(4,), (4, 4)])
def test_tables_made_in_inference_mode_serve_training(n_modes):
    shape = (26, 22)[: len(n_modes)]
    conv, u = SpectralConv(1, 1, n_modes, path="dft"), torch.randn(1, 1, *shape)
    with torch.inference_mode():
        conv(u)
    conv(u).sum().backward()
    assert conv.weight.grad is not None


def test_bad_input_is_named():
    with pytest.raises(KanopError, match=r"1 to 3 axes, got \(4, 0\)"):
        SpectralConv(1, 1, (4, 0))
    with pytest.raises(KanopError, match="did you mean 'dft' or 'fft'"):
        SpectralConv(1, 1, (4,), path="ddft")
    conv = SpectralConv(2, 1, (4, 4))
    with pytest.raises(KanopError, match=r"expects \(b, 2, \*x\) with 2 axes x, got shape \(1, 3, 8, 8\)"):
        conv(torch.zeros(1, 3, 8, 8))
    with pytest.raises(KanopError, match=r"got shape \(1, 2, 8\)"):
        conv(torch.zeros(1, 2, 8))
    with pytest.raises(KanopError, match="output_shape needs 2 numbers"):
        conv(torch.zeros(1, 2, 8, 8), (8,))
    with pytest.raises(KanopError, match="output_shape must be its shape"):
        conv(torch.zeros(1, 2, 8, 8), (16, 16), torch.zeros(1, 2))
