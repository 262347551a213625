"""What the evaluation's tests share: grids, data sources in memory, and operators whose errors are known."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from kanop.datasets import Frames, Recipe
from kanop.solvers import Burgers, FieldSpec, GaussianRandomField, Grid

GRIDS = [
    Grid((16,)),
    Grid((15,), lengths=(3.0,)),
    Grid((12,), boundaries="dirichlet"),
    Grid((11,), boundaries="neumann"),
    Grid((8, 12)),
    Grid((9, 8), boundaries=("periodic", "dirichlet")),
    Grid((6, 7), boundaries=("neumann", "periodic")),
    Grid((4, 5, 6)),
]


def _name(grid):
    return "-".join(f"{n}{b[0]}" for n, b in zip(grid.shape, grid.boundaries, strict=True))


@pytest.fixture(params=GRIDS, ids=_name)
def grid(request) -> Grid:
    return request.param


@pytest.fixture
def pair(grid):
    generator = torch.Generator().manual_seed(7)
    shape = (3, 4, 2, *grid.shape)
    return tuple(torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))


class Held:
    """A source of trajectories that are in memory."""

    def __init__(self, u, grid, times, fields=("u",), constants=(), given=None, name="held"):
        self.u, self.grid, self.times, self.name = u, grid, times, name
        self.fields, self.constants, self.given = fields, constants, given
        self.n_samples = len(u)

    def frames(self, i, start=0, stop=None):
        return self.u[i, start:stop]

    def constant(self, i):
        return self.given[i]


class Operator(nn.Module):
    """A function on windows with the face of an emulator."""

    def __init__(self, spec, function, mean=0.0):
        super().__init__()
        self.spec, self.function = spec, function
        self.weight = nn.Parameter(torch.zeros(3, dtype=torch.float64))
        self.output_norm = SimpleNamespace(mean=torch.full((spec.out_channels,), mean, dtype=torch.float64))

    def forward(self, u):
        return self.function(u)


def shift(distance, scale=1.0):
    """u(x) → scale · u(x − distance), exact for band-limited fields at any resolution: errs by |scale − 1|."""

    def move(u):
        grid = Grid(tuple(u.shape[2:]))
        return scale * grid.to_physical(torch.exp(-1j * distance * grid.k[0]) * grid.to_spectral(u))

    return move


@pytest.fixture(scope="session")
def drifting():
    """u(x, t) = f(x − t/2): five trajectories of six frames on 64 points, modes below 10."""
    grid, generator = Grid((64,)), torch.Generator().manual_seed(5)
    u_hat = torch.zeros(5, 1, 33, dtype=torch.complex128)
    u_hat[..., 1:10] = torch.randn(5, 1, 9, dtype=torch.complex128, generator=generator)
    u = grid.to_physical(u_hat)
    times = torch.arange(6, dtype=torch.float64) / 10
    return Held(torch.stack([shift(0.5 * t)(u) for t in times.tolist()], 1), grid, times, name="drifting")


@pytest.fixture(scope="session")
def burgers():
    """(recipe, source): five trajectories of six frames on 64 points, smooth enough for 32."""
    initial = GaussianRandomField(sigma=49.0, tau=7.0, alpha=3.5)
    recipe = Recipe(Burgers(0.05), Grid((64,)), initial, Frames(0, 0.5, 6), dt=1 / 320)
    solved = recipe.solve(recipe.inputs(seed=3, split="test", indices=range(5)))
    return recipe, Held(solved.u, solved.grid, solved.times, name="burgers")


@pytest.fixture
def spec():
    """The map of one frame of `burgers`, trained on 32 points."""
    return FieldSpec(Grid((32,)), ("u",), dt=0.1)


@pytest.fixture(scope="session")
def waves():
    """A 2D source of two fields, standing waves one a field and a faint fine one."""
    grid = Grid((48, 32), lengths=(1.5, 1.0))
    x, y = grid.mesh()
    generator = torch.Generator().manual_seed(0)
    shift = torch.rand(6, 2, generator=generator, dtype=torch.float64)
    times = torch.linspace(0, 1, 11, dtype=torch.float64)
    phase = 2 * torch.pi * (2 * x / 1.5 + y)
    fine = 2 * torch.pi * (6 * x / 1.5 - 7 * y)
    u = torch.stack([
        torch.stack([
            torch.stack([
                torch.cos(phase - 3 * t + 6 * a) + 0.3 * torch.sin(fine + 5 * t),
                torch.sin(phase - 3 * t + 6 * b),
            ])
            for t in times
        ])
        for a, b in shift
    ])  # fmt: skip
    return Held(u, grid, times, fields=("u", "v"), name="waves")


@pytest.fixture(scope="session")
def kit():
    """The classes and functions above, for tests that make their own."""
    return SimpleNamespace(Held=Held, Operator=Operator, shift=shift)
