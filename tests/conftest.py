"""Shared by all tests: shapes and types checked at run time, one thread a worker, one table of tolerances."""

from __future__ import annotations

from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from jaxtyping import install_import_hook

# Before any module of kanop is imported: from here on every annotated call checks shapes and types. An int is a float,
# as users and type checkers (PEP 484) have it.
install_import_hook("kanop", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# Relative tolerances by precision: rounding of a few transforms, and of a whole computation. TF32 is float32 of which
# products read as many digits as float16 has.
_TOLERANCES: dict[torch.dtype | str, dict[str, float]] = {
    torch.float64: {"tight": 1e-12, "loose": 1e-9},
    torch.float32: {"tight": 1e-5, "loose": 1e-3},
    torch.float16: {"tight": 4e-3, "loose": 2e-2},
    "tf32": {"tight": 4e-3, "loose": 2e-2},
    torch.bfloat16: {"tight": 2e-2, "loose": 1e-1},
}


def pytest_configure(config: pytest.Config) -> None:
    """One thread: the tests are small, and the workers of pytest-xdist share the cores."""
    torch.set_num_threads(1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Every test draws the same numbers in every run and order; those marked `gpu` run where CUDA has a device."""
    torch.manual_seed(0)
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")


@pytest.fixture(scope="session")
def tolerances() -> dict[torch.dtype | str, dict[str, float]]:
    """Relative tolerance by dtype: "tight" for a few operations, "loose" for a whole computation."""
    return _TOLERANCES


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the checks of shapes at run time, which a compiler cannot trace."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
