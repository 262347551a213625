"""Small data sets that the tests of this folder share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kanop.datasets import Frames, Recipe, generate
from kanop.solvers import Burgers, GaussianRandomField, Grid

SIZES = {"train": 7, "valid": 2, "test": 3}


def small_recipe(**changes: object) -> Recipe:
    """Burgers on 32 points with 6 frames: a millisecond a batch."""
    settings: dict = {
        "equation": Burgers(nu=0.05),
        "grid": Grid((32,)),
        "initial": GaussianRandomField(sigma=49, tau=7, alpha=2.5),
        "times": Frames(0.0, 0.5, 6),
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


@pytest.fixture(scope="session")
def make() -> Callable[..., Path]:
    """Generate a small set, with other settings where a test names them."""

    def generated(recipe: Recipe, folder: Path, **changes: object) -> Path:
        return generate(recipe, folder, **{"sizes": SIZES, "seed": 3, "batch_size": 2, "shard_size": 4} | changes)

    return generated


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Name → bytes of every file below a folder."""

    def files(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return files


@pytest.fixture(scope="session")
def child() -> Callable[[Callable[[], object]], int]:
    """Run some work in a forked process; its exit status, negative for the signal that ended it."""

    def forked(work: Callable[[], object]) -> int:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                torch.set_num_threads(1)
                work()
                code = 0
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    return forked
