"""The plans of cuFFT that are kept: few inside, the old limit outside, however one leaves."""

import importlib
import types
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kanop.layers import SpectralConv, spectral_conv
from kanop.solvers import Burgers, Grid, fft, solve

SOLVE = importlib.import_module("kanop.solvers.solve")  # the name is the function's, too


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


class Transforms(TorchDispatchMode):
    """Counts those while plans are bounded, and those while they are not."""

    def __init__(self, monkeypatch, module):
        super().__init__()
        self.inside = self.outside = 0
        self.bounded = False
        monkeypatch.setattr(module, "bounded_plans", lambda device: self.bound())

    @contextmanager
    def bound(self):
        self.bounded = True
        yield
        self.bounded = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.__name__.startswith("_fft_"):
            self.inside += self.bounded
            self.outside += not self.bounded
        return func(*args, **(kwargs or {}))


def test_all_transforms_of_a_spectral_convolution_have_bounded_plans(monkeypatch):
    with Transforms(monkeypatch, spectral_conv) as transforms, torch.no_grad():
        SpectralConv(1, 1, (4, 4), path="fft")(torch.randn(1, 1, 8, 8))
    assert (transforms.inside, transforms.outside) == (4, 0)


@pytest.mark.parametrize("given", [{"dt": 1 / 16}, {"cfl": 1.0}])
def test_all_steps_of_a_solve_have_bounded_plans(given, monkeypatch):
    grid, found = Grid((16,)), []
    u0 = torch.sin(2 * torch.pi * grid.points[0])[None, None]
    for end in (1, 2):
        with Transforms(monkeypatch, SOLVE) as transforms:
            solve(Burgers(0.1), u0, grid, [0, end], **given)
        found.append(transforms)
    assert found[0].inside < found[1].inside
    assert found[0].outside == found[1].outside


@pytest.mark.gpu
def test_transforms_of_many_shapes_leave_few_plans():
    device, plans = torch.device("cuda"), torch.backends.cuda.cufft_plan_cache
    for n in range(2, 2 + 2 * fft.PLANS):
        with fft.bounded_plans(device):
            torch.fft.rfft(torch.ones(n, device=device))
    assert plans.size <= fft.PLANS + 1 < plans.max_size
