"""Emulator and Normaliser: physical units in and out, increments, what is refused, what is saved."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from kanop.operators import FNO, Emulator, Normaliser
from kanop.solvers import FieldSpec, Grid, KanopError

GRID = Grid((16,))


class Pick(nn.Module):
    """Returns the given input channels."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, u):
        return u[:, self.channels]


def test_normaliser_gives_mean_zero_and_deviation_one_and_undoes_it():
    u = 3.0 + 5.0 * torch.randn(64, 2, 32, dtype=torch.float64)
    norm = Normaliser(u.mean((0, 2)), u.std((0, 2))).double()
    z = norm(u)
    assert z.mean((0, 2)).abs().max() < 1e-6
    assert (z.std((0, 2)) - 1).abs().max() < 1e-6
    assert torch.allclose(norm.inverse(z), u, rtol=1e-12)


def test_constant_channel_neither_blows_up_nor_is_lost():
    norm = Normaliser([7.0], [0.0])
    u = torch.full((2, 1, 4), 7.0)
    assert torch.equal(norm(u), torch.zeros_like(u))
    assert torch.equal(norm.inverse(norm(u)), u)


@pytest.mark.parametrize(("mean", "std"), [([0.0], [1.0, 1.0]), ([float("nan")], [1.0]), ([0.0], [-1.0]), ([], [])])
def test_impossible_statistics_are_refused(mean, std):
    with pytest.raises(KanopError, match=r"mean|std"):
        Normaliser(mean, std)
    with pytest.raises(KanopError, match=r"expects \(b, 1, \*x\), got shape \(2, 3, 4\)"):
        Normaliser([0.0], [1.0])(torch.zeros(2, 3, 4))


def test_works_in_physical_units():
    spec = FieldSpec(GRID, ["u"], ["a"])
    norms = Normaliser([1.0, 2.0], [3.0, 4.0]), Normaliser([1.0], [3.0])
    u = torch.randn(2, 2, 16)
    assert torch.allclose(Emulator(Pick([0]), spec, *norms)(u), u[:, :1], atol=1e-6)


def test_operator_sees_normalised_fields():
    seen = []
    pick = Pick([0])
    pick.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    u = 100 + 10 * torch.randn(8, 1, 16)
    Emulator(pick, FieldSpec(GRID, ["u"]), Normaliser([100.0], [10.0]), Normaliser([0.0], [1.0]))(u)
    assert torch.allclose(seen[0], (u - 100) / 10, atol=1e-5)


def test_increment_is_added_to_the_last_given_frame_of_each_predicted_one():
    spec = FieldSpec(GRID, ["u", "v"], ["a"], n_in=2, n_out=2)
    zero = Emulator(Pick([0, 0, 0, 0]), spec, Normaliser([0.0] * 5, [1.0] * 5), Normaliser([1.0] * 4, [0.0] * 4), True)
    u = torch.zeros(1, 5, 16)
    u[:, 2], u[:, 3] = 20.0, 30.0
    assert zero(u)[0, :, 0].tolist() == [21.0, 31.0, 21.0, 31.0]


def test_increment_needs_a_given_frame():
    spec = FieldSpec(GRID, ["u"], ["a"], n_in=0)
    norm = Normaliser([0.0], [1.0])
    with pytest.raises(KanopError, match="n_in=0; use increment=False"):
        Emulator(Pick([0]), spec, norm, norm, increment=True)
    assert Emulator(Pick([0]), spec, norm, norm)(torch.ones(1, 1, 16)).eq(1).all()


def test_normalisers_of_other_sizes_are_refused():
    spec, one, two = FieldSpec(GRID, ["u"], ["a"]), Normaliser([0.0], [1.0]), Normaliser([0.0] * 2, [1.0] * 2)
    with pytest.raises(KanopError, match="input_norm needs 2 channels for this FieldSpec, got 1"):
        Emulator(Pick([0]), spec, one, one)
    with pytest.raises(KanopError, match="output_norm needs 1 channels for this FieldSpec, got 2"):
        Emulator(Pick([0]), spec, two, two)


def test_wrong_input_is_refused_by_name():
    spec = FieldSpec(GRID, ["u"], ["a"])
    emulator = Emulator(Pick([0]), spec, Normaliser([0.0] * 2, [1.0] * 2), Normaliser([0.0], [1.0]))
    with pytest.raises(KanopError, match=r"Emulator expects \(b, 2, \*x\): 2 channels \(u\(t\), a\)"):
        emulator(torch.zeros(1, 3, 16))
    with pytest.raises(KanopError, match="got shape"):
        emulator(torch.zeros(1, 2, 16, 16))


def test_all_is_in_the_state_dict_and_in_copies():
    spec = FieldSpec(GRID, ["u"])

    def make(mean, std):
        return Emulator(FNO(spec, (8,), 4), spec, Normaliser([mean], [std]), Normaliser([mean], [std]), True)

    emulator, other = make(1.0, 2.0), make(0.0, 1.0)
    state = emulator.state_dict()
    assert all(isinstance(v, torch.Tensor) and v.is_contiguous() for v in state.values())
    other.load_state_dict(load(save(state)))
    u = torch.randn(2, 1, 16)
    for copied in (other, copy.deepcopy(emulator), pickle.loads(pickle.dumps(emulator))):
        assert torch.equal(copied(u), emulator(u))
