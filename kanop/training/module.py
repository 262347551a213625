"""What Lightning drives: one training step, one validation step, the optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor, nn

from kanop.losses import Sobolev
from kanop.operators import Emulator
from kanop.solvers import Geometry, Grid
from kanop.solvers.errors import check
from kanop.training.augment import Augmentation
from kanop.training.config import OptimConfig
from kanop.training.optimisers import Twins, adamw, soap
from kanop.training.schedule import learning_rate
from kanop.training.strategies import Strategy, add_noise, split_target

__all__ = ["Fitting", "step_seed"]


class Fitting(lightning.LightningModule):
    """θ ← optim(θ, ∇ L(strategy(emulator_θ, batch))).

    Every draw of a step (noise, number of calls, dropout) comes from generators seeded by (seed, step, batch, rank), so
    that a resumed run needs no state of any generator.

    Parameters
    ----------
    emulator : the operator with its normaliser, physical units in and out
    loss : loss(prediction, target, grid) → scalar
    strategy : which predictions a step makes and compares
    optim : the optimiser and its schedule
    seed : of all the draws
    max_steps : training ends after this step, if its epochs last as long; None = by epochs alone
    log_every : steps between logged rows
    augment : a symmetry by which pairs are mirrored at random, or None

    Attributes
    ----------
    row : rate and gradient norm of the last logged step
    steps : optimiser steps of the whole training
    description : plain values that say which run this is, written into every checkpoint
    """

    def __init__(
        self,
        emulator: Emulator,
        loss: Any,
        strategy: Strategy,
        optim: OptimConfig,
        seed: int,
        max_steps: int | None = None,
        log_every: int = 10,
        augment: Augmentation | None = None,
    ) -> None:
        super().__init__()
        check(
            augment is None or isinstance(emulator.spec.grid, Grid),
            "augment mirrors boxes, and these data live on a sphere: leave it out",
        )
        self.emulator, self.loss, self.strategy, self.optim = emulator, loss, strategy, optim
        self.seed, self.max_steps, self.log_every, self.augment = seed, max_steps, log_every, augment
        self.description: dict[str, Any] = {}
        self.row: dict[str, float] = {}
        self.steps = 1
        self._twins = Twins(())

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        """The strategy's loss on a batch."""
        u, target = batch
        generator = torch.Generator().manual_seed(self._step_seed(batch_idx))
        _seed_dropout(int(torch.randint(2**62, (), generator=generator)), u.device)
        spec, strategy = self.emulator.spec, self.strategy
        m = strategy.calls(self.global_step / self.steps, float(torch.rand((), generator=generator)))
        if self.augment is not None:
            u, target = self.augment(u, target, spec.box, generator)
        targets = split_target(target, spec, strategy.horizon)[:m]
        if strategy.noise > 0:
            frames = spec.n_in * len(spec.fields)
            u = add_noise(u, self.emulator.input_norm.std, strategy.noise, frames, generator)
        loss = strategy.loss(self.emulator, spec, u, targets, self._measure)
        self.log("train/loss", loss.detach(), on_step=True, on_epoch=False, prog_bar=True, logger=False)
        return loss

    def validation_step(self, batch: Sequence[Tensor], batch_idx: int) -> None:
        """The strategy's loss over all frames of the windows, without noise, and the relative L2 error of one call."""
        u, target = batch
        spec = self.emulator.spec
        # Windows for validation may be shorter than those for training: as many calls as they hold.
        targets = split_target(target, spec, max(1, target.shape[1] // spec.out_channels))
        values = {
            "valid/loss": self.strategy.loss(self.emulator, spec, u, targets, self._measure),
            "valid/relative_l2": Sobolev(s=0.0)(self.emulator(u).float(), targets[0].float(), self._grid(u)),
        }
        self.log_dict(values, on_epoch=True, batch_size=len(u), sync_dist=True, prog_bar=True, logger=False)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser of `optim.method` over all weights."""
        parameters = [p for p in self.parameters() if p.requires_grad]
        if self.optim.method == "soap":
            self._twins = Twins(parameters)
            # Scaled gradients are brought back through the optimiser, before the views have theirs.
            scaled = self.trainer.precision == "16-mixed" and self._twins.pairs
            check(
                not scaled, "optim=soap takes no complex weights in 16-mixed: use precision=bf16-mixed or optim=adamw"
            )
            return soap(self.optim, self._twins.of(parameters))
        # One kernel for all weights where there is one: not for complex weights, nor where gradients are scaled.
        fused = self.trainer.precision != "16-mixed" and all(p.is_floating_point() for p in parameters)
        return adamw(self.optim, parameters, fused)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Forget the gradients of all weights, of those too that the optimiser knows by their real views."""
        optimizer.zero_grad()
        self.zero_grad()

    def on_train_start(self) -> None:
        """Count the steps of the whole training."""
        # Asked any earlier (in configure_optimizers), Lightning opens the loaders before it has read where they stood.
        by_epochs = self.trainer.estimated_stepping_batches
        self.steps = int(by_epochs if self.max_steps is None else min(self.max_steps, by_epochs))
        self._stop_at_end()

    def on_train_batch_end(self, *_: Any) -> None:
        """End training at `max_steps`: with Lightning's own limit a resumed run miscounts its epochs."""
        self._stop_at_end()

    def _stop_at_end(self) -> None:
        if self.max_steps is not None and self.global_step >= self.steps:
            self.trainer.should_stop = True

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Set the rate, a pure function of the step; note the gradient's norm before it is clipped."""
        self._twins.hand_over()
        rate = learning_rate(self.optim, self.global_step, self.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        if (self.global_step + 1) % self.log_every == 0:
            gradients = [p.grad for p in self.parameters() if p.grad is not None]
            self.row |= {"lr": rate, "grad_norm": float(nn.utils.get_total_norm(gradients))}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record what this run is, for the check at resume."""
        checkpoint["kanop"] = self.description

    def _step_seed(self, batch_idx: int) -> int:
        return step_seed(self.seed, self.global_step, batch_idx, self.global_rank)

    def _measure(self, prediction: Tensor, target: Tensor) -> Tensor:
        # Losses transform fields: half precision has no such transforms on the CPU, and too few digits anywhere.
        with torch.autocast(prediction.device.type, enabled=False):
            return self.loss(prediction.to(target.dtype), target, self._grid(target))

    def _grid(self, u: Tensor) -> Geometry:
        return _grid_like(self.emulator.spec.grid, tuple(u.shape[2:]), u.device)


def _seed_dropout(seed: int, device: torch.device) -> None:
    # torch.manual_seed formats three stack traces where there is no GPU: 2 ms a step.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def step_seed(*numbers: int) -> int:
    """One 63-bit seed of several numbers, near ones giving far ones."""
    high, low = np.random.SeedSequence(numbers).generate_state(2)
    return int(high) << 31 | int(low) >> 1


@lru_cache(maxsize=16)
def _grid_like(grid: Geometry, shape: tuple[int, ...], device: torch.device) -> Geometry:
    return grid.with_shape(shape).to(torch.float32, device)
