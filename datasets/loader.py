"""Batches in an order that is a pure function of (seed, epoch), resumable in mid-epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader

from kanop.datasets.windows import Windows
from kanop.solvers import KanopError
from kanop.solvers.errors import check

__all__ = ["EpochBatches", "Loader"]


class EpochBatches:
    """π_{seed, epoch} of {0 … n−1}, dealt to `world` processes and cut into batches: the batches of one rank.

    A permutation is filled up from its own start to a multiple of `world`, so that every rank has equally
    many; together the ranks' j-th batches are the j-th batch of world·batch_size of a single process.
    """

    def __init__(
        self, n: int, batch_size: int, seed: int = 0, shuffle: bool = True, rank: int = 0, world: int = 1
    ) -> None:
        check(n >= 1 and batch_size >= 1, f"expected samples and a batch_size >= 1, got {n} and {batch_size}")
        self.n, self.batch_size, self.seed, self.shuffle = n, batch_size, seed, shuffle
        self.rank, self.world, self.epoch, self.start = rank, world, 0, 0

    @property
    def sampler(self) -> EpochBatches:
        """Itself: where a trainer looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Turn to the order of `epoch`; a new epoch starts from its first batch."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def order(self) -> list[int]:
        """Every index of this epoch once, over all ranks."""
        if not self.shuffle:
            return list(range(self.n))
        state = np.random.SeedSequence([self.seed, self.epoch]).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(state) >> 1)
        return torch.randperm(self.n, generator=generator).tolist()

    def __len__(self) -> int:
        return math.ceil(math.ceil(self.n / self.world) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = self.order()
        missing = -self.n % self.world
        mine = (order + (order * (missing // self.n + 1))[:missing])[self.rank :: self.world]
        for j in range(self.start, len(self)):
            yield mine[j * self.batch_size : (j + 1) * self.batch_size]


class Loader:
    """Batches (input (b, c_in, *x), target (b, c_out, *x)) of `Windows`, restartable at any batch.

    `state_dict()` taken after k batches makes `load_state_dict` go on with batch k of that epoch. Order and
    content depend on nothing but (windows, batch_size, seed, epoch, rank, world), not on `num_workers`.

    Parameters
    ----------
    windows : the data
    batch_size : samples per batch and rank; the last batch may be smaller
    seed : of the order
    shuffle : False gives the windows' own order in every epoch
    num_workers : processes that read ahead; 0 (default) reads in this one, which is fastest for data in
        memory
    rank, world : this process and the number of processes that share the windows
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        num_workers: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.windows, self.num_workers = windows, num_workers
        self.batch_sampler = EpochBatches(len(windows), batch_size, seed, shuffle, rank, world)
        self._position = 0

    def set_epoch(self, epoch: int) -> None:
        """Turn to the order of `epoch`."""
        self.batch_sampler.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[tuple[Float[Tensor, "b c_in *x"], Float[Tensor, "b c_out *x"]]]:
        batches = list(self.batch_sampler)
        self._position = self.batch_sampler.start
        # Only the first pass after load_state_dict starts in the middle.
        self.batch_sampler.start = 0
        for batch in self._fetch(batches):
            self._position += 1
            yield batch

    def _fetch(self, batches: Sequence[list[int]]) -> Iterator[tuple[Tensor, Tensor]]:
        if self.num_workers == 0 or not batches:
            return map(self.windows.__getitems__, batches)
        # Windows stack their own batches: nothing is left to collate.
        workers = self.num_workers
        self.windows.load()
        return iter(DataLoader(self.windows, batch_sampler=batches, num_workers=workers, collate_fn=_same))

    def state_dict(self) -> dict[str, Any]:
        """Where we are: the epoch, the batches of it that were handed out, and what the order depends on."""
        return {"epoch": self.batch_sampler.epoch, "position": self._position, "order": self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; a KanopError if the order is another one."""
        mine = self._identity()
        other = [f"{k}: saved {v}, now {mine.get(k)}" for k, v in state["order"].items() if v != mine.get(k)]
        if other:
            raise KanopError(
                f"the saved position is one in another order of the data ({'; '.join(other)}); "
                "go on with the settings of the saved run, or start a new one"
            )
        self.batch_sampler.epoch = state["epoch"]
        self.batch_sampler.start = self._position = state["position"]

    def _identity(self) -> dict[str, Any]:
        order = self.batch_sampler
        return {
            "samples": order.n,
            "batch_size": order.batch_size,
            "seed": order.seed,
            "world": order.world,
            "shuffle": order.shuffle,
        }


def _same(batch: Any) -> Any:
    return batch
