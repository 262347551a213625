"""Every operator that ships obeys the laws of `check_operator`; the check itself finds those that do not."""

from __future__ import annotations

import pytest
import torch
import yaml
from torch import nn

from kanop.builder import build, locate
from kanop.config import choices
from kanop.kan import Chebyshev
from kanop.layers import Continuation, LocalKernels
from kanop.operators import (
    CODANO,
    FFNO,
    FNO,
    FNOGNO,
    GINO,
    KANFNO,
    KANO,
    SFNO,
    TFNO,
    UNO,
    DeepOKAN,
    DeepONet,
    Emulator,
    KANIntegral,
    KANSpectral,
    LocalNO,
    NeuralopFNO,
    Normaliser,
    ResNet,
    S2Transformer,
    SphereBlock,
    UNet,
)
from kanop.solvers import FieldSpec, Grid, KanopError, SphereGrid
from kanop.testing import check_operator
from kanop.training import export, load

OPERATORS = {
    "codano": lambda spec: CODANO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2),
    "deepokan": lambda spec: DeepOKAN(spec, hidden_channels=16, n_basis=16),
    "deeponet": lambda spec: DeepONet(spec, hidden_channels=16, n_basis=16),
    "dilated_resnet": lambda spec: ResNet(spec, 4, n_blocks=2, dilations=(1, 2, 4, 2, 1), position=True),
    "ffno": lambda spec: FFNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2),
    "ffno_shared": lambda spec: FFNO(
        spec, [6] * spec.grid.ndim, 6, position=False, padding=Continuation(0.5), shared=True
    ),
    "fno": lambda spec: FNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2),
    "fno_without_position": lambda spec: FNO(spec, [6] * spec.grid.ndim, hidden_channels=4, position=False),
    "fnogno": lambda spec: FNOGNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2, radius=0.2),
    "gino": lambda spec: GINO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2, radius=0.2),
    "kan_fno": lambda spec: KANFNO(spec, [6] * spec.grid.ndim, hidden_channels=4, n_layers=2),
    "kan_integral": lambda spec: KANIntegral(spec, rank=3, hidden_channels=4, n_layers=2),
    "kan_integral_local": lambda spec: KANIntegral(
        spec, None, 0, hidden_channels=4, n_layers=1, position=False, variable=0
    ),
    "kan_spectral": lambda spec: KANSpectral(spec, hidden_channels=4, n_layers=2),
    "kano": lambda spec: KANO(spec, rank=2, hidden_channels=4, n_layers=2),
    "kano_linear": lambda spec: KANO(spec, None, 2, 3, 1, nonlinear=False, padding="odd"),
    "local_no": lambda spec: LocalNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2),
    "neuralop_fno": lambda spec: NeuralopFNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2),
    "resnet": lambda spec: ResNet(spec, 4, n_blocks=2),
    "tfno": lambda spec: TFNO(spec, [6] * spec.grid.ndim, hidden_channels=6, n_layers=2, rank=0.3),
    "unet": lambda spec: UNet(spec, 8, n_levels=2),
    "uno": lambda spec: UNO(spec, [6] * spec.grid.ndim, hidden_channels=6),
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


# Their mathematics in each dimension is compared with the library's in tests/operators.
LIBRARY = {"codano", "fnogno", "gino", "local_no", "tfno", "uno"}
CASES = [(name, spec) for name in OPERATORS for spec in SPECS if name not in LIBRARY or spec.startswith("2d")]


@pytest.mark.parametrize(("operator", "spec"), CASES)
def test_conforms(operator, spec):
    check_operator(OPERATORS[operator], SPECS[spec])


SPHERES = {
    "sfno": lambda spec: SFNO(spec, hidden_channels=6, n_layers=2),
    "sfno_with_all": lambda spec: SFNO(spec, [5, 3], 6, 2, SphereBlock(1.5, "instance"), True, 1.5),
    "kan_sfno": lambda spec: SFNO(spec, hidden_channels=6, n_layers=2, block=SphereBlock(basis=Chebyshev(3))),
    "local_sfno": lambda spec: SFNO(spec, hidden_channels=6, n_layers=2, block=SphereBlock(local=[LocalKernels()])),
    "s2_transformer": lambda spec: S2Transformer(spec, 8, 1),
    "flat_fno": OPERATORS["fno"],
    "flat_unet": OPERATORS["unet"],
}


@pytest.mark.parametrize("nodes", ["gauss", "equiangular"])
@pytest.mark.parametrize("operator", SPHERES)
def test_conforms_on_spheres(operator, nodes):
    check_operator(SPHERES[operator], FieldSpec(SphereGrid((12, 24), nodes), ["u", "v"], ["a"]))


@pytest.mark.parametrize("name", sorted(choices("operator")))
def test_every_configuration_that_ships_makes_an_operator(name):
    tree = yaml.safe_load(choices("operator")[name].read_text())
    flat = Grid([32] * len(tree.get("n_modes") or [0, 0]))
    grid = SphereGrid((16, 32)) if hasattr(locate(tree["_target_"]), "lives_on_spheres") else flat
    spec = FieldSpec(grid, ["u"])
    assert build(tree, trusted=False, spec=spec)(torch.randn(1, 1, *spec.grid.shape)).shape == (1, 1, *spec.grid.shape)


class Wrong(nn.Module):
    def __init__(self, spec: FieldSpec, fault: str) -> None:
        super().__init__()
        self.inner, self.fault = OPERATORS["fno"](spec), fault
        self.shift_equivariance = int(fault == "shift")
        self.resolution_tolerance = 1e-2 if fault == "resolution" else 0.0
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
        if self.fault == "resolution":
            return self.inner(u) * u.shape[-1]
        if self.fault == "learns":
            return 3 + self.inner(u) - self.inner(u).detach()
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
        ("shift", "should commute with shifts by 1 points along axis 0"),
        ("resolution", "three times the resolution the output differs by 2.0"),
        ("learns", "30 steps of Adam should halve the loss"),
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
