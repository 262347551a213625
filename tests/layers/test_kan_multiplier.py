"""KANMultiplier: real fields to real fields, the same operator in every box, and any known multiplier."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.kan import Chebyshev, Fourier
from kanop.layers import KANMultiplier, SpectralConv, mirror
from kanop.solvers import Grid, KanopError

F64 = torch.float64
SHAPES = [(16,), (17,), (300,), (12, 9), (8, 10), (6, 5, 8)]


def layer(ndim, symbol="additive", channels=(2, 3), **kwargs):
    return KANMultiplier(*channels, ndim, Chebyshev(5), symbol, **kwargs).double()


def fit(multiplier, target, largest):
    """Least squares for the last layer of a 1-axis multiplier: G = Re R + Im R on |k| <= largest."""
    k = torch.linspace(-largest, largest, 2001, dtype=F64)[:, None]
    last = multiplier.kan.layers[-1]
    functions = torch.cat([last.basis.expand(last.map(multiplier.features(k)))[..., 0], torch.ones_like(k)], -1)
    r = target(k)
    coefficients = torch.linalg.lstsq(functions, r.real + r.imag, driver="gelsd").solution[:, 0]
    with torch.no_grad():
        last.weight[0, :, 0], last.bias[0] = coefficients[:-1], coefficients[-1]
    return (multiplier.multiplier(k)[:, 0] - r).abs().max().item()


@pytest.mark.parametrize("symbol", ["isotropic", "additive", "network"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_opposite_wave_vectors_get_conjugate_values(symbol, ndim):
    k = 40 * torch.randn(50, ndim, dtype=F64)
    multiplier = layer(ndim, symbol)
    r, opposite = multiplier.multiplier(k), multiplier.multiplier(-k)
    assert torch.allclose(opposite, r.conj(), atol=1e-14)
    assert (r.imag.abs().max() == 0) == (symbol == "isotropic")


@pytest.mark.parametrize("shape", SHAPES)
def test_commutes_with_translations(shape):
    multiplier, grid = layer(len(shape)), Grid(shape)
    u = torch.randn(2, 2, *shape, dtype=F64)
    shifts, axes = (3, 5, 2)[: len(shape)], list(range(2, 2 + len(shape)))
    assert torch.allclose(multiplier(u.roll(shifts, axes), grid), multiplier(u, grid).roll(shifts, axes), atol=1e-12)


@pytest.mark.parametrize("symbol", ["isotropic", "additive", "network"])
@pytest.mark.parametrize("n", [8, 9])
def test_commutes_with_quarter_turns_where_isotropic(symbol, n):
    multiplier, grid = layer(2, symbol), Grid((n, n))
    u = torch.randn(2, 2, n, n, dtype=F64)
    turned = multiplier(u.rot90(1, (2, 3)), grid), multiplier(u, grid).rot90(1, (2, 3))
    assert torch.allclose(*turned, atol=1e-12) == (symbol == "isotropic")


@pytest.mark.parametrize(
    ("shape", "n_modes"), [((32,), (9,)), ((32,), (31,)), ((400,), (201,)), ((16, 18), (7, 9)), ((8, 9, 10), (5, 3, 7))]
)
def test_equals_a_table_of_modes_that_is_filled_with_it(shape, n_modes):
    d = len(shape)
    multiplier = layer(d, n_modes=n_modes)
    table = SpectralConv(2, 3, n_modes).double()
    ranges = [torch.arange(-(n // 2), n // 2 + 1) for n in n_modes[:-1]] + [torch.arange(n_modes[-1] // 2 + 1)]
    k = 2 * math.pi * torch.stack(torch.meshgrid(*ranges, indexing="ij"), -1).to(F64)
    table.set_kernel(multiplier.multiplier(k).movedim((-2, -1), (0, 1)))
    table.bias.data.copy_(multiplier.bias)
    u = torch.randn(2, 2, *shape, dtype=F64)
    assert torch.allclose(multiplier(u, Grid(shape)), table(u), atol=1e-12)


def test_without_a_cut_off_no_mode_is_dropped():
    """A table must be as large as the spectrum to say the same."""
    multiplier, u = layer(2), torch.randn(1, 2, 9, 11, dtype=F64)
    assert torch.allclose(multiplier(u, Grid((9, 11))), layer_with(multiplier, (9, 11))(u, Grid((9, 11))), atol=1e-13)
    assert not torch.allclose(multiplier(u, Grid((9, 11))), layer_with(multiplier, (7, 11))(u, Grid((9, 11))))


def layer_with(multiplier, n_modes):
    other = layer(multiplier.ndim, n_modes=n_modes)
    other.load_state_dict(multiplier.state_dict())
    return other


@pytest.mark.parametrize("length", [1.0, 0.5, 3.0])
@pytest.mark.parametrize("n", [24, 33, 64])
@pytest.mark.parametrize("operator", ["heat", "derivative"])
@pytest.mark.parametrize("linear", [math.inf, 8 * math.pi])
def test_a_fitted_symbol_is_the_operator_at_every_resolution_and_length(operator, n, length, linear):
    """One fit, then exp(ν t ∂²) or ∂ of any field on any circle: the error is that of the fit (Parseval)."""
    targets = {"heat": lambda k: torch.exp(-2e-4 * k**2) + 0j, "derivative": lambda k: 1j * k}
    largest = 2 * math.pi * 64
    multiplier = KANMultiplier(1, 1, 1, Fourier(24), wavenumbers=(linear, largest), bias=False).double()
    error = fit(multiplier, targets[operator], largest)
    assert error < 1e-6
    grid = Grid((n,), lengths=(length,))
    u = torch.randn(1, 1, n, dtype=F64)
    symbol = {"heat": torch.exp(2e-4 * grid.laplacian), "derivative": grid.derivative(0)}[operator]
    exact = grid.to_physical(symbol * grid.to_spectral(u))
    assert (multiplier(u, grid) - exact).norm() <= error * u.norm()


@pytest.mark.parametrize("kinds", [("dirichlet",), ("neumann",), ("dirichlet", "periodic"), ("neumann", "dirichlet"),
                                   ("periodic", "neumann", "dirichlet")])  # fmt: skip
def test_between_walls_it_multiplies_the_sine_and_cosine_series(kinds):
    grid = Grid((10, 9, 6)[: len(kinds)], lengths=(1.0, 2.0, 0.7)[: len(kinds)], boundaries=kinds)
    multiplier = layer(len(kinds), "isotropic", channels=(1, 1), bias=False)
    u = torch.randn(2, 1, *grid.shape, dtype=F64)
    k = torch.stack(torch.broadcast_tensors(*grid.k), -1)
    want = grid.to_physical(multiplier.multiplier(k)[..., 0, 0].real * grid.to_spectral(u))
    assert torch.allclose(multiplier(u, grid), want, atol=1e-12)


def test_an_odd_symbol_turns_cosines_into_sines():
    """∂ of a field with Neumann walls, on the points between them."""
    grid = Grid((20,), boundaries="neumann")
    multiplier = KANMultiplier(1, 1, 1, Fourier(24), wavenumbers=(math.inf, 80.0), bias=False).double()
    error = fit(multiplier, lambda k: 1j * k, 80.0)
    (x,) = grid.points
    v = multiplier(torch.cos(3 * math.pi * x).view(1, 1, -1), grid).flatten()
    assert (v + 3 * math.pi * torch.sin(3 * math.pi * x)).abs().max() <= error < 1e-6


def test_mirror_images_are_odd_at_dirichlet_and_even_at_neumann_walls():
    grid = Grid((3, 2, 4), lengths=(1.0, 2.0, 3.0), boundaries=("dirichlet", "neumann", "periodic"))
    u = torch.randn(1, 1, 3, 2, 4)
    v, lengths = mirror(u, grid)
    assert lengths == (2.0, 4.0, 3.0)
    assert torch.equal(v.flip(2), -v)
    assert torch.equal(v.flip(3), v)
    assert torch.equal(v[:, :, :3, :2], u)


def test_an_octave_far_above_the_linear_range_takes_as_much_as_another():
    multiplier = layer(1, wavenumbers=(0.01, 100.0))
    t = multiplier.features(torch.tensor([[25.0], [50.0], [100.0]], dtype=F64)).flatten()
    assert t[2] == pytest.approx(2.0)
    assert t[2] - t[1] == pytest.approx(float(t[1] - t[0]), rel=1e-6)


@pytest.mark.parametrize("symbol", ["isotropic", "additive"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("linear", [math.inf, 5.0])
def test_the_wave_vectors_of_a_grid_fill_the_interval_of_a_basis(symbol, ndim, linear):
    multiplier = layer(ndim, symbol, wavenumbers=(linear, 7.0))
    corners = torch.cartesian_prod(*[torch.tensor([-7.0, 0.0, 7.0], dtype=F64)] * ndim).view(-1, ndim)
    t = multiplier.features(corners)
    assert torch.allclose(t.amin(0), torch.full_like(t[0], -2.0))
    assert torch.allclose(t.amax(0), torch.full_like(t[0], 2.0))


def test_output_has_the_variance_of_the_input_at_the_start():
    torch.manual_seed(0)
    for symbol in ("isotropic", "additive", "network"):
        u = torch.randn(2, 64, 16, 16)
        v = KANMultiplier(64, 64, 2, Chebyshev(8), symbol, bias=False)(u, Grid((16, 16)))
        assert 0.5 < v.std() < 2, symbol


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"symbol": "isotropik"}, "did you mean 'isotropic'"),
        ({"wavenumbers": (0.0, 1.0)}, "both positive"),
        ({"wavenumbers": (1.0, math.inf)}, "second finite"),
        ({"n_modes": (4, 4)}, "one positive number for each of 1 axes"),
    ],
)
def test_what_makes_no_sense_is_refused(kwargs, message):
    with pytest.raises(KanopError, match=message):
        KANMultiplier(1, 1, 1, Chebyshev(4), **kwargs)
    with pytest.raises(KanopError, match="1 to 3 axes"):
        KANMultiplier(1, 1, 4, Chebyshev(4))
    with pytest.raises(KanopError, match=r"expects \(b, 2, \*x\) with 1 axes"):
        layer(1)(torch.zeros(1, 3, 8, dtype=F64), Grid((8,)))
    with pytest.raises(KanopError, match="on the points"):
        layer(1)(torch.zeros(1, 2, 9, dtype=F64), Grid((8,)))
