"""Every shipped equation obeys the laws, and the laws notice an equation that does not."""

from dataclasses import dataclass

import pytest

from kanop.solvers import (
    Advection,
    AllenCahn,
    BarotropicVorticity,
    Burgers,
    Burgers2D,
    Diffusion,
    FisherKPP,
    FitzHughNagumo,
    FNOForcing,
    GinzburgLandau,
    GrayScott,
    Grid,
    KanopError,
    KortewegDeVries,
    KuramotoSivashinsky,
    NavierStokes2D,
    NavierStokes3D,
    NonlinearSchroedinger,
    ShallowWater,
    SphereGrid,
    SphereTransport,
    Wave,
)
from kanop.solvers.sphere import Deformation, SolidRotation
from kanop.testing import check_equation

EQUATIONS = [
    Advection([0.7]),
    AllenCahn(0.01, 2.0),
    Burgers(0.1),
    Burgers(0.003),
    Burgers2D(0.02),
    Diffusion(0.1),
    FisherKPP(0.1, 3.0),
    FitzHughNagumo(0.02, 0.1, 0.3),
    GinzburgLandau(0.5, -1.5, 0.02),
    GrayScott(0.3, 0.6, 0.02, 0.01),
    KortewegDeVries(),
    KortewegDeVries(1.0, -0.01),
    KuramotoSivashinsky(),
    KuramotoSivashinsky("combustion"),
    NavierStokes2D(0.0),
    NavierStokes2D(0.01, drag=0.1, hyperviscosity=(1e-6, 2), forcing=FNOForcing()),
    NavierStokes3D(0.02),
    NonlinearSchroedinger(),
    NonlinearSchroedinger(2.0, -0.7),
    Wave(1.5),
]
GRIDS = {
    1: [Grid((48,)), Grid((45,), (2.0,))],
    2: [Grid((24, 20), (1.0, 3.0)), Grid((15, 18), (2.0, 1.0))],
    3: [Grid((12, 9, 10), (1.0, 2.0, 1.5))],
}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("equation", EQUATIONS, ids=str)
def test_equation(equation, ndim):
    one_dimensional = equation == KuramotoSivashinsky() or isinstance(equation, Advection)
    if ndim not in equation.ndim or (ndim > 1 and one_dimensional):
        pytest.skip("the equation has no such form")
    for seed, grid in enumerate(GRIDS[ndim]):
        check_equation(equation, grid, seed)


def test_advection_in_the_plane():
    check_equation(Advection([0.7, -1.2]), GRIDS[2][0])


@dataclass(frozen=True)
class Wrong(Burgers):
    """Burgers with one thing wrong."""

    what: str = ""

    def __post_init__(self):
        if self.what == "degree":
            object.__setattr__(self, "degree", 1)

    def linear(self, grid):
        return (2 if self.what == "linear" else 1) * super().linear(grid)

    def nonlinear(self, u_hat, grid, t):
        rate = super().nonlinear(u_hat, grid, t)
        if self.what == "imaginary":
            return 1j * rate
        return rate + 0.1 * u_hat if self.what == "mean" else rate

    def residual(self, D):
        r = super().residual(D)
        if self.what == "mean":
            return {"u": r["u"] - 0.1 * D["u"]}
        return {"u": 0 * r["u"]} if self.what == "blind" else r


@pytest.mark.parametrize(
    ("what", "law"),
    [
        ("linear", "residual vanishes"),
        ("degree", "degree 1 dealiases"),
        ("imaginary", "spectrum of a real field|residual vanishes|degree"),
        ("blind", "wrong rate"),
        ("mean", "invariant 'mean'"),
    ],
)
def test_a_wrong_equation_is_caught(what, law):
    with pytest.raises(KanopError, match=law):
        check_equation(Wrong(0.1, what=what))


@pytest.mark.parametrize(
    "equation",
    [
        AllenCahn(0.01, 2.0),
        BarotropicVorticity(1.0),
        BarotropicVorticity(1.0, 1e-3, 2, 0.1),
        Diffusion(0.1),
        ShallowWater(1.0, 3.0),
        ShallowWater(1.0, 3.0, 1e-4, 2, tilt=0.5),
        SphereTransport(SolidRotation(tilt=0.7), 0.01),
        SphereTransport(Deformation()),
    ],
    ids=str,
)
def test_equation_on_spheres(equation):
    for seed, grid in enumerate((SphereGrid((24, 48)), SphereGrid((25, 50)))):
        check_equation(equation, grid, seed)
