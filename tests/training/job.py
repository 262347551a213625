"""A small training run as a process of its own, to be killed, stopped, raced and resumed by the tests."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import lightning.pytorch as lightning
import torch
from torch import nn

from kanop.losses import Sobolev
from kanop.operators import FNO, Emulator, Normaliser
from kanop.solvers import FieldSpec, Grid
from kanop.training import OneStep, OptimConfig, Pushforward, TrainerConfig, Unrolled, export, fit, new_run

GRID = Grid((16,))
SPEC = FieldSpec(GRID, ["u"], ["a"])


class Loader:
    """Batches in an order that is a pure function of (seed, epoch), which goes on where its state says."""

    def __init__(self, inputs, targets, batch_size, seed):
        self.inputs, self.targets, self.batch_size, self.seed = inputs, targets, batch_size, seed
        self.epoch, self.start, self.position = 0, 0, 0

    def __len__(self):
        return len(self.inputs) // self.batch_size

    def __iter__(self):
        generator = torch.Generator().manual_seed(1000 * self.seed + self.epoch)
        order = torch.randperm(len(self.inputs), generator=generator)
        first, self.start = self.start, 0
        for i in range(first, len(self)):
            self.position = i + 1
            rows = order[i * self.batch_size : (i + 1) * self.batch_size]
            yield self.inputs[rows], self.targets[rows]
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self):
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state):
        self.epoch, self.start = state["epoch"], state["position"]
        if self.start == len(self):
            self.epoch, self.start = self.epoch + 1, 0


class Data(lightning.LightningDataModule):
    """u(t) → u(t+1), … : a field that turns by a fixed angle, and a constant field beside it."""

    def __init__(self, horizon, count=16, batch_size=4):
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        x = GRID.points[0].float()
        phase = torch.rand(count, 1, generator=generator)
        frames = [torch.sin(2 * torch.pi * (x + phase + 0.05 * j)) for j in range(horizon + 1)]
        constant = torch.rand(count, 1, generator=generator).expand(count, 16)
        self.inputs = torch.stack([frames[0], constant], 1)
        self.targets = torch.stack(frames[1:], 1)
        self.batch_size = batch_size

    def train_dataloader(self):
        return Loader(self.inputs, self.targets, self.batch_size, seed=3)

    def val_dataloader(self):
        pairs = torch.utils.data.TensorDataset(self.inputs[:8], self.targets[:8])
        return torch.utils.data.DataLoader(pairs, batch_size=4)


class Kill(lightning.Callback):
    """Ends the process by a signal at one step, at one of three places."""

    def __init__(self, step, place, number):
        self.step, self.place, self.number = step, place, number

    def on_before_optimizer_step(self, trainer, *_):
        self._kill(trainer, "before", trainer.global_step + 1)

    def on_train_batch_end(self, trainer, *_):
        self._kill(trainer, "after", trainer.global_step)

    def on_validation_end(self, trainer, *_):
        self._kill(trainer, "validation", trainer.global_step)

    def _kill(self, trainer, place, step):
        if place == self.place and step >= self.step:
            self.step = 10**9
            os.kill(os.getpid(), self.number)


class Dropping(nn.Module):
    """An operator with dropout: its draws come from torch's own generator."""

    def __init__(self, operator: nn.Module, p: float = 0.1):
        super().__init__()
        self.operator, self.p = operator, p

    def forward(self, u):
        return nn.functional.dropout(self.operator(u), self.p, self.training)


def emulator(seed=0, width=6, dropout=False):
    torch.manual_seed(seed)
    operator = FNO(SPEC, n_modes=(8,), hidden_channels=width, n_layers=1)
    operator.hidden_channels, operator.n_layers = width, 1
    norm = Normaliser([0.0, 0.5], [0.7, 0.3])
    return Emulator(Dropping(operator) if dropout else operator, SPEC, norm, Normaliser([0.0], [0.7]))


STRATEGIES = {
    "one_step": OneStep(noise=0.01),
    "pushforward": Pushforward(steps=3, warmup=0.2, noise=0.01),
    "unrolled": Unrolled(steps=3, curriculum=0.7, noise=0.01),
}


def main(settings):
    torch.set_num_threads(1)
    strategy = STRATEGIES[settings.get("strategy", "unrolled")]
    trainer = {
        "max_epochs": 3,
        "ema_decay": 0.9,
        "gradient_clip": 1.0,
        "checkpoint_every_steps": 1,
        "log_every_steps": 1,
        "device": "cpu",
        **settings.get("trainer", {}),
    }
    if "kill" in settings:
        step, place, number = settings["kill"]
        # The display of progress is a callback like another: one that kills takes its place.
        sys.modules["kanop.training.fitting"].progress = lambda: Kill(step, place, getattr(signal, number))
    run = Path(settings["run"]) if "run" in settings else new_run(settings["base"], "shared")
    data = Data(strategy.horizon, **settings.get("data", {}))
    optim = OptimConfig(lr=5e-3, **settings.get("optim", {}))
    fitted = fit(
        emulator(dropout=settings.get("dropout", False)),
        data,
        Sobolev(s=1.0),
        strategy,
        optim,
        TrainerConfig(**trainer),
        run=run,
        seed=5,
        resume=settings.get("resume", False),
    )
    export(run, fitted.emulator)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
