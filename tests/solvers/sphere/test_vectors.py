"""Vectors on the sphere: gradients, and winds from vorticity and divergence and back."""

from __future__ import annotations

import math

import pytest
import torch
import torch_harmonics

from kanop.solvers import SphereGrid
from kanop.solvers.sphere.vectors import wind

F64 = torch.float64
NODES = ["gauss", "lobatto", "equiangular"]


def noise(grid, seed):
    u_hat = grid.to_spectral(torch.randn(*grid.shape, generator=torch.Generator().manual_seed(seed), dtype=F64))
    return torch.where(grid.l > 0, u_hat, 0)


@pytest.mark.parametrize("nodes", NODES)
@pytest.mark.parametrize("rows", [16, 17])
def test_the_gradient_of_a_harmonic_at_the_poles_too(nodes, rows, tolerances):
    grid = SphereGrid((rows, 32), nodes, radius=2.0)
    latitude, longitude = grid.mesh()
    u = torch.sin(latitude) * torch.cos(latitude) * torch.cos(longitude)
    east, north = grid.gradient(grid.to_spectral(u))
    assert (east + torch.sin(latitude) * torch.sin(longitude) / 2).abs().max() <= tolerances[F64]["tight"]
    assert (north - torch.cos(2 * latitude) * torch.cos(longitude) / 2).abs().max() <= tolerances[F64]["tight"]


@pytest.mark.parametrize("nodes", NODES)
def test_vorticity_and_divergence_give_a_wind_that_has_them(nodes, tolerances):
    grid = SphereGrid((24, 48), nodes, radius=2.0)
    turn, spread = noise(grid, 0), noise(grid, 1)
    vector = grid.vectors.synthesise(wind(grid, turn, spread)).unbind(-3)
    assert (grid.curl(vector) - turn).norm() <= tolerances[F64]["tight"] * turn.norm()
    assert (grid.divergence(vector) - spread).norm() <= tolerances[F64]["tight"] * spread.norm()
    assert (grid.divergence(grid.gradient(turn)) - grid.laplacian * turn).norm() <= 1e-12 * turn.norm() * 24**2


@pytest.mark.parametrize("nodes", ["lobatto", "equiangular"])
def test_at_a_pole_all_meridians_tell_of_one_vector(nodes, tolerances):
    grid = SphereGrid((18, 32), nodes)
    east, north = grid.vectors.synthesise(wind(grid, noise(grid, 0), noise(grid, 1)))
    longitude = grid.points[1]
    # In the plane of the north pole, x towards longitude 0: eastwards is (−sin λ, cos λ), northwards (−cos λ, −sin λ).
    x = -torch.sin(longitude) * east[0] - torch.cos(longitude) * north[0]
    y = torch.cos(longitude) * east[0] - torch.sin(longitude) * north[0]
    size = (x**2 + y**2).max().sqrt()
    assert max(x.max() - x.min(), y.max() - y.min()) <= tolerances[F64]["tight"] * size


def test_the_wind_is_that_of_torch_harmonics(tolerances):
    grid = SphereGrid((24, 48))
    turn, spread = noise(grid, 0), noise(grid, 1)
    theirs = torch_harmonics.InverseRealVectorSHT(24, 48, lmax=24, mmax=24, grid="legendre-gauss").double()
    want = theirs(torch.stack([grid.inverse_laplacian * turn, grid.inverse_laplacian * spread]))
    found = grid.vectors.synthesise(wind(grid, turn, spread))
    assert (found - want).norm() <= tolerances[F64]["tight"] * want.norm()


def test_a_turn_about_the_axis_carries_the_wind_along(tolerances):
    grid = SphereGrid((16, 36))
    turn, spread = noise(grid, 0), noise(grid, 1)
    phase = torch.exp(-2j * math.pi / 36 * grid.m)
    before, after = (grid.vectors.synthesise(wind(grid, turn * p, spread * p)) for p in (1, phase))
    assert (before.roll(1, -1) - after).abs().max() <= tolerances[F64]["tight"] * before.abs().max()
