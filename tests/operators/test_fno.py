"""FNO: neuraloperator's mathematics, translation equivariance, any resolution, walls without wrap-around."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from kanop.layers import set_precision
from kanop.operators import FNO, NeuralopFNO, load_neuralop_weights
from kanop.solvers import FieldSpec, Grid, KanopError

CASES = [
    ((64,), (16,)),
    ((33,), (12,)),
    ((16,), (16,)),
    ((16, 20), (8, 6)),
    ((16, 21), (7, 6)),
    ((8, 8), (8, 8)),
    ((8, 10, 12), (4, 6, 5)),
]


@pytest.fixture
def precision(request, monkeypatch):
    """neuraloperator knows float64 only through torch's defaults, and writes its spectra into `torch.cfloat`."""
    if request.param == torch.float64:
        monkeypatch.setattr(torch, "cfloat", torch.complex128)
        torch.set_default_dtype(torch.float64)
        monkeypatch.setattr(NeuralopFNO, "_apply", torch.nn.Module._apply)
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64], indirect=True, ids=str)
@pytest.mark.parametrize(("shape", "n_modes"), CASES)
@pytest.mark.parametrize("position", [True, False])
@pytest.mark.parametrize("path", ["auto", "fft", "dft"])
def test_equals_neuraloperator_with_the_same_weights(shape, n_modes, precision, position, path):
    spec = FieldSpec(Grid(shape), ["u", "v"], ["a"])
    theirs = NeuralopFNO(spec, n_modes, hidden_channels=12, n_layers=3, position=position)
    ours = FNO(spec, n_modes, hidden_channels=12, n_layers=3, position=position)
    load_neuralop_weights(ours, theirs.model)
    for block in ours.blocks:
        block.conv.path = path
    u = torch.randn(2, 3, *shape, dtype=precision)
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-12}[precision]
    want = theirs(u)
    assert want.dtype == precision
    assert (ours(u) - want).abs().max() <= tolerance * want.abs().max()


def test_parameters_are_those_of_neuraloperator():
    spec = FieldSpec(Grid((16, 16)), ["u"])
    count = [sum(p.numel() * (2 if p.is_complex() else 1) for p in cls(spec, (6, 6)).parameters())
             for cls in (FNO, NeuralopFNO)]  # fmt: skip
    assert count[0] == count[1]


def test_copying_weights_of_another_size_is_refused():
    spec = FieldSpec(Grid((16,)), ["u"])
    with pytest.raises(KanopError, match="expected modes and channels"):
        load_neuralop_weights(FNO(spec, (8,), 4), NeuralopFNO(spec, (6,), 4).model)
    with pytest.raises(KanopError, match="expected 4 layers, got 2"):
        load_neuralop_weights(FNO(spec, (8,), 4), NeuralopFNO(spec, (8,), 4, n_layers=2).model)


@pytest.mark.parametrize("shape", [(32,), (17, 12), (8, 6, 7)])
def test_commutes_with_translations_without_position_only(shape):
    spec = FieldSpec(Grid(shape), ["u"])
    u = torch.randn(2, 1, *shape, dtype=torch.float64)
    shifts, axes = (5, 3, 2)[: len(shape)], list(range(2, 2 + len(shape)))
    free = FNO(spec, [4] * len(shape), 8, position=False).double()
    assert torch.allclose(free(u.roll(shifts, axes)), free(u).roll(shifts, axes), atol=1e-12)
    bound = FNO(spec, [4] * len(shape), 8).double()
    assert not torch.allclose(bound(u.roll(shifts, axes)), bound(u).roll(shifts, axes), atol=1e-4)


@pytest.mark.parametrize(("coarse", "fine"), [((48,), (96,)), ((31,), (64,)), ((32, 31), (64, 62))])
def test_smooth_periodic_fields_give_the_same_function_at_every_resolution(coarse, fine):
    """GELU makes new modes, so the difference is what they alias: small, and smaller on finer grids."""
    grid = Grid(coarse)
    u = Grid([5] * grid.ndim).resample(torch.randn(2, 1, *[5] * grid.ndim, dtype=torch.float64), coarse)
    model = FNO(FieldSpec(grid, ["u"]), [10] * grid.ndim, 8, position=False).double()
    v, w = model(u), model(grid.resample(u, fine))
    assert (grid.resample(v, fine) - w).norm() < 1e-3 * w.norm()


def test_coordinates_do_not_depend_on_the_resolution():
    spec = FieldSpec(Grid((16, 16), boundaries=("periodic", "dirichlet")), ["u"])
    lifting = FNO(spec, (4, 4), 4).lifting
    x = lifting._coordinates(torch.zeros(1, 1, 8, 4))
    assert x[0, :, 0].tolist() == [j / 8 for j in range(8)]
    assert x[1, 0].tolist() == [0.125, 0.375, 0.625, 0.875]


@pytest.mark.parametrize(
    ("kinds", "inside"),
    [(("periodic", "neumann"), [(16, 25), (32, 50)]), (("periodic", "periodic"), [(16, 20), (32, 40)])],
)
def test_only_axes_with_walls_are_padded_by_a_fraction_of_their_length(kinds, inside):
    model = FNO(FieldSpec(Grid((16, 20), boundaries=kinds), ["u"]), (4, 4), 4, padding=0.25)
    seen = []
    model.blocks[0].register_forward_pre_hook(lambda module, args: seen.append(tuple(args[0].shape[2:])))
    for shape in ((16, 20), (32, 40)):
        assert model(torch.randn(1, 1, *shape)).shape[2:] == shape
    assert seen == inside


def test_padding_does_not_move_the_field():
    """Without its kernels the operator is pointwise: the strip must not show."""
    spec = FieldSpec(Grid((12, 10), boundaries=("dirichlet", "neumann")), ["u"])
    padded, bare = (FNO(spec, (4, 4), 4, padding=p).double() for p in (0.5, 0.0))
    bare.load_state_dict(padded.state_dict())
    for model in (padded, bare):
        for block in model.blocks:
            torch.nn.init.zeros_(block.conv.weight)
    u = torch.randn(2, 1, 12, 10, dtype=torch.float64)
    assert torch.allclose(padded(u), bare(u), atol=1e-12)


def test_padding_keeps_opposite_walls_apart():
    """With a kernel as short as the strip, a change at one wall does not show at the other."""
    spec = FieldSpec(Grid((32,), boundaries="dirichlet"), ["u"])
    model = FNO(spec, (32,), 4, n_layers=1, position=False, padding=0.5).double()
    conv = model.blocks[0].conv
    hat = torch.zeros(48, dtype=torch.float64)
    hat[:4], hat[-3:] = 1.0, 1.0  # a kernel that reaches 3 points
    kernel = torch.fft.rfft(hat)[:17].expand(4, 4, -1)
    conv.set_kernel(kernel.to(torch.complex128))
    u = torch.zeros(1, 1, 32, dtype=torch.float64)
    v = u.clone()
    v[..., 0] = 1.0
    change = (model(v) - model(u)).abs()[0, 0]
    joined = FNO(spec, (32,), 4, n_layers=1, position=False, padding=0.0).double()
    joined.load_state_dict(model.state_dict())
    wrapped = (joined(v) - joined(u)).abs()[0, 0]
    assert change[-4:].max() < 0.3 * change[1:4].max()
    assert wrapped[-4:].max() > 0.3 * wrapped[1:4].max()


def test_autocast_agrees_with_full_precision(tolerances):
    spec = FieldSpec(Grid((16, 16)), ["u"])
    model, u = FNO(spec, (8, 8), 8), torch.randn(2, 1, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(u)
        low.float().square().mean().backward()
    full = model(u)
    assert (low.float() - full).norm() < tolerances[torch.bfloat16]["loose"] * full.norm()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("i", [0, 3])
def test_fused_block_equals_its_single_operations(i):
    block = FNO(FieldSpec(Grid((16,)), ["u"]), (8,), 8).blocks[i].double()
    v = torch.randn(2, 8, 16, dtype=torch.float64)
    act = F.gelu if i < 3 else (lambda w: w)
    w = act(block.conv(v) + block.skip(v))
    plain = act(block.mlp[1](F.gelu(block.mlp[0](w))) + block.gate(v))
    assert torch.allclose(block(v), plain, atol=1e-12)


@pytest.mark.parametrize("cls", [FNO, NeuralopFNO])
def test_modes_above_nyquist_are_refused_by_name(cls):
    spec = FieldSpec(Grid((64, 32)), ["u"])
    with pytest.raises(KanopError) as error:
        cls(spec, (64, 33))
    for part in ("(64, 33)", "grid of (64, 32)", "largest allowed here is n_modes=(64, 32)", cls.__name__):
        assert part in str(error.value)
    assert cls(spec, (64, 32), 2)(torch.randn(1, 1, 64, 32)).isfinite().all()
    with pytest.raises(KanopError, match="one number of modes per axis"):
        cls(spec, (8,))


@pytest.mark.parametrize("cls", [FNO, NeuralopFNO])
def test_wrong_channels_and_axes_are_refused_by_name(cls):
    model = cls(FieldSpec(Grid((16,)), ["u", "v"], ["a"], n_in=2), (4,), 4)
    with pytest.raises(KanopError, match=r"5 channels \(u\(t-1\), v\(t-1\), u\(t\), v\(t\), a\).*got shape \(1, 4"):
        model(torch.zeros(1, 4, 16))
    with pytest.raises(KanopError, match=r"on 1 axis of any length, got shape \(1, 5, 16, 16\)"):
        model(torch.zeros(1, 5, 16, 16))


@pytest.mark.parametrize(("argument", "message"), [({"n_layers": 0}, "n_layers"), ({"hidden_channels": 1}, "hidden"),
                                                  ({"padding": -0.1}, "padding")])  # fmt: skip
def test_impossible_sizes_are_refused(argument, message):
    with pytest.raises(KanopError, match=message):
        FNO(FieldSpec(Grid((16,)), ["u"]), (4,), **argument)


@pytest.mark.parametrize("shape", [(1,), (64,), (2, 3), (85, 85), (5, 4, 3), (64, 64, 64)])
def test_modes_that_nobody_asked_for_fit_any_grid(shape):
    modes = FNO(FieldSpec(Grid(shape), ["u"]), None, hidden_channels=2, n_layers=1).n_modes
    assert all(1 <= m <= max(1, n // 2) for m, n in zip(modes, shape, strict=True))
    assert max(modes) <= (32, 24, 12)[len(shape) - 1]


def test_precision_is_that_of_every_convolution():
    spec, u = FieldSpec(Grid((16,)), ["u"]), torch.randn(2, 1, 16)
    model = FNO(spec, (8,), 4, n_layers=2)
    low = FNO(spec, (8,), 4, n_layers=2, precision="bf16")
    low.load_state_dict(model.state_dict())
    difference = float((low(u) - model(u)).detach().norm() / model(u).norm())
    assert 1e-5 < difference < 5e-2
    assert torch.equal(set_precision(model, "bf16")(u), low(u))
    assert model.precision == "bf16", "what a run records"
    with pytest.raises(KanopError, match="precision"):
        FNO(spec, (8,), 4, precision="bf17")
