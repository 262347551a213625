"""Small data sets that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kanop.datasets import Recipe, generate
from kanop.solvers import Burgers, GaussianRandomField, Grid

SIZES = {"train": 7, "valid": 2, "test": 3}


def small_recipe(**changes: object) -> Recipe:
    """Burgers on 32 points with 6 frames: a millisecond a batch."""
    settings: dict = {
        "equation": Burgers(nu=0.05),
        "grid": Grid((32,)),
        "initial": GaussianRandomField(sigma=49, tau=7, alpha=2.5),
        "times": (0.0, 0.5),
        "frames": 6,
        "dt": ((0.1, 0.01), (0.5, 0.05)),
    }
    return Recipe(**settings | changes)


@pytest.fixture(scope="session")
def make_recipe() -> Callable[..., Recipe]:
    return small_recipe


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return small_recipe()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Path:
    """An uninterrupted generation; read only."""
    folder = tmp_path_factory.mktemp("whole") / "waves"
    return generate(recipe, folder, SIZES, seed=3, batch_size=2, shard_size=4)


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    import shutil

    return Path(shutil.copytree(finished, tmp_path / "waves"))
