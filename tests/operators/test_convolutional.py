"""ResNet and UNet: reach, shifts, every size, mixed boundaries."""

from __future__ import annotations

import pytest
import torch

from kanop.operators import ResNet, UNet
from kanop.solvers import FieldSpec, Grid, KanopError

F64 = torch.float64


def influence(model, n, at):
    """Which points of the output change with the point `at` of the input, 1-D."""
    u = torch.randn(1, 1, n, dtype=F64, requires_grad=True)
    reached = []
    for j in range(n):
        (gradient,) = torch.autograd.grad(model(u)[0, 0, j], u)
        reached.append(bool(gradient[0, 0, at].abs() > 0))
    return reached


@pytest.mark.parametrize(
    ("arguments", "radius"),
    [
        ({"n_blocks": 2}, 4),
        ({"n_blocks": 1, "dilations": (1, 2, 4, 2, 1)}, 10),
        ({"n_blocks": 1, "kernel": 5, "dilations": (3,)}, 6),
    ],
)
def test_a_resnet_sees_exactly_its_receptive_field(arguments, radius):
    """With the first dilation above 1 the field has holes, so its ends alone are compared."""
    model = ResNet(FieldSpec(Grid((32,), boundaries="dirichlet"), ["u"]), 8, **arguments).double()
    assert model.receptive_radius == radius
    reached = influence(model, 32, at=13)
    assert [reached.index(True), 31 - reached[::-1].index(True)] == [13 - radius, 13 + radius]


def test_periodic_axes_wrap_around_and_walls_do_not():
    for kind, wraps in (("periodic", True), ("dirichlet", False), ("neumann", False)):
        model = ResNet(FieldSpec(Grid((24,), boundaries=kind), ["u"]), 8, n_blocks=2).double()
        assert influence(model, 24, at=0)[-1] is wraps


@pytest.mark.parametrize("shape", [(24,), (13, 9), (6, 7, 8)])
def test_a_resnet_commutes_with_every_shift(shape):
    model = ResNet(FieldSpec(Grid(shape), ["u"]), 8, n_blocks=2, dilations=(1, 3, 1)).double()
    u = torch.randn(2, 1, *shape, dtype=F64)
    axes = list(range(2, 2 + len(shape)))
    for shifts in ((1, 1, 1), (5, 3, 2)):
        s = shifts[: len(shape)]
        assert torch.allclose(model(u.roll(s, axes)), model(u).roll(s, axes), atol=1e-12)


@pytest.mark.parametrize(("shape", "shift"), [((24,), (4,)), ((16, 12), (4, 8)), ((8, 8, 4), (4, 4, 0))])
def test_a_unet_commutes_with_shifts_by_its_coarsest_cell_only(shape, shift):
    model = UNet(FieldSpec(Grid(shape), ["u"]), 8, n_levels=2).double()
    assert model.shift_equivariance == 4
    u = torch.randn(2, 1, *shape, dtype=F64)
    axes = list(range(2, 2 + len(shape)))
    assert torch.allclose(model(u.roll(shift, axes)), model(u).roll(shift, axes), atol=1e-12)
    assert not torch.allclose(model(u.roll(1, 2)), model(u).roll(1, 2), atol=1e-4)


@pytest.mark.parametrize("cls", [ResNet, UNet])
def test_position_ends_the_equivariance(cls):
    model = cls(FieldSpec(Grid((16,)), ["u"]), 8, position=True).double()
    assert model.shift_equivariance == 0
    u = torch.randn(2, 1, 16, dtype=F64)
    assert not torch.allclose(model(u.roll(8, 2)), model(u).roll(8, 2), atol=1e-4)


@pytest.mark.parametrize("kinds", [("periodic", "dirichlet"), ("neumann", "periodic")])
def test_mixed_boundaries_keep_the_symmetry_of_the_periodic_axis_alone(kinds):
    axis = 2 + kinds.index("periodic")
    u = torch.randn(2, 1, 8, 8, dtype=F64)
    spec = FieldSpec(Grid((8, 8), boundaries=kinds), ["u"])
    for model in (ResNet(spec, 8, n_blocks=2).double(), UNet(spec, 8, n_levels=2).double()):
        assert torch.allclose(model(u.roll(4, axis)), model(u).roll(4, axis), atol=1e-12)
        assert not torch.allclose(model(u.roll(4, 5 - axis)), model(u).roll(4, 5 - axis), atol=1e-4)


@pytest.mark.parametrize("kind", ["periodic", "neumann"])
@pytest.mark.parametrize("cls", [ResNet, UNet])
def test_mirror_symmetric_kernels_keep_mirror_images(cls, kind):
    """With even kernels, G commutes with x → −x: nothing in the network is one-sided, halving and doubling included."""
    model = cls(FieldSpec(Grid((16,), boundaries=kind), ["u"]), 8).double()
    for module in model.modules():
        if isinstance(module, torch.nn.Conv1d):
            module.weight.data = 0.5 * (module.weight.data + module.weight.data.flip(-1))
    u = torch.randn(2, 1, 16, dtype=F64)
    assert torch.allclose(model(u.flip(-1)), model(u).flip(-1), atol=1e-12)


@pytest.mark.parametrize("shape", [(7,), (1,), (9, 14), (5, 6, 3)])
@pytest.mark.parametrize("kind", ["periodic", "dirichlet", "neumann"])
def test_a_unet_takes_sizes_that_no_power_of_two_divides(shape, kind):
    model = UNet(FieldSpec(Grid(shape, boundaries=kind), ["u"]), 4, n_levels=3)
    v = model(torch.randn(2, 1, *shape))
    assert v.shape == (2, 1, *shape)
    assert v.isfinite().all()


@pytest.mark.parametrize("channels", [8, 16])
def test_the_normalisation_of_a_unet_keeps_the_levels_of_its_channels(channels):
    """A group of one channel would lose its mean: the branch would not see a constant that is added to a channel."""
    block = UNet(FieldSpec(Grid((16,)), ["u"]), channels).before[0].double()
    v = torch.randn(1, channels, 16, dtype=F64)
    level = torch.linspace(-1, 1, channels, dtype=F64)[:, None]
    assert ((block(v + level) - level) - block(v)).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("cls", "argument", "message"),
    [
        (ResNet, {"n_blocks": 0}, "n_blocks"),
        (ResNet, {"dilations": ()}, "dilations"),
        (ResNet, {"dilations": (0,)}, "dilation"),
        (ResNet, {"kernel": 2}, "odd number"),
        (UNet, {"hidden_channels": 1}, "hidden_channels"),
        (UNet, {"n_levels": 0}, "n_levels"),
    ],
)
def test_impossible_sizes_are_refused(cls, argument, message):
    with pytest.raises(KanopError, match=message):
        cls(FieldSpec(Grid((16,)), ["u"]), **argument)
