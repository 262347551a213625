"""Rollouts against closed forms: powers of a map, windows of frames, constants, and samples that blow up."""

import pytest
import torch
from torch import nn

from kanop.evaluation import diverged_share, rollout
from kanop.solvers import FieldSpec, Grid, KanopError

GRID = Grid((8,))


class Map(nn.Module):
    """An operator made of a function on windows (b, c_in, *x)."""

    def __init__(self, spec, function):
        super().__init__()
        self.spec, self.function = spec, function

    def forward(self, u):
        assert not torch.is_grad_enabled()
        assert not self.training
        return self.function(u)


def test_frames_are_the_powers_of_the_map():
    operator = Map(FieldSpec(GRID, ("u", "v"), dt=0.25), lambda u: 0.5 * u.roll(1, -1))
    u0 = torch.randn(3, 2, 8)
    result = rollout(operator, u0, 4)
    for j in range(5):
        torch.testing.assert_close(result.u[:, j], 0.5**j * u0.roll(j, -1))
    assert result.times.tolist() == [0, 0.25, 0.5, 0.75, 1.0]
    assert result.channels == ("u", "v")
    assert result.steps.tolist() == [4, 4, 4]
    assert operator.training


def test_a_window_of_frames_moves_along():
    """Fibonacci: u(t+1) = u(t) + u(t−1)."""
    operator = Map(FieldSpec(GRID, ("u",), n_in=2), lambda w: w[:, :1] + w[:, 1:])
    result = rollout(operator, torch.ones(1, 2, 8), 6)
    assert result.u[0, :, 0, 0].tolist() == [1, 2, 3, 5, 8, 13, 21]


def test_constants_are_carried_along_and_channels_keep_their_order():
    spec = FieldSpec(GRID, ("u", "v"), constants=("a",))
    operator = Map(spec, lambda w: torch.cat([w[:, :1] + w[:, 2:], w[:, 1:2] * w[:, 2:]], 1))
    result = rollout(operator, torch.tensor([1.0, 1.0, 3.0]).reshape(1, 3, 1).expand(1, 3, 8), 3)
    assert result.u[0, :, 0, 0].tolist() == [1, 4, 7, 10]
    assert result.u[0, :, 1, 0].tolist() == [1, 3, 9, 27]


@pytest.mark.parametrize("steps", [1, 3, 4, 5])
def test_several_frames_a_call_equal_one_frame_a_call(steps):
    one = Map(FieldSpec(GRID, ("u",)), lambda u: 0.9 * u)
    many = Map(FieldSpec(GRID, ("u",), n_out=3), lambda u: torch.cat([0.9 * u, 0.9**2 * u, 0.9**3 * u], 1))
    u0 = torch.randn(2, 1, 8, dtype=torch.float64)
    torch.testing.assert_close(rollout(one, u0, steps).u, rollout(many, u0, steps).u)


def test_a_diverged_sample_is_nan_from_there_on_and_disturbs_nobody():
    def square_mixed(u):
        return u * u + 0 * u.mean(0, keepdim=True)  # any NaN in the batch reaches every row here

    operator = Map(FieldSpec(GRID, ("u",)), square_mixed)
    u0 = torch.tensor([0.5, 1e10, 1.0]).reshape(3, 1, 1).expand(3, 1, 8)
    result = rollout(operator, u0, 5)
    assert torch.isfinite(result.u[1, :2]).all()
    assert torch.isnan(result.u[1, 2:]).all()
    assert result.u[2].eq(1).all()
    assert result.steps.tolist() == [5, 1, 5]


def test_the_others_go_on_when_one_diverges():
    operator = Map(FieldSpec(GRID, ("u",), n_out=2), lambda u: torch.cat([u * u, u**4], 1))
    u0 = torch.tensor([0.5, 1e10, 1.0]).reshape(3, 1, 1).expand(3, 1, 8)
    result = rollout(operator, u0, 6)
    alone = rollout(operator, u0[[0, 2]], 6)
    assert torch.equal(result.u[[0, 2]], alone.u)
    assert result.steps.tolist() == [6, 1, 6]
    assert torch.isnan(result.u[1, 2:]).all()
    assert diverged_share(result.u) == pytest.approx(1 / 3)


def test_another_resolution_gives_its_grid():
    operator = Map(FieldSpec(Grid((8, 8), lengths=(2.0, 1.0)), ("u",)), lambda u: u)
    result = rollout(operator, torch.zeros(1, 1, 16, 12), 1)
    assert result.grid.shape == (16, 12)
    assert result.grid.lengths == (2.0, 1.0)


def test_a_map_without_frames_predicts_once():
    operator = Map(FieldSpec(GRID, ("u",), constants=("a",), n_in=0), lambda a: 2 * a)
    result = rollout(operator, torch.ones(1, 1, 8), 1)
    assert result.u.shape == (1, 1, 1, 8)
    with pytest.raises(KanopError, match="cannot be rolled out"):
        rollout(operator, torch.ones(1, 1, 8), 2)


@pytest.mark.parametrize(
    ("u0", "steps", "words"),
    [
        (torch.zeros(1, 2, 8), 1, "expected 1 channels .1 frames of u."),
        (torch.zeros(1, 1, 8, 8), 1, "with 1 axes"),
        (torch.zeros(1, 1, 8), 0, "steps=0"),
    ],
)
def test_bad_starts_say_what_was_expected(u0, steps, words):
    with pytest.raises(KanopError, match=words):
        rollout(Map(FieldSpec(GRID, ("u",)), lambda u: u), u0, steps)
