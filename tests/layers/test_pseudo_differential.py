"""PseudoDifferential and PositionKAN: the sum over waves, variable coefficients exactly, the multiplier's limit."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.kan import Chebyshev, Fourier
from kanop.layers import KANPointwise, PositionKAN, PseudoDifferential
from kanop.solvers import Grid, KanopError

F64 = torch.float64


def solve(kan, inputs, target, column):
    """Least squares for output `column` of the one-layer function `kan` of one input, to be `target` at `inputs`."""
    functions = torch.cat([kan.basis.expand(kan.map(inputs[:, None]))[..., 0], torch.ones_like(inputs)[:, None]], -1)
    coefficients = torch.linalg.lstsq(functions, target[:, None], driver="gelsd").solution[:, 0]
    with torch.no_grad():
        kan.weight[column, :, 0], kan.bias[column] = coefficients[:-1], coefficients[-1]


def schroedinger(grid, potential, largest):
    """−∂² + V(x) from f = (1, V), g = (k², 1)."""
    layer = PseudoDifferential(1, 1, grid, Fourier(24), 2, wavenumbers=(math.inf, largest), bias=False).double()
    t = torch.linspace(-2, 2, 801, dtype=F64)
    frequency, position = layer.frequency.kan.layers[0], layer.position.factors[0]
    for r, g in enumerate([(largest * t / 2) ** 2, torch.ones_like(t)]):
        solve(frequency, t, g, r)
    periodic = grid.boundaries[0] == "periodic"
    s = torch.linspace(0, 2 * math.pi, 801, dtype=F64) if periodic else t
    x = grid.lengths[0] * (s / (2 * math.pi) if periodic else (s + 2) / 4)
    for r, f in enumerate([torch.ones_like(x), potential(x)]):
        solve(position, s, f, r)
    return layer


@pytest.mark.parametrize("n", [32, 33, 50])
@pytest.mark.parametrize("length", [1.0, 2 * math.pi])
def test_a_periodic_potential_is_exact_at_every_resolution(n, length):
    """−u″ + (1 − cos 2πx/L) u of a few waves, against the derivatives by hand."""

    def potential(x):
        return 1 - torch.cos(2 * math.pi * x / length)

    grid = Grid((n,), lengths=(length,))
    layer = schroedinger(grid, potential, 2 * math.pi * 25 / length)
    (x,) = grid.points
    waves = [(2 * math.pi * m / length, a, b) for m, a, b in ((1, 0.7, 0.2), (4, -0.3, 1.0), (9, 0.1, 0.4))]
    u = sum(a * torch.cos(k * x) + b * torch.sin(k * x) for k, a, b in waves)
    bends = sum(k**2 * (a * torch.cos(k * x) + b * torch.sin(k * x)) for k, a, b in waves)
    want = bends + potential(x) * u
    assert (layer(u.view(1, 1, -1), grid).flatten() - want).norm() < 1e-6 * want.norm()


@pytest.mark.parametrize(("kind", "wave"), [("dirichlet", torch.sin), ("neumann", torch.cos)])
@pytest.mark.parametrize("n", [20, 41])
def test_a_harmonic_oscillator_between_walls_is_exact(kind, wave, n):
    """−u″ + x² u of sines (cosines) that vanish (are flat) at the walls."""
    grid = Grid((n,), boundaries=kind)
    layer = schroedinger(grid, lambda x: x**2, math.pi * 41)
    (x,) = grid.points
    terms = [(math.pi * m, a) for m, a in ((1, 1.0), (2, -0.4), (7, 0.3))]
    u = sum(a * wave(k * x) for k, a in terms)
    want = sum(k**2 * a * wave(k * x) for k, a in terms) + x**2 * u
    assert (layer(u.view(1, 1, -1), grid).flatten() - want).norm() < 1e-6 * want.norm()


@pytest.mark.parametrize("shape", [(9,), (7, 5), (5, 3, 5)])
@pytest.mark.parametrize("symbol", ["additive", "network"])
def test_is_the_sum_over_waves_of_its_symbol(shape, symbol):
    """v(x) = Σ_k p(x, k) û_k e^{ik·x}, all N² pairs, on odd grids where every mode is a whole wave."""
    grid = Grid(shape, lengths=(1.0, 2.0, 0.5)[: len(shape)], origin=(0.3, 0.0, -1.0)[: len(shape)])
    layer = PseudoDifferential(2, 3, grid, Chebyshev(4), 2, symbol, bias=False).double()
    u = torch.randn(1, 2, *shape, dtype=F64)
    k = torch.stack(torch.meshgrid(*(2 * math.pi * torch.fft.fftfreq(n, length / n, dtype=F64)
                                     for n, length in zip(shape, grid.lengths, strict=True)),
                                   indexing="ij"), -1).flatten(0, -2)  # fmt: skip
    x = torch.stack(grid.mesh(), -1).flatten(0, -2)
    u_hat = torch.fft.fftn(u, dim=list(range(2, u.ndim)), norm="forward").flatten(2)[0]
    corner = torch.tensor(grid.origin, dtype=F64)
    waves = torch.exp(1j * ((x - corner) @ k.T))
    f = layer.position.at(x).unflatten(-1, (2, 3)).to(waves.dtype)
    g = layer.frequency.multiplier(k).unflatten(-1, (2, 3))
    want = torch.einsum("xro,kiro,ik,xk->ox", f, g, u_hat, waves)
    assert want.imag.abs().max() < 1e-12
    assert torch.allclose(layer(u, grid)[0].flatten(1), want.real, atol=1e-12)


@pytest.mark.parametrize("kinds", [("periodic",), ("dirichlet", "periodic")])
def test_functions_that_are_one_leave_a_multiplier(kinds):
    grid = Grid((12, 10)[: len(kinds)], boundaries=kinds)
    layer = PseudoDifferential(2, 3, grid, Chebyshev(4), 1, bias=False).double()
    for factor in layer.position.factors:
        torch.nn.init.zeros_(factor.weight)
        torch.nn.init.ones_(factor.bias)
    u = torch.randn(2, 2, *grid.shape, dtype=F64)
    assert torch.allclose(layer(u, grid), layer.frequency(u, grid), atol=1e-13)


@pytest.mark.parametrize("kinds", [("periodic", "neumann"), ("dirichlet", "dirichlet"), ("periodic", "periodic")])
def test_positions_on_a_grid_are_those_of_its_points(kinds):
    box = Grid((4, 4), lengths=(2.0, 0.5), boundaries=kinds, origin=(-1.0, 3.0))
    f = PositionKAN(box, 3, Chebyshev(5)).double()
    grid = box.with_shape((7, 6))
    x = torch.stack(grid.mesh(), -1)
    assert torch.allclose(f(grid).flatten(1).T, f.at(x.flatten(0, 1)), atol=1e-13)
    # The same box with a strip behind its walls, taken for a torus.
    longer = Grid((14, 12), lengths=(4.0, 1.0))
    assert torch.allclose(f(longer)[:, :7, :6], f(grid), atol=1e-13)


def test_functions_of_a_periodic_coordinate_are_periodic():
    f = PositionKAN(Grid((4,), lengths=(3.0,)), 5, Chebyshev(6)).double()
    x = 3 * torch.rand(20, 1, dtype=F64)
    assert torch.allclose(f.at(x), f.at(x + 3.0), atol=1e-12)
    assert (f.at(x) - f.at(x + 1.0)).abs().max() > 0.1


def test_pointwise_kan_does_the_same_at_every_point():
    layer = KANPointwise(2, 3, Chebyshev(4)).double()
    u = torch.randn(2, 2, 5, 6, dtype=F64)
    assert torch.allclose(layer(u)[1, :, 3, 4], layer.kan(u[1, :, 3, 4]), atol=1e-14)


def test_a_stack_of_pointwise_kans_keeps_the_size_of_its_input():
    torch.manual_seed(0)
    for size in (1.0, 10.0):
        u = size * torch.randn(2, 64, 100)
        for _ in range(4):
            u = KANPointwise(64, 64, Chebyshev(8))(u)
        assert 0.2 * size < u.square().mean().sqrt() < 2 * size


def test_what_makes_no_sense_is_refused():
    with pytest.raises(KanopError, match="rank=0"):
        PseudoDifferential(1, 1, Grid((8,)), Chebyshev(4), 0)
    with pytest.raises(KanopError, match="size=0"):
        PositionKAN(Grid((8,)), 0, Chebyshev(4))
    with pytest.raises(KanopError, match="2 axes, got 1"):
        PositionKAN(Grid((8, 8)), 2, Chebyshev(4))(Grid((8,)))
    with pytest.raises(KanopError, match="2 coordinates, got 3"):
        PositionKAN(Grid((8, 8)), 2, Chebyshev(4)).at(torch.zeros(5, 3))
