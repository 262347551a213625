"""Shallow water on the sphere: steady flows, waves, invariants, order in time, symmetry."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from kanop.solvers import (
    BarotropicVorticity,
    Forcing,
    Grid,
    KanopError,
    ShallowWater,
    SolverDiverged,
    SphereGrid,
    solve,
)
from kanop.solvers.sphere.cases import DAY, EARTH, GRAVITY, OMEGA, Jet, rossby_haurwitz, williamson_2, williamson_5
from kanop.solvers.sphere.surfaces import Cone

F64 = torch.float64
GRID = SphereGrid((32, 64), radius=EARTH)


def apart(grid, a, b):
    """‖a − b‖/‖b‖ over the sphere."""
    return float((grid.mean((a - b) ** 2).sum() / grid.mean(b**2).sum()).sqrt())


@pytest.mark.parametrize("tilt", [0.0, math.pi / 4, math.pi / 2])
def test_williamson_2_stays_as_it_is(tilt):
    grid = SphereGrid((64, 128), radius=EARTH)  # 42 degrees
    u0 = williamson_2(grid, tilt)
    u = solve(ShallowWater(tilt=tilt), u0, grid, [0, 5 * DAY], dt=3600).u
    assert apart(grid, u[:, 1, 0], u0[:, 0]) <= 1e-11


def test_a_gravity_wave_has_its_frequency():
    """√(Φ̄ l(l + 1))/a without rotation and for a small wave: back after a period, reversed after half of one."""
    grid = SphereGrid((16, 32), radius=EARTH)
    degree, mean = 5, 2.94e4
    u_hat = torch.zeros(1, 3, *grid.spectral_shape, dtype=grid.spectral_dtype)
    u_hat[:, 0, degree, 3] = 1e-2
    u0 = grid.to_physical(u_hat)
    u0[:, 0] += mean
    period = 2 * math.pi * EARTH / math.sqrt(mean * degree * (degree + 1))
    run = solve(ShallowWater(rotation=0.0, mean=mean), u0, grid, [0, period / 2, period], dt=period / 7).u
    wave = run[0, :, 0] - mean
    assert (wave[1] + wave[0]).abs().max() <= 1e-4 * wave[0].abs().max()
    assert (wave[2] - wave[0]).abs().max() <= 1e-4 * wave[0].abs().max()


def test_the_scheme_keeps_its_order():
    u0, equation = Jet().state(GRID), ShallowWater(mean=1e4 * GRAVITY, viscosity=1e6)
    ends = {dt: solve(equation, u0, GRID, [0, DAY / 4], dt=dt).u[:, 1] for dt in (1800, 900, 450, 112.5)}
    errors = [apart(GRID, ends[dt][:, 1], ends[112.5][:, 1]) for dt in (1800, 900, 450)]
    slopes = [math.log2(a / b) for a, b in pairwise(errors)]
    assert all(3.6 < slope < 4.6 for slope in slopes)


@pytest.mark.parametrize(("nodes", "rows"), [("lobatto", 33), ("equiangular", 64)])
def test_the_flow_does_not_depend_on_the_nodes(nodes, rows):
    """Each carries the products of 21 degrees exactly."""
    grid = SphereGrid((rows, 64), nodes, radius=EARTH)
    assert GRID.dealiased(2).degree == grid.dealiased(2).degree == 21
    equation = ShallowWater(mean=1e4 * GRAVITY, viscosity=1e6)
    state_hat = GRID.dealiased(2).to_spectral(Jet().state(GRID))
    runs = []
    for each in (GRID, grid):
        few = each.dealiased(2)
        runs.append(few.to_spectral(solve(equation, few.to_physical(state_hat), each, [0, DAY / 4], dt=900).u[:, 1]))
    assert (runs[0] - runs[1])[:, 1].norm() <= 1e-10 * runs[0][:, 1].norm()


def test_steps_follow_the_courant_number_of_the_wind():
    grid = SphereGrid((32, 64), radius=2.0)
    vorticity = (2 * 3.0 / 2.0 * grid.mesh()[0].sin())[None, None]  # a solid rotation at 3 on the equator
    rate = 3.0 / (math.pi * 2.0 / 32)
    for cfl in (0.3, 0.7):
        h = 2.0 ** math.floor(math.log2(cfl / rate))
        run = solve(BarotropicVorticity(rotation=1.0), vorticity, grid, [0, 1], cfl=cfl)
        assert run.steps.tolist() == [math.ceil(1 / h)]


def test_the_speed_of_shallow_water_is_that_of_wind_and_of_what_waves_differ_by():
    u0 = williamson_2(GRID)
    equation = ShallowWater(mean=2.0e4)
    wind, change = equation.wind(u0, GRID).square().sum(1).sqrt(), u0[:, 0].sqrt() - math.sqrt(2.0e4)
    speed = equation.speed(GRID.to_spectral(u0), GRID)
    assert speed.shape == (1, 1)
    assert abs(float(speed / (wind + change.abs()).max()) - 1) < 1e-12
    assert abs(float(wind.max()) / (2 * math.pi * EARTH / (12 * DAY)) - 1) < 1e-2


@pytest.mark.slow
def test_the_jet_converges_at_341_degrees():
    """About twenty minutes: vorticity of 170 degrees against 341, with the published viscosity."""
    equation, hats = ShallowWater(mean=1e4 * GRAVITY, viscosity=1e5), []
    for rows, dt in ((256, 600), (512, 450)):
        grid = SphereGrid((rows, 2 * rows), radius=EARTH)
        u = solve(equation, Jet().state(grid), grid, [0, 4 * DAY, 6 * DAY], dt=dt).u[0]
        mass = equation.invariants(u, grid)["mass"]
        assert abs(float(mass[2] / mass[0]) - 1) <= 1e-13
        hats.append((grid, grid.to_spectral(u[1:, 1])))
    (coarse, few), (fine, many) = hats
    gap = many.clone()
    gap[:, : few.shape[1], : few.shape[2]] -= few
    square, whole = ((fine.parseval * h.abs() ** 2).sum((1, 2)) for h in (gap, many))
    error = (square / whole).sqrt()
    assert coarse.dealiased(2).degree == 170
    assert fine.dealiased(2).degree == 341
    assert error[0] <= 0.01
    assert error[1] <= 0.03


def test_a_mountain_costs_no_mass_and_little_energy():
    equation = ShallowWater(mean=5960 * GRAVITY - 2000.0, surface=Cone())
    drifts = []
    for rows in (32, 64):
        grid = SphereGrid((rows, 2 * rows), radius=EARTH)
        u = solve(equation, williamson_5(grid), grid, [0, DAY], dt=900).u
        found = {**equation.invariants(u, grid), "enstrophy": equation.potential_enstrophy(u, grid)}
        drift = {name: abs(float(values[0, 1] / values[0, 0] - 1)) for name, values in found.items()}
        assert drift["mass"] <= 1e-13
        assert drift["energy"] <= 1e-5
        drifts.append(drift)
    assert drifts[1]["energy"] < drifts[0]["energy"]
    assert drifts[1]["enstrophy"] < drifts[0]["enstrophy"]


def test_a_rossby_haurwitz_wave_moves_as_it_is():
    """ν = (R(3 + R)ω − 2Ω)/((1 + R)(2 + R)) without divergence; gravity slows it by a little."""
    grid = SphereGrid((64, 128), radius=EARTH)
    equation = ShallowWater(mean=9.5e3 * GRAVITY)
    u = solve(equation, rossby_haurwitz(grid), grid, [0, DAY, 2 * DAY], dt=600).u
    waves = grid.to_spectral(u[0, :, 1])[:, 5, 4]
    speed = float(torch.angle(waves[1] / waves[2])) / (4 * DAY)
    exact = (4 * 7 * 7.848e-6 - 2 * OMEGA) / 30
    assert abs(speed - exact) <= 0.1 * abs(exact)
    assert abs(float(waves[2].abs() / waves[0].abs()) - 1) < 0.05


def test_the_jet_is_balanced_and_breaks_where_it_is_pushed():
    grid = SphereGrid((128, 256), degree=85, radius=EARTH)
    equation = ShallowWater(mean=1e4 * GRAVITY)
    still, pushed = (Jet(bump=bump).state(grid) for bump in (0.0, 120.0))
    u0 = torch.cat([still, pushed])
    u = solve(equation, u0, grid, [0, DAY / 2], dt=900).u[:, 1]
    calm = apart(grid, u[:1, 1], grid.to_physical(grid.to_spectral(u0[:1, 1])))
    moved = apart(grid, u[1:, 1], u[:1, 1])
    assert calm < 1e-3
    assert moved > 10 * calm
    assert abs(float(grid.mean(still[0, 0])) / (1e4 * GRAVITY) - 1) < 1e-12


def test_a_run_in_a_batch_is_the_run_alone_and_frames_cost_nothing(tolerances):
    u0 = torch.cat([Jet(bump=bump).state(GRID) for bump in (0.0, 60.0, 120.0)])
    equation = ShallowWater(mean=1e4 * GRAVITY, viscosity=1e6)
    together = solve(equation, u0, GRID, [0, 3600, 5000, 7200], dt=1200).u
    alone = solve(equation, u0[1:2], GRID, [0, 7200], dt=1200).u
    for channel in range(3):
        size = alone[0, :, channel].abs().max()
        difference = (together[1, ::3, channel] - alone[0, :, channel]).abs().max()
        assert difference <= tolerances[F64]["tight"] * size


def test_a_turn_of_the_start_is_a_turn_of_the_end(tolerances):
    u0 = Jet().state(GRID)
    equation = ShallowWater(mean=1e4 * GRAVITY, viscosity=1e6)
    ends = [solve(equation, start, GRID, [0, 7200], dt=1200).u[0, 1] for start in (u0, u0.roll(5, -1))]
    for a, b in zip(ends[0], ends[1], strict=True):
        assert (a.roll(5, -1) - b).abs().max() <= tolerances[F64]["tight"] * a.abs().max()


class Push(Forcing):
    """Steady forces on Φ, ζ and δ of the lowest degrees."""

    steady = True

    def __call__(self, t, latitude, longitude):
        return torch.stack([0 * latitude, torch.sin(latitude), torch.cos(latitude) * torch.cos(longitude)]) * 1e-12


def test_a_force_acts_on_its_field():
    """For a short time on water at rest: ζ and δ grow by the force times the time."""
    u0 = torch.zeros(1, 3, *GRID.shape, dtype=F64)
    u0[:, 0] = 2.94e4
    u = solve(ShallowWater(rotation=0.0, forcing=Push()), u0, GRID, [0, 1.0], dt=1.0).u[0, 1]
    force = Push()(0.0, *GRID.mesh())
    assert (u[1:] - force[1:]).abs().max() <= 1e-6 * force.abs().max()


def test_gradients_flow_to_the_start():
    """Along a random direction: as a difference of two runs has it."""
    grid, equation = SphereGrid((8, 16)), ShallowWater(1.0, 3.0)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 1, 3, 8, 16, dtype=F64, generator=generator)
    u0, along = equation.constrain(grid.to_physical(grid.dealias_mask(5) * grid.to_spectral(noise)), grid)

    def end(u):
        return solve(equation, u, grid, [0, 0.1], dt=0.05).u[:, 1].square().mean()

    u0.requires_grad_()
    (slope,) = torch.autograd.grad(end(u0), u0)
    difference = (end(u0 + 1e-5 * along) - end(u0 - 1e-5 * along)) / 2e-5
    assert abs(float((slope * along).sum() / difference.detach()) - 1) < 1e-7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mean": 0.0}, "mean > 0"),
        ({"viscosity": -1.0}, "viscosity >= 0"),
        ({"power": 0}, "power >= 1"),
        ({"rotation": math.inf}, "finite rotation"),
    ],
)
def test_constants_that_make_no_sense_are_named(given, message):
    with pytest.raises(KanopError, match=message):
        ShallowWater(**given)


def test_too_long_a_step_is_named():
    with pytest.raises(SolverDiverged, match=r"take a smaller step .* or cfl=0.5"):
        solve(ShallowWater(mean=1e4 * GRAVITY), Jet().state(GRID), GRID, [0, 40 * DAY], dt=6 * 3600)


def test_a_box_is_refused():
    with pytest.raises(KanopError, match="solved on sphere axes"):
        solve(ShallowWater(), torch.zeros(1, 3, 8, 8), Grid((8, 8)), [0, 1], dt=1)
