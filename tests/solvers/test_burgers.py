"""Burgers: exact solution, order, invariants, symmetries, and one residual for every kind of derivative."""

import itertools
import math

import pytest
import torch

from kanop.kinn import AutogradDerivatives
from kanop.solvers import SCHEMES, Burgers, GaussianRandomField, Grid, GridDerivatives, KanopError, solve


def sine(grid: Grid, mean: float = 0.0) -> torch.Tensor:
    return (mean + torch.sin(2 * math.pi * grid.points[0]))[None, None]


def test_cole_hopf_against_the_integral_of_hopf():
    """Hopf's ∫ (x−y)/t e^{−G/2ν} dy / ∫ e^{−G/2ν} dy on the whole line, by a rule of its own."""
    nu, t, grid = 0.05, 0.3, Grid((256,))
    x = torch.tensor([0.1, 0.37, 0.81], dtype=torch.float64)
    y = torch.linspace(-6, 7, 40001, dtype=torch.float64)
    potential = (1 - torch.cos(2 * math.pi * y)) / (2 * math.pi)
    weight = torch.softmax(-(potential + (x[:, None] - y) ** 2 / (2 * t)) / (2 * nu), -1)
    hopf = (weight * (x[:, None] - y) / t).sum(-1)
    got = Burgers(nu).exact(sine(grid)[0], grid)(t, x)
    torch.testing.assert_close(got, hopf, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scheme", ["etdrk1", "etdrk2", "etdrk3", "etdrk4"])
def test_order_of_accuracy_with_diffusion_active(scheme):
    """The error to Cole-Hopf falls with slope p within 0.1 over three halvings; νk²dt ranges far above 1."""
    grid, equation = Grid((128,)), Burgers(0.02)
    u0, order = sine(grid, mean=0.2), SCHEMES[scheme].order
    exact = equation.exact(u0[0], grid)(0.5, grid.points[0])
    counts = [2**i for i in ((7, 8, 9) if order <= 2 else (6, 7, 8))]
    errors = [
        float((solve(equation, u0, grid, [0, 0.5], dt=0.5 / n, scheme=scheme).u[0, 1, 0] - exact).norm())
        for n in counts
    ]
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert slopes == pytest.approx([order] * 2, abs=0.1)


def test_steps_that_are_no_power_of_two_keep_double_precision():
    """Powers of two are exact in any precision and would hide a step that was rounded on the way."""
    grid, equation = Grid((128,)), Burgers(0.05)
    u0 = sine(grid)
    exact = equation.exact(u0[0], grid)(0.21, grid.points[0])
    error = (solve(equation, u0, grid, [0, 0.21], dt=0.0003).u[0, 1, 0] - exact).abs().max()
    assert float(error) < 1e-11


def test_cole_hopf_counts_distant_images():
    """Late and at small ν the kernel reaches over many periods, and φ₀ spans many e-folds."""
    nu, t, grid = 0.01 / math.pi, 40.0, Grid((2048,), (2.0,))
    u0 = -torch.sin(math.pi * grid.points[0])
    x = torch.tensor([0.3, 0.9, 1.4], dtype=torch.float64)
    y = torch.linspace(-30, 30, 600001, dtype=torch.float64)
    potential = torch.cos(math.pi * y) / math.pi
    weight = torch.softmax(-(potential + (x[:, None] - y) ** 2 / (2 * t)) / (2 * nu), -1)
    hopf = (weight * (x[:, None] - y) / t).sum(-1)
    torch.testing.assert_close(Burgers(nu).exact(u0[None], grid)(t, x), hopf, rtol=0, atol=1e-11)


def test_the_fno_setting_meets_cole_hopf_to_1e_10():
    """8192 points, ν = 0.1, a field of the FNO set: every 64th point at t = 1."""
    grid, equation = Grid((8192,)), Burgers(0.1)
    u0 = GaussianRandomField(25, 5, 2).sample(grid, 0, "test", [0])
    run = solve(equation, u0, grid, [0, 1], dt=[(0.0625, 1 / 4096), (0.25, 1 / 2048), (1, 1 / 1024)])
    exact = equation.exact(run.u[0, 0], grid)(1.0, grid.points[0][::64])
    assert float((run.u[0, 1, 0, ::64] - exact).abs().max()) < 1e-10


def test_small_viscosity_is_resolved_without_overflow():
    """ν = 0.01/π after the front has formed; e^{U/2ν} spans 10³⁴ here."""
    grid, equation = Grid((2048,), (2.0,), origin=(-1.0,)), Burgers(0.01 / math.pi)
    u0 = (-torch.sin(math.pi * grid.points[0]))[None, None]
    run = solve(equation, u0, grid, [0, 0.5], dt=1e-3)
    exact = equation.exact(u0[0], grid)(0.5, grid.points[0])
    assert float((run.u[0, 1, 0] - exact).abs().max()) < 1e-7
    assert float(run.u[0, 1, 0].abs().max()) > 0.9


def test_mean_is_kept_and_energy_decays():
    grid, equation = Grid((128,)), Burgers(0.01)
    u0 = GaussianRandomField(25, 5, 2).sample(grid, 0, "train", range(3)) + 0.4
    run = solve(equation, u0, grid, [0, 0.1, 0.2, 0.4], dt=1e-3)
    mean = equation.invariants(run.u, grid)["mean"]
    torch.testing.assert_close(mean, mean[:, :1].expand_as(mean), rtol=0, atol=1e-14)
    energy = (run.u**2).mean((-2, -1))
    assert (energy.diff(dim=1) < 0).all()


def test_symmetries_commute_with_the_solver():
    """Translation by one point, x → −x with u → −u, and a Galilean boost."""
    grid, equation = Grid((96,)), Burgers(0.02)
    u0 = GaussianRandomField(25, 5, 2).sample(grid, 0, "train", [1])

    def run(u: torch.Tensor) -> torch.Tensor:
        return solve(equation, u, grid, [0, 0.25], dt=1 / 400).u[:, 1]

    base = run(u0)
    torch.testing.assert_close(run(u0.roll(1, -1)), base.roll(1, -1), rtol=0, atol=1e-13)
    mirror = [(-i) % 96 for i in range(96)]
    torch.testing.assert_close(run(-u0[..., mirror]), -base[..., mirror], rtol=0, atol=1e-13)
    # In a quarter of a time unit the boost 2/3 travels 16 of the 96 points.
    torch.testing.assert_close(run(u0 + 2 / 3), base.roll(16, -1) + 2 / 3, rtol=0, atol=1e-7)


def test_residual_by_fft_vanishes_on_the_exact_solution():
    grid, equation = Grid((128,)), Burgers(0.05)
    exact = equation.exact(sine(grid, 0.3)[0], grid)

    def residual(step: float) -> float:
        times = 0.2 + step * torch.arange(-4, 5, dtype=torch.float64)
        frames = {"u": torch.stack([exact(t, grid.points[0]) for t in times])[None]}
        r = equation.residual(GridDerivatives(frames, times, grid, order=4))["u"]
        return float(r[:, 4].abs().max())

    coarse, fine = residual(0.02), residual(0.01)
    assert math.log2(coarse / fine) == pytest.approx(4, abs=0.15), "only the time stencil is inexact"
    assert residual(1e-3) < 1e-8


def test_residual_by_autograd_vanishes_on_the_exact_solution():
    grid, equation = Grid((256,)), Burgers(0.05)
    exact = equation.exact(sine(grid, 0.3)[0], grid)
    generator = torch.Generator().manual_seed(0)
    t, x = torch.rand(2, 40, generator=generator, dtype=torch.float64)
    D = AutogradDerivatives({"u": exact}, 0.1 + 0.4 * t, [x])
    assert float(equation.residual(D)["u"].detach().abs().max()) < 1e-10
    assert float(D.t(D["u"]).detach().abs().max()) > 0.1, "the terms themselves do not vanish"
    wrong = Burgers(0.06).residual(AutogradDerivatives({"u": exact}, 0.1 + 0.4 * t, [x]))["u"]
    assert float(wrong.detach().abs().max()) > 0.1


@pytest.mark.parametrize("nu", [0.0, -0.1, math.inf, math.nan])
def test_viscosity_must_be_positive(nu):
    with pytest.raises(KanopError, match=r"expected a viscosity nu > 0, got .* shocks form"):
        Burgers(nu)
