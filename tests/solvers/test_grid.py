"""Grid: the series interpolates, derivatives are exact, masks dealias, resampling loses nothing it could keep."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kanop.solvers import Grid, KanopError

KINDS = ("periodic", "dirichlet", "neumann")
TOL = 1e-12


def random_field(grid: Grid, seed: int = 0) -> torch.Tensor:
    return torch.randn(grid.shape, generator=torch.Generator().manual_seed(seed), dtype=grid.dtype)


def grids(d: int) -> list[Grid]:
    lengths = (1.3, 2.0, 0.7)[:d]
    sizes = ((7, 8, 6)[:d], (8, 7, 9)[:d])
    return [Grid(n, lengths, kinds) for n in sizes for kinds in itertools.product(KINDS, repeat=d)]


@pytest.mark.parametrize("grid", grids(1) + grids(2) + grids(3), ids=str)
def test_transform_round_trip_and_parseval(grid):
    u = random_field(grid)
    u_hat = grid.to_spectral(u)
    assert u_hat.shape == grid.spectral_shape
    assert u_hat.dtype == grid.spectral_dtype
    torch.testing.assert_close(grid.to_physical(u_hat), u, rtol=TOL, atol=TOL)
    torch.testing.assert_close((grid.parseval * u_hat.abs() ** 2).sum(), (u**2).mean(), rtol=TOL, atol=TOL)


@pytest.mark.parametrize("kind", ["dirichlet", "neumann"])
@pytest.mark.parametrize("n", [5, 8])
def test_wall_coefficients_are_those_of_the_named_basis(kind, n):
    grid = Grid((n,), (1.7,), kind)
    start = 1 if kind == "dirichlet" else 0
    basis = torch.sin if kind == "dirichlet" else torch.cos
    coefficients = random_field(grid)
    m = torch.arange(start, start + n, dtype=torch.float64)
    u = (coefficients[:, None] * basis(math.pi * m[:, None] * grid.points[0] / 1.7)).sum(0)
    torch.testing.assert_close(grid.to_spectral(u), coefficients, rtol=TOL, atol=TOL)


@given(m=st.integers(0, 15), phase=st.floats(0, 6), order=st.integers(1, 4), length=st.floats(0.5, 7))
def test_derivatives_of_a_wave_are_exact(m, phase, order, length):
    grid = Grid((32,), (length,))
    k = 2 * math.pi * m / length
    x = grid.points[0]
    u_hat = grid.to_spectral(torch.sin(k * x + phase))
    expected = k**order * torch.sin(k * x + phase + order * math.pi / 2)
    got = grid.to_physical(grid.derivative(0, order) * u_hat)
    # Rounding in the highest mode is multiplied as much as that mode is.
    largest = max(1.0, (2 * math.pi * 16 / length) ** order)
    torch.testing.assert_close(got / largest, expected / largest, rtol=0, atol=1e-13)


def test_nyquist_mode_vanishes_in_odd_derivatives_only():
    grid = Grid((8, 6))
    for axis, n in enumerate(grid.shape):
        nyquist = grid.modes[axis].abs() * 2 == n
        assert nyquist.any()
        assert (grid.derivative(axis, 1).flatten()[nyquist] == 0).all()
        assert (grid.derivative(axis, 2).flatten()[nyquist] < 0).all()


def test_odd_derivative_at_walls_is_refused():
    with pytest.raises(KanopError, match="odd derivative has no symbol on a dirichlet axis"):
        Grid((8,), boundaries="dirichlet").derivative(0, 1)


@pytest.mark.parametrize("grid", grids(2), ids=str)
def test_laplacian_symbol_of_one_mode(grid):
    u_hat = torch.zeros(grid.spectral_shape, dtype=grid.spectral_dtype)
    u_hat[2, 1] = 1.0
    k2 = sum(
        ((2 if kind == "periodic" else 1) * math.pi * float(m) / length) ** 2
        for kind, m, length in zip(grid.boundaries, (grid.modes[0][2], grid.modes[1][1]), grid.lengths, strict=True)
    )
    assert float((grid.laplacian * u_hat)[2, 1].real) == pytest.approx(-k2, rel=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [24, 25, 27, 30])
@pytest.mark.parametrize("degree", [2, 3])
def test_products_of_kept_modes_alias_onto_no_kept_mode(kind, n, degree):
    """The product formed on the grid has the kept coefficients of the product formed on a grid that resolves it."""
    if kind == "dirichlet" and degree == 2:
        pytest.skip("the square of a sine series is a cosine series")
    grid, fine = Grid((n,), boundaries=kind), Grid((4 * n,), boundaries=kind)
    mask = grid.dealias_mask(degree)
    u = grid.to_physical(mask * grid.to_spectral(random_field(grid)))
    product = grid.to_spectral(u**degree)
    exact = fine.to_spectral(grid.resample(u, fine.shape) ** degree)[: len(product)]
    torch.testing.assert_close((mask * product), mask * exact, rtol=0, atol=TOL)
    if kind == "periodic":
        wider = Grid((n,)).modes[0] * (degree + 1) < n + degree + 1
        assert wider.sum() > mask.sum(), "the mask keeps all that it can"


def test_mask_is_symmetric_in_sign():
    grid = Grid((24, 24))
    modes, mask = grid.modes[0], grid.dealias_mask(2)[:, 0]
    kept = {int(m) for m in modes[mask]}
    assert kept == {-m for m in kept} == set(range(-7, 8))


@given(
    n=st.tuples(st.integers(3, 12), st.integers(3, 12)),
    m=st.tuples(st.integers(3, 24), st.integers(3, 24)),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
)
def test_resampling_a_band_limited_field_is_exact(n, m, kinds):
    """Both grids see the same function of x: a sum of modes that either of them holds strictly below its limit."""
    grid, other = Grid(n, (1.5, 2.0), kinds), Grid(m, (1.5, 2.0), kinds)

    def field(g: Grid) -> torch.Tensor:
        total = torch.zeros(g.shape, dtype=torch.float64)
        x, y = g.mesh()
        tops = [(min(a, b) - 1) // 2 if k == "periodic" else min(a, b) - 1 for a, b, k in zip(n, m, kinds, strict=True)]
        for i, j in itertools.product(range(tops[0] + 1), range(tops[1] + 1)):
            total += (1 + i) / (1 + j) * wave(kinds[0], i, x / 1.5) * wave(kinds[1], j, y / 2.0)
        return total

    torch.testing.assert_close(grid.resample(field(grid), m), field(other), rtol=0, atol=1e-10)


def wave(kind: str, m: int, x: torch.Tensor) -> torch.Tensor:
    if kind == "periodic":
        return torch.cos(2 * math.pi * m * x + 0.3 * m)
    return torch.sin(math.pi * m * x) if kind == "dirichlet" else torch.cos(math.pi * m * x)


@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, repeat=2)))
def test_up_and_down_again_returns_every_field(kinds):
    for n in ((7, 9), (8, 8), (8, 7)):
        grid = Grid(n, (1.0, 2.0), kinds)
        u = random_field(grid)
        for m in ((16, 20), (15, 21)):
            torch.testing.assert_close(grid.with_shape(m).resample(grid.resample(u, m), n), u, rtol=0, atol=TOL)


def test_float32_grid_works_in_float32():
    grid = Grid((16,), dtype="float32")
    assert grid.to_spectral(grid.points[0]).dtype == torch.complex64


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shape": (8, 8), "lengths": (1.0,)}, r"expected 2 lengths for shape \(8, 8\)"),
        ({"shape": (8,), "lengths": (-1.0,)}, "lengths are positive"),
        ({"shape": (0,)}, "sizes are at least 1"),
        ({"shape": (8,), "boundaries": "dirichelet"}, "did you mean 'dirichlet'"),
        ({"shape": (8, 8, 8, 8)}, "1 to 3 axes"),
        ({"shape": (8,), "dtype": "float16"}, "float32 or float64"),
    ],
)
def test_bad_grids_are_refused(kwargs, message):
    with pytest.raises(KanopError, match=message):
        Grid(**kwargs)


def test_fields_of_another_shape_are_refused():
    with pytest.raises(KanopError, match=r"trailing axes \(8,\).*got shape \(2, 9\)"):
        Grid((8,)).to_spectral(torch.zeros(2, 9))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_cuda_says_what_to_do():
    with pytest.raises(KanopError, match="sees no CUDA device; use device=cpu or install a CUDA build"):
        Grid((8,), device="cuda")
