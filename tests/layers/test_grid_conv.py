"""GridConv: what lies beyond an end of an axis is what its boundary condition says, at any width."""

from __future__ import annotations

import itertools

import pytest
import torch

from kanop.layers import GridConv
from kanop.layers.grid_conv import surround
from kanop.solvers import Grid, KanopError

F64 = torch.float64


@pytest.mark.parametrize("width", [1, 3, 5, 12])
@pytest.mark.parametrize("kinds", list(itertools.product(("periodic", "neumann", "dirichlet"), repeat=2)))
def test_surround_equals_its_definition_point_by_point(kinds, width):
    u = torch.randn(1, 1, 5, 4, dtype=F64)

    def at(j, n, kind):
        if kind == "periodic":
            return j % n
        if kind == "dirichlet":
            return j if 0 <= j < n else None
        return min(j % (2 * n), 2 * n - 1 - j % (2 * n))

    v = surround(u, kinds, width)
    assert v.shape[2:] == (5 + 2 * width, 4 + 2 * width)
    for i, j in itertools.product(range(v.shape[2]), range(v.shape[3])):
        p, q = at(i - width, 5, kinds[0]), at(j - width, 4, kinds[1])
        want = 0.0 if p is None or q is None else u[0, 0, p, q].item()
        assert v[0, 0, i, j].item() == want


@pytest.mark.parametrize("shape", [(12,), (9, 8), (6, 5, 7)])
@pytest.mark.parametrize(("kind", "mode"), [("periodic", "circular"), ("dirichlet", "zeros")])
@pytest.mark.parametrize("dilation", [1, 2])
def test_equals_torchs_padded_convolution(shape, kind, mode, dilation):
    d = len(shape)
    conv = GridConv(2, 3, [kind] * d, 3, dilation).double()
    theirs = type(conv.conv)(2, 3, 3, padding=dilation, dilation=dilation, padding_mode=mode).double()
    theirs.load_state_dict(conv.conv.state_dict())
    u = torch.randn(2, 2, *shape, dtype=F64)
    assert torch.allclose(conv(u), theirs(u), atol=1e-13)


def test_an_axis_with_mirrors_is_half_of_a_periodic_one():
    mirrored, around = (GridConv(2, 2, [kind], 5).double() for kind in ("neumann", "periodic"))
    around.load_state_dict(mirrored.state_dict())
    u = torch.randn(1, 2, 11, dtype=F64)
    assert torch.allclose(mirrored(u), around(torch.cat([u, u.flip(-1)], -1))[..., :11], atol=1e-13)


def test_a_stencil_is_a_derivative_where_the_field_obeys_the_boundary_condition():
    """cos(πx) has no slope at the walls: the mirrored stencil 1 -2 1 is its second derivative up to the walls."""
    n = 200
    conv = GridConv(1, 1, ["neumann"]).double()
    conv.conv.weight.data = torch.tensor([[[1.0, -2.0, 1.0]]], dtype=F64) * n**2
    conv.conv.bias.data.zero_()
    u = torch.cos(torch.pi * Grid((n,), boundaries="neumann").points[0])[None, None]
    assert (conv(u) + torch.pi**2 * u).abs().max() < 1e-3


def test_bad_input_is_named():
    with pytest.raises(KanopError, match="odd number of points, got 4"):
        GridConv(1, 1, ["periodic"], kernel=4)
    with pytest.raises(KanopError, match="at least 1, got 0"):
        GridConv(1, 1, ["periodic"], dilation=0)
    with pytest.raises(KanopError, match=r"expects \(b, 2, \*x\) with 1 axes x, got shape \(1, 3, 8\)"):
        GridConv(2, 1, ["periodic"])(torch.zeros(1, 3, 8))
