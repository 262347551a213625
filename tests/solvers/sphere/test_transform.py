"""Transforms on the sphere: exact round trips, torch-harmonics' coefficients, gradients, quadrature, dealiasing."""

from __future__ import annotations

import math

import pytest
import torch
import torch_harmonics

from kanop.solvers import KanopError, SphereGrid

F64 = torch.float64
THEIRS = {"gauss": "legendre-gauss", "lobatto": "lobatto", "equiangular": "equiangular"}
KINDS = [("gauss", 24, 23), ("gauss", 25, 24), ("lobatto", 25, 23), ("equiangular", 33, 16), ("equiangular", 32, 15)]


def coefficients(grid, *batch, seed=0):
    """Of a real field with all degrees that the grid has."""
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randn(*batch, *grid.spectral_shape, 2, generator=generator, dtype=F64)
    parts[..., 0, 1] = 0
    return torch.view_as_complex(parts).tril().to(grid.spectral_dtype)


@pytest.mark.parametrize(("nodes", "rows", "degree"), KINDS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_round_trip_is_exact_up_to_the_largest_degree(nodes, rows, degree, dtype, tolerances):
    grid = SphereGrid((rows, 2 * rows), nodes, dtype=dtype)
    assert grid.degree == degree
    u_hat = coefficients(grid, 2, 3)
    again = grid.to_spectral(grid.to_physical(u_hat))
    assert (again - u_hat).norm() <= tolerances[dtype]["tight"] * u_hat.norm()


def test_round_trip_of_256_latitudes(tolerances):
    for dtype in (torch.float64, torch.float32):
        grid = SphereGrid((256, 512), dtype=dtype)
        u_hat = coefficients(grid)
        error = (grid.to_spectral(grid.to_physical(u_hat)) - u_hat).norm() / u_hat.norm()
        assert error <= tolerances[dtype]["tight"]


@pytest.mark.parametrize(("nodes", "rows", "degree"), KINDS)
def test_coefficients_are_those_of_torch_harmonics(nodes, rows, degree, tolerances):
    grid = SphereGrid((rows, 2 * rows), nodes)
    u = torch.randn(3, *grid.shape, generator=torch.Generator().manual_seed(1), dtype=F64)
    size = {"lmax": degree + 1, "mmax": degree + 1, "grid": THEIRS[nodes]}
    theirs = torch_harmonics.RealSHT(rows, 2 * rows, **size).double()(u)
    assert (grid.to_spectral(u) - theirs).norm() <= tolerances[F64]["loose"] * theirs.norm()


@pytest.mark.parametrize("nodes", THEIRS)
def test_one_harmonic_has_one_coefficient_and_its_own_laplacian(nodes, tolerances):
    grid = SphereGrid((20, 40), nodes, radius=3.0)
    latitude, longitude = grid.mesh()
    # Y_32 = ¼ √(105/2π) cos²φ sin φ e^{2iλ}
    u = (
        2
        * math.sqrt(105 / (2 * math.pi))
        / 4
        * torch.cos(latitude) ** 2
        * torch.sin(latitude)
        * torch.cos(2 * longitude)
    )
    want = torch.zeros(grid.spectral_shape, dtype=torch.complex128)
    want[3, 2] = 1
    assert (grid.to_spectral(u) - want).abs().max() <= tolerances[F64]["tight"]
    bent = grid.to_physical(grid.laplacian * grid.to_spectral(u))
    assert (bent + 12 / 9 * u).abs().max() <= tolerances[F64]["tight"]


def test_both_ways_are_adjoint_to_their_gradients():
    grid = SphereGrid((7, 16), degree=5)
    u = torch.randn(2, 7, 16, dtype=F64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    u_hat = grid.to_spectral(u).detach().requires_grad_()
    assert torch.autograd.gradcheck(grid.to_spectral, (u,))
    assert torch.autograd.gradcheck(grid.to_physical, (u_hat,))
    assert torch.autograd.gradgradcheck(grid.to_spectral, (u,))


@pytest.mark.parametrize("nodes", THEIRS)
def test_the_mean_and_parseval_are_exact(nodes, tolerances):
    grid = SphereGrid((25, 64), nodes, degree=8)
    u_hat = coefficients(grid, 4)
    u = grid.to_physical(u_hat)
    mean = u_hat[..., 0, 0].real / math.sqrt(4 * math.pi)
    assert (grid.mean(u) - mean).abs().max() <= tolerances[F64]["tight"]
    energy = (grid.parseval * u_hat.abs() ** 2).sum((-2, -1))
    assert (grid.mean(u * u) - energy).abs().max() <= tolerances[F64]["tight"] * energy.max()


@pytest.mark.parametrize(("nodes", "rows", "degree"), [("gauss", 32, 21), ("lobatto", 32, 20), ("equiangular", 32, 10)])
def test_products_of_kept_degrees_do_not_alias_onto_them_and_one_degree_more_does(nodes, rows, degree):
    grid = SphereGrid((rows, 3 * degree + 1), nodes)
    mask = grid.dealias_mask(2)
    assert int(mask[:, 0].sum()) == degree + 1
    fine = SphereGrid((4 * rows, 8 * degree), "gauss")

    def aliased(most):
        keep = (grid.l <= most) & (grid.m <= grid.l)
        a, b = (keep * coefficients(grid, seed=seed) for seed in (3, 4))
        product = grid.to_spectral(grid.to_physical(a) * grid.to_physical(b))
        pad = [0, fine.degree - grid.degree] * 2
        a, b = (fine.to_physical(torch.nn.functional.pad(c, pad)) for c in (a, b))
        exact = fine.to_spectral(a * b)[: grid.degree + 1, : grid.degree + 1]
        return float((keep * (product - exact)).norm() / (keep * exact).norm())

    assert aliased(degree) < 1e-12
    assert aliased(degree + 1) > 1e-6


def test_resampling_is_exact_up_and_down(tolerances):
    grid = SphereGrid((16, 32))
    u = grid.to_physical(coefficients(grid, 2))
    up = grid.resample(u, (32, 70))
    down = SphereGrid((32, 70)).resample(up, (16, 32))
    assert (down - u).abs().max() <= tolerances[F64]["tight"] * u.abs().max()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shape": (16,)}, "4 or more latitudes and longitudes"),
        ({"shape": (16, 32), "nodes": "guass"}, "did you mean 'gauss'"),
        ({"shape": (16, 32), "degree": 16}, "carry degrees up to 15, got degree=16"),
        ({"shape": (16, 32), "nodes": "equiangular", "degree": 8}, "carry degrees up to 7, got degree=8"),
        ({"shape": (16, 16), "degree": 8}, "carry degrees up to 7"),
        ({"shape": (16, 32), "radius": -1.0}, "a radius is positive"),
        ({"shape": (16, 32), "dtype": "float16"}, "float32 or float64"),
    ],
)
def test_grids_that_make_no_sense_are_named(given, message):
    with pytest.raises(KanopError, match=message):
        SphereGrid(**given)


def test_fields_of_another_shape_are_named():
    with pytest.raises(KanopError, match=r"trailing axes \(16, 32\)"):
        SphereGrid((16, 32)).to_spectral(torch.zeros(32, 16, dtype=F64))
