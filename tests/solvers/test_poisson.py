"""Poisson and Helmholtz: modes and manufactured solutions are exact on every mix of boundaries; what fails says why."""

import itertools
import math

import pytest
import torch

from kanop.solvers import Grid, KanopError
from kanop.solvers.poisson import solve_helmholtz, solve_poisson

KINDS = ("periodic", "dirichlet", "neumann")
STEEP = 4.0
LENGTHS = (1.3, 2.0, 0.7)
MIXES = [kinds for d in (1, 2, 3) for kinds in itertools.product(KINDS, repeat=d)]


def box(kinds, shape=(11, 12, 10), **more):
    d = len(kinds)
    return Grid(shape[:d], LENGTHS[:d], kinds, origin=(0.4, -1.0, 2.0)[:d], **more)


def mode(grid, numbers):
    """A product of one basis function an axis, and its eigenvalue of −Δ."""
    u, eigenvalue = torch.ones(grid.shape, dtype=grid.dtype), 0.0
    for x, m, length, kind, o in zip(grid.mesh(), numbers, grid.lengths, grid.boundaries, grid.origin, strict=True):
        k = (2 if kind == "periodic" else 1) * math.pi * m / length
        wave = torch.sin if kind == "dirichlet" else torch.cos
        u = u * wave(k * (x - o) + (0.3 if kind == "periodic" else 0.0))
        eigenvalue += k**2
    return u, eigenvalue


@pytest.mark.parametrize("kinds", MIXES, ids="-".join)
def test_modes_are_eigenfunctions(kinds, tolerances):
    grid = box(kinds)
    for numbers in ((1, 2, 3), (4, 1, 2)):
        u, eigenvalue = mode(grid, numbers[: grid.ndim])
        u = torch.stack([u, 2 * u])[:, None].expand(2, 3, *grid.shape)
        tight = tolerances[grid.dtype]["tight"]
        torch.testing.assert_close(solve_poisson(eigenvalue * u, grid), u, rtol=0, atol=10 * tight)
        for k2 in (0.37 * eigenvalue, -5.0):
            torch.testing.assert_close(solve_helmholtz((eigenvalue - k2) * u, grid, k2), u, rtol=0, atol=10 * tight)


def manufactured(grid):
    """u and −Δu of one function an axis: analytic, and odd or even about the walls."""
    factors, seconds = [], []
    for x, length, kind, o in zip(grid.mesh(), grid.lengths, grid.boundaries, grid.origin, strict=True):
        k = (2 if kind == "periodic" else 1) * math.pi / length
        c, s = torch.cos(k * (x - o)), torch.sin(k * (x - o))
        even = torch.exp(STEEP * c)
        if kind == "dirichlet":
            factors.append(s * even)
            seconds.append(k**2 * even * s * (STEEP**2 * s**2 - 3 * STEEP * c - 1))
        else:
            factors.append(even)
            seconds.append(k**2 * even * (STEEP**2 * s**2 - STEEP * c))
    u = math.prod(factors)
    return u, -sum(u / f * s for f, s in zip(factors, seconds, strict=True))


@pytest.mark.parametrize("kinds", [k for k in MIXES if len(k) < 3], ids="-".join)
def test_manufactured_solutions_converge_spectrally(kinds):
    """Twice the points square the error, down to rounding."""
    errors = []
    for n in (10, 20, 60):
        grid = box(kinds, (n, n + 1))
        u, f = manufactured(grid)
        singular = "dirichlet" not in kinds
        got = solve_poisson((f - f.mean() if singular else f)[None, None], grid)[0, 0]
        helmholtz = solve_helmholtz((f - 3.3 * u)[None, None], grid, 3.3)[0, 0]
        poisson_error = got - (u - u.mean() if singular else u)
        errors.append(float(torch.stack([poisson_error, helmholtz - u]).abs().max() / u.abs().max()))
    assert errors[0] > 1e-9, "else the law says nothing"
    assert errors[1] < 1e-3 * errors[0]
    assert errors[2] < 1e-11


@pytest.mark.parametrize(
    ("kind", "source", "solution", "order"),
    [
        ("dirichlet", lambda x: torch.ones_like(x), lambda x: x * (1 - x) / 2, 2),
        ("dirichlet", lambda x: x * (1 - x), lambda x: x / 12 - x**3 / 6 + x**4 / 12, 4),
        ("neumann", lambda x: x - 0.5, lambda x: x**2 / 4 - x**3 / 6 - 1 / 24, 2),
    ],
)
def test_sources_that_do_not_suit_the_walls_have_the_documented_order(kind, source, solution, order):
    errors = []
    for n in (32, 64, 128, 256):
        grid = Grid((n,), boundaries=kind)
        u = solve_poisson(source(grid.points[0])[None, None], grid)[0, 0]
        errors.append(float((u - solution(grid.points[0])).norm()) / n**0.5)
    slope = math.log2(errors[0] / errors[-1]) / 3
    assert slope == pytest.approx(order, abs=0.1)


def test_the_solution_is_linear_and_independent_of_the_batch():
    grid = box(("periodic", "dirichlet"))
    f = torch.randn(3, 2, *grid.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    together = solve_poisson(f, grid)
    torch.testing.assert_close(solve_poisson(f[1:2], grid), together[1:2], rtol=0, atol=1e-13)
    torch.testing.assert_close(
        solve_poisson(f.sum(0, keepdim=True), grid), together.sum(0, keepdim=True), rtol=0, atol=1e-13
    )


def test_gradients_are_those_of_a_symmetric_operator():
    grid = box(("dirichlet", "neumann"))
    f, g = torch.randn(2, 1, 1, *grid.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    f.requires_grad_()
    (solve_helmholtz(f, grid, 2.0) * g).sum().backward()
    torch.testing.assert_close(f.grad, solve_helmholtz(g, grid, 2.0), rtol=0, atol=1e-12)


def test_single_precision(tolerances):
    grid = box(("periodic", "neumann"), dtype="float32")
    u, eigenvalue = mode(grid, (1, 2))
    got = solve_poisson((eigenvalue * u).double()[None, None], grid)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got[0, 0], u, rtol=0, atol=tolerances[torch.float32]["tight"])


def test_a_mean_where_none_may_be_is_named():
    grid = box(("periodic", "neumann"))
    f = torch.zeros(3, 2, *grid.shape, dtype=torch.float64)
    f[2, 1] += 0.25
    with pytest.raises(KanopError, match=r"zero mean, but that of sample 2, channel 1 is 0\.25: subtract it"):
        solve_poisson(f, grid)
    solve_poisson(f, box(("periodic", "dirichlet")))


@pytest.mark.parametrize(
    ("kinds", "numbers"), [(("dirichlet",), (3,)), (("periodic", "neumann"), (2, 1)), (("neumann",), (0,))]
)
def test_resonance_names_the_eigenvalue_and_its_mode(kinds, numbers):
    grid = box(kinds)
    u, eigenvalue = mode(grid, numbers)
    for k2 in (eigenvalue, eigenvalue * (1 + 1e-14)):
        with pytest.raises(KanopError, match=r"is an eigenvalue of −Δ .* move k2 away from it") as caught:
            solve_helmholtz(u[None, None], grid, k2)
        assert f"({eigenvalue:.12g}, mode {numbers})" in str(caught.value)
    solve_helmholtz(u[None, None], grid, eigenvalue + 1e-6)


def test_bad_sources_are_refused():
    grid = box(("dirichlet", "periodic"))
    f = torch.zeros(2, 1, *grid.shape, dtype=torch.float64)
    f[1, 0, 3, 4] = math.nan
    with pytest.raises(KanopError, match=r"must be finite, but sample 1 has nan at point \(3, 4\)"):
        solve_poisson(f, grid)
    with pytest.raises(KanopError, match=r"with \*x = \(11, 12\) on this grid, got shape \(2, 1, 11, 11\)"):
        solve_helmholtz(torch.zeros(2, 1, 11, 11), grid, 1.0)
    with pytest.raises(KanopError, match="expected a finite k2, got nan"):
        solve_helmholtz(torch.zeros_like(f), grid, math.nan)
