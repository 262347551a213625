"""What the evaluation's tests share: random fields on every kind of grid."""

import pytest
import torch

from kanop.solvers import Grid

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


@pytest.fixture(
    params=GRIDS, ids=lambda g: "x".join(map(str, g.shape)) + "-" + "-".join(b[0] for b in g.boundaries)
)
def grid(request) -> Grid:
    return request.param


@pytest.fixture
def pair(grid):
    generator = torch.Generator().manual_seed(7)
    shape = (3, 4, 2, *grid.shape)
    return tuple(torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
