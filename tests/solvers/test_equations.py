"""Each equation against solutions in closed form, and walls against mirrored periodic boxes."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from kanop.solvers import (
    Advection,
    AllenCahn,
    Burgers,
    Burgers2D,
    Diffusion,
    FisherKPP,
    FitzHughNagumo,
    GaussianRandomField,
    GinzburgLandau,
    GrayScott,
    Grid,
    KanopError,
    KortewegDeVries,
    KuramotoSivashinsky,
    NonlinearSchroedinger,
    Wave,
    solve,
)

FIELD = GaussianRandomField(sigma=100, tau=7, alpha=3)


def error(a, b):
    return float((a - b).abs().max() / b.abs().max())


def slopes(errors):
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


@pytest.mark.parametrize(
    ("equation", "shape"),
    [
        (Advection([0.7]), (33,)),
        (Advection([0.7, -3.0]), (16, 15)),
        (Diffusion(0.01), (32,)),
        (Diffusion(0.1), (9, 8, 7)),
    ],
    ids=str,
)
@pytest.mark.parametrize("dt", [0.07, 1.3])
def test_linear_equations_are_exact_at_any_step(equation, shape, dt):
    grid = Grid(shape)
    u0 = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u0 = grid.to_physical(grid.dealias_mask(2) * grid.to_spectral(u0))
    u = solve(equation, u0, grid, [0, 1.3], dt=dt).u[0, 1, 0]
    expected = equation.exact(u0[0], grid)(1.3, *grid.mesh())
    assert float((u - expected).abs().max()) < 1e-12 * float(u0.abs().max())


@pytest.mark.parametrize("dt", [0.01, 0.9])
def test_waves_run_and_stand_and_drift_exactly(dt):
    grid, c = Grid((24, 20), lengths=[2.0, 1.0]), 1.7
    x, y = grid.mesh()
    k = (2 * math.pi, -4 * math.pi)
    omega = c * math.hypot(*k)
    phase = k[0] * x + k[1] * y
    drift = 0.3
    u0 = torch.stack([torch.sin(phase) + 0.1, -omega * torch.cos(phase) + drift])[None]
    t = 0.9
    expected = torch.sin(phase - omega * t) + 0.1 + drift * t
    assert error(solve(Wave(c), u0, grid, [0, t], dt=dt).u[0, 1, 0], expected) < 1e-12


def two_solitons(x, t, k1=1.0, k2=1.4):
    """u_t + 6uu_x + u_xxx = 0 by Hirota: u = 2 ∂²/∂x² log(1 + e^{η₁} + e^{η₂} + A e^{η₁+η₂})."""
    x = x.clone().requires_grad_()
    shift = 6.0
    e1, e2 = torch.exp(k1 * (x + shift / 4) - k1**3 * t), torch.exp(k2 * (x + shift) - k2**3 * t)
    f = torch.log(1 + e1 + e2 + ((k1 - k2) / (k1 + k2)) ** 2 * e1 * e2)
    (slope,) = torch.autograd.grad(f.sum(), x, create_graph=True)
    return 2 * torch.autograd.grad(slope.sum(), x)[0]


def test_kdv_two_solitons_pass_through_each_other_at_order_four():
    grid = Grid((256,), lengths=[80.0], origin=[-40.0])
    x = grid.points[0]
    errors = []
    for n in (64, 128, 256, 512):
        u = solve(KortewegDeVries(), two_solitons(x, 0.0)[None, None], grid, [0, 6], dt=6 / n).u[0, 1, 0]
        errors.append(error(u, two_solitons(x, 6.0)))
    assert min(slopes(errors)[1:]) > 3.9
    assert errors[-1] < 1e-5


def test_schroedinger_soliton_runs_at_order_four():
    grid = Grid((384,), lengths=[40.0], origin=[-20.0])
    x, speed, a, kappa = grid.points[0], 1.3, 0.5, 2.0

    def soliton(t):
        envelope = 1.1 * math.sqrt(2 * a / kappa) / torch.cosh(1.1 * (x - speed * t))
        phase = speed * x / (2 * a) - (speed**2 / (4 * a) - 1.1**2 * a) * t
        return torch.stack([envelope * torch.cos(phase), envelope * torch.sin(phase)])

    equation = NonlinearSchroedinger(a, kappa)
    errors = []
    for n in (24, 48, 96):
        errors.append(error(solve(equation, soliton(0.0)[None], grid, [0, 2], dt=2 / n).u[0, 1], soliton(2.0)))
    assert all(abs(s - 4) < 0.1 for s in slopes(errors)), slopes(errors)


@pytest.mark.parametrize(("b", "c", "d"), [(0.0, 1.0, 0.1), (0.7, -0.4, 0.3)])
def test_ginzburg_landau_plane_waves(b, c, d):
    grid = Grid((16, 12), lengths=[10.0, 8.0])
    x, y = grid.mesh()
    k = (2 * math.pi / 10, 2 * math.pi / 8)
    k2 = k[0] ** 2 + k[1] ** 2
    size, omega = math.sqrt(1 - d * k2), b * d * k2 + c * (1 - d * k2)

    def wave(t):
        phase = k[0] * x + k[1] * y - omega * t
        return torch.stack([size * torch.cos(phase), size * torch.sin(phase)])

    u = solve(GinzburgLandau(b, c, d), wave(0.0)[None], grid, [0, 2], dt=1 / 256).u[0, 1]
    assert error(u, wave(2.0)) < 1e-9


def test_fisher_fronts_of_ablowitz_and_zeppetella():
    grid = Grid((512,), lengths=[200.0], origin=[-100.0])
    x, speed = grid.points[0], 5 / math.sqrt(6)

    def fronts(t):
        left, right = (1 / (1 + torch.exp((s * x - 40 - speed * t) / math.sqrt(6))) ** 2 for s in (-1, 1))
        return left * right

    # Between the mirrored fronts the product is off by e^{-40·2/√6}; it stays so small where u = 1 is stable.
    u = solve(FisherKPP(1.0, 1.0), fronts(0.0)[None, None], grid, [0, 8], dt=1 / 32).u[0, 1, 0]
    assert float((u - fronts(8.0)).abs().max()) < 1e-7


def test_burgers_along_a_diagonal_is_burgers_on_a_line():
    grid, nu = Grid((48, 48)), 0.02
    line = Grid((48,))
    profile = 0.3 * torch.sin(2 * math.pi * line.points[0]) + 0.1
    # u = v = g(x + y)/2 obeys g_t + g g_s = 2ν g_ss.
    place = (torch.arange(48)[:, None] + torch.arange(48)) % 48
    u0 = 0.5 * profile[place].expand(2, 48, 48)[None]
    u = solve(Burgers2D(nu), u0, grid, [0, 0.5], dt=0.005).u[0, 1]
    expected = 0.5 * Burgers(2 * nu).exact(profile[None], line)(0.5, line.points[0])[place]
    assert error(u, expected.expand(2, 48, 48)) < 1e-6


def test_allen_cahn_kink_between_walls_stands_still():
    grid = Grid((128,), lengths=[4.0], origin=[-2.0], boundaries="neumann")
    kink = torch.tanh(grid.points[0] / math.sqrt(2 * 0.02))[None, None]
    assert error(solve(AllenCahn(0.02, 1.0), kink, grid, [0, 1], dt=0.05).u[:, 1], kink) < 1e-6


@pytest.mark.parametrize(
    ("equation", "start"),
    [
        (AllenCahn(0.01, 2.0), [0.3]),
        (FisherKPP(0.1, 3.0), [0.2]),
        (FitzHughNagumo(0.01, 0.02, 0.3), [0.8, -0.2]),
        (GinzburgLandau(0.5, 1.5), [0.3, -0.1]),
        (GrayScott(0.03, 0.06), [0.6, 0.4]),
        (NonlinearSchroedinger(0.5, -1.2), [0.8, 0.5]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_uniform_states_obey_the_kinetics(equation, start):
    """Against scipy's integrator, the right-hand side written out here."""
    kinetics = {
        AllenCahn: lambda u: [2 * (u[0] - u[0] ** 3)],
        FisherKPP: lambda u: [3 * u[0] * (1 - u[0])],
        FitzHughNagumo: lambda u: [u[0] - u[0] ** 3 - 0.3 - u[1], u[0] - u[1]],
        GinzburgLandau: lambda u: [
            u[0] - (u[0] ** 2 + u[1] ** 2) * (u[0] - 1.5 * u[1]),
            u[1] - (u[0] ** 2 + u[1] ** 2) * (u[1] + 1.5 * u[0]),
        ],
        GrayScott: lambda u: [-u[0] * u[1] ** 2 + 0.03 * (1 - u[0]), u[0] * u[1] ** 2 - 0.09 * u[1]],
        NonlinearSchroedinger: lambda u: [
            1.2 * (u[0] ** 2 + u[1] ** 2) * u[1],
            -1.2 * (u[0] ** 2 + u[1] ** 2) * u[0],
        ],
    }[type(equation)]
    grid = Grid((8, 8))
    u0 = torch.tensor(start, dtype=torch.float64)[None, :, None, None].expand(1, -1, 8, 8)
    u = solve(equation, u0, grid, [0, 1.5], dt=0.01).u[0, 1]
    reference = solve_ivp(lambda _, u: kinetics(u), (0, 1.5), start, rtol=1e-11, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(u.numpy(), np.broadcast_to(reference[:, None, None], u.shape), atol=1e-8)


MIRRORED = [AllenCahn(0.01, 2.0), FitzHughNagumo(0.01, 0.03), GrayScott(0.3, 0.6, 0.02, 0.01), Wave(1.3)]
ODD = [AllenCahn(0.01, 2.0), NonlinearSchroedinger(), GinzburgLandau(0.5, 1.0, 0.01), Diffusion(0.02)]


@pytest.mark.parametrize(
    ("equation", "kind", "sign"),
    [*((e, "neumann", 1) for e in MIRRORED), *((e, "dirichlet", -1) for e in ODD)],
    ids=str,
)
def test_a_wall_is_a_mirror(equation, kind, sign):
    wall = Grid((12, 10), boundaries=(kind, "periodic"))
    box = Grid((24, 10), lengths=[2.0, 1.0], origin=[0.5 / 12, 0.0])
    generator = torch.Generator().manual_seed(0)
    u0 = torch.randn(1, len(equation.channels), 12, 10, generator=generator, dtype=torch.float64)
    # A smooth field: the two series agree on its modes, all of them below the masks.
    spectrum = wall.to_spectral(u0)
    u0 = wall.to_physical(wall.dealias_mask(6) * spectrum)
    both = torch.cat([u0, sign * u0.flip(2)], 2)
    walled = solve(equation, u0, wall, [0, 0.2], dt=0.02).u[:, 1]
    mirrored = solve(equation, both, box, [0, 0.2], dt=0.02).u[:, 1]
    torch.testing.assert_close(mirrored[:, :, :12], walled, rtol=0, atol=1e-12)


def test_the_slope_of_a_combustion_front_obeys_the_conservative_form():
    grid = Grid((96,), lengths=[60.0])
    phi0 = FIELD.sample(Grid((96,)), 1, "train", [0])
    dx = grid.derivative(0)
    front = solve(KuramotoSivashinsky("combustion"), phi0, grid, [0, 5], dt=0.02).u[:, 1]
    slope = solve(KuramotoSivashinsky(), grid.to_physical(dx * grid.to_spectral(phi0)), grid, [0, 5], dt=0.02).u[:, 1]
    assert error(grid.to_physical(dx * grid.to_spectral(front)), slope) < 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Advection([math.inf]), "finite velocities"),
        (lambda: Diffusion(-1.0), "diffusivity nu > 0, got -1.0"),
        (lambda: Wave(0.0), "speed c > 0"),
        (lambda: KortewegDeVries(6.0, 0.0), "dispersion ≠ 0"),
        (lambda: KuramotoSivashinsky("combuston"), "combustion"),
        (lambda: GrayScott(-0.1, 0.1), "feed, kill ≥ 0"),
        (lambda: GinzburgLandau(0.0, 1.0, 0.0), "diffusivity > 0"),
        (lambda: NonlinearSchroedinger(-0.5), "dispersion > 0"),
        (lambda: Burgers2D(0.0), "viscosity nu > 0"),
        (lambda: FitzHughNagumo(0.0), "diffusivities > 0"),
        (lambda: FisherKPP(1.0, 0.0), "rate > 0"),
        (lambda: AllenCahn(0.0), "diffusivity > 0"),
        (lambda: KuramotoSivashinsky().linear(Grid((8, 8))), "take form='combustion'"),
        (lambda: Advection([1.0]).linear(Grid((8, 8))), "1 numbers needs a grid with 1 axes, got 2"),
        (
            lambda: solve(Burgers(0.1), torch.zeros(1, 1, 8), Grid((8,), boundaries="neumann"), [0, 1], dt=0.1),
            "solved on periodic or dirichlet axes, got",
        ),
    ],
)
def test_bad_constants_are_refused(make, message):
    with pytest.raises(KanopError, match=message):
        make()
