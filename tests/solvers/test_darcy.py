"""Darcy: exact where it must be, second order where it may be, balanced cell by cell, the same in any batch."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from kanop.solvers import Grid, KanopError
from kanop.solvers.darcy import darcy_flux, darcy_residual, solve_darcy
from kanop.solvers.equations.darcy import Darcy
from kanop.solvers.finite_volumes import CellDerivatives, FaceOperator, conductances
from kanop.solvers.sine_inverse import SineInverse

KINDS = ("sine", "multigrid")
SHAPES = [((37,), (1.5,)), ((14, 17), (1.0, 2.0)), ((6, 7, 5), (1.0, 0.7, 1.2))]


def box(*shape, lengths=None):
    return Grid(shape, lengths, "dirichlet")


def coefficient(grid, contrast=4.0, samples=1, seed=0):
    """Two values, by the sign of a sum of waves: jumps cut across cells."""
    generator = torch.Generator().manual_seed(seed)
    k = 4 * torch.randn(samples, 6, grid.ndim, generator=generator, dtype=torch.float64)
    phase = 6 * torch.rand(samples, 6, 1, generator=generator, dtype=torch.float64)
    waves = torch.sin(k @ torch.stack(grid.mesh()).flatten(1) + phase)
    return torch.where(waves.sum(1) > 0, contrast, 1.0).double().reshape(samples, 1, *grid.shape)


def noise(grid, samples=1, seed=1):
    return torch.randn(samples, 1, *grid.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assembled(a, f, grid, wall):
    """The same equations cell by cell in plain Python, solved directly. `wall(axis, side)` gives the wall's value."""
    a, f, cells = a.numpy(), f.numpy(), list(np.ndindex(*grid.shape))
    matrix, rhs = lil_matrix((len(cells), len(cells))), np.zeros(len(cells))
    for row, cell in enumerate(cells):
        rhs[row] = f[cell]
        for axis, (n, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
            for side in (-1, 1):
                other = list(cell)
                other[axis] += side
                if 0 <= other[axis] < n:
                    weight = 1 / (h**2 * (0.5 / a[cell] + 0.5 / a[tuple(other)]))
                    matrix[row, cells.index(tuple(other))] -= weight
                else:
                    weight = a[cell] / (h * h / 2)
                    rhs[row] += weight * wall(axis, side)
                matrix[row, row] += weight
    return torch.from_numpy(spsolve(matrix.tocsc(), rhs).reshape(grid.shape))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "lengths"), SHAPES)
def test_equals_an_independent_assembly_solved_directly(shape, lengths, kind, tolerances):
    grid = box(*shape, lengths=lengths)
    a, f = coefficient(grid, 9.0), noise(grid)
    walls = [(0.3 * i - 1, 0.5 + i) for i in range(grid.ndim)]
    got = solve_darcy(a, f, grid, walls, tolerance=1e-12, preconditioner=kind).u[0, 0]
    expected = assembled(a[0, 0], f[0, 0], grid, lambda axis, side: walls[axis][(side + 1) // 2])
    torch.testing.assert_close(got, expected, rtol=0, atol=tolerances[torch.float64]["loose"])


@pytest.mark.parametrize("kind", KINDS)
def test_layers_carry_one_flux(kind):
    """f = 0: u is linear in ∫dx/a, exactly, in every layering whose interfaces are faces, along every axis."""
    for axis in (0, 1):
        grid = box(24, 20, lengths=(2.0, 1.0))
        n, h = grid.shape[axis], grid.spacing[axis]
        layer = torch.tensor([1.0, 50.0, 3.0, 0.2], dtype=torch.float64).repeat_interleave(n // 4)
        resistance = torch.cumsum(h / layer, 0)
        profile = 2.0 - 3.0 * (resistance - h / layer / 2) / resistance[-1]
        across = [-1, 1] if axis == 0 else [1, -1]
        a, exact = (v.reshape(across).expand(1, 1, *grid.shape) for v in (layer, profile))
        walls = [(exact.select(2 + i, 0), exact.select(2 + i, -1)) for i in (0, 1)]
        walls[axis] = (2.0, -1.0)
        # The walls along the layers are given at the wall: there u is the same as in the cell beside it.
        solution = solve_darcy(a, 0.0, grid, walls, tolerance=1e-12, preconditioner=kind)
        torch.testing.assert_close(solution.u, exact, rtol=0, atol=1e-9)
        flux = darcy_flux(a, solution.u, grid, walls)[axis]
        torch.testing.assert_close(flux, (3.0 / resistance[-1]).expand(flux.shape), rtol=1e-7, atol=0)


def slope(errors):
    return math.log2(errors[0] / errors[-1]) / (len(errors) - 1)


def test_layers_with_a_source_are_second_order():
    """−(a u')' = 1 with a = 1 left and 10 right of ½: u' = (q₀ − x)/a with q₀ from u(1) = 0."""
    errors = []
    start = (0.125 + 0.375 / 10) / (0.5 + 0.05)
    for n in (16, 32, 64, 128):
        grid = box(n)
        x = grid.points[0]
        a = torch.where(x < 0.5, 1.0, 10.0).double()
        middle = start / 2 - 0.125
        exact = torch.where(x < 0.5, start * x - x**2 / 2, middle + (start * (x - 0.5) - (x**2 - 0.25) / 2) / 10)
        u = solve_darcy(a[None, None], 1.0, grid, tolerance=1e-12).u[0, 0]
        errors.append(float((u - exact).norm()) / n**0.5)
    assert slope(errors) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("lifted", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_smooth_problems_are_second_order_in_u_and_in_the_flux(d, lifted):
    """u = Π sin(πx) (+ e^{x+…} with its wall values), a = 2 + Π cos(2x): f by automatic differentiation."""
    errors, flux_errors = [], []
    for n in (8, 16, 32, 64) if d < 3 else (8, 16, 32):
        grid = box(*(n, n * 5 // 4, n)[:d])

        def u_of(*x):
            return math.prod(torch.sin(math.pi * v) for v in x) + (torch.exp(sum(x)) if lifted else 0.0)

        def a_of(*x):
            return 2 + math.prod(torch.cos(2 * v) for v in x)

        def flux_of(axis, x):
            x = [v.detach().requires_grad_() for v in x]
            return -a_of(*x) * torch.autograd.grad(u_of(*x).sum(), x[axis], create_graph=True)[0], x

        f = torch.zeros(grid.shape, dtype=torch.float64)
        for axis in range(d):
            q, x = flux_of(axis, grid.mesh())
            f += torch.autograd.grad(q.sum(), x[axis])[0]
        walls = [tuple(wall(grid, u_of, axis, at) for at in (0.0, 1.0)) for axis in range(d)]
        a = a_of(*grid.mesh())[None, None]
        solution = solve_darcy(a, f, grid, walls, tolerance=1e-11)
        errors.append(float((solution.u[0, 0] - u_of(*grid.mesh())).norm()) / f.numel() ** 0.5)
        squares = []
        for axis, q in enumerate(darcy_flux(a, solution.u, grid, walls)):
            points = list(grid.points)
            points[axis] = torch.linspace(0, 1, grid.shape[axis] + 1, dtype=torch.float64)
            exact = flux_of(axis, torch.meshgrid(*points, indexing="ij"))[0].detach()
            squares.append(float(((q[0, 0] - exact) ** 2).mean()))
        flux_errors.append(math.sqrt(sum(squares)))
    assert slope(errors) == pytest.approx(2, abs=0.15)
    assert slope(flux_errors) == pytest.approx(2, abs=0.25)


def wall(grid, u_of, axis, at):
    points = list(grid.points)
    points[axis] = torch.tensor([at], dtype=torch.float64)
    return u_of(*torch.meshgrid(*points, indexing="ij")).squeeze(axis)[None, None]


@pytest.mark.parametrize("contrast", [4.0, 1e4])
def test_flux_balances_in_every_cell(contrast):
    grid = box(33, 40)
    a = coefficient(grid, contrast, samples=2)
    solution = solve_darcy(a, 1.0, grid, tolerance=1e-12)
    flux = darcy_flux(a, solution.u, grid)
    out = sum(q.diff(dim=axis) / h for axis, (q, h) in enumerate(zip(flux, grid.spacing, strict=True), 2))
    assert float((out - 1).abs().max()) < 1e-10
    torch.testing.assert_close(darcy_residual(a, solution.u, 1.0, grid), 1 - out, rtol=0, atol=1e-11)


def test_the_reported_residual_is_that_of_the_solution():
    grid = box(30, 21)
    a, f = coefficient(grid, 40.0, samples=3), noise(grid, 3)
    for tolerance in (1e-3, 1e-6, 1e-10):
        solution = solve_darcy(a, f, grid, tolerance=tolerance)
        true = darcy_residual(a, solution.u, f, grid).flatten(1).norm(dim=1) / f.flatten(1).norm(dim=1)
        torch.testing.assert_close(solution.residual, true, rtol=1e-2, atol=1e-13)
        assert (solution.residual <= tolerance).all()
        assert (solution.residual > 1e-3 * tolerance).all(), "no work beyond the tolerance"


def test_below_rounding_the_reported_residual_is_the_true_one():
    """The recurrence of conjugate gradients reaches any tolerance; the solution in double precision does not."""
    grid = box(64, 64)
    a = coefficient(grid, 40.0)
    solution = solve_darcy(a, 1.0, grid, tolerance=1e-16)
    true = float(darcy_residual(a, solution.u, 1.0, grid).square().mean().sqrt())
    assert 1e-15 < true < 1e-11
    assert true / 3 < float(solution.residual) < 3 * true


@pytest.mark.parametrize("kind", KINDS)
def test_symmetries_of_the_box_are_those_of_the_solution(kind):
    grid = box(16, 16)
    a, f = coefficient(grid, 5.0), noise(grid)

    def solve(a, f):
        return solve_darcy(a.contiguous(), f, grid, tolerance=1e-12, preconditioner=kind).u

    u = solve(a, f)
    for move in (lambda v: v.mT, lambda v: v.flip(-1), lambda v: v.flip(-2), lambda v: v.rot90(1, (-2, -1))):
        torch.testing.assert_close(solve(move(a), move(f)), move(u), rtol=0, atol=1e-11)
    torch.testing.assert_close(solve(7 * a, 7 * f), u, rtol=0, atol=1e-11)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-12])
def test_a_sample_is_the_same_alone_and_in_any_batch(tolerance):
    grid = box(40, 31)
    a = torch.cat([coefficient(grid, c, seed=int(c)) for c in (1.0, 4.0, 2000.0, 1.5, 100.0)])
    together = solve_darcy(a, noise(grid, 5), grid, tolerance=tolerance)
    for i in range(5):
        alone = solve_darcy(a[i : i + 1], noise(grid, 5)[i : i + 1], grid, tolerance=tolerance)
        scale = float(together.u[i].abs().max())
        torch.testing.assert_close(alone.u[0] / scale, together.u[i] / scale, rtol=0, atol=1e-12)
        assert int(alone.iterations) == int(together.iterations[i])


@pytest.mark.parametrize("threads", [1, 3])
def test_cutting_the_batch_for_cache_and_threads_changes_nothing(monkeypatch, threads):
    grid = box(12, 12)
    a = coefficient(grid, 4.0, samples=7)
    whole = solve_darcy(a, 1.0, grid, tolerance=1e-12).u
    monkeypatch.setattr("kanop.solvers.darcy.CACHED_CELLS", 300)
    torch.set_num_threads(threads)
    try:
        torch.testing.assert_close(solve_darcy(a, 1.0, grid, tolerance=1e-12).u, whole, rtol=0, atol=1e-13)
        with pytest.raises(KanopError, match="sample 0: relative residual"):
            solve_darcy(a, 1.0, grid, tolerance=1e-12, max_iterations=2)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)


def test_the_sine_transform_inverts_the_laplacian():
    for shape, lengths in SHAPES:
        grid = box(*shape, lengths=lengths)
        u = noise(grid)[:, 0]
        laplacian = FaceOperator(conductances(torch.ones_like(u), grid))
        image = -laplacian.subtract(torch.zeros_like(u), u)
        torch.testing.assert_close(SineInverse(grid, torch.float64)(image), u, rtol=0, atol=1e-11)


def test_iterations_do_not_grow_with_the_grid():
    """Rate (√c − 1)/(√c + 1) for the sine transform at contrast c; a V-cycle gains a factor of 8 at any contrast."""
    for n in (16, 32, 64, 128):
        grid = box(n, n)
        sine = solve_darcy(coefficient(grid, 4.0), 1.0, grid, tolerance=1e-8, preconditioner="sine")
        assert int(sine.iterations) <= math.ceil(math.log(2 / 1e-8) / math.log(3)) + 3
        x, y = grid.mesh()
        smooth = torch.exp(math.log(1e4) * torch.sin(6 * x + 2 * y) * torch.cos(5 * y) / 2)[None, None]
        assert int(solve_darcy(smooth, 1.0, grid, tolerance=1e-8).iterations) <= 11


@pytest.mark.parametrize("lengths", [(1.0, 10.0), (30.0, 1.0)])
def test_stretched_cells_cost_no_more(lengths):
    grid = box(48, 48, lengths=lengths)
    assert int(solve_darcy(coefficient(grid, 20.0), 1.0, grid, tolerance=1e-8).iterations) <= 16


def test_the_default_tolerance_is_far_below_the_discretisation_error():
    grid, fine = box(21, 21), box(105, 105)
    a = coefficient(grid, 4.0)
    truth = solve_darcy(a.repeat_interleave(5, -1).repeat_interleave(5, -2), 1.0, fine).u[..., 2::5, 2::5]
    default = solve_darcy(a, 1.0, grid).u
    converged = solve_darcy(a, 1.0, grid, tolerance=1e-12).u
    assert float((default - converged).norm()) < 0.01 * float((converged - truth).norm())


def test_zero_source_and_single_precision():
    grid = Grid((20, 20), boundaries="dirichlet", dtype="float32")
    a = coefficient(box(20, 20))
    still = solve_darcy(a.float(), 0.0, grid)
    assert still.u.dtype == torch.float32
    assert float(still.u.abs().max()) == float(still.residual) == int(still.iterations) == 0
    double = solve_darcy(a, 1.0, box(20, 20), tolerance=1e-10).u
    torch.testing.assert_close(solve_darcy(a.float(), 1.0, grid, tolerance=1e-10).u, double.float())


@pytest.mark.parametrize("source", [2.5, None])
def test_the_residual_of_the_equation_vanishes_on_its_solution(source):
    grid = box(18, 15)
    a, f = coefficient(grid, 30.0), noise(grid) if source is None else None
    equation = Darcy(source)
    walls = [(1.0, 0.0), (noise(box(18))[:, :, :], 0.2)]
    u = equation.solve(a, grid, f, walls, tolerance=1e-12).u
    fields = {"u": u[:, 0], "a": a[:, 0]} | ({} if f is None else {"f": f[:, 0]})
    assert set(fields) == {*equation.channels, *equation.coefficients}
    scale = float(darcy_flux(a, u, grid, walls)[0].abs().max() / grid.spacing[0])
    assert float(equation.residual(CellDerivatives(fields, grid, walls))["u"].abs().max()) < 1e-10 * scale
    fields["u"] = fields["u"] * 1.01
    assert float(equation.residual(CellDerivatives(fields, grid, walls))["u"].abs().max()) > 1e-3


def test_derivatives_on_cells():
    grid = box(32, 32)
    x, y = grid.mesh()
    u = (torch.sin(math.pi * x) * torch.sin(math.pi * y))[None]
    D = CellDerivatives({"u": u}, grid)
    h2 = grid.spacing[0] ** 2
    assert float((D.laplacian(D["u"]) + 2 * math.pi**2 * u).abs().max()) < 20 * h2
    assert float((D.x(u) - math.pi * torch.cos(math.pi * x) * torch.sin(math.pi * y)).abs().max()) < 20 * h2
    assert float(D.t(u).abs().max()) == 0
    assert D.ndim == len(D.coordinates) == 2


@pytest.mark.parametrize("value", [0.0, -2.0, math.nan, math.inf])
def test_bad_cells_are_named(value):
    grid = box(6, 8)
    a = torch.ones(3, 1, 6, 8, dtype=torch.float64)
    a[1, 0, 2, 5] = a[2, 0, 0, 0] = value
    with pytest.raises(KanopError, match=rf"positive and finite, but sample 1 has {value:g} in cell \(2, 5\) \(2 such"):
        solve_darcy(a, 1.0, grid)


def test_bad_input_is_refused_before_any_work():
    grid, a = box(6, 8), torch.ones(2, 1, 6, 8, dtype=torch.float64)
    for call, message in (
        (
            lambda: solve_darcy(a, 1.0, Grid((6, 8))),
            "boundaries 'dirichlet' on every axis, got .'periodic'",
        ),
        (lambda: solve_darcy(a[..., 1:], 1.0, grid), r"\*x = \(6, 8\), got \(2, 1, 6, 7\)"),
        (lambda: solve_darcy(a, math.nan, grid), "the source holds NaN"),
        (
            lambda: solve_darcy(a, torch.ones(2, 1, 6, 7), grid),
            r"a source that broadcasts to \(2, 1, 6, 8\), got",
        ),
        (lambda: solve_darcy(a, 1.0, grid, walls=[(0.0, 1.0)]), r"one number or 2 pairs \(lower, upper\)"),
        (lambda: solve_darcy(a, 1.0, grid, walls=math.inf), "wall values hold NaN or infinity"),
        (
            lambda: solve_darcy(a, 1.0, grid, walls=[(torch.ones(3), 0.0), (0.0, 0.0)]),
            r"wall value of shape \(2, 1, 8\)",
        ),
        (lambda: solve_darcy(a, 1.0, grid, tolerance=0.0), "0 < tolerance < 1, got 0"),
        (lambda: solve_darcy(a, 1.0, grid, preconditioner="sin"), "did you mean 'sine'"),
        (lambda: Darcy(math.inf), "a finite source, got inf"),
        (lambda: Darcy().solve(a, grid, f=a), r"if and only if Darcy\(source=None\)"),
    ):
        with pytest.raises(KanopError, match=message):
            call()


def test_a_residual_that_stays_is_an_error():
    grid = box(32, 32)
    with pytest.raises(KanopError, match=r"sample 0: relative residual .* after 3 iterations, tolerance 1.0e-10"):
        solve_darcy(coefficient(grid, 1e4), 1.0, grid, tolerance=1e-10, preconditioner="sine", max_iterations=3)
