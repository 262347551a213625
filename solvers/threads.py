"""Independent pieces of work on the threads that torch was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["each_in_turn"]

Piece = TypeVar("Piece")


def each_in_turn(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """`work(piece)` for every piece, without gradients, as many at a time as torch has threads; errors come through.

    One thread a piece beats all threads on each piece: these would meet after every operation, of which a solve has
    thousands, and on a shared machine wait there for the slowest.
    """
    threads = torch.get_num_threads()
    if len(pieces) == 1 or threads == 1:
        for piece in pieces:
            work(piece)
        return

    def alone(piece: Piece) -> None:
        with torch.no_grad():
            work(piece)

    try:
        # The number is each thread's own, and what threads made later start with: that is put back.
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(alone, pieces))
    finally:
        torch.set_num_threads(threads)
