"""Gradients through `solve`: against finite differences, with memory that grows like the root of the steps."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kanop.solvers import (
    Advection,
    AllenCahn,
    Burgers,
    FNOForcing,
    GrayScott,
    Grid,
    KanopError,
    KortewegDeVries,
    NavierStokes2D,
    NonlinearSchroedinger,
    Wave,
    solve,
    solve_darcy,
)
from kanop.solvers.columns import from_columns, to_columns
from kanop.solvers.solve import keep_freed_memory


def constant(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def start(equation, grid: Grid) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, len(equation.channels), *grid.shape, generator=generator, dtype=torch.float64)
    size = sum((m.abs() ** 2).reshape(k.shape) for m, k in zip(grid.modes, grid.k, strict=True))
    return equation.constrain(grid.to_physical(torch.exp(-0.5 * size) * grid.to_spectral(noise)), grid)


CASES = [
    (lambda c: Advection(velocity=[c]), 0.7, Grid((16,))),
    (lambda c: Burgers(nu=c), 0.05, Grid((32,))),
    (lambda c: KortewegDeVries(steepening=c, dispersion=1e-3), 0.5, Grid((32,))),
    (lambda c: KortewegDeVries(steepening=0.5, dispersion=c), 1e-3, Grid((32,))),
    (lambda c: NonlinearSchroedinger(dispersion=c), 0.01, Grid((32,))),
    (lambda c: Wave(c=c), 0.4, Grid((16,))),
    (lambda c: GrayScott(feed=c, kill=0.06), 0.04, Grid((16, 16))),
    (lambda c: NavierStokes2D(nu=c), 1e-3, Grid((16, 16))),
    (lambda c: NavierStokes2D(nu=1e-3, hyperviscosity=(c, 2)), 1e-6, Grid((16, 16))),
    (lambda c: NavierStokes2D(nu=1e-3, forcing=FNOForcing(amplitude=c)), 0.1, Grid((16, 16))),
]


@pytest.mark.parametrize(("make", "value", "grid"), CASES)
def test_derivative_to_a_constant_is_the_finite_difference(make, value, grid) -> None:
    u0 = start(make(value), grid)

    def loss(c) -> torch.Tensor:
        run = solve(make(c), u0, grid, [0, 0.13, 0.5], dt=0.05)
        return (run.u[:, 1:] ** 3).sum() + run.u[:, 2].square().sum()

    c = constant(value)
    (gradient,) = torch.autograd.grad(loss(c), c)
    h = 1e-3 * value
    # Fourth order: the eighth digit is not lost to the difference itself.
    f = [float(loss(value + i * h)) for i in (-2, -1, 1, 2)]
    difference = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * h)
    assert abs(float(gradient) - difference) <= 1e-7 * abs(difference) + 1e-10


@pytest.mark.parametrize("scheme", ["etdrk2", "etdrk4"])
@pytest.mark.parametrize("grid", [Grid((32,)), Grid((32,), boundaries="neumann")])
def test_derivative_to_the_start_is_the_finite_difference(grid: Grid, scheme: str) -> None:
    equation = Burgers(0.02) if grid.boundaries == ("periodic",) else AllenCahn()
    u0, direction = start(equation, grid), start(equation, grid).flip(0)

    def loss(u: torch.Tensor) -> torch.Tensor:
        return (solve(equation, u, grid, [0, 0.3, 1.0], dt=0.07, scheme=scheme).u[:, 1:] ** 3).sum()

    leaf = u0.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    f = [float(loss(u0 + i * 1e-4 * direction)) for i in (-2, -1, 1, 2)]
    difference = (8 * (f[2] - f[1]) - (f[3] - f[0])) / 12e-4
    assert abs(float((gradient * direction).sum()) - difference) <= 1e-8 * abs(difference)


def test_frames_are_the_same_with_and_without_gradients() -> None:
    grid = Grid((16, 16))
    equation = NavierStokes2D(1e-3)
    u0 = start(equation, grid)
    plain = solve(equation, u0, grid, [0, 0.1, 0.17, 1.0], dt=0.02)
    tracked = solve(equation, u0.requires_grad_(), grid, [0, 0.1, 0.17, 1.0], dt=0.02)
    assert tracked.u.requires_grad
    torch.testing.assert_close(plain.u, tracked.u.detach(), rtol=1e-13, atol=1e-14)


def test_gradients_flow_under_error_control() -> None:
    grid = Grid((32,))
    u0 = start(Burgers(0.02), grid).requires_grad_()
    by_tolerance = solve(Burgers(0.02), u0, grid, [0, 0.5], tolerance=1e-8).u[:, 1]
    by_steps = solve(Burgers(0.02), u0, grid, [0, 0.5], dt=1 / 512).u[:, 1]
    gradients = [torch.autograd.grad((u**3).sum(), u0)[0] for u in (by_tolerance, by_steps)]
    assert (gradients[0] - gradients[1]).abs().max() <= 1e-6 * gradients[1].abs().max()


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that are alive, and their peak."""

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak, self.seen = 0, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
            if storage is not None and storage._cdata not in self.seen:
                self.seen.add(storage._cdata)
                self.live += storage.nbytes()
                self.peak = max(self.peak, self.live)
                weakref.finalize(storage, self.forget, storage._cdata, storage.nbytes())
        return out

    def forget(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.live -= size


def peak_fields(steps: int) -> float:
    """Most memory that is alive while a gradient is made, in fields of the state."""
    grid, equation = Grid((32,)), Burgers(0.02)
    u0 = start(equation, grid).requires_grad_()
    with LiveBytes() as memory:
        run = solve(equation, u0, grid, [0, steps / 4096], dt=1 / 4096, scheme="etdrk1")
        run.u[:, 1].square().sum().backward()
    return memory.peak / (u0.numel() * u0.element_size())


def test_memory_grows_like_the_root_of_the_steps() -> None:
    keep_freed_memory()
    few, some, many = map(peak_fields, (64, 256, 1024))
    assert some <= 2.1 * few
    assert many <= 2.1 * some
    # Each kept state is two fields, so a graph of all steps holds more than ten times as much.
    assert many <= 1024 / 2


def test_darcy_passes_gradients_to_coefficient_source_and_walls() -> None:
    grid = Grid((5, 7), lengths=[1.0, 1.3], boundaries="dirichlet")
    generator = torch.Generator().manual_seed(0)
    a, f, low = (
        torch.rand(size, generator=generator, dtype=torch.float64) for size in ((2, 1, 5, 7),) * 2 + ((2, 1, 7),)
    )

    def solution(a: torch.Tensor, f: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        return solve_darcy(a, f, grid, walls=[(low, 0.2), (0.0, 0.0)], tolerance=1e-13).u

    inputs = [t.requires_grad_() for t in (a + 0.5, f, low)]
    assert torch.autograd.gradcheck(solution, inputs, eps=1e-5, atol=1e-8, rtol=1e-6)


def test_darcy_refuses_second_derivatives_rather_than_giving_wrong_ones() -> None:
    grid = Grid((6,), boundaries="dirichlet")
    a = torch.ones(1, 1, 6, dtype=torch.float64, requires_grad=True)
    with pytest.raises(KanopError, match="second derivatives"):
        torch.autograd.grad(solve_darcy(a, 1.0, grid).u.sum(), a, create_graph=True)


@pytest.mark.parametrize(("shape", "columns"), [((6, 8), 3), ((6, 8), 5), ((5, 7), 4), ((9,), 5), ((4, 6, 8), 4)])
def test_transforms_by_columns_know_their_gradients(shape: tuple[int, ...], columns: int) -> None:
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(2, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
    u_hat = torch.randn(2, *shape[:-1], columns, generator=generator, dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(lambda u: to_columns(u, len(shape), columns), u)
    assert torch.autograd.gradcheck(lambda u_hat: from_columns(u_hat, shape), u_hat)
    assert torch.autograd.gradgradcheck(lambda u_hat: from_columns(u_hat, shape) ** 2, u_hat)
