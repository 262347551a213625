"""KANSpectral: an FNO with its tables filled in, the same operator at every resolution, symmetric where isotropic."""

from __future__ import annotations

import math

import pytest
import torch

from kanop.kan import Fourier
from kanop.layers import Continuation, mirror
from kanop.operators import FNO, KANSpectral
from kanop.operators.extension import Extension
from kanop.solvers import FieldSpec, Grid, KanopError

F64 = torch.float64


@pytest.mark.parametrize("kinds", [("periodic", "periodic"), ("dirichlet", "periodic"), ("neumann", "dirichlet")])
@pytest.mark.parametrize("padding", [0.25, Continuation(0.5, 2)])
def test_is_an_fno_whose_tables_hold_its_symbol(kinds, padding):
    spec = FieldSpec(Grid((16, 12), lengths=(1.0, 2.0), boundaries=kinds), ["u"])
    ours = KANSpectral(spec, hidden_channels=6, n_layers=3, n_modes=(7, 5), padding=padding).double()
    fno = FNO(spec, (7, 5), 6, n_layers=3, padding=padding).double()
    weights = {name.removeprefix("backbone."): value for name, value in ours.state_dict().items()}
    fno.load_state_dict({name: weights.get(name, value) for name, value in fno.state_dict().items()})
    _, torus = Extension(spec.grid, padding).extend(torch.zeros(1, 1, 16, 12))
    k = torch.stack(torch.meshgrid(*(2 * math.pi / length * torch.arange(a, b, dtype=F64)
                                     for length, a, b in zip(torus.lengths, (-3, 0), (4, 3), strict=True)),
                                   indexing="ij"), -1)  # fmt: skip
    for block, twin in zip(fno.blocks, ours.backbone.blocks, strict=True):
        block.conv.set_kernel(twin.conv.multiplier(k).movedim((-2, -1), (0, 1)))
    u = torch.randn(2, 1, 16, 12, dtype=F64)
    assert torch.allclose(ours(u), fno(u), atol=1e-12)


@pytest.mark.parametrize("shape", [(32,), (17, 12), (8, 6, 7)])
@pytest.mark.parametrize("symbol", ["isotropic", "additive", "network"])
def test_commutes_with_translations_without_position_only(shape, symbol):
    spec = FieldSpec(Grid(shape), ["u"])
    u = torch.randn(2, 1, *shape, dtype=F64)
    shifts, axes = (5, 3, 2)[: len(shape)], list(range(2, 2 + len(shape)))
    free, bound = (KANSpectral(spec, None, 6, 2, symbol, position=p).double() for p in (False, True))
    assert torch.allclose(free(u.roll(shifts, axes)), free(u).roll(shifts, axes), atol=1e-12)
    assert not torch.allclose(bound(u.roll(shifts, axes)), bound(u).roll(shifts, axes), atol=1e-4)
    assert (free.shift_equivariance, bound.shift_equivariance) == (1, 0)


@pytest.mark.parametrize("symbol", ["isotropic", "additive", "network"])
@pytest.mark.parametrize("padding", ["even", "odd"])
@pytest.mark.parametrize("kind", ["periodic", "neumann"])
def test_an_isotropic_one_commutes_with_quarter_turns_and_reflections(symbol, padding, kind):
    spec = FieldSpec(Grid((9, 9), boundaries=kind), ["u"])
    model = KANSpectral(spec, None, 6, 2, symbol, position=False, padding=padding).double()
    u = torch.randn(2, 1, 9, 9, dtype=F64)
    turned = torch.allclose(model(u.rot90(1, (2, 3))), model(u).rot90(1, (2, 3)), atol=1e-12)
    flipped = torch.allclose(model(u.flip(2)), model(u).flip(2), atol=1e-12)
    assert (turned, flipped) == (symbol == "isotropic", symbol == "isotropic")


def test_between_walls_that_mirror_it_is_the_operator_on_the_doubled_circle():
    walls = FieldSpec(Grid((12, 8), boundaries=("neumann", "periodic")), ["u"])
    circle = FieldSpec(Grid((24, 8), lengths=(2.0, 1.0)), ["u"])
    bounded, doubled = (
        KANSpectral(spec, None, 6, 2, "isotropic", position=False, padding="even").double() for spec in (walls, circle)
    )
    doubled.load_state_dict(bounded.state_dict())
    u = torch.randn(2, 1, 12, 8, dtype=F64)
    images, _ = mirror(u, walls.grid)
    assert torch.allclose(doubled(images)[:, :, :12], bounded(u), atol=1e-12)


@pytest.mark.parametrize(("coarse", "fine"), [((48,), (96,)), ((31,), (64,)), ((32, 31), (64, 62))])
def test_smooth_periodic_fields_give_the_same_function_at_every_resolution(coarse, fine):
    grid = Grid(coarse)
    u = Grid([5] * grid.ndim).resample(torch.randn(2, 1, *[5] * grid.ndim, dtype=F64), coarse)
    model = KANSpectral(FieldSpec(grid, ["u"]), None, 8, 2, position=False).double()
    v, w = model(u), model(grid.resample(u, fine))
    assert (grid.resample(v, fine) - w).norm() < 1e-3 * w.norm()


def test_parameters_do_not_depend_on_the_resolution():
    counts = {
        sum(p.numel() for p in KANSpectral(FieldSpec(Grid((n, n)), ["u"]), None, 4).parameters()) for n in (8, 64)
    }
    assert len(counts) == 1


def test_the_basis_is_the_one_that_is_given():
    model = KANSpectral(FieldSpec(Grid((16,)), ["u"]), Fourier(3), 4)
    assert model.backbone.blocks[0].conv.kan.layers[0].weight.shape == (16, 6, 1)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_modes": (17,)}, "KANSpectral: n_modes"),
        ({"symbol": "radial"}, "unknown symbol"),
        ({"padding": "evn"}, "did you mean 'even'"),
        ({"padding": -1.0}, "at least 0"),
        ({"hidden_channels": 1}, "hidden_channels"),
        ({"n_layers": 0}, "n_layers"),
    ],
)
def test_what_makes_no_sense_is_refused(kwargs, message):
    spec = FieldSpec(Grid((16,), boundaries="neumann"), ["u"])
    with pytest.raises(KanopError, match=message):
        KANSpectral(spec, **kwargs)
    with pytest.raises(KanopError, match=r"KANSpectral expects \(b, 1, \*x\)"):
        KANSpectral(spec, None, 4)(torch.zeros(1, 2, 16))
