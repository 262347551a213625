"""Vectors on the sphere: gradients, and winds from vorticity and divergence and back."""

from __future__ import annotations

import math

import pytest
import torch
import torch_harmonics

from kanop.solvers import KanopError, SphereGrid
from kanop.solvers.sphere.vectors import curl, divergence, scaled, values, wind

F64 = torch.float64


def noise(grid, seed):
    u_hat = grid.to_spectral(torch.randn(*grid.shape, generator=torch.Generator().manual_seed(seed), dtype=F64))
    return torch.where(grid.l > 0, u_hat, 0)


def test_the_gradient_of_a_harmonic(tolerances):
    grid = SphereGrid((16, 32), radius=2.0)
    latitude, longitude = grid.mesh()
    u = torch.sin(latitude) * torch.cos(latitude) * torch.cos(longitude)
    east, north = grid.gradient(grid.to_spectral(u))
    assert (east + torch.sin(latitude) * torch.sin(longitude) / 2).abs().max() <= tolerances[F64]["tight"]
    assert (north - torch.cos(2 * latitude) * torch.cos(longitude) / 2).abs().max() <= tolerances[F64]["tight"]


def test_vorticity_and_divergence_give_a_wind_that_has_them(tolerances):
    grid = SphereGrid((24, 48), radius=2.0)
    turn, spread = noise(grid, 0), noise(grid, 1)
    over = scaled(grid, values(grid, wind(grid, turn, spread)))
    assert (curl(grid, over) - turn).norm() <= tolerances[F64]["tight"] * turn.norm()
    assert (divergence(grid, over) - spread).norm() <= tolerances[F64]["tight"] * spread.norm()
    assert (grid.divergence(grid.gradient(turn)) - grid.laplacian * turn).norm() <= 1e-12 * turn.norm() * 24**2


def test_the_wind_is_that_of_torch_harmonics(tolerances):
    grid = SphereGrid((24, 48))
    turn, spread = noise(grid, 0), noise(grid, 1)
    theirs = torch_harmonics.InverseRealVectorSHT(24, 48, lmax=24, mmax=24, grid="legendre-gauss").double()
    want = theirs(torch.stack([grid.inverse_laplacian * turn, grid.inverse_laplacian * spread]))
    found = values(grid, wind(grid, turn, spread))
    assert (found - want).norm() <= tolerances[F64]["tight"] * want.norm()


def test_a_turn_about_the_axis_carries_the_wind_along(tolerances):
    grid = SphereGrid((16, 36))
    turn, spread = noise(grid, 0), noise(grid, 1)
    phase = torch.exp(-2j * math.pi / 36 * grid.m)
    before, after = (values(grid, wind(grid, turn * p, spread * p)) for p in (1, phase))
    assert (before.roll(1, -1) - after).abs().max() <= tolerances[F64]["tight"] * before.abs().max()


def test_points_on_the_poles_are_refused():
    grid = SphereGrid((17, 32), "equiangular")
    with pytest.raises(KanopError, match="take nodes='gauss'"):
        grid.gradient(noise(grid, 0))
