"""Navier-Stokes in 2D: eigenflows, order, budgets, signs, symmetries, dealiasing, forces, and what is refused."""

import itertools
import math
import sys
from dataclasses import dataclass

import pytest
import torch

from kanop.solvers import SCHEMES, GaussianRandomField, Grid, GridDerivatives, KanopError, solve
from kanop.solvers.equations.navier_stokes import NavierStokes2D
from kanop.solvers.forcing import FNOForcing, Forcing, KolmogorovForcing
from kanop.solvers.solve import Stepper

BOX = (2 * math.pi, 2 * math.pi)
GRID = Grid((32, 32), BOX)


def flow(grid: Grid = GRID, seed: int = 0, batch: int = 1, slope: float = 2.0) -> torch.Tensor:
    """Random vorticity of zero mean on the kept modes, its largest value 2."""
    noise = torch.randn(batch, 1, *grid.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    keep = grid.dealias_mask(2) * (grid.laplacian != 0)
    u = grid.to_physical(keep * grid.to_spectral(noise) / (1 - grid.laplacian) ** slope)
    return 2 * u / u.abs().amax((1, 2, 3), keepdim=True)


def rate(equation: NavierStokes2D, u: torch.Tensor, grid: Grid) -> torch.Tensor:
    u_hat = grid.to_spectral(u)
    keep = grid.dealias_mask(2)
    return grid.to_physical(equation.linear(grid) * u_hat + keep * equation.nonlinear(u_hat, grid, 0.0))


def mean(f: torch.Tensor) -> torch.Tensor:
    return f.mean((-2, -1))


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def convective(omega: torch.Tensor, grid: Grid) -> torch.Tensor:
    """−u·∇ω on 96 points an axis by full complex transforms: another algorithm, free of aliasing below 32 modes."""
    fine = grid.with_shape((96, 96))
    w = torch.fft.fft2(grid.resample(omega, fine.shape))
    kx, ky = (torch.fft.fftfreq(96, length / 96 / (2 * math.pi), dtype=torch.float64) for length in grid.lengths)
    kx, ky = kx[:, None], ky[None, :]
    psi = w / (kx**2 + ky**2).clamp_min(1e-12)
    u, v, wx, wy = (torch.fft.ifft2(1j * s).real for s in (ky * psi, -kx * psi, kx * w, ky * w))
    return fine.resample(-u * wx - v * wy, grid.shape)


@pytest.mark.parametrize("dt", [0.03, 0.7, 3.0])
def test_flows_on_one_circle_of_wavenumbers_decay_exactly_at_any_step(dt):
    """25 = 5² + 0² = 4² + 3²: the nonlinear term vanishes, as for Taylor and Green's vortices."""
    x, y = GRID.mesh()
    ring = torch.sin(5 * x) + 0.3 * torch.cos(3 * x + 4 * y + 1) - 2 * torch.cos(4 * x - 3 * y)
    equation = NavierStokes2D(0.01, drag=0.1, hyperviscosity=(1e-4, 2))
    run = solve(equation, ring[None, None], GRID, [0, 3], dt=dt)
    expected = ring * math.exp(-3 * (0.01 * 25 + 0.1 + 1e-4 * 625))
    assert relative(run.u[0, 1, 0], expected) < 1e-12
    assert relative(equation.exact(ring[None], GRID)(3.0, x, y), expected) < 1e-12


def test_exact_holds_between_the_points_and_off_the_origin():
    grid = Grid((16, 12), (2.0, 1.0), origin=(0.3, -0.4))
    wave = lambda x, y: torch.cos(math.pi * x) * torch.sin(2 * math.pi * y)  # noqa: E731
    x, y = torch.rand(2, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    got = NavierStokes2D(0.1).exact(wave(*grid.mesh())[None], grid)(0.5, x, y)
    torch.testing.assert_close(got, wave(x, y) * math.exp(-0.05 * 5 * math.pi**2), rtol=0, atol=1e-13)


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_order_of_accuracy_with_damping_active(scheme):
    """Slope p within 0.1 over the last halvings, errors from 1e-2 or less down; h|L| reaches 10 among them."""
    equation, u0, order = NavierStokes2D(0.02, hyperviscosity=(4e-3, 2)), flow(), SCHEMES[scheme].order
    reference = solve(equation, u0, GRID, [0, 1], dt=1 / 256).u[:, 1]
    counts = [2**i for i in ((4, 5, 6, 7) if order <= 2 else (3, 4, 5, 6))]
    assert float((GRID.dealias_mask(2) * equation.linear(GRID)).abs().max()) / counts[0] > 10
    errors = [relative(solve(equation, u0, GRID, [0, 1], dt=1 / n, scheme=scheme).u[:, 1], reference) for n in counts]
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert slopes[1:] == pytest.approx([order] * 2, abs=0.1), errors


@pytest.mark.parametrize("shape", [(32, 32), (45, 30)])
def test_without_viscosity_the_rates_of_energy_and_enstrophy_vanish(shape):
    grid, equation = Grid(shape, (1.0, 2.0)), NavierStokes2D(0.0)
    u = flow(grid, slope=0.0)
    change, psi = rate(equation, u, grid)[:, 0], equation.supply(u, grid)["stream_function"]
    for weight in (psi, u[:, 0]):
        assert float(mean(weight * change).abs().max()) <= 1e-13 * float(mean((weight * change).abs()).max())


def test_the_drift_of_energy_and_enstrophy_falls_at_the_order_of_the_scheme():
    equation, u0 = NavierStokes2D(0.0), flow()
    drifts = []
    for n in (4, 8, 16):
        run = solve(equation, u0, GRID, [0, 2], dt=2 / n)
        found = equation.invariants(run.u, GRID)
        drifts.append(max(float((found[name][0, 1] / found[name][0, 0] - 1).abs()) for name in ("energy", "enstrophy")))
    assert min(a / b for a, b in itertools.pairwise(drifts)) > 14
    assert drifts[-1] < 1e-5


def test_the_budget_of_energy_closes_with_drag_hyperviscosity_and_force():
    """dE/dt = −ν⟨ω²⟩ − μ⟨|u|²⟩ − ν_h⟨|∇ω|²⟩ + ⟨ψf⟩, at an instant and summed by Simpson's rule over a run."""
    nu, drag, hyper, force = 0.03, 0.2, 1e-3, KolmogorovForcing(3.0, 0.7)
    equation = NavierStokes2D(nu, drag, (hyper, 2), force)
    times = torch.linspace(0, 0.5, 65, dtype=torch.float64).tolist()
    u = solve(equation, flow(), GRID, times, dt=1 / 128).u[0]
    velocity = equation.velocity(u, GRID)
    psi = equation.supply(u, GRID)["stream_function"]
    w_hat = GRID.to_spectral(u[:, 0])
    rough = sum(mean(GRID.to_physical(GRID.derivative(i) * w_hat) ** 2) for i in range(2))
    speed = mean((velocity**2).sum(1))
    gain = mean(psi * force(0.0, *GRID.mesh()))
    budget = -nu * mean(u[:, 0] ** 2) - drag * speed - hyper * rough + gain
    torch.testing.assert_close(mean(psi * rate(equation, u, GRID)[:, 0]), budget, rtol=1e-12, atol=1e-14)
    weights = torch.tensor([1.0, *[4.0, 2.0] * 31, 4.0, 1.0], dtype=torch.float64) / (3 * 128)
    assert float((speed[-1] - speed[0]) / 2) == pytest.approx(float(weights @ budget), rel=1e-7)


def test_the_right_hand_side_is_that_of_the_convective_form_on_a_finer_grid():
    grid = Grid((32, 30), (2.0, 3.0))
    equation, u = NavierStokes2D(0.1, forcing=None), flow(grid, slope=0.0)
    keep = grid.dealias_mask(2)
    expected = grid.to_physical(keep * grid.to_spectral(convective(u, grid)))
    got = grid.to_physical(keep * equation.nonlinear(grid.to_spectral(u), grid, 0.0))
    assert relative(got, expected) < 1e-12


def test_the_product_of_the_highest_kept_modes_leaks_nothing():
    """(10, 0) and (10, 10) make (0, 10) and (20, 10), and 20 is −12 on 32 points: not kept."""
    x, y = GRID.mesh()
    u = (torch.cos(10 * x) + torch.sin(10 * x + 10 * y))[None, None]
    n_hat = GRID.dealias_mask(2) * NavierStokes2D(0.0).nonlinear(GRID.to_spectral(u), GRID, 0.0)
    assert float(n_hat[0, 0, 0, 10].abs()) > 0.1
    n_hat[0, 0, 0, 10] = 0
    assert float(n_hat.abs().max()) < 1e-14


def test_vorticity_turns_counter_clockwise():
    """ω = v_x − u_y, and a pair with the positive vortex on the left moves up."""
    x, y = GRID.mesh()
    equation, u0 = NavierStokes2D(0.01), flow()
    v_hat = GRID.to_spectral(equation.velocity(u0, GRID))
    curl = GRID.to_physical(GRID.derivative(0) * v_hat[:, 1] - GRID.derivative(1) * v_hat[:, 0])
    assert relative(curl, u0[:, 0]) < 1e-13
    assert (
        float(GRID.to_physical(GRID.derivative(0) * v_hat[:, 0] + GRID.derivative(1) * v_hat[:, 1]).abs().max()) < 1e-13
    )
    blob = lambda at: torch.exp(-((x - at) ** 2 + (y - math.pi) ** 2) / 0.2)  # noqa: E731
    pair = 4 * (blob(math.pi - 0.6) - blob(math.pi + 0.6))[None, None]
    run = solve(equation, equation.constrain(pair, GRID), GRID, [0, 0.5], dt=0.02).u[0, :, 0]
    height = (run.abs() * y).sum((1, 2)) / run.abs().sum((1, 2))
    assert float(height[1] - height[0]) > 0.1


def test_symmetries_commute_with_the_solver():
    """Shifts by cells, a quarter turn, and the mirror x → −x, which flips the vorticity."""
    equation, u0 = NavierStokes2D(1e-3, drag=0.1), flow()

    def run(u: torch.Tensor) -> torch.Tensor:
        return solve(equation, u, GRID, [0, 1], dt=0.05).u[:, 1]

    base, back = run(u0), [-i % 32 for i in range(32)]
    assert relative(base, u0) > 0.1
    turn = lambda u: u.mT[..., back, :]  # noqa: E731
    for act in (lambda u: u.roll((3, -5), (2, 3)), turn, lambda u: -u[..., back, :]):
        torch.testing.assert_close(run(act(u0)), act(base), rtol=0, atol=1e-12)


def test_a_sample_depends_neither_on_its_batch_nor_on_chunks_nor_on_skipped_columns(monkeypatch):
    equation, u0 = NavierStokes2D(1e-3, forcing=KolmogorovForcing(2.0)), flow(batch=5)

    def run(u: torch.Tensor, of: NavierStokes2D = equation) -> torch.Tensor:
        return solve(of, u, GRID, [0, 0.13, 1], dt=0.05).u

    whole = run(u0)
    assert torch.equal(whole, run(u0))
    torch.testing.assert_close(run(u0[3:4]), whole[3:4], rtol=0, atol=1e-12)
    monkeypatch.setattr(sys.modules[Stepper.__module__], "CHUNK", 2 * 32 * 17 * 16)
    torch.testing.assert_close(run(u0), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(run(u0, AllColumns(1e-3, forcing=KolmogorovForcing(2.0))), whole, rtol=0, atol=1e-12)


@dataclass(frozen=True)
class AllColumns(NavierStokes2D):
    """The same equation, stepped on the whole half spectrum."""

    skips_columns = False


def test_the_first_columns_alone_give_the_first_columns_of_the_right_hand_side():
    equation = NavierStokes2D(0.1, forcing=FNOForcing())
    grid = Grid((32, 31))
    u_hat = grid.to_spectral(flow(grid))
    whole = equation.nonlinear(u_hat, grid, 0.0)[..., :11]
    torch.testing.assert_close(equation.nonlinear(u_hat[..., :11], grid, 0.0), whole, rtol=0, atol=1e-14)


def test_residual_vanishes_along_a_solution_and_only_there():
    force = KolmogorovForcing(3.0)
    equation = NavierStokes2D(0.05, 0.1, (1e-3, 2), force)
    run = solve(equation, flow(slope=4.0), GRID, [0.001 * i for i in range(5)], dt=0.001)
    D = GridDerivatives.of(equation, run)
    residual = equation.residual(D)
    scale = float(D.t(D["vorticity"]).abs().max())
    assert float(residual["vorticity"][:, 2].abs().max()) < 1e-6 * scale
    assert float(residual["stream_function"].abs().max()) < 1e-12
    for other in (
        NavierStokes2D(0.05, 0.1, (1e-3, 2)),
        NavierStokes2D(0.06, 0.1, (1e-3, 2), force),
        NavierStokes2D(0.05, 0.0, (1e-3, 2), force),
        NavierStokes2D(0.05, 0.1, (3e-3, 2), force),
    ):
        assert float(other.residual(D)["vorticity"][:, 2].abs().max()) > 1e-3 * scale


def test_gradients_are_those_of_finite_differences():
    grid = Grid((12, 12), BOX)
    u0, direction = flow(grid).requires_grad_(), flow(grid, seed=1)
    stepper = Stepper(NavierStokes2D(0.1), grid, "etdrk4")

    def energy(u: torch.Tensor) -> torch.Tensor:
        u_hat = grid.to_spectral(u)
        return (grid.to_physical(u_hat + stepper.increment(u_hat, 0.0, 0.3)) ** 3).sum()

    (slope,) = torch.autograd.grad(energy(u0), u0)
    difference = (energy(u0 + 1e-5 * direction) - energy(u0 - 1e-5 * direction)) / 2e-5
    assert float((slope * direction).sum().detach()) == pytest.approx(float(difference.detach()), rel=1e-8)


def test_kolmogorov_flow_from_rest_is_laminar_and_exact_at_any_step():
    """ω = −(a/νk)(1 − e^{−νk²t}) cos(ky)."""
    equation = NavierStokes2D(0.1, forcing=KolmogorovForcing(4.0, 0.5))
    run = solve(equation, torch.zeros(1, 1, 32, 32, dtype=torch.float64), GRID, [0, 2], dt=0.5)
    expected = -(0.5 / 0.4) * (1 - math.exp(-0.1 * 16 * 2)) * torch.cos(4 * GRID.mesh()[1])
    assert relative(run.u[0, 1, 0], expected) < 1e-12


@dataclass(frozen=True)
class Pulse(Forcing):
    """cos(t) sin(x + 2y)."""

    def __call__(self, t, *x):
        return (torch.cos(t) if isinstance(t, torch.Tensor) else math.cos(t)) * torch.sin(x[0] + 2 * x[1])


@pytest.mark.parametrize("steps", [{"dt": 0.02}, {"tolerance": 1e-8}])
def test_a_force_may_depend_on_time(steps):
    """a' = −5νa + cos t for the one mode that is forced, from rest at t = 0.3."""
    u0 = 1e-6 * torch.sin(GRID.mesh()[0] + 2 * GRID.mesh()[1]).expand(2, 1, 32, 32)
    run = solve(NavierStokes2D(0.2, forcing=Pulse()), u0, GRID, [0.3, 1.3], **steps)
    part = lambda t: (math.cos(t) + math.sin(t)) / 2  # noqa: E731
    expected = part(1.3) + (1e-6 - part(0.3)) * math.exp(-1.0)
    assert relative(run.u[1, 1, 0], expected * torch.sin(GRID.mesh()[0] + 2 * GRID.mesh()[1])) < 1e-7


def test_samples_may_be_at_different_times_in_one_chunk_or_in_several(monkeypatch):
    """The controller steps samples together whose clocks differ: each feels the force of its own time."""
    stepper = Stepper(NavierStokes2D(0.2, forcing=Pulse()), GRID, "etdrk4")
    u_hat, times = GRID.to_spectral(flow(batch=3)), torch.tensor([0.1, 0.9, 2.0], dtype=torch.float64)
    alone = torch.cat([stepper.increment(u_hat[i : i + 1], float(t), 0.1) for i, t in enumerate(times)])
    for chunk in (2**30, 1):
        monkeypatch.setattr(sys.modules[Stepper.__module__], "CHUNK", chunk)
        together = stepper.increment(u_hat, times.reshape(3, 1, 1, 1), 0.1)
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-14)


def test_single_precision_stays_near_double():
    equation, u0 = NavierStokes2D(0.01, forcing=KolmogorovForcing(2.0)), flow()
    single = solve(equation, u0, Grid((32, 32), BOX, dtype="float32"), [0, 1], dt=1 / 64)
    assert single.u.dtype == torch.float32
    assert relative(single.u.double(), solve(equation, u0, GRID, [0, 1], dt=1 / 64).u) < 3e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nu": -1e-3}, "expected nu >= 0, got -0.001: a negative one feeds energy in"),
        ({"nu": 0.1, "drag": -0.1}, "expected drag >= 0"),
        ({"nu": math.nan}, "expected nu >= 0"),
        ({"nu": 0.1, "hyperviscosity": (1e-4, 1.5)}, r"integer power >= 2\), got \(0.0001, 1.5\)"),
        ({"nu": 0.1, "hyperviscosity": (-1e-4, 2)}, "coefficient >= 0"),
    ],
)
def test_bad_constants_are_refused(arguments, message):
    with pytest.raises(KanopError, match=message):
        NavierStokes2D(**arguments)


def test_a_start_with_mean_vorticity_is_refused():
    u0 = flow(batch=3)
    u0[1] += 0.25
    with pytest.raises(KanopError, match=r"zero mean, got mean 0\.25 in sample 1: subtract it"):
        solve(NavierStokes2D(0.1), u0, GRID, [0, 1], dt=0.1)
    solve(NavierStokes2D(0.1), NavierStokes2D(0.1).constrain(u0, GRID), GRID, [0, 0.1], dt=0.1)


@pytest.mark.parametrize(
    ("force", "grid"),
    [
        (KolmogorovForcing(11.0), GRID),
        (KolmogorovForcing(32.0), GRID),
        (KolmogorovForcing(65.0), GRID),
        (FNOForcing(), GRID),
    ],
)
def test_a_grid_that_does_not_hold_the_force_is_refused(force, grid):
    """Mode 11 of 32 is masked, 32 hides behind the mean, 65 behind 1; sin 2πx has not the period 2π."""
    with pytest.raises(KanopError, match=r"does not fit on a grid of \(32, 32\) points.*take a finer grid"):
        solve(NavierStokes2D(0.1, forcing=force), flow(grid), grid, [0, 1], dt=0.1)


def test_exact_is_refused_where_there_is_none():
    x, y = GRID.mesh()
    with pytest.raises(KanopError, match=r"only modes of one \|k\| decay exactly, got \|k\|² from 1 to 2"):
        NavierStokes2D(0.1).exact((torch.sin(x) + torch.sin(x + y))[None], GRID)
    with pytest.raises(KanopError, match="forced flow"):
        NavierStokes2D(0.1, forcing=KolmogorovForcing()).exact(torch.sin(x)[None], GRID)


def test_smaller_steps_do_not_make_single_precision_worse():
    start = GaussianRandomField(sigma=7**1.5 * 2**0.5, tau=7, alpha=2.5)
    equation = NavierStokes2D(1e-3, forcing=FNOForcing())
    u0 = start.sample(Grid((64, 64)), seed=0, split="test", indices=range(1))
    exact = solve(equation, u0, Grid((64, 64)), [0, 1], dt=1 / 128).u[:, 1]

    def error(steps: int) -> float:
        single = solve(equation, u0, Grid((64, 64), dtype="float32"), [0, 1], dt=1 / steps).u[:, 1].double()
        return relative(single, exact)

    many = error(1024)
    assert many <= 1.2 * error(16)
    assert many <= 3e-7
