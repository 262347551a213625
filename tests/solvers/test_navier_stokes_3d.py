"""Navier-Stokes in 3D: Beltrami flows, order, budgets, agreement with 2D and the convective form, the closure."""

import itertools
import math
import sys

import pytest
import torch

from kanop.solvers import Grid, GridDerivatives, KanopError, solve
from kanop.solvers.equations.navier_stokes import NavierStokes2D
from kanop.solvers.equations.navier_stokes_3d import NavierStokes3D, Smagorinsky
from kanop.solvers.forcing import Forcing, KolmogorovForcing
from kanop.solvers.solve import Stepper

BOX = (2 * math.pi,) * 3
GRID = Grid((16, 16, 16), BOX)


def flow(grid: Grid = GRID, seed: int = 0, batch: int = 1, slope: float = 1.5) -> torch.Tensor:
    """Random velocity without divergence on the kept modes, its largest value 1."""
    noise = torch.randn(batch, 3, *grid.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u = grid.to_physical(grid.dealias_mask(2) * grid.to_spectral(noise) / (1 - grid.laplacian) ** slope)
    u = NavierStokes3D(0.0).constrain(u, grid)
    return u / u.abs().amax((1, 2, 3, 4), keepdim=True)


def rate(equation: NavierStokes3D, u: torch.Tensor, grid: Grid) -> torch.Tensor:
    u_hat = grid.to_spectral(u)
    keep = grid.dealias_mask(2)
    return grid.to_physical(equation.linear(grid) * u_hat + keep * equation.nonlinear(u_hat, grid, 0.0))


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def slopes(u: torch.Tensor, grid: Grid) -> torch.Tensor:
    """∂_j u_i, (b, i, j, *x)."""
    return torch.stack([grid.to_physical(grid.derivative(j) * grid.to_spectral(u)) for j in range(3)], 2)


def test_constrain_removes_the_divergence_and_nothing_else():
    u = torch.randn(2, 3, *GRID.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    once = NavierStokes3D(0.1).constrain(u, GRID)
    assert float(slopes(once, GRID).diagonal(dim1=1, dim2=2).sum(-1).abs().max()) < 1e-11
    assert relative(NavierStokes3D(0.1).constrain(once, GRID), once) < 1e-14
    assert abs(float((once * (u - once)).mean())) < 1e-14, "the two parts are orthogonal"


@pytest.mark.parametrize("dt", [0.1, 2.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_beltrami_flows_decay_exactly_at_any_step(dt, sign):
    """Arnold, Beltrami and Childress' flow at wavenumber 2, and its mirror image."""
    x, y, z = GRID.mesh()
    a, b, c, k = 1.0, 0.7, 0.4, 2 * sign
    u = torch.stack([a * (k * z).sin() + c * (k * y).cos(), b * (k * x).sin() + a * (k * z).cos(), 0 * x])
    u[2] = c * (k * y).sin() + b * (k * x).cos()
    equation = NavierStokes3D(0.05)
    run = solve(equation, u[None], GRID, [0, 2], dt=dt)
    assert relative(run.u[0, 1], u * math.exp(-0.05 * 4 * 2)) < 1e-12
    assert relative(equation.exact(u, GRID)(2.0, x, y, z), run.u[0, 1]) < 1e-12


def test_order_of_accuracy_with_diffusion_active():
    """Slope 4 within 0.1 over three halvings, after a first step with ν|k|²h > 10."""
    equation, u0 = NavierStokes3D(0.5), 3 * flow()
    assert float((GRID.dealias_mask(2) * equation.linear(GRID)).abs().max()) / 3 > 10
    reference = solve(equation, u0, GRID, [0, 1], dt=1 / 192).u[:, 1]
    errors = [relative(solve(equation, u0, GRID, [0, 1], dt=1 / n).u[:, 1], reference) for n in (3, 6, 12, 24, 48)]
    rates = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert rates[1:] == pytest.approx([4] * 3, abs=0.1), errors


@pytest.mark.parametrize("shape", [(16, 16, 16), (15, 12, 18)])
def test_without_viscosity_the_rates_of_energy_and_helicity_vanish(shape):
    grid, equation = Grid(shape, (1.0, 2.0, 1.5)), NavierStokes3D(0.0)
    u = flow(grid, slope=0.0)
    change = rate(equation, u, grid)
    for weight in (u, equation.vorticity(u, grid)):
        assert abs(float((weight * change).mean())) <= 1e-13 * float((weight * change).abs().mean())


def test_the_drift_of_energy_and_helicity_falls_at_the_order_of_the_scheme():
    equation, drifts = NavierStokes3D(0.0), []
    for n in (4, 8, 16):
        run = solve(equation, flow(), GRID, [0, 2], dt=2 / n)
        found = equation.invariants(run.u, GRID)
        drifts.append(max(float((found[name][0, 1] / found[name][0, 0] - 1).abs()) for name in ("energy", "helicity")))
    assert min(a / b for a, b in itertools.pairwise(drifts)) > 14
    assert drifts[-1] < 1e-4


def test_the_budget_of_energy_closes_with_closure_and_force():
    """⟨u·u_t⟩ = −ν⟨|∇u|²⟩ − (C_s Δ)²⟨|S|³⟩ + ⟨u·f⟩, with S from the gradients by this test."""
    force = KolmogorovForcing(2.0, 0.7)
    equation, u = NavierStokes3D(0.03, Smagorinsky(0.4, 0.2), force), flow(slope=0.0)
    gradient = slopes(u, GRID)
    strain = (gradient + gradient.transpose(1, 2)) / 2
    size = (2 * strain.square().sum((1, 2))).sqrt()
    drain = 0.03 * gradient.square().sum((1, 2)).mean() + (0.2 * 0.4) ** 2 * (size**3).mean()
    gain = (u * force(0.0, *GRID.mesh())).sum(1).mean()
    got = (u * rate(equation, u, GRID)).sum(1).mean()
    assert float((0.2 * 0.4) ** 2 * (size**3).mean()) > 0.01 * float(drain)
    torch.testing.assert_close(got, gain - drain, rtol=1e-12, atol=1e-14)


def test_the_viscous_budget_closes_over_a_run():
    times = torch.linspace(0, 0.5, 33, dtype=torch.float64).tolist()
    u = solve(NavierStokes3D(0.05), flow(), GRID, times, dt=1 / 64).u[0]
    energy = 0.5 * u.square().sum(1).mean((1, 2, 3))
    drain = 0.05 * NavierStokes3D(0.05).vorticity(u, GRID).square().sum(1).mean((1, 2, 3))
    weights = torch.tensor([1.0, *[4.0, 2.0] * 15, 4.0, 1.0], dtype=torch.float64) / (3 * 64)
    assert float(energy[0] - energy[-1]) == pytest.approx(float(weights @ drain), rel=1e-7)


def test_the_right_hand_side_is_the_projected_convective_form_on_a_finer_grid():
    grid = Grid((16, 15, 16), (2.0, 3.0, 1.0))
    u, keep, fine = flow(grid, slope=0.0), grid.dealias_mask(2), grid.with_shape((32, 32, 32))
    on_fine = grid.resample(u, fine.shape)
    carried = torch.einsum("bjxyz,bijxyz->bixyz", on_fine, slopes(on_fine, fine))
    expected = grid.to_physical(keep * grid.to_spectral(fine.resample(-carried, grid.shape)))
    expected = NavierStokes3D(0.0).constrain(expected, grid)
    got = grid.to_physical(keep * NavierStokes3D(0.0).nonlinear(grid.to_spectral(u), grid, 0.0))
    assert relative(got, expected) < 1e-12


def test_a_flow_in_two_dimensions_is_that_of_the_vorticity_equation():
    """Two implementations, one flow: ω = v_x − u_y, the same for every z; Kolmogorov's force on either."""
    plane, force = Grid((16, 16), BOX[:2]), KolmogorovForcing(2.0)
    generator = torch.Generator().manual_seed(3)
    noise_hat = plane.to_spectral(torch.randn(1, 1, 16, 16, generator=generator, dtype=torch.float64))
    omega = plane.to_physical(plane.dealias_mask(2) * (plane.laplacian != 0) * noise_hat / (1 - plane.laplacian))
    flat = NavierStokes2D(0.02, forcing=force)
    u, v = flat.velocity(omega, plane).unbind(1)
    u0 = torch.stack([u, v, torch.zeros_like(u)], 1)[..., None].expand(1, 3, 16, 16, 16)
    deep = solve(NavierStokes3D(0.02, forcing=force), u0, GRID, [0, 1], dt=1 / 64).u[:, 1]
    turned = NavierStokes3D(0.02).vorticity(deep, GRID)
    expected = solve(flat, omega, plane, [0, 1], dt=1 / 64).u[:, 1]
    assert relative(expected, omega) > 0.1
    assert relative(turned[:, 2:, :, :, 5], expected) < 1e-7
    assert float(turned[:, :2].abs().max()) < 1e-12


def test_symmetries_commute_with_the_solver():
    """Shifts by cells, x → y → z → x with the components, x → −x with u → −u; closure and all."""
    equation, u0, back = NavierStokes3D(1e-3, Smagorinsky(0.4)), flow(), [-i % 16 for i in range(16)]
    flip = torch.tensor([-1.0, 1, 1], dtype=torch.float64).reshape(3, 1, 1, 1)

    def run(u: torch.Tensor) -> torch.Tensor:
        return solve(equation, u, GRID, [0, 0.5], dt=0.1).u[:, 1]

    base = run(u0)
    assert relative(base, u0) > 0.1
    cycle = lambda u: u.roll(1, 1).permute(0, 1, 4, 2, 3)  # noqa: E731
    for act in (lambda u: u.roll((3, -5, 1), (2, 3, 4)), cycle, lambda u: flip * u[..., back, :, :]):
        torch.testing.assert_close(run(act(u0)), act(base), rtol=0, atol=1e-12)


def test_a_sample_depends_neither_on_its_batch_nor_on_chunks(monkeypatch):
    equation, u0 = NavierStokes3D(1e-3, forcing=KolmogorovForcing(2.0)), flow(batch=3)
    whole = solve(equation, u0, GRID, [0, 0.5], dt=0.1).u
    torch.testing.assert_close(solve(equation, u0[1:2], GRID, [0, 0.5], dt=0.1).u, whole[1:2], rtol=0, atol=1e-12)
    monkeypatch.setattr(sys.modules[Stepper.__module__], "CHUNK", 1)
    torch.testing.assert_close(solve(equation, u0, GRID, [0, 0.5], dt=0.1).u, whole, rtol=0, atol=1e-12)


def test_the_first_columns_alone_give_the_first_columns_of_the_right_hand_side():
    equation = NavierStokes3D(0.1, Smagorinsky(0.4), KolmogorovForcing(2.0))
    u_hat = GRID.to_spectral(flow())
    whole = equation.nonlinear(u_hat, GRID, 0.0)[..., :6]
    torch.testing.assert_close(equation.nonlinear(u_hat[..., :6], GRID, 0.0), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("closure", [None, Smagorinsky(0.4)], ids=["plain", "closure"])
def test_residual_vanishes_along_a_solution_and_only_there(closure):
    """The pressure is the one of the convective form, ½|u|² less than that of the rotational one."""
    grid, force = Grid((20, 20, 20), BOX), KolmogorovForcing(2.0)
    equation = NavierStokes3D(0.05, closure, force)
    u0 = grid.to_physical((-grid.laplacian <= 8) * grid.to_spectral(flow(grid, slope=1.0)))
    rate = grid.to_physical(
        equation.linear(grid) * grid.to_spectral(u0) + equation.nonlinear(grid.to_spectral(u0), grid, 0)
    )
    times = 1e-2 * torch.arange(-2, 3, dtype=torch.float64)
    frames = u0[:, None] + times.reshape(-1, 1, 1, 1, 1) * rate[:, None]
    fields = dict(zip(equation.channels, frames.unbind(2), strict=True)) | equation.supply(frames, grid)
    D = GridDerivatives(fields, times, grid)
    residual = equation.residual(D)
    assert set(residual) == {"u", "v", "w", "pressure"}
    scale = float(rate.abs().max())
    assert max(float(r[:, 2].abs().max()) for r in residual.values()) < 1e-12 * scale
    for other in (
        NavierStokes3D(0.06, closure, force),
        NavierStokes3D(0.05, closure),
        NavierStokes3D(0.05, Smagorinsky(1.0), force),
    ):
        assert float(other.residual(D)["u"][:, 2].abs().max()) > 1e-3 * scale


class Push(Forcing):
    """cos(t) in every direction: the mean velocity follows sin(t)."""

    def __call__(self, t, *x):
        push = torch.as_tensor(t).cos() + torch.zeros_like(x[0])
        return torch.stack([push, push, push])


@pytest.mark.parametrize("steps", [{"dt": 0.05}, {"tolerance": 1e-7}])
def test_a_force_may_depend_on_time_and_move_the_mean(steps):
    u0 = 0.1 * flow(batch=2)
    run = solve(NavierStokes3D(0.1, forcing=Push()), u0, GRID, [0.3, 1.0], **steps)
    moved = (run.u[:, 1] - run.u[:, 0]).mean((2, 3, 4))
    torch.testing.assert_close(moved, torch.full_like(moved, math.sin(1.0) - math.sin(0.3)), rtol=1e-6, atol=0)


def test_gradients_through_the_closure_are_finite_at_rest():
    u0 = torch.zeros(1, 3, 8, 8, 8, dtype=torch.float64, requires_grad=True)
    grid = Grid((8, 8, 8), BOX)
    rate = NavierStokes3D(0.1, Smagorinsky(0.4)).nonlinear(grid.to_spectral(u0), grid, 0.0)
    (slope,) = torch.autograd.grad(rate.abs().square().sum(), u0)
    assert bool(torch.isfinite(slope).all())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NavierStokes3D(-0.1), r"expected nu >= 0, got -0\.1"),
        (lambda: Smagorinsky(0.0), "filter width > 0"),
        (lambda: Smagorinsky(0.1, -0.2), "Smagorinsky constant >= 0"),
    ],
)
def test_bad_constants_are_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()


def test_bad_starts_are_refused():
    u0 = flow(batch=2)
    u0[1, 0] += 0.1 * torch.sin(GRID.mesh()[0])
    with pytest.raises(KanopError, match=r"gradient part is 0\.\d+ of it in sample 1: project it"):
        solve(NavierStokes3D(0.1), u0, GRID, [0, 1], dt=0.1)
    with pytest.raises(KanopError, match="take a finer grid"):
        solve(NavierStokes3D(0.1, forcing=KolmogorovForcing(7.0)), flow(), GRID, [0, 1], dt=0.1)
    with pytest.raises(KanopError, match="∇×u = ±ku decay exactly"):
        NavierStokes3D(0.1).exact(torch.stack([GRID.mesh()[1].sin(), *[torch.zeros(GRID.shape).double()] * 2]), GRID)
