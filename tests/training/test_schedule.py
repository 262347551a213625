"""Learning rates against torch's own schedulers, which step one at a time."""

from __future__ import annotations

import itertools

import pytest
import torch

from kanop.solvers import KanopError
from kanop.training import OptimConfig, TrainerConfig, learning_rate

STEPS = 40


def _stepped(make):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.3)
    scheduler, rates = make(optimiser), [optimiser.param_groups[0]["lr"]]
    for _ in range(STEPS - 1):
        optimiser.step()
        scheduler.step()
        rates.append(optimiser.param_groups[0]["lr"])
    return rates


def _ours(**settings):
    return [learning_rate(OptimConfig(lr=0.3, **settings), step, STEPS) for step in range(STEPS)]


def test_onecycle_is_torch_s():
    make = torch.optim.lr_scheduler.OneCycleLR
    rates = _stepped(lambda o: make(o, 0.3, total_steps=STEPS, pct_start=0.25, cycle_momentum=False))
    assert _ours(schedule="onecycle", warmup=0.25) == pytest.approx(rates, rel=1e-9)


def test_step_is_torch_s():
    rates = _stepped(lambda optimiser: torch.optim.lr_scheduler.StepLR(optimiser, STEPS // 4, 0.5))
    assert _ours(schedule="step", drop_every=0.25, gamma=0.5) == pytest.approx(rates, rel=1e-12)


def test_cosine_without_warmup_is_torch_s():
    rates = _stepped(lambda optimiser: torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS))
    assert _ours(schedule="cosine", warmup=0.0) == pytest.approx(rates, rel=1e-9)


def test_cosine_warms_up_evenly_to_the_peak():
    rates = _ours(schedule="cosine", warmup=0.25)
    rise = [b - a for a, b in itertools.pairwise(rates[:11])]
    assert rise == pytest.approx([rise[0]] * 10)
    assert max(rates) == rates[10] == pytest.approx(0.3)


def test_constant_is_constant():
    assert set(_ours(schedule="constant")) == {0.3}


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "step", "constant"])
def test_shortest_trainings_have_rates(schedule, steps):
    optim = OptimConfig(lr=1.0, schedule=schedule)
    assert all(0 < learning_rate(optim, step, steps) <= 1.0 for step in range(steps))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"lr": 0.0}, "lr is positive"),
        ({"betas": [0.9]}, "two numbers"),
        ({"schedule": "one_cycle"}, "did you mean 'onecycle'"),
        ({"warmup": 1.0}, "in \\[0, 1\\)"),
    ],
)
def test_optim_refuses(settings, words):
    with pytest.raises(KanopError, match=words):
        OptimConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_epochs": None}, "max_epochs or trainer.max_steps"),
        ({"max_epochs": 0}, "at least 1, got 0"),
        ({"precision": "bf16"}, "bf16-mixed"),
        ({"device": "gpu"}, "choices: auto, cpu, cuda"),
        ({"loggers": ["wanb"]}, "did you mean 'wandb'"),
        ({"distributed": "fsdp", "ema_decay": 0.9}, "ema_decay needs whole weights"),
    ],
)
def test_trainer_refuses(settings, words):
    with pytest.raises(KanopError, match=words):
        TrainerConfig(**settings)
