"""Additive and multistep schemes: order conditions, order in stiff problems, any linear part, and memory of steps."""

import itertools
import math
from dataclasses import dataclass
from functools import cache
from statistics import linear_regression

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from kanop.solvers import (
    SCHEMES,
    Burgers,
    CosineMedium,
    Equation,
    FisherKPP,
    FitzHughNagumo,
    Grid,
    HeterogeneousDiffusion,
    KanopError,
    MatrixOperator,
    NavierStokes2D,
    solve,
)
from kanop.solvers.imex import ADDITIVE
from kanop.solvers.products import multiply
from kanop.solvers.solve import Stepper

IMEX = ["ark3", "ark4", "sbdf2", "sbdf3"]
WAVE = 2 * math.pi
GRID = Grid((64,))
U0 = (0.3 + torch.sin(WAVE * GRID.points[0]) + 0.5 * torch.cos(2 * WAVE * GRID.points[0]))[None, None]


def relative(a, b):
    return float((a - b).norm() / b.norm())


def trees(size):
    """Rooted trees with `size` nodes, each the sorted tuple of its branches."""
    if size == 1:
        return {()}

    def forests(nodes, largest):
        if nodes == 0:
            yield ()
        for first in range(1, min(nodes, largest) + 1):
            for branch in trees(first):
                for rest in forests(nodes - first, first):
                    yield (branch, *rest)

    return {tuple(sorted(forest)) for forest in forests(size - 1, size - 1)}


def nodes(tree):
    return 1 + sum(map(nodes, tree))


def density(tree):
    return nodes(tree) * math.prod(map(density, tree))


def weights(tree, tables):
    """Butcher's elementary weights of the stages, for every choice of a table at every branch."""
    options = [[table @ inner for table in tables for inner in weights(branch, tables)] for branch in tree]
    return [np.prod([np.ones(len(tables[0])), *choice], axis=0) for choice in itertools.product(*options)]


def square(rows):
    return np.array([[*row, *[0.0] * (len(rows) - len(row))] for row in rows])


@pytest.mark.parametrize("name", sorted(ADDITIVE))
def test_order_conditions_with_all_couplings(name):
    """b·Φ(τ) = 1/γ(τ) for every tree up to the order whose edges are explicit or implicit in any mixture."""
    scheme = ADDITIVE[name]
    tables = [square(scheme.explicit), square(scheme.implicit)]
    for table in tables:
        np.testing.assert_allclose(table.sum(1), scheme.nodes[:-1], rtol=0, atol=1e-15)

    def defect(b, size):
        pairs = [(w, tree) for tree in trees(size) for w in weights(tree, tables)]
        return max(abs(b @ w - 1 / density(tree)) for w, tree in pairs)

    assert len(weights(((((),),),), tables)) == 8, "three edges, each of two kinds"
    exact = np.array(scheme.implicit[-1])
    assert all(defect(exact, size) < 1e-14 for size in range(1, scheme.order + 1))
    assert all(defect(np.array(scheme.embedded), size) < 1e-14 for size in range(1, scheme.order))
    assert defect(np.array(scheme.embedded), scheme.order) > 1e-3, "the pair differs, or it would estimate nothing"


@dataclass(frozen=True)
class Coupled(Equation):
    """An equation whose symbol is hidden in a dense matrix."""

    plain: Equation
    channels = ("u", "v")
    boundaries = ("periodic", "neumann")

    def __post_init__(self):
        for name in ("channels", "degree"):
            object.__setattr__(self, name, getattr(self.plain, name))

    def linear(self, grid):
        symbol = self.plain.linear(grid)
        return MatrixOperator(lambda u_hat: multiply(symbol, u_hat), grid, len(self.channels), self.degree)

    def nonlinear(self, u_hat, grid, t):
        return self.plain.nonlinear(u_hat, grid, t)

    def residual(self, D):
        return self.plain.residual(D)


CASES = [
    (Burgers(0.05), Grid((24,)), 0.2),
    (FitzHughNagumo(0.3, 2.0, 0.1), Grid((16,)), 1.0),
    (FitzHughNagumo(0.3, 2.0, 0.1), Grid((8, 6), boundaries=("periodic", "neumann")), 1.0),
]


@pytest.mark.parametrize("scheme", IMEX)
@pytest.mark.parametrize(("equation", "grid", "span"), CASES, ids=["number", "block", "block with a wall"])
def test_number_block_and_matrix_give_one_solution(equation, grid, span, scheme):
    shape = (2, len(equation.channels), *grid.shape)
    u0 = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    times = [0, 0.1 * span, span]
    plain, coupled = (solve(e, u0, grid, times, dt=span / 16, scheme=scheme).u for e in (equation, Coupled(equation)))
    assert relative(plain[:, 1:], coupled[:, 1:]) < 1e-12
    assert relative(plain[:, 2], plain[:, 0]) > 0.1


@cache
def stiff(name):
    """Equation, start, span of time and end of a smooth nonlinear problem whose |hL| is above 10 in 256 steps."""
    if name == "burgers":
        equation, grid, span = Burgers(0.1), Grid((240,)), 0.25
        x = grid.points[0]
        u0 = 0.3 + torch.sin(WAVE * x) + 0.5 * torch.cos(2 * WAVE * x)
    else:
        equation, grid, span = NavierStokes2D(0.02, hyperviscosity=(0.03, 2)), Grid((48, 48), (WAVE, WAVE)), 0.5
        x, y = grid.mesh()
        u0 = 2 * (torch.cos(x) * torch.cos(2 * y) + torch.sin(x + y) + 0.5 * torch.sin(3 * x))
    end = solve(equation, u0[None, None], grid, [0, span], dt=span / 512).u[:, 1]
    assert float((grid.dealias_mask(2) * equation.linear(grid)).abs().max()) * span / 256 > 10
    return equation, grid, u0[None, None], span, end


def fitted(counts, errors):
    return linear_regression([-math.log(n) for n in counts], [math.log(e) for e in errors]).slope


@pytest.mark.parametrize("scheme", IMEX)
@pytest.mark.parametrize("name", ["burgers", "navier-stokes"])
def test_order_where_the_linear_part_is_stiff(name, scheme):
    """Slope p within 0.1 over four halvings, max |hL| ≥ 10 at each of them."""
    equation, grid, u0, span, end = stiff(name)
    counts = [2**i for i in ((5, 6, 7, 8, 9) if name == "burgers" and scheme == "sbdf3" else (4, 5, 6, 7, 8))]
    errors = [relative(solve(equation, u0, grid, [0, span], dt=span / n, scheme=scheme).u[:, 1], end) for n in counts]
    assert fitted(counts, errors) == pytest.approx(SCHEMES[scheme].order, abs=0.1), errors
    assert errors[0] < 6e-3


MEDIUM = CosineMedium(0.5, 0.8, WAVE)


def test_a_heterogeneous_medium_against_a_solver_of_its_own():
    """Fisher's equation by differentiation matrices on the points and scipy's DOP853, aliased but resolved."""
    n, rate, span = 48, 6.0, 0.4
    x = np.arange(n) / n
    gap = np.subtract.outer(np.arange(n), np.arange(n))
    with np.errstate(divide="ignore"):
        matrix = np.where(gap == 0, 0, math.pi * (-1.0) ** gap / np.tan(math.pi * gap / n))
    a = 0.5 * (1 + 0.8 * np.cos(WAVE * x))
    linear = matrix @ (a[:, None] * matrix)
    start = 0.4 + 0.3 * np.sin(WAVE * x)
    found = solve_ivp(lambda t, u: linear @ u + rate * u * (1 - u), (0, span), start, "DOP853", rtol=1e-11, atol=1e-13)
    equation, u0 = HeterogeneousDiffusion(MEDIUM, rate), torch.tensor(start)[None, None]
    run = solve(equation, u0, Grid((n,)), [0, span], dt=span / 64)
    assert relative(run.u[0, 1, 0], torch.tensor(found.y[:, -1])) < 1e-8


@cache
def patchy():
    """Equation, start, span and end where a medium couples the modes."""
    equation, grid, span = HeterogeneousDiffusion(MEDIUM, 6.0), Grid((96,)), 0.25
    u0 = (0.4 + 0.3 * torch.sin(WAVE * grid.points[0]))[None, None]
    return equation, grid, u0, span, solve(equation, u0, grid, [0, span], dt=span / 384).u[:, 1]


@pytest.mark.parametrize(("scheme", "counts"), [("ark3", (64, 128, 256)), ("ark4", (16, 32, 64, 128))])
def test_order_where_the_linear_part_couples_the_modes(scheme, counts):
    equation, grid, u0, span, end = patchy()
    assert float(torch.linalg.eigvals(equation.linear(grid).matrix).abs().max()) * span / counts[-1] > 10
    errors = [relative(solve(equation, u0, grid, [0, span], dt=span / n, scheme=scheme).u[:, 1], end) for n in counts]
    assert fitted(counts, errors) == pytest.approx(SCHEMES[scheme].order, abs=0.1), errors


def test_a_uniform_medium_is_fishers():
    grid, u0 = Grid((32,)), (0.4 + 0.3 * torch.sin(WAVE * Grid((32,)).points[0]))[None, None]
    uniform = solve(HeterogeneousDiffusion(CosineMedium(0.05, 0.0, WAVE), 3.0), u0, grid, [0, 1], dt=1 / 64)
    assert relative(uniform.u, solve(FisherKPP(0.05, 3.0), u0, grid, [0, 1], dt=1 / 64).u) < 1e-7


def test_a_fine_medium_acts_as_its_harmonic_mean():
    """The slowest mode decays with a_h k², a_h = 1/⟨1/a⟩ = D √(1 − ε²); the arithmetic mean D is far from it."""
    grid = Grid((256,))
    u0 = torch.sin(WAVE * grid.points[0])[None, None]
    medium = HeterogeneousDiffusion(CosineMedium(1.0, 0.8, 12 * WAVE))
    u_hat = grid.to_spectral(solve(medium, u0, grid, [0, 0.02, 0.04], dt=1e-3).u[0, :, 0])[:, 1].abs()
    rate = float(torch.log(u_hat[1] / u_hat[2])) / 0.02 / WAVE**2
    assert rate == pytest.approx(math.sqrt(1 - 0.8**2), rel=5e-3)


def test_a_matrix_is_its_action_and_its_inverse():
    grid = Grid((12, 10))
    L = HeterogeneousDiffusion(MEDIUM).linear(grid)
    u = torch.randn(3, 1, 12, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u_hat = grid.dealias_mask(2) * grid.to_spectral(u)
    flux = MEDIUM(*grid.mesh())
    slopes = [grid.to_physical(grid.derivative(i) * u_hat) for i in range(2)]
    expected = grid.dealias_mask(2) * sum(grid.derivative(i) * grid.to_spectral(flux * s) for i, s in enumerate(slopes))
    torch.testing.assert_close(L.apply(u_hat), expected, rtol=0, atol=1e-13 * float(expected.abs().max()))
    torch.testing.assert_close(L.solve(u_hat, 0.3) - 0.3 * L.apply(L.solve(u_hat, 0.3)), u_hat, rtol=0, atol=1e-13)


@pytest.mark.parametrize("scheme", IMEX)
def test_stiff_modes_are_damped_and_others_untouched(scheme):
    """|hL| from 2·10⁵ to 5·10⁷: all that is there goes, and the mean stays."""
    equation, grid = Burgers(1e4), Grid((48,))
    u0 = 1e-3 * torch.randn(1, 1, 48, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    run = solve(equation, u0, grid, [0, 4], dt=0.5, scheme=scheme)
    assert float((run.u[:, -1] - run.u[:, 0].mean()).abs().max()) < 1e-5 * float(u0.abs().max())
    torch.testing.assert_close(run.u[:, -1].mean(), run.u[:, 0].mean(), rtol=0, atol=1e-18)


@pytest.mark.parametrize("scheme", IMEX)
@pytest.mark.parametrize("dt", [0.01, [(0.1, 0.004), (0.5, 0.01)]])
def test_saving_changes_nothing(scheme, dt):
    equation = Burgers(0.05)
    few = solve(equation, U0, GRID, [0, 0.5], dt=dt, scheme=scheme)
    many = solve(equation, U0, GRID, [0, 0.0007, 0.1, 0.1234, 0.33, 0.5], dt=dt, scheme=scheme)
    assert torch.equal(few.u[:, -1], many.u[:, -1])
    assert few.steps == many.steps


@pytest.mark.parametrize("scheme", ["ark4", "sbdf2", "sbdf3"])
def test_frames_between_steps_have_the_order_of_the_scheme(scheme):
    grid = Grid((96,))
    equation, u0 = Burgers(0.05), torch.sin(WAVE * grid.points[0])[None, None]
    exact = equation.exact(u0[0], grid)(0.2493, grid.points[0])
    errors = [
        relative(solve(equation, u0, grid, [0, 0.2493, 0.3], dt=0.3 / n, scheme=scheme).u[0, 1, 0], exact)
        for n in (60, 120, 240)
    ]
    assert min(a / b for a, b in itertools.pairwise(errors)) > 2 ** (SCHEMES[scheme].order - 0.2)


def backward_differences(u, N, L, h, order):
    """The next value of Ascher, Ruuth and Wetton's formula, from the last `order` values and rates, newest first."""
    alpha, values, rates = {
        2: (1.5, (2, -0.5), (2, -1)),
        3: (11 / 6, (3, -1.5, 1 / 3), (3, -3, 1)),
    }[order]
    known = sum(c * v for c, v in zip(values, u, strict=True)) + h * sum(c * r for c, r in zip(rates, N, strict=True))
    return known / (alpha - h * L)


@pytest.mark.parametrize(("scheme", "order"), [("sbdf2", 2), ("sbdf3", 3)])
def test_a_multistep_step_is_the_formula_in_values_and_a_new_length_restarts(scheme, order):
    equation, h = Burgers(0.05), 0.01
    stepper, starter = Stepper(equation, GRID, scheme), Stepper(equation, GRID, "ark3")
    mask, L = stepper.mask, equation.linear(GRID)
    states, rates, history = [mask * GRID.to_spectral(U0)], [], ()
    for n in range(order + 2):
        rates.insert(0, mask * equation.nonlinear(states[0], GRID, n * h))
        change, history = stepper.advance(states[0], n * h, h, history)
        states.insert(0, states[0] + change)
        if n >= order - 1:
            expected = backward_differences(states[1 : order + 1], rates[:order], L, h, order)
        else:
            expected = states[1] + starter.increment(states[1], n * h, h)
        torch.testing.assert_close(states[0], expected, rtol=0, atol=1e-14)
    t = (order + 2) * h
    for step, start in ((h / 2, t), (h, t + h)):
        change, _ = stepper.advance(states[0], start, step, history)
        assert torch.equal(change, starter.increment(states[0], start, step)), (
            "a changed step or a gap in time restarts"
        )


@pytest.mark.parametrize("scheme", ["ark4", "sbdf3"])
def test_single_precision_does_not_get_worse_with_smaller_steps(scheme):
    equation, single, span = Burgers(0.05), Grid((64,), dtype="float32"), 0.05
    end = solve(equation, U0, GRID, [0, span], dt=span / 128).u[:, 1]
    errors = [
        relative(solve(equation, U0, single, [0, span], dt=span / n, scheme=scheme).u[:, 1].double(), end)
        for n in (64, 256)
    ]
    assert errors[1] < 1.5 * errors[0] < 1e-6


@pytest.mark.parametrize(
    ("equation", "grid", "arguments", "message"),
    [
        (HeterogeneousDiffusion(MEDIUM), Grid((16,)), {"scheme": "etdrk2"}, "couples the modes: take scheme='ark4'"),
        (HeterogeneousDiffusion(lambda x: x - 0.2), Grid((16,)), {}, "expected a diffusivity > 0, got -0.2, first at"),
        (HeterogeneousDiffusion(MEDIUM), Grid((256, 256)), {}, "dense matrix of .* unknowns is too large"),
    ],
)
def test_bad_input_is_refused(equation, grid, arguments, message):
    with pytest.raises(KanopError, match=message):
        solve(equation, torch.zeros(1, 1, *grid.shape), grid, [0, 1], dt=0.1, **arguments)


@pytest.mark.parametrize("make", [lambda: CosineMedium(1.0, 1.0, 1.0), lambda: CosineMedium(-1.0, 0.1, 1.0)])
def test_a_medium_is_positive(make):
    with pytest.raises(KanopError, match="expected mean > 0"):
        make()


def test_a_rate_is_not_negative():
    with pytest.raises(KanopError, match="expected a rate >= 0"):
        HeterogeneousDiffusion(MEDIUM, -1.0)


@pytest.mark.parametrize("scheme", ["ark4", "sbdf3"])
def test_gradients_are_those_of_finite_differences(scheme):
    """To the start and to a constant of the medium, through matrices, starters and memory."""
    grid = Grid((24,))
    x = WAVE * grid.points[0]
    u0, direction = (0.4 + 0.3 * torch.sin(x))[None, None], torch.sin(x + 1.0)[None, None]

    def cube(u, mean):
        equation = HeterogeneousDiffusion(CosineMedium(mean, 0.5, WAVE), 2.0)
        return (solve(equation, u, grid, [0, 0.05, 0.1], dt=0.01, scheme=scheme).u ** 3).sum()

    start, mean = u0.clone().requires_grad_(), torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    to_start, to_mean = torch.autograd.grad(cube(start, mean), (start, mean))
    by_start = (cube(u0 + 1e-5 * direction, 0.1) - cube(u0 - 1e-5 * direction, 0.1)) / 2e-5
    by_mean = (cube(u0, 0.1 + 1e-6) - cube(u0, 0.1 - 1e-6)) / 2e-6
    assert float((to_start * direction).sum()) == pytest.approx(float(by_start), rel=1e-7)
    assert float(to_mean) == pytest.approx(float(by_mean), rel=1e-6)
