"""Symmetries: what is moved stays a solution, pairs stay together, all symmetries come, drawn from the generator."""

from __future__ import annotations

import pytest
import torch

from kanop.solvers import Burgers, Darcy, GaussianRandomField, Grid, KanopError, solve
from kanop.training import BoxSymmetries, Mirror

GRID = Grid((64,))


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def pairs():
    u = GaussianRandomField(25, 5, 2).sample(GRID, 0, "train", range(40))
    run = solve(Burgers(0.1), u, GRID, [0, 0.1], dt=0.002)
    return run.u[:, 0], run.u[:, 1]


def test_mirrored_pairs_of_burgers_are_pairs_of_burgers(pairs):
    u, v = Mirror(parity=-1)(*pairs, GRID, draw())
    again = solve(Burgers(0.1), u, GRID, [0, 0.1], dt=0.002).u[:, 1]
    torch.testing.assert_close(v, again, rtol=0, atol=1e-12)
    even, wrong = Mirror(parity=1)(*pairs, GRID, draw())
    again = solve(Burgers(0.1), even, GRID, [0, 0.1], dt=0.002).u[:, 1]
    assert float((wrong - again).abs().max()) > 1e-2, "Burgers has no even mirror symmetry"


def test_a_part_of_the_batch_is_mirrored_and_the_rest_is_untouched(pairs):
    u, _ = Mirror()(*pairs, GRID, draw())
    same = (u == pairs[0]).flatten(1).all(1)
    assert 10 < int(same.sum()) < 30
    assert not torch.equal(u, Mirror()(*pairs, GRID, draw(1))[0]), "another generator, other samples"
    assert torch.equal(u, Mirror()(*pairs, GRID, draw())[0])


@pytest.mark.parametrize("kind", ["periodic", "dirichlet", "neumann"])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_mirror_is_that_of_the_coordinate(kind, axis):
    """f(x) at the grid's points becomes f(−x), reckoned from the lower corner and modulo the box."""
    grid = Grid((7, 8), (2.0, 3.0), kind)
    x = list(grid.mesh())
    period = grid.lengths[axis]
    x[axis] = (period - x[axis]) % period
    field = torch.stack(grid.mesh())[None].repeat(64, 1, 1, 1)
    mirrored, _ = Mirror(parity=1, axis=axis)(field, field, grid, draw())
    changed = [m for m in mirrored if not torch.equal(m, field[0])]
    assert changed
    torch.testing.assert_close(changed[0], torch.stack(x), rtol=0, atol=1e-14)


def test_bad_symmetries_are_refused():
    with pytest.raises(KanopError, match="-1 or 1, got 2"):
        Mirror(parity=2)
    u = torch.zeros(2, 1, 64)
    with pytest.raises(KanopError, match="no axis 1 to mirror on a grid with 1 axes"):
        Mirror(axis=1)(u, u, GRID, draw())


def test_moved_pairs_of_darcy_are_pairs_of_darcy():
    square = Grid((12, 12), boundaries="dirichlet", dtype=torch.float64)
    a = 3 + 9 * torch.rand(24, 1, 12, 12, generator=draw(), dtype=torch.float64)
    u = Darcy().solve(a, square, tolerance=1e-13).u
    moved, v = BoxSymmetries()(a, u, square, draw())
    torch.testing.assert_close(v, Darcy().solve(moved, square, tolerance=1e-13).u, rtol=1e-10, atol=1e-12)
    assert not torch.equal(moved, a)


@pytest.mark.parametrize(
    ("grid", "count"),
    [
        (Grid((5,)), 2),
        (Grid((5, 5)), 8),
        (Grid((5, 5), (1.0, 2.0)), 4),
        (Grid((5, 5), boundaries=("periodic", "neumann")), 4),
        (Grid((4, 4, 4), boundaries="dirichlet"), 48),
        (Grid((4, 3, 4)), 16),
    ],
)
def test_all_symmetries_of_the_box_come_and_no_others(grid, count):
    field = torch.rand(1, 1, *grid.shape, generator=draw()).repeat(1000, *[1] * (grid.ndim + 1))
    u, v = BoxSymmetries()(field, 2 * field, grid, draw())
    assert torch.equal(v, 2 * u), "input and target are moved together"
    assert len({tuple(sample.flatten().tolist()) for sample in u}) == count
    assert torch.equal(u.flatten(1).sort(1).values, field.flatten(1).sort(1).values)
    assert torch.equal(u, BoxSymmetries()(field, field, grid, draw())[0])
