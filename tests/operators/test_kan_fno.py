"""KANFNO: an FNO where its functions are the identity and GELU, with an FNO's symmetries and resolutions."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from kanop.kan import Basis, Fourier
from kanop.layers import Continuation
from kanop.operators import FNO, KANFNO
from kanop.solvers import FieldSpec, Grid, KanopError

F64 = torch.float64


class IdentityAndGELU(Basis):
    """The two functions of an FNO's pointwise maps."""

    size, smoothness, domain = 2, math.inf, (-math.inf, math.inf)

    def functions(self, t, order=0):
        if order == 0:
            return [t, F.gelu(t)]
        with torch.enable_grad():
            s = t.detach().requires_grad_()
            (slope,) = torch.autograd.grad(F.gelu(s).sum(), s)
        assert order == 1
        return [torch.ones_like(t), slope]


def put(kan, function, matrix, bias=None):
    """The KAN that applies function 0 (identity) or 1 (GELU), then a matrix."""
    torch.nn.init.zeros_(kan.kan.weight)
    torch.nn.init.zeros_(kan.kan.base_weight)
    torch.nn.init.zeros_(kan.kan.bias)
    with torch.no_grad():
        kan.kan.weight[:, function] = matrix
        if bias is not None:
            kan.kan.bias.copy_(bias)


@pytest.mark.parametrize("kinds", [("periodic",), ("periodic", "dirichlet"), ("neumann", "periodic", "periodic")])
@pytest.mark.parametrize("padding", [0.25, Continuation(0.5)])
def test_is_an_fno_where_its_functions_are_the_identity_and_gelu(kinds, padding):
    shape, modes = (12, 10, 8)[: len(kinds)], (6, 5, 4)[: len(kinds)]
    spec = FieldSpec(Grid(shape, boundaries=kinds), ["u", "v"], ["a"])
    fno = FNO(spec, modes, 6, 3, position=False, padding=padding).double()
    ours = KANFNO(spec, modes, IdentityAndGELU(), 6, 3, position=False, padding=padding).double()
    put(ours.lifting[0], 0, fno.lifting.first.weight, fno.lifting.first.bias)
    put(ours.lifting[1], 1, fno.lifting.second.weight, fno.lifting.second.bias)
    for block, twin in zip(fno.blocks, ours.blocks, strict=True):
        twin.conv.load_state_dict(block.conv.state_dict())
        twin.gate.load_state_dict(block.gate.state_dict())
        put(twin.skip, 0, block.skip.weight)
        put(twin.mlp[0], int(block.activate), block.mlp[0].weight, block.mlp[0].bias)
        put(twin.mlp[1], 1, block.mlp[1].weight, block.mlp[1].bias)
    put(ours.projection[0], 0, fno.projection[0].weight, fno.projection[0].bias)
    put(ours.projection[1], 1, fno.projection[1].weight, fno.projection[1].bias)
    u = torch.randn(2, 3, *shape, dtype=F64)
    assert torch.allclose(ours(u), fno(u), atol=1e-12)


@pytest.mark.parametrize("shape", [(32,), (17, 12), (8, 6, 7)])
def test_commutes_with_translations_without_position_only(shape):
    spec = FieldSpec(Grid(shape), ["u"])
    u = torch.randn(2, 1, *shape, dtype=F64)
    shifts, axes = (5, 3, 2)[: len(shape)], list(range(2, 2 + len(shape)))
    free, bound = (KANFNO(spec, [4] * len(shape), None, 6, 2, position=p).double() for p in (False, True))
    assert torch.allclose(free(u.roll(shifts, axes)), free(u).roll(shifts, axes), atol=1e-12)
    assert not torch.allclose(bound(u.roll(shifts, axes)), bound(u).roll(shifts, axes), atol=1e-4)
    assert (free.shift_equivariance, bound.shift_equivariance) == (1, 0)


def test_smooth_periodic_fields_give_the_same_function_at_every_resolution():
    torch.manual_seed(0)
    u = torch.randn(2, 1, 5, dtype=F64)
    model = KANFNO(FieldSpec(Grid((45,)), ["u"]), (10,), None, 8, 2).double().requires_grad_(False)
    fields = {n: model(Grid((5,)).resample(u, (n,))) for n in (45, 135, 405)}
    errors = [float((fields[n] - fields[405][..., :: 405 // n]).norm() / fields[n].norm()) for n in (45, 135)]
    assert errors[1] < errors[0] / 10
    assert errors[1] < 1e-3


def test_the_basis_is_the_one_that_is_given():
    assert KANFNO(FieldSpec(Grid((16,)), ["u"]), (4,), Fourier(3), 4).blocks[0].skip.kan.weight.shape == (4, 6, 4)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_modes": (17,)}, "KANFNO: n_modes"),
        ({"hidden_channels": 1}, "hidden_channels"),
        ({"n_layers": 0}, "n_layers"),
        ({"padding": -0.5}, "at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(kwargs, message):
    spec = FieldSpec(Grid((16,)), ["u"])
    with pytest.raises(KanopError, match=message):
        KANFNO(spec, **{"n_modes": (4,), **kwargs})
    with pytest.raises(KanopError, match=r"KANFNO expects \(b, 1, \*x\)"):
        KANFNO(spec, (4,), None, 4)(torch.zeros(1, 2, 16))
