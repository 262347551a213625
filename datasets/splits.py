"""Names and ranges of the splits."""

from __future__ import annotations

from collections.abc import Mapping

from kanop.solvers import DataError
from kanop.solvers.errors import check, nearest

__all__ = ["SPLITS", "split_ranges"]

SPLITS = ("train", "valid", "test")
DEFAULT_SPLITS = {"train": 0.8, "valid": 0.1, "test": 0.1}


def split_ranges(n: int, splits: Mapping[str, float] | None, what: str) -> dict[str, tuple[int, int]]:
    """Ranges of trajectories, without overlap: train from the start, test at the end, valid before it."""
    wanted = DEFAULT_SPLITS if splits is None else splits
    for split in wanted:
        check(split in SPLITS, nearest(split, SPLITS, "split"))
    counts = {}
    for split in SPLITS:
        share = wanted.get(split, 0)
        check(share >= 0, f"{what}: splits are counts or shares >= 0, got {split}={share}", DataError)
        whole = isinstance(share, int) or share > 1
        counts[split] = int(share) if whole else (0 if share == 0 else max(1, int(share * n + 1e-9)))
    check(
        sum(counts.values()) <= n and counts["train"] >= 1,
        f"{what} has {n} trajectories, the splits {dict(wanted)} need {sum(counts.values())} (train >= 1); "
        "give layout.splits, e.g. {train: 0.8, valid: 0.1, test: 0.1}",
        DataError,
    )
    test = n - counts["test"]
    valid = test - counts["valid"]
    return {"train": (0, counts["train"]), "valid": (valid, test), "test": (test, n)}
