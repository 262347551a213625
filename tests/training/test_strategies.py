"""Strategies against the same compositions written out by hand, and their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kanop.solvers import FieldSpec, Grid, KanopError
from kanop.training import OneStep, Pushforward, Unrolled
from kanop.training.strategies import add_noise, next_input, split_target

SPEC = FieldSpec(Grid((4,)), ["u", "v"], ["a"], n_in=2, n_out=1)


class Map(nn.Module):
    """Pointwise and nonlinear: (2 frames of 2 fields, 1 constant) → 1 frame of 2 fields."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.weight = nn.Parameter(torch.randn(SPEC.out_channels, SPEC.in_channels, dtype=torch.float64))

    def forward(self, u):
        return torch.tanh(torch.einsum("oi,bix->box", self.weight, u))


def mse(prediction, target):
    return ((prediction - target) ** 2).mean()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(2)
    u = torch.randn(3, SPEC.in_channels, 4, generator=generator, dtype=torch.float64)
    target = torch.randn(3, 3 * SPEC.out_channels, 4, generator=generator, dtype=torch.float64)
    return u, target


def by_hand(model, u, calls):
    """The `calls` predictions, one made from the other, by explicit channel numbers."""
    u0, v0, u1, v1, a = u.unbind(1)
    frames = [(u0, v0), (u1, v1)]
    out = []
    for _ in range(calls):
        window = torch.stack([*frames[-2], *frames[-1], a], 1)
        prediction = model(window)
        out.append(prediction)
        frames.append(tuple(prediction.unbind(1)))
    return out


def gradient(loss, model):
    return torch.autograd.grad(loss, model.weight)[0]


def test_unrolled_is_the_mean_over_the_composition(batch):
    u, target = batch
    model, targets = Map(), split_target(target, SPEC, 3)
    hand = sum(mse(p, target[:, 2 * j : 2 * j + 2]) for j, p in enumerate(by_hand(model, u, 3))) / 3
    ours = Unrolled(steps=3).loss(model, SPEC, u, targets, mse)
    torch.testing.assert_close(ours, hand, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient(ours, model), gradient(hand, model), rtol=1e-12, atol=1e-15)


def test_pushforward_differentiates_the_last_call_only(batch):
    u, target = batch
    model, targets = Map(), split_target(target, SPEC, 3)
    ours = Pushforward(steps=3).loss(model, SPEC, u, targets, mse)
    first, second, third = by_hand(model, u, 3)
    torch.testing.assert_close(ours, mse(third, target[:, 4:6]), rtol=1e-12, atol=0)
    # The last input as a constant: its own dependence on the weights must not be seen.
    window = torch.cat([first, second, u[:, 4:]], 1).detach()
    isolated = gradient(mse(model(window), target[:, 4:6]), model)
    torch.testing.assert_close(gradient(ours, model), isolated, rtol=1e-12, atol=1e-15)
    whole = gradient(mse(third, target[:, 4:6]), model)
    assert (whole - isolated).abs().max() > 1e-3


def test_one_call_is_one_call_in_every_strategy(batch):
    u, target = batch
    model, targets = Map(), split_target(target, SPEC, 3)[:1]
    losses = [s.loss(model, SPEC, u, targets, mse).item() for s in (OneStep(), Pushforward(3), Unrolled(3))]
    assert losses == [losses[0]] * 3


def test_several_frames_a_call_shift_the_window():
    spec = FieldSpec(Grid((4,)), ["u"], n_in=3, n_out=2)
    u = torch.arange(3.0).reshape(1, 3, 1).expand(1, 3, 4)
    prediction = torch.tensor([3.0, 4.0]).reshape(1, 2, 1).expand(1, 2, 4)
    assert next_input(u, prediction, spec)[0, :, 0].tolist() == [2.0, 3.0, 4.0]
    short = FieldSpec(Grid((4,)), ["u"], n_in=1, n_out=2)
    assert next_input(u[:, :1], prediction, short)[0, :, 0].tolist() == [4.0]


def test_curriculum_grows_evenly_from_one_to_all():
    strategy = Unrolled(steps=4, curriculum=0.5)
    lengths = [strategy.calls(p / 100, 0.0) for p in range(100)]
    assert lengths == sorted(lengths)
    assert [lengths.count(m) for m in (1, 2, 3, 4)] == [13, 12, 13, 62]
    assert Unrolled(steps=4, curriculum=0.0).calls(0.0, 0.0) == 4


def test_pushforward_warms_up_with_one_call_then_draws_evenly():
    strategy = Pushforward(steps=4, warmup=0.2)
    draws = [d / 1000 for d in range(1000)]
    assert {strategy.calls(0.19, d) for d in draws} == {1}
    drawn = [strategy.calls(0.2, d) for d in draws]
    assert [drawn.count(m) for m in range(1, 5)] == [250] * 4


def test_noise_has_its_size_and_spares_constants():
    u = torch.zeros(400, 5, 64)
    std = torch.tensor([1.0, 2.0, 1.0, 2.0, 9.0])
    noisy = add_noise(u, std, 0.1, 4, torch.Generator().manual_seed(0))
    # 25600 draws a channel: their standard deviation is known to 1 in 226.
    assert noisy.std((0, 2))[:4].tolist() == pytest.approx([0.1, 0.2, 0.1, 0.2], rel=0.03)
    assert torch.equal(noisy[:, 4], u[:, 4])


def test_windows_of_another_length_are_refused(batch):
    with pytest.raises(KanopError, match=r"makes 4 calls and needs targets of 8 channels, got 6.*n_out=4"):
        split_target(batch[1], SPEC, 4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: OneStep(noise=-1.0), "noise is at least 0"),
        (lambda: Pushforward(steps=0), "steps is at least 1"),
        (lambda: Pushforward(warmup=2.0), "warmup is a share"),
        (lambda: Unrolled(curriculum=-0.1), "curriculum is a share"),
    ],
)
def test_refusals(make, words):
    with pytest.raises(KanopError, match=words):
        make()
