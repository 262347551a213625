"""KANO: linear where it says so, an operator of position at every resolution, the multiplier's limit."""

from __future__ import annotations

import pytest
import torch

from kanop.kan import Chebyshev
from kanop.operators import KANO
from kanop.solvers import FieldSpec, Grid, KanopError

F64 = torch.float64
KINDS = [("periodic",), ("dirichlet",), ("periodic", "neumann"), ("dirichlet", "dirichlet")]


def spec(kinds, shape=(12, 10)):
    return FieldSpec(Grid(shape[: len(kinds)], boundaries=kinds), ["u", "v"])


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("padding", [0.25, "even", "odd"])
def test_is_linear_when_its_nonlinear_parts_are_off(kinds, padding):
    model = KANO(spec(kinds), None, 2, 4, 2, nonlinear=False, padding=padding).double()
    u, v = torch.randn(2, 3, 2, *(12, 10)[: len(kinds)], dtype=F64)
    assert torch.allclose(model(2 * u - 3 * v), 2 * model(u) - 3 * model(v), atol=1e-12)
    assert model(u).abs().max() > 1e-3
    curved = KANO(spec(kinds), None, 2, 4, 2, padding=padding).double()
    assert not torch.allclose(curved(2 * u - 3 * v), 2 * curved(u) - 3 * curved(v), atol=1e-3)


def test_commutes_with_translations_only_without_functions_of_position():
    model = KANO(spec(("periodic", "periodic")), None, 2, 4, 2).double()
    u = torch.randn(2, 2, 12, 10, dtype=F64)
    assert not torch.allclose(model(u.roll(3, 2)), model(u).roll(3, 2), atol=1e-3)
    for block in model.blocks:
        for factor in block.operator.position.factors:
            torch.nn.init.zeros_(factor.weight)
    assert torch.allclose(model(u.roll(3, 2)), model(u).roll(3, 2), atol=1e-12)


@pytest.mark.parametrize("kind", ["periodic", "neumann"])
def test_smooth_fields_give_the_same_function_at_every_resolution(kind):
    """A KAN makes harmonics, so what is left is what they alias: it vanishes as the grid is refined."""
    torch.manual_seed(0)
    u = torch.randn(2, 2, 5, dtype=F64)
    spec = FieldSpec(Grid((64,), boundaries=kind), ["u", "v"])
    model = KANO(spec, Chebyshev(4), 2, 4, 2, "isotropic", padding="even").double().requires_grad_(False)
    fields = {n: model(Grid((5,), boundaries=kind).resample(u, (n,))) for n in (45, 135, 405, 1215)}
    limit = {n: Grid((1215,), boundaries=kind).resample(fields[1215], (n,)) for n in fields}
    errors = [float((fields[n] - limit[n]).norm() / limit[n].norm()) for n in (45, 135, 405)]
    assert errors[2] < errors[1] / 8 < errors[0] / 64
    assert errors[2] < 1e-4


def test_parameters_do_not_depend_on_the_resolution():
    counts = {
        sum(p.numel() for p in KANO(spec(("periodic",), (n,)), None, 2, 4).parameters()) for n in (8, 256)
    }  # fmt: skip
    assert len(counts) == 1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"rank": 0}, "rank=0"),
        ({"hidden_channels": 0}, "hidden_channels"),
        ({"n_layers": 0}, "n_layers"),
        ({"symbol": "aditive"}, "did you mean 'additive'"),
        ({"padding": "mirror"}, "unknown padding"),
    ],
)
def test_what_makes_no_sense_is_refused(kwargs, message):
    with pytest.raises(KanopError, match=message):
        KANO(spec(("periodic",)), **kwargs)
    with pytest.raises(KanopError, match=r"KANO expects \(b, 2, \*x\)"):
        KANO(spec(("periodic",)), None, 2, 4)(torch.zeros(1, 1, 12))
