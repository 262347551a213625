"""The Lightning data module: windows of train, valid and test in restartable loaders."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightning.pytorch import LightningDataModule

from kanop.datasets.loader import Loader
from kanop.datasets.source import Source
from kanop.datasets.windows import Statistics, Windows
from kanop.solvers import DataError, FieldSpec
from kanop.solvers.errors import check

__all__ = ["DataModule"]


class DataModule(LightningDataModule):
    """{train, valid, test} sources → loaders of (input (b, c_in, *x), target (b, c_out, *x)).

    Parameters
    ----------
    sources : by split, as `open_splits(path)` gives them; "train" is needed
    n_in, n_out, stride, subsample : of the windows (see `Windows`)
    batch_size : samples per step and process
    seed : of the order: epoch e of training runs through a permutation that is a pure function of (seed, e)
    num_workers : processes that read ahead; 0 (default) is fastest for data in memory

    Attributes
    ----------
    unroll : training windows have unroll·n_out target frames (default 1); set it before training for
        strategies that unroll
    spec : `FieldSpec` of the map to learn
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        n_in: int | None = None,
        n_out: int = 1,
        stride: int = 1,
        subsample: int = 1,
        batch_size: int = 20,
        seed: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        check(
            "train" in sources,
            f"expected a source named train, got {', '.join(sources) or 'none'}",
            DataError,
        )
        self.sources = dict(sources)
        self.n_in, self.n_out, self.stride, self.subsample = n_in, n_out, stride, subsample
        self.batch_size, self.seed, self.num_workers = batch_size, seed, num_workers
        self.unroll = 1
        self._windows: dict[tuple[str, int, int], Windows] = {}

    @property
    def spec(self) -> FieldSpec:
        """The map to learn, at the training resolution."""
        return self.windows("train").spec

    def windows(self, split: str, subsample: int | None = None, unroll: int = 1) -> Windows:
        """The windows of one split, at training's or another resolution of the same samples."""
        check(split in self.sources, f"no {split} split; there are {', '.join(self.sources)}", DataError)
        key = (split, self.subsample if subsample is None else subsample, unroll)
        if key not in self._windows:
            if unroll > 1:
                self._windows[key] = self.windows(split, subsample).with_outputs(self.n_out * unroll)
            else:
                self._windows[key] = Windows(self.sources[split], self.n_in, self.n_out, self.stride, key[1])
        return self._windows[key]

    def test_windows(self, subsample: int | None = None) -> Windows:
        """The test split, at the training resolution or another one."""
        return self.windows("test", subsample)

    def statistics(self) -> Statistics:
        """Channel-wise mean and standard deviation of the training windows."""
        return self.windows("train").statistics()

    def train_dataloader(self) -> Loader:
        """Training batches, shuffled by (seed, epoch)."""
        return self._loader("train", True, self.unroll)

    def val_dataloader(self) -> Loader | list[Loader]:
        """Validation batches in order; none without a valid split."""
        return self._loader("valid", False) if "valid" in self.sources else []

    def test_dataloader(self) -> Loader:
        """Test batches in order."""
        return self._loader("test", False)

    def _loader(self, split: str, shuffle: bool, unroll: int = 1) -> Loader:
        rank, world = _place()
        windows = self.windows(split, None, unroll)
        return Loader(windows, self.batch_size, self.seed, shuffle, self.num_workers, rank, world)


def _place() -> tuple[int, int]:
    """Rank of this process and their number."""
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return (torch.distributed.get_rank(), torch.distributed.get_world_size()) if ready else (0, 1)
