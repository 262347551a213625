"""The plans of cuFFT that are kept: few inside, the old limit outside, however one leaves."""

import types
from contextlib import nullcontext

import pytest
import torch

from kanop.solvers import fft


@pytest.mark.parametrize(("before", "inside"), [(4096, fft.PLANS), (fft.PLANS, fft.PLANS), (7, 7), (0, 0)])
def test_the_limit_is_only_lowered_and_put_back(before, inside):
    plans = types.SimpleNamespace(max_size=before)
    with fft._bounded(plans):
        assert plans.max_size == inside
    assert plans.max_size == before
    with pytest.raises(KeyError), fft._bounded(plans):
        raise KeyError
    assert plans.max_size == before


def test_each_device_has_its_own_plans(monkeypatch):
    caches = [types.SimpleNamespace(max_size=4096) for _ in range(3)]
    monkeypatch.setattr(torch.backends.cuda, "cufft_plan_cache", caches)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 2)
    for name, place in (("cuda:1", 1), ("cuda", 2)):
        with fft.bounded_plans(torch.device(name)):
            assert [cache.max_size for cache in caches] == [fft.PLANS if i == place else 4096 for i in range(3)]


def test_there_are_none_on_a_cpu():
    assert isinstance(fft.bounded_plans(torch.device("cpu")), nullcontext)


@pytest.mark.gpu
def test_transforms_of_many_shapes_leave_few_plans():
    device, plans = torch.device("cuda"), torch.backends.cuda.cufft_plan_cache
    for n in range(2, 2 + 2 * fft.PLANS):
        with fft.bounded_plans(device):
            torch.fft.rfft(torch.ones(n, device=device))
    assert plans.size <= fft.PLANS + 1 < plans.max_size
