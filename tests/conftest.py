"""Shared by all tests: shapes and types checked at run time, one thread a worker, one table of tolerances."""

from __future__ import annotations

import pytest
import torch
from jaxtyping import install_import_hook

# Before any module of kanop is imported: from here on every annotated call checks shapes and types. An int is a float,
# as users and type checkers (PEP 484) have it.
install_import_hook("kanop", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# Relative tolerances by precision: rounding of a few transforms, and of a whole computation.
_TOLERANCES = {
    torch.float64: {"tight": 1e-12, "loose": 1e-9},
    torch.float32: {"tight": 1e-5, "loose": 1e-3},
    torch.bfloat16: {"tight": 2e-2, "loose": 1e-1},
}


def pytest_configure(config: pytest.Config) -> None:
    """One thread: the tests are small, and the workers of pytest-xdist share the cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tolerances() -> dict[torch.dtype, dict[str, float]]:
    """Relative tolerance by dtype: "tight" for a few operations, "loose" for a whole computation."""
    return _TOLERANCES
