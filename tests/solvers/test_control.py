"""Controlled steps: they keep their promise, sample by sample, whatever is saved; and steps too long are refused."""

import itertools
import math
from dataclasses import dataclass

import pytest
import torch

from kanop.solvers import (
    SCHEMES,
    Advection,
    Burgers,
    Burgers2D,
    Diffusion,
    GaussianRandomField,
    Grid,
    KanopError,
    KolmogorovForcing,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes2D,
    NavierStokes3D,
    SolverDiverged,
    solve,
)
from kanop.solvers.control import chosen_control
from kanop.solvers.courant import courant_rates
from kanop.solvers.solve import Stepper

WAVE = 2 * math.pi
GRID = Grid((64,))
BURGERS = Burgers(0.05)
U0 = GaussianRandomField(25, 5, 2).sample(GRID, 0, "train", range(4))
SINE = torch.sin(WAVE * GRID.points[0])

CONTROLS = [
    {"tolerance": 1e-4},
    {"tolerance": 1e-3, "scheme": "ark3"},
    {"tolerance": 1e-4, "scheme": "ark4"},
    {"tolerance": 1e-2, "scheme": "etdrk2"},
    {"cfl": 0.7},
]


def relative(a, b):
    return float((a - b).norm() / b.norm())


@dataclass(frozen=True)
class Counted(Burgers):
    """Burgers that counts how many times N of a sample was asked for."""

    def nonlinear(self, u_hat, grid, t):
        calls[0] += len(u_hat)
        return super().nonlinear(u_hat, grid, t)


calls = [0]


@pytest.mark.parametrize("control", CONTROLS, ids=str)
def test_neither_saved_times_nor_the_horizon_change_the_trajectory(control):
    few = solve(BURGERS, U0, GRID, [0, 0.5], **control)
    many = solve(BURGERS, U0, GRID, [0, 0.003, 0.05, 0.1234, 0.5, 0.9], **control)
    assert torch.equal(few.u[:, -1], many.u[:, -2])


@pytest.mark.parametrize("control", CONTROLS, ids=str)
def test_a_sample_does_not_depend_on_its_batch(control):
    together = solve(BURGERS, U0, GRID, [0, 0.3], **control)
    alone = solve(BURGERS, U0[2:3], GRID, [0, 0.3], **control)
    assert relative(alone.u[:, 1], together.u[2:3, 1]) < 1e-13
    assert together.steps[2] == alone.steps[0]
    again = solve(BURGERS, U0, GRID, [0, 0.3], **control)
    assert torch.equal(again.u, together.u)


@pytest.mark.parametrize("control", CONTROLS, ids=str)
def test_steps_are_chosen_sample_by_sample(control):
    steps = solve(BURGERS, torch.cat([0.01 * U0[:1], 3 * U0[:1]]), GRID, [0, 0.2], **control).steps
    assert steps[0] * 1.5 <= steps[1]


@pytest.mark.parametrize(
    ("scheme", "tolerance"),
    [("etdrk4", 1e-2), ("etdrk4", 1e-5), ("etdrk4", 1e-8), ("etdrk3", 1e-5), ("ark3", 1e-5), ("ark4", 1e-6)],
)
def test_the_tolerance_is_met(scheme, tolerance):
    waves = torch.stack([a * SINE for a in (0.1, 1.0)])[:, None]
    run = solve(BURGERS, waves, GRID, [0, 0.3], tolerance=tolerance, scheme=scheme)
    for u0, u in zip(waves, run.u[:, 1], strict=True):
        exact = BURGERS.exact(u0, GRID)(0.3, GRID.points[0])
        assert 0.3 * tolerance * 1e-4 < relative(u[0], exact) < 0.3 * tolerance, "neither missed nor far overdone"


def test_frames_join_without_a_jump():
    """A frame just before the end of a step is next to the frame at its end, far below the tolerance."""
    ends = [k / 1024 for k in range(1, 65)]
    times = [0.0, *(t for end in ends for t in (end - 1e-10, end))]
    for control in ({"tolerance": 1e-2}, {"tolerance": 1e-2, "scheme": "etdrk3"}, {"cfl": 1.0}):
        u = solve(BURGERS, U0[:1], GRID, times, **control).u[:, 1:]
        assert float((u[:, 1::2] - u[:, ::2]).abs().max()) < 1e-7


@pytest.mark.parametrize("scheme", ["ark3", "ark4"])
def test_the_estimate_is_the_error_of_a_method_of_order_one_less(scheme):
    """It falls as h^p, and is the distance of the embedded method from the solution."""
    grid, equation, order = Grid((32,)), Burgers(0.02), SCHEMES[scheme].order
    stepper, fine = Stepper(equation, grid, scheme), Stepper(equation, grid, "etdrk4")
    u_hat = stepper.mask * grid.to_spectral((0.3 + torch.sin(WAVE * grid.points[0]))[None, None])
    sizes = []
    for h in (2e-3, 1e-3):
        change, error = stepper.pair(u_hat, 0.0, h)
        exact = u_hat
        for _ in range(8):
            exact = exact + fine.increment(exact, 0.0, h / 8)
        sizes.append(float(error.norm()))
        assert relative(u_hat + change - error - exact, -error) < 0.2
        torch.testing.assert_close(change, stepper.increment(u_hat, 0.0, h), rtol=0, atol=1e-15)
    assert math.log2(sizes[0] / sizes[1]) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize(("scheme", "each"), [("etdrk4", 11 / 2), ("etdrk2", 5 / 2), ("ark3", 4), ("ark4", 6)])
def test_what_a_controlled_step_costs(scheme, each):
    """As many evaluations of N as there are stages; for a halved one also those of the whole, but N(u) once."""
    calls[0] = 0
    steps = int(solve(Counted(0.05), SINE[None, None], GRID, [0, 0.25], tolerance=1e-5, scheme=scheme).steps[0])
    assert each * steps + 1 <= calls[0] <= each * (steps + 12) + 1, "few attempts are in vain"


def test_the_courant_number_sets_the_rung():
    """For a constant velocity the step is the longest 2^-j with h Σ|β_i|/Δx_i ≤ cfl."""
    grid, velocity = Grid((16, 24), (1.0, 2.0)), (0.7, -3.0)
    rate = 0.7 * 16 + 3.0 * 12
    u0 = torch.randn(2, 1, 16, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for cfl in (0.3, 0.7, rate / 64, 5.0):
        h = 2.0 ** math.floor(math.log2(cfl / rate))
        run = solve(Advection(velocity), u0, grid, [0, 1], cfl=cfl)
        assert run.steps.tolist() == [math.ceil(1 / h)] * 2, cfl
    torch.testing.assert_close(courant_rates(Advection(velocity), grid.to_spectral(u0), grid)[0].item(), rate)


def test_a_flow_that_starts_from_rest_is_followed():
    """No speed sets the first step: it is found by what the force has done at its end."""
    grid, equation = Grid((32, 32), (WAVE, WAVE)), NavierStokes2D(0.1, forcing=KolmogorovForcing(4.0, 2.0))
    rest = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    run = solve(equation, rest, grid, [0, 0.5, 1.0], cfl=0.5)
    expected = -(2 / 0.4) * (1 - math.exp(-0.1 * 16)) * torch.cos(4 * grid.mesh()[1])
    assert relative(run.u[0, 2, 0], expected) < 1e-12
    control = chosen_control(Stepper(equation, grid), None, 0.5)
    u_hat = torch.zeros(1, 1, 32, 17, dtype=torch.complex128)
    for h in (16.0, 1.0, 0.25, 0.0625):
        new, (kept,), _ = control.attempt(control.stepper.kept(u_hat), torch.zeros(1, 1, 1, 1), h)
        assert kept == (h * float(courant_rates(equation, new, grid)[0]) <= 1.0)


def random(channels, grid, seed=0):
    generator = torch.Generator().manual_seed(seed)
    u = torch.randn(3, channels, *grid.shape, generator=generator, dtype=torch.float64)
    return grid.dealias_mask(2) * grid.to_spectral(u - u.mean(tuple(range(2, u.ndim)), keepdim=True))


@pytest.mark.parametrize(
    ("equation", "grid"),
    [
        (Advection([0.7, -2.0]), Grid((16, 16))),
        (Burgers(0.1), Grid((32,), boundaries="dirichlet")),
        (Burgers2D(0.1), Grid((16, 12))),
        (KortewegDeVries(-3.0, 0.1), Grid((32,))),
        (KuramotoSivashinsky(), Grid((32,), (22.0,))),
        (KuramotoSivashinsky("combustion"), Grid((16, 12), (22.0, 18.0))),
        (NavierStokes2D(0.1), Grid((16, 12), (1.0, 2.0))),
        (NavierStokes3D(0.1), Grid((8, 6, 8))),
    ],
    ids=str,
)
def test_speeds_are_those_with_which_small_waves_travel(equation, grid):
    """The slope of N along a wave is −v·∇ of it for short waves: v found so at every point has these extremes."""
    base = random(len(equation.channels), grid)
    base = equation.constrain(grid.to_physical(base), grid)
    u_hat = grid.to_spectral(base)
    speeds = equation.speed(u_hat, grid)
    assert speeds.shape == (3, grid.ndim)
    cut = Stepper(equation, grid).kept(u_hat)
    torch.testing.assert_close(equation.speed(cut, grid), speeds, rtol=1e-13, atol=0)
    torch.testing.assert_close(equation.speed(2 * u_hat, grid), speeds * (1 if isinstance(equation, Advection) else 2))
    if isinstance(equation, NavierStokes2D):
        expected = equation.velocity(base, grid)
    elif isinstance(equation, Advection):
        expected = torch.tensor(equation.velocity, dtype=torch.float64)[:, None, None].expand(3, 2, 16, 16)
    elif equation == KuramotoSivashinsky("combustion"):
        expected = torch.cat([grid.to_physical(grid.derivative(i) * u_hat) for i in range(2)], 1)
    else:
        expected = base * (-3.0 if isinstance(equation, KortewegDeVries) else 1.0)
    torch.testing.assert_close(speeds, expected.abs().flatten(2).amax(-1).to(speeds.dtype), rtol=1e-12, atol=0)


def test_a_hopeless_step_is_refused_before_any_work():
    """One look at N, and a step of the frozen problem: nothing else; the advice holds."""
    calls[0], u0 = 0, 10 * U0
    with pytest.raises(SolverDiverged, match=r"not begun, one step multiplies waves by .* gives CFL 0\.5") as e:
        solve(Counted(1e-4), u0, GRID, [0, 1], dt=0.01)
    assert calls[0] == 1
    assert (e.value.sample, e.value.time, e.value.dt) == (2, 0.0, 0.01)


@pytest.mark.parametrize("scheme", ["etdrk4", "etdrk2", "ark4"])
def test_diffusion_lets_long_steps_pass(scheme):
    """Courant numbers above 30 of runs that are healthy."""
    grid = Grid((512,))
    u0 = GaussianRandomField(25, 5, 2).sample(grid, 0, "train", range(2))
    equation, dt = Burgers(0.1), 1 / 16
    assert float(courant_rates(equation, grid.to_spectral(u0), grid).max()) * dt > 20
    run = solve(equation, u0, grid, [0, 1], dt=dt, scheme=scheme)
    assert relative(run.u[:, 1], solve(equation, u0, grid, [0, 1], tolerance=1e-5).u[:, 1]) < 0.05


def test_few_long_steps_of_a_smooth_flow_pass():
    grid, equation = Grid((128, 128)), NavierStokes2D(1e-3)
    x, y = grid.mesh()
    u0 = 0.4 * (torch.sin(WAVE * (x + y)) + torch.cos(WAVE * (x - 2 * y)))[None, None]
    assert float(courant_rates(equation, grid.to_spectral(u0), grid).max()) > 10
    coarse, fine = (solve(equation, u0, grid, [0, 2], dt=dt).u[:, 1] for dt in (1.0, 0.125))
    assert relative(coarse, fine) < 1e-2


@pytest.mark.parametrize(
    ("equation", "arguments", "message"),
    [
        (Diffusion(0.1), {"cfl": 0.5}, "Diffusion has no advection speed: give dt or tolerance"),
        (BURGERS, {"cfl": 0.0}, "expected cfl > 0, got 0"),
        (BURGERS, {"tolerance": 2.0}, "expected 0 < tolerance < 1, got 2"),
        (BURGERS, {"tolerance": 1e-3, "scheme": "sbdf3"}, "multistep scheme takes steps of one length: give dt"),
        (BURGERS, {"cfl": 0.5, "scheme": "sbdf2"}, "multistep scheme takes steps of one length: give dt"),
    ],
)
def test_bad_input_is_refused(equation, arguments, message):
    with pytest.raises(KanopError, match=message):
        solve(equation, U0, GRID, [0, 1], **arguments)


@dataclass(frozen=True)
class Ending(Diffusion):
    """A source that is not defined after t = 0.3."""

    def nonlinear(self, u_hat, grid, t):
        return torch.where(torch.as_tensor(t) <= 0.3, 1.0, math.nan) * torch.ones_like(u_hat)


@pytest.mark.parametrize("scheme", ["etdrk4", "etdrk2"])
def test_what_no_step_resolves_is_reported(scheme):
    with pytest.raises(SolverDiverged, match=r"no step is short enough \(tolerance = 0\.001\)") as e:
        solve(Ending(0.1), U0[:2], GRID, [0, 1], tolerance=1e-3, scheme=scheme)
    assert e.value.time == pytest.approx(0.3, abs=1e-6)
    assert e.value.dt < 1e-9


def test_the_numbers_that_the_rule_of_refusal_rests_on():
    """Growth of the frozen problem: none within the stability interval of the classical method, 2√2; much beyond."""
    from kanop.solvers.courant import _growth

    stepper, top = Stepper(Burgers(1e-9), GRID), WAVE * 21
    factors = [_growth(stepper, [y / top], 1.0) for y in (2.8, 2.9, 12.0)]
    exact = [abs(sum((1j * y) ** n / math.factorial(n) for n in range(5))) for y in (2.8, 2.9, 12.0)]
    assert factors[0] == 1.0
    assert factors[1:] == pytest.approx(exact[1:], rel=1e-4)
    assert all(a < b for a, b in itertools.pairwise(factors))
