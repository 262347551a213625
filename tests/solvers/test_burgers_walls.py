"""Burgers between walls: the odd half of a periodic box, its exact solution, and the order that walls leave."""

import math
from statistics import linear_regression

import pytest
import torch

from kanop.solvers import Burgers, Grid, KanopError, solve

N = 48
WALLS = Grid((N,), boundaries="dirichlet")
DOUBLED = Grid((2 * N,), (2.0,), origin=(0.5 / N,))


def relative(a, b):
    return float((a - b).norm() / b.norm())


def rough(batch=2):
    noise = torch.randn(batch, 1, N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return WALLS.to_physical(torch.exp(-0.01 * WALLS.modes[0] ** 2) * WALLS.to_spectral(noise)) * 3


def odd(u):
    return torch.cat([u, -u.flip(-1)], -1)


@pytest.mark.parametrize("steps", [{"dt": 0.004}, {"dt": 0.004, "scheme": "sbdf3"}, {"tolerance": 1e-5}], ids=str)
def test_walls_are_the_odd_half_of_a_periodic_box(steps):
    times = [0, 0.05, 0.2]
    between = solve(Burgers(0.03), rough(), WALLS, times, **steps)
    around = solve(Burgers(0.03), odd(rough()), DOUBLED, times, **steps)
    assert relative(odd(between.u), around.u) < 1e-12
    assert relative(between.u[:, 0], between.u[:, 2]) > 0.1
    assert torch.equal(between.steps, around.steps)


def test_the_quadratic_term_is_dealiased():
    """On the modes that are kept, N of a field that fills them is that on a grid twice as fine."""
    fine = WALLS.with_shape([2 * N])
    u_hat = WALLS.dealias_mask(2) * WALLS.to_spectral(rough())
    assert float(u_hat[..., WALLS.dealias_mask(2)][..., -1].abs().min()) > 1e-8, "the last kept mode is alive"
    coarse = WALLS.dealias_mask(2) * Burgers(1.0).nonlinear(u_hat, WALLS, 0.0)
    exact = Burgers(1.0).nonlinear(torch.nn.functional.pad(u_hat, (0, N)), fine, 0.0)[..., :N]
    torch.testing.assert_close(coarse, WALLS.dealias_mask(2) * exact, rtol=0, atol=1e-13)


def test_cole_hopf_between_walls():
    grid, equation = Grid((96,), (2.0,), "dirichlet", origin=(0.5,)), Burgers(0.05)
    x = math.pi * (grid.points[0] - 0.5) / 2
    u0 = (torch.sin(x) - 0.4 * torch.sin(3 * x))[None, None]
    exact = equation.exact(u0[0], grid)
    run = solve(equation, u0, grid, [0, 0.4], dt=0.4 / 128)
    torch.testing.assert_close(run.u[0, 1, 0], exact(0.4, grid.points[0]), rtol=0, atol=2e-8)
    assert float(exact(0.4, torch.tensor([0.5, 2.5], dtype=torch.float64)).abs().max()) < 1e-14
    assert equation.invariants(run.u, grid) == {}, "walls take momentum away"


def test_a_mirror_turns_the_sign():
    forth = solve(Burgers(0.03), rough(), WALLS, [0, 0.2], dt=0.004).u
    back = solve(Burgers(0.03), -rough().flip(-1), WALLS, [0, 0.2], dt=0.004).u
    assert relative(-back.flip(-1), forth) < 1e-13


@pytest.mark.parametrize(
    ("start", "counts", "least", "most"),
    [
        (lambda x: torch.sin(math.pi * x) + 0.5 * torch.sin(2 * math.pi * x), (16, 32, 64, 128), 3.9, 4.1),
        (lambda x: 4 * x * (1 - x), (16, 32, 64, 128), 3.9, 4.1),
        (torch.ones_like, (4, 8, 16, 32), 1.5, 1.9),
    ],
    ids=["smooth and odd", "zero at the walls", "not zero at the walls"],
)
def test_the_order_that_is_left_of_etdrk4(start, counts, least, most):
    """All four where u₀ = 0 at the walls, below the two that are proven where not; ν k² h ≥ 10 for the last mode."""
    grid, equation, span = Grid((192,), boundaries="dirichlet"), Burgers(0.1), 0.3
    u0 = start(grid.points[0])[None, None]
    assert float((grid.dealias_mask(2) * equation.linear(grid)).abs().max()) * span / counts[-1] > 10
    if least > 2:
        end = equation.exact(u0[0], grid)(span, grid.points[0])
    else:
        end = solve(equation, u0, grid, [0, span], dt=span / 256).u[:, 1]
    errors = [relative(solve(equation, u0, grid, [0, span], dt=span / n).u[:, 1], end) for n in counts]
    slope = linear_regression([-math.log(n) for n in counts], [math.log(e) for e in errors]).slope
    assert least < slope < most, errors


def test_zero_flux_is_not_a_wall_of_burgers():
    with pytest.raises(KanopError, match="solved on periodic or dirichlet axes"):
        solve(Burgers(0.1), rough(), Grid((N,), boundaries="neumann"), [0, 1], dt=0.1)
