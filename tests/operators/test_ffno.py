"""FFNO: the mathematics of its paper, shifts, resolutions, walls, sharing."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from kanop.layers import Continuation
from kanop.operators import FFNO, FNO, Emulator, Normaliser
from kanop.solvers import FieldSpec, Grid, KanopError
from kanop.training import export, load

F64 = torch.float64


def reference(model, u):
    """The network by numpy-like FFTs, axis by axis, without any layer of kanop."""
    v = model.lifting(u)
    for i, (first, second) in enumerate(model.forwards):
        conv = model.convs[0 if model.shared else i]
        w = torch.zeros_like(v)
        for axis, one in enumerate(conv.axes):
            n, kernel = v.shape[2 + axis], one.kernel
            v_hat = torch.fft.rfft(v, dim=2 + axis).movedim(2 + axis, -1)
            out = torch.zeros_like(v_hat)
            m = kernel.shape[-1]
            out[..., :m] = torch.einsum("iok,bi...k->bo...k", kernel, v_hat[..., :m])
            w = w + torch.fft.irfft(out, n=n).movedim(-1, 2 + axis)
        w = torch.einsum("oi,bi...->bo...", first.weight, w) + first.bias.view(-1, *[1] * (u.ndim - 2))
        v = v + torch.einsum("oi,bi...->bo...", second.weight, F.gelu(w)) + second.bias.view(-1, *[1] * (u.ndim - 2))
    first, second = model.projection
    return second(F.gelu(first(v)))


@pytest.mark.parametrize("shape", [(16,), (16, 11), (8, 9, 10)])
@pytest.mark.parametrize("shared", [False, True])
def test_equals_the_formula_of_the_paper(shape, shared):
    model = FFNO(FieldSpec(Grid(shape), ["u", "v"]), [6] * len(shape), 5, n_layers=3, shared=shared).double()
    u = torch.randn(2, 2, *shape, dtype=F64)
    assert torch.allclose(model(u), reference(model, u), atol=1e-12)


@pytest.mark.parametrize("shape", [(32,), (17, 12), (8, 6, 7)])
def test_commutes_with_translations_without_position_only(shape):
    spec = FieldSpec(Grid(shape), ["u"])
    u = torch.randn(2, 1, *shape, dtype=F64)
    shifts, axes = (5, 3, 2)[: len(shape)], list(range(2, 2 + len(shape)))
    free = FFNO(spec, [4] * len(shape), 8, position=False).double()
    assert torch.allclose(free(u.roll(shifts, axes)), free(u).roll(shifts, axes), atol=1e-12)
    bound = FFNO(spec, [4] * len(shape), 8).double()
    assert not torch.allclose(bound(u.roll(shifts, axes)), bound(u).roll(shifts, axes), atol=1e-4)


@pytest.mark.parametrize(("coarse", "fine"), [((48,), (96,)), ((31,), (64,)), ((32, 31), (64, 62))])
def test_smooth_periodic_fields_give_the_same_function_at_every_resolution(coarse, fine):
    grid = Grid(coarse)
    u = Grid([5] * grid.ndim).resample(torch.randn(2, 1, *[5] * grid.ndim, dtype=F64), coarse)
    model = FFNO(FieldSpec(grid, ["u"]), [10] * grid.ndim, 8, position=False).double()
    v, w = model(u), model(grid.resample(u, fine))
    assert (grid.resample(v, fine) - w).norm() < 1e-3 * w.norm()


def test_modes_of_an_axis_do_not_mix_with_those_of_another():
    """Without its pointwise nonlinearity a block maps cos(x) cos(y) to shifts of it along x plus shifts along y."""
    model = FFNO(FieldSpec(Grid((16, 16)), ["u"]), (8, 8), 4).double()
    x, y = Grid((16, 16)).mesh()
    u = (torch.cos(2 * torch.pi * x) * torch.cos(4 * torch.pi * y)).expand(1, 4, 16, 16)
    v_hat = torch.fft.fft2(model.convs[0](u))
    size = v_hat.abs().amax((0, 1))
    kept = torch.zeros_like(size)
    for k, m in ((1, 2), (1, -2), (-1, 2), (-1, -2)):
        kept[k, m] = size[k, m]
    assert (size - kept).max() < 1e-12 * kept.max()


def test_sharing_keeps_one_convolution():
    spec = FieldSpec(Grid((16, 16)), ["u"])
    one, many = (FFNO(spec, (8, 8), 4, n_layers=6, shared=shared) for shared in (True, False))
    per_layer = 2 * 5 * 4 * 4 * 2
    count = [sum(p.numel() for p in model.parameters()) for model in (one, many)]
    assert count[1] - count[0] == 5 * per_layer


@pytest.mark.parametrize("cls", [FFNO, FNO])
def test_a_continuation_is_kept_by_a_run(cls, tmp_path):
    spec = FieldSpec(Grid((12, 10), boundaries=("dirichlet", "periodic")), ["u"])
    operator = cls(spec, (6, 6), 4, padding=Continuation(0.5, 3))
    model = Emulator(operator, spec, Normaliser([0.0], [1.0]), Normaliser([0.0], [1.0])).eval()
    export(tmp_path, model)
    again = load(tmp_path)
    assert again.operator.padding == Continuation(0.5, 3)
    u = torch.randn(2, 1, 12, 10)
    assert torch.equal(again(u), model(u))


@pytest.mark.parametrize(
    ("argument", "message"), [({"factor": 0}, "factor"), ({"n_layers": 0}, "n_layers"), ({"padding": -1.0}, "padding")]
)
def test_impossible_sizes_are_refused(argument, message):
    with pytest.raises(KanopError, match=message):
        FFNO(FieldSpec(Grid((16,)), ["u"]), (4,), **argument)
