"""Times of calls that take turns, so that other load on the machine meets all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

__all__ = ["in_turns", "ratio", "seconds"]

Key = TypeVar("Key")


def seconds(call: Callable[[], Any]) -> tuple[float, float]:
    """Wall and processor time of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def in_turns(
    calls: Mapping[Key, Callable[[], Any]], rounds: int
) -> tuple[dict[Key, list[float]], dict[Key, list[float]]]:
    """Wall and processor times of every call, one a round, the calls of a round one after the other."""
    wall: dict[Key, list[float]] = {name: [] for name in calls}
    processor: dict[Key, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            both = seconds(call)
            wall[name].append(both[0])
            processor[name].append(both[1])
    return wall, processor


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, list[float]]:
    """Median and quartiles of ours/theirs over the rounds."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return statistics.median(ratios), statistics.quantiles(ratios, n=4)[::2] if len(ratios) > 1 else 2 * ratios
