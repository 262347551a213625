"""The order of training is a pure function of (seed, epoch), whoever reads and wherever it is taken up again."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import nn

from kanop.datasets import DataModule, Loader, Windows, from_arrays, open_splits
from kanop.datasets.loader import EpochBatches
from kanop.solvers import DataError, KanopError

N = 23


@pytest.fixture(scope="module")
def windows() -> Windows:
    """Window i holds the number i."""
    u = np.arange(N, dtype=np.float32)[:, None, None] * np.ones((1, 2, 4), np.float32)
    return Windows(from_arrays({"u": u}, {"fields": {"u": "b t x"}}))


def numbers(batches) -> list[list[int]]:
    return [[int(v) for v in given[:, 0, 0]] for given, _ in batches]


def flat(batches: Iterable[list[int]]) -> list[int]:
    return list(chain.from_iterable(batches))


def test_an_epoch_is_a_permutation_and_every_epoch_another(windows: Windows) -> None:
    loader, seen = Loader(windows, 4, seed=1), []
    for epoch in range(5):
        loader.set_epoch(epoch)
        batches = numbers(loader)
        assert len(batches) == len(loader) == 6
        seen.append(tuple(flat(batches)))
        assert sorted(seen[-1]) == list(range(N))
    assert len(set(seen)) == 5
    other = Loader(windows, 4, seed=2)
    assert tuple(flat(numbers(other))) != seen[0]


def test_an_epoch_is_the_same_whatever_came_before(windows: Windows) -> None:
    straight = Loader(windows, 4, seed=1)
    straight.set_epoch(3)
    torch.manual_seed(99)
    wandering = Loader(windows, 4, seed=1)
    for epoch in (0, 7, 3):
        wandering.set_epoch(epoch)
        last = numbers(wandering)
    assert last == numbers(straight) == numbers(straight)


def test_positions_are_evenly_distributed() -> None:
    """Over many epochs every sample comes first equally often: a shift or a reversal would not do that."""
    order = EpochBatches(5, 5, seed=0)
    first = []
    for epoch in range(2000):
        order.set_epoch(epoch)
        first.append(next(iter(order))[0])
    assert np.bincount(first, minlength=5) == pytest.approx([400] * 5, abs=5 * 18)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("seen", [0, 1, 4, 6])
def test_a_resumed_loader_goes_on_with_the_next_unseen_batch(windows: Windows, workers: int, seen: int) -> None:
    loader = Loader(windows, 4, seed=5, num_workers=workers)
    loader.set_epoch(2)
    batches = iter(loader)
    before = numbers(next(batches) for _ in range(seen))
    state = copy.deepcopy(loader.state_dict())
    rest = numbers(batches)

    fresh = Loader(windows, 4, seed=5, num_workers=workers)
    fresh.load_state_dict(state)
    fresh.set_epoch(2)
    assert numbers(fresh) == rest
    assert numbers(fresh) == before + rest
    assert sorted(flat(before + rest)) == list(range(N))
    loader.set_epoch(3)
    fresh.set_epoch(3)
    assert numbers(fresh) == numbers(loader)
    assert len(numbers(fresh)) == 6


def test_another_order_cannot_be_resumed(windows: Windows) -> None:
    state = Loader(windows, 4, seed=5).state_dict()
    with pytest.raises(KanopError, match=r"batch_size: saved 4, now 5; seed: saved 5, now 6"):
        Loader(windows, 5, seed=6).load_state_dict(state)


@pytest.mark.parametrize("world", [2, 3, 7, 30])
def test_ranks_share_the_batches_of_one_process(windows: Windows, world: int) -> None:
    ranks = [numbers(Loader(windows, 2, 1, True, 0, rank, world)) for rank in range(world)]
    assert {tuple(map(len, batches)) for batches in ranks} == {tuple(map(len, ranks[0]))}
    assert {v for batches in ranks for batch in batches for v in batch} == set(range(N))
    one = numbers(Loader(windows, 2 * world, 1))
    for j, batch in enumerate(one[:-1]):
        assert sorted(batch) == sorted(flat(batches[j] for batches in ranks))


def test_workers_change_nothing(windows: Windows) -> None:
    plain, parallel = (list(Loader(windows, 5, 3, True, n)) for n in (0, 2))
    for (a, b), (c, d) in zip(plain, parallel, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)


def test_workers_read_from_disk(finished: Path) -> None:
    source = open_splits(finished)["train"]
    disk, memory = Windows(source, memory=0), Windows(source)
    disk[0]  # a handle is open before the workers start
    for (a, _), (b, _) in zip(Loader(disk, 6, num_workers=2), Loader(memory, 6), strict=True):
        assert torch.equal(a, b)


class Seen(Callback):
    """Writes down the windows that training gets."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.batches: list[tuple[int, float]] = []
        self.stop_after = stop_after

    def on_train_batch_start(self, trainer, module, batch, batch_idx) -> None:
        if trainer.global_step == self.stop_after:
            raise KeyboardInterrupt
        self.batches.append((trainer.current_epoch, float(batch[0].double().sum())))


class Tiny(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(1, 1, 1)

    def training_step(self, batch, index):
        return ((self.layer(batch[0]) - batch[1]) ** 2).mean()

    def validation_step(self, batch, index) -> None:
        self.log("loss", ((self.layer(batch[0]) - batch[1]) ** 2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)


@pytest.mark.parametrize("stop", [3, 9, 12])
def test_lightning_resumes_in_mid_epoch(finished: Path, tmp_path: Path, stop: int) -> None:
    """Nine batches an epoch; the run stops in the first, at the end of the first, in the second."""

    def run(watch: Seen, start: Path | None = None, folder: str = "a") -> None:
        torch.manual_seed(0)
        saver = ModelCheckpoint(tmp_path / folder, every_n_train_steps=1, save_last=True, save_top_k=1)
        trainer = lightning.Trainer(
            max_epochs=3,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[saver, watch],
        )
        data = DataModule(open_splits(finished), batch_size=4, seed=7)
        try:
            trainer.fit(Tiny(), data, ckpt_path=start, weights_only=True if start else None)
        except SystemExit:
            assert watch.stop_after

    whole, first, second = Seen(), Seen(stop), Seen()
    run(whole, folder="whole")
    run(first, folder="parts")
    run(second, tmp_path / "parts" / "last.ckpt", "rest")
    assert len(whole.batches) == 27
    assert first.batches + second.batches == whole.batches


def test_the_data_module_serves_every_split(finished: Path) -> None:
    data = DataModule(open_splits(finished), subsample=2, batch_size=4)
    assert data.spec.grid.shape == (16,)
    assert [
        len(next(iter(x))[0]) for x in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    ] == [4] * 3
    test = data.test_dataloader()
    assert torch.equal(torch.cat([a for a, _ in test]), data.test_windows().__getitems__(range(15))[0])
    assert data.test_windows(1).spec.grid.shape == (32,)
    data.unroll = 3
    given, target = next(iter(data.train_dataloader()))
    assert (given.shape[1], target.shape[1]) == (1, 3)
    assert next(iter(data.val_dataloader()))[1].shape[1] == 1
    assert data.statistics().input_mean.shape == (1,)


def test_missing_splits_are_named(finished: Path) -> None:
    parts = open_splits(finished)
    with pytest.raises(DataError, match="expected a source named train"):
        DataModule({"test": parts["test"]})
    data = DataModule({"train": parts["train"]})
    assert data.val_dataloader() == []
    with pytest.raises(DataError, match="no test split; there are train"):
        data.test_dataloader()
