"""KANIntegral: an FNO with waves for factors, convolutional without positions, one function at every resolution."""

from __future__ import annotations

import pytest
import torch

from kanop.kan import Chebyshev, Fourier
from kanop.operators import FNO, KANIntegral
from kanop.solvers import FieldSpec, Grid, KanopError

F64 = torch.float64


def test_is_an_fno_where_its_factors_are_waves():
    m, c = 3, 4
    spec = FieldSpec(Grid((24,)), ["u"])
    ours = KANIntegral(spec, Fourier(m), rank=4 * m + 1, radius=0, hidden_channels=c, n_layers=3).double()
    fno = FNO(spec, (2 * m + 1,), c, n_layers=3).double()
    weights = {name.removeprefix("backbone."): value for name, value in ours.state_dict().items()}
    fno.load_state_dict({name: weights.get(name, value) for name, value in fno.state_dict().items()})
    cos, sin, one = range(m), range(m, 2 * m), 2 * m
    pairs = [(one, one), *zip(cos, cos, strict=True), *zip(sin, sin, strict=True), *zip(sin, cos, strict=True),
             *zip(cos, sin, strict=True)]  # fmt: skip
    for block, twin in zip(fno.blocks, ours.backbone.blocks, strict=True):
        kernel = block.conv.kernel.movedim(-1, 0).mT
        re, im = kernel.real, kernel.imag
        twin.conv.far.weight.data.copy_(torch.cat([re[:1], 2 * re[1:], 2 * re[1:], -2 * im[1:], 2 * im[1:]]))
        block.conv.bias.data.zero_()
        for kan, which in ((twin.conv.far.outer, 0), (twin.conv.far.inner, 1)):
            table = torch.zeros(len(pairs), 2 * m + 1, dtype=F64)
            table[range(len(pairs)), [pair[which] for pair in pairs]] = 1
            kan.factors[0].weight.data.copy_(table[:, :-1, None])
            kan.factors[0].bias.data.copy_(table[:, -1])
    u = torch.randn(2, 1, 24, dtype=F64)
    assert torch.allclose(ours(u), fno(u), atol=1e-12)


@pytest.mark.parametrize("shape", [(16,), (9, 8), (6, 7, 8)])
def test_commutes_with_translations_where_its_kernel_is_one_of_differences(shape):
    spec = FieldSpec(Grid(shape), ["u"])
    u = torch.randn(2, 1, *shape, dtype=F64)
    shifts, axes = (5, 3, 2)[: len(shape)], list(range(2, 2 + len(shape)))
    for rank, variable, free in ((0, 0, True), (0, 2, False), (3, 0, False)):
        model = KANIntegral(spec, Chebyshev(4), rank, 0.4, variable, 4, 2, position=False).double()
        assert torch.allclose(model(u.roll(shifts, axes)), model(u).roll(shifts, axes), atol=1e-12) == free
        assert model.shift_equivariance == free


@pytest.mark.parametrize(("kinds", "order"), [(("periodic", "periodic"), 4), (("neumann", "periodic"), 1.8)])
def test_one_function_at_every_resolution(kinds, order):
    """The difference from a fine grid falls with the order of the sum."""
    torch.manual_seed(0)
    spec = FieldSpec(Grid((27, 27), boundaries=kinds), ["u"])
    model = KANIntegral(spec, Chebyshev(4), 4, 0.3, 2, 4, 2, position=False).double().requires_grad_(False)
    wave = Grid((3, 3), boundaries=kinds).resample(torch.randn(1, 1, 3, 3, dtype=F64), (135, 135))

    def at(n):
        step = 135 // n
        start = [step // 2 if kind != "periodic" else 0 for kind in kinds]
        v = model(wave[..., start[0] :: step, start[1] :: step])
        return v, (start, step)

    limit, _ = at(135)
    errors = []
    for n in (15, 45):
        v, (start, step) = at(n)
        errors.append(float((v - limit[..., start[0] :: step, start[1] :: step]).abs().max()))
    assert errors[1] < errors[0] / 3**order


def test_walls_end_the_integrals():
    """What happens at one wall does not show at the other within a radius, as it would on a torus."""
    spec = FieldSpec(Grid((32,), boundaries="dirichlet"), ["u"])
    model = KANIntegral(spec, Chebyshev(4), 0, 0.2, n_layers=1, hidden_channels=4, position=False).double()
    u = torch.randn(1, 1, 32, dtype=F64)
    v = u.clone()
    v[..., 0] += 1
    changed = (model(u) - model(v)).abs()[0, 0] > 1e-12
    assert changed[:6].all()
    assert not changed[7:].any()


def test_a_radius_that_is_not_given_is_three_spacings_of_the_data():
    assert KANIntegral(FieldSpec(Grid((30,), lengths=(3.0,)), ["u"]), None, 2).radius == pytest.approx(0.3)
    assert KANIntegral(FieldSpec(Grid((4,)), ["u"]), None, 2).radius == 0.5


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"rank": -1}, "rank"),
        ({"variable": -1}, "variable counts"),
        ({"rank": 0, "radius": 0.0}, "leave no kernel"),
        ({"radius": 0.6}, "at most half of a periodic side, 0.5; got 0.6"),
        ({"n_layers": 0}, "n_layers"),
        ({"hidden_channels": 1}, "hidden_channels"),
    ],
)
def test_what_makes_no_sense_is_refused(kwargs, message):
    spec = FieldSpec(Grid((16,)), ["u"])
    with pytest.raises(KanopError, match=message):
        KANIntegral(spec, **kwargs)
    with pytest.raises(KanopError, match=r"KANIntegral expects \(b, 1, \*x\)"):
        KANIntegral(spec, None, 4)(torch.zeros(1, 2, 16))
    with pytest.raises(KanopError, match="no neighbour within radius"):
        KANIntegral(spec, None, 4)(torch.zeros(1, 1, 4))
