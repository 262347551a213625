"""Every shipped equation obeys the laws, and the laws notice an equation that does not."""

from dataclasses import dataclass

import pytest

from kanop.solvers import Burgers, Grid, KanopError
from kanop.testing import check_equation

EQUATIONS = [Burgers(0.1), Burgers(0.003)]


@pytest.mark.parametrize("equation", EQUATIONS, ids=str)
def test_equation(equation):
    check_equation(equation)
    check_equation(equation, Grid((45,), (2.0,)), seed=1)


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
