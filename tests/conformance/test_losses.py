"""Every loss that ships obeys the laws of `check_loss`; the check itself finds those that do not."""

from __future__ import annotations

import pytest

from kanop.losses import Sobolev, Standardised, WeightedSum
from kanop.solvers import Grid, KanopError, SphereGrid
from kanop.testing import check_loss

LOSSES = {
    "l2": Sobolev(),
    "h1": Sobolev(1.0),
    "h-1": Sobolev(-1.0),
    "h0.5_absolute": Sobolev(0.5, relative=False),
    "standardised": Standardised(Sobolev(), [0.0, 0.0], [2.0, 0.5]),
    "sum": WeightedSum([{"loss": Sobolev()}, {"loss": Sobolev(1.0), "weight": 0.1}]),
}
GRIDS = {
    "default": None,
    "1d": Grid((15,), lengths=(3.0,)),
    "walls": Grid((12, 10), lengths=(1.0, 0.5), boundaries=("neumann", "dirichlet")),
    "gauss": SphereGrid((16, 32), radius=3.0),
    "equiangular": SphereGrid((33, 64), "equiangular"),
    "3d": Grid((8, 6, 8), boundaries=("periodic", "neumann", "periodic")),
}


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_conforms(loss, grid):
    check_loss(LOSSES[loss], GRIDS[grid])


@pytest.mark.parametrize(
    ("loss", "law"),
    [
        (lambda p, t, g: (p - t).square().sum(), "not the mean"),
        (lambda p, t, g: (p - t).flatten(1).norm(dim=1).mean(), "twice the resolution"),
        (lambda p, t, g: (p - t).square().mean((1, 2, 3)), "scalar"),
        (lambda p, t, g: (p - t).square().mean().sqrt(), "not the mean"),
        (lambda p, t, g: ((p - t).square().mean((1, 2, 3))).sqrt().mean(), "not finite"),
        (lambda p, t, g: (p - t).square().mean(), "the loss took it"),
    ],
)
def test_the_check_names_the_broken_law(loss, law):
    with pytest.raises(KanopError, match=law):
        check_loss(loss)
