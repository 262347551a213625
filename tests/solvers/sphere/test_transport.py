"""A given wind, and barotropic vorticity: exact solutions."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.solvers import AllenCahn, BarotropicVorticity, Diffusion, KanopError, SphereGrid, SphereTransport, solve
from kanop.solvers.sphere.cases import cosine_bell
from kanop.solvers.sphere.flows import Deformation, SolidRotation

F64 = torch.float64
GRID = SphereGrid((32, 64))


def smooth(grid, seed=0):
    u_hat = grid.to_spectral(torch.randn(1, 1, *grid.shape, generator=torch.Generator().manual_seed(seed), dtype=F64))
    return grid.to_physical(torch.exp(-0.2 * grid.l**2) * u_hat)


@pytest.mark.parametrize("tilt", [0.0, 1.0, math.pi / 2])
def test_a_solid_rotation_brings_everything_back_over_the_poles_too(tilt):
    u0 = smooth(GRID)
    run = solve(SphereTransport(SolidRotation(tilt=tilt)), u0, GRID, [0, 0.5, 1.0], dt=1 / 256).u
    assert (run[:, 2] - u0).abs().max() <= 1e-6 * u0.abs().max()
    assert (run[:, 1] - u0).abs().max() > 0.1 * u0.abs().max()


def test_a_quarter_turn_is_a_shift_of_longitudes():
    u0 = smooth(GRID)
    u = solve(SphereTransport(SolidRotation()), u0, GRID, [0, 0.25], dt=1 / 256).u[:, 1]
    assert (u - u0.roll(16, -1)).abs().max() <= 1e-6 * u0.abs().max()


def test_the_cosine_bell_passes_the_poles_without_loss_of_mass():
    grid = SphereGrid((64, 128))
    u0 = cosine_bell(grid)
    run = solve(SphereTransport(SolidRotation(tilt=math.pi / 2)), u0, grid, [0, 1.0], dt=1 / 256).u
    mass = grid.mean(run[0, :, 0])
    assert abs(float(mass[1] / mass[0] - 1)) < 1e-12
    assert float((grid.mean((run[0, 1, 0] - u0[0, 0]) ** 2) / grid.mean(u0[0, 0] ** 2)).sqrt()) < 0.03


def test_a_deformation_is_undone_at_its_period():
    grid = SphereGrid((64, 128))
    u0 = smooth(grid)
    run = solve(SphereTransport(Deformation(strength=2.0)), u0, grid, [0, 0.5, 1.0], dt=1 / 256).u
    assert (run[:, 2] - u0).abs().max() <= 1e-4 * u0.abs().max()
    assert (run[:, 1] - u0).abs().max() > 0.1 * u0.abs().max()


def test_another_radius_than_the_winds_is_refused():
    with pytest.raises(KanopError, match="blows on a sphere of radius 1, the grid has 2"):
        solve(SphereTransport(), torch.zeros(1, 1, 8, 16), SphereGrid((8, 16), radius=2.0), [0, 1], dt=0.1)


def test_harmonics_of_one_degree_turn_as_one(tolerances):
    """A Rossby-Haurwitz wave: any ζ of one degree has no nonlinear term and turns at −2Ω/(l(l + 1))."""
    u_hat = torch.zeros(1, 1, *GRID.spectral_shape, dtype=GRID.spectral_dtype)
    u_hat[0, 0, 4, 1:5] = torch.tensor([0.3, -1.0, 0.5j, 2.0])
    u0 = GRID.to_physical(u_hat)
    time = 2 * math.pi / 4  # an angle of −2·5/20 · 2π/4 = −π/4: eight points westwards
    u = solve(BarotropicVorticity(rotation=5.0), u0, GRID, [0, time], dt=time / 64).u[:, 1]
    assert (u - u0.roll(-8, -1)).abs().max() <= tolerances[F64]["loose"] * u0.abs().max()


def test_harmonics_diffuse_at_their_own_rate(tolerances):
    grid = SphereGrid((16, 32), "equiangular", radius=2.0)
    u0 = smooth(grid)
    u = solve(Diffusion(0.3), u0, grid, [0, 1.0], dt=1.0).u[:, 1]
    want = grid.to_physical(torch.exp(-0.3 * grid.l * (grid.l + 1) / 4) * grid.to_spectral(u0))
    assert (u - want).abs().max() <= tolerances[F64]["tight"] * u0.abs().max()


def test_phases_separate_as_the_logistic_does_where_nothing_varies(tolerances):
    u0 = torch.full((1, 1, 16, 32), 0.1, dtype=F64)
    u = solve(AllenCahn(0.01, 2.0), u0, SphereGrid((16, 32)), [0, 1.0], dt=1 / 512).u[:, 1]
    exact = 1 / math.sqrt(1 + (1 / 0.01 - 1) * math.exp(-4.0))
    assert (u - exact).abs().max() <= tolerances[F64]["loose"]
