"""Every operator that ships obeys the laws of `check_operator`; the check itself finds those that do not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kanop.layers import Continuation
from kanop.operators import FFNO, FNO, DeepONet, Emulator, KANSpectral, NeuralopFNO, Normaliser, ResNet, UNet
from kanop.solvers import FieldSpec, Grid, KanopError
from kanop.testing import check_operator
from kanop.training import export, load

OPERATORS = {
    "deeponet": lambda spec: DeepONet(spec, hidden_channels=6, n_basis=5),
    "dilated_resnet": lambda spec: ResNet(spec, 4, n_blocks=2, dilations=(1, 2, 4, 2, 1), position=True),
    "ffno": lambda spec: FFNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2),
    "ffno_shared": lambda spec: FFNO(
        spec, [6] * spec.grid.ndim, 6, position=False, padding=Continuation(0.5), shared=True
    ),
    "fno": lambda spec: FNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2),
    "fno_without_position": lambda spec: FNO(spec, [6] * spec.grid.ndim, hidden_channels=4, position=False),
    "kan_spectral": lambda spec: KANSpectral(spec, hidden_channels=4, n_layers=2),
    "neuralop_fno": lambda spec: NeuralopFNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2),
    "resnet": lambda spec: ResNet(spec, 4, n_blocks=2),
    "unet": lambda spec: UNet(spec, 4, n_levels=2),
}


def emulator(spec: FieldSpec, increment: bool = True) -> Emulator:
    norms = (Normaliser([0.5] * c, [2.0] * c) for c in (spec.in_channels, spec.out_channels))
    return Emulator(OPERATORS["fno"](spec), spec, *norms, increment=increment)


OPERATORS["emulator"] = emulator

SPECS = {
    "1d": None,
    "2d_two_frames": FieldSpec(Grid((8, 10)), ["u"], ["a"], n_in=2, n_out=2),
    "2d_walls": FieldSpec(Grid((8, 12), boundaries=("periodic", "dirichlet")), ["u"]),
    "3d": FieldSpec(Grid((6, 8, 6)), ["u", "v"]),
}


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("operator", OPERATORS, ids=str)
def test_conforms(operator, spec):
    check_operator(OPERATORS[operator], SPECS[spec], float64=operator != "neuralop_fno")


class Wrong(nn.Module):
    def __init__(self, spec: FieldSpec, fault: str) -> None:
        super().__init__()
        self.inner, self.fault = OPERATORS["fno"](spec), fault
        if fault == "gradient":
            self.idle = nn.Parameter(torch.ones(1))

    def forward(self, u):
        if self.fault == "shape":
            return self.inner(u)[..., :-1]
        if self.fault == "sample":
            return self.inner(u) + u.mean()
        if self.fault == "noise":
            return self.inner(u) + torch.rand(1)
        if self.fault == "refusal":
            return self.inner(u[:, : self.inner.spec.in_channels].flatten(2))
        if self.fault == "double":
            return self.inner(u).float()
        return self.inner(u)


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        ("shape", "should have shape"),
        ("sample", "alone gives another result"),
        ("noise", "two calls"),
        ("gradient", "no gradient: idle"),
        ("refusal", "the operator took it"),
        ("double", "should be float64"),
    ],
)
def test_the_check_names_the_broken_law(fault, law):
    with pytest.raises(KanopError, match=law):
        check_operator(lambda spec: Wrong(spec, fault))


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"emulator"}))
def test_a_run_holds_the_whole_operator(name, tmp_path):
    """Exported without any configuration, an operator with no default sizes comes back and answers the same."""
    spec = FieldSpec(Grid((8, 12), boundaries=("periodic", "dirichlet")), ["u"])
    same = [Normaliser([0.1], [2.0]) for _ in range(2)]
    model = Emulator(OPERATORS[name](spec), spec, *same).eval()
    export(tmp_path, model)
    u = torch.randn(2, 1, 8, 12)
    assert torch.equal(load(tmp_path)(u), model(u))
