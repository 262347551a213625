"""`kanop verify`: shipped equations, operators and bases and a user's own, right and wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kanop.cli import main

OWN = """
from dataclasses import dataclass
from kanop.solvers import Burgers

@dataclass(frozen=True)
class Mine(Burgers):
    factor: float = 1.0

    def nonlinear(self, u_hat, grid, t):
        return self.factor * super().nonlinear(u_hat, grid, t)
"""

OPERATOR = """
from kanop.operators import FNO
from torch import nn

class Mine(nn.Module):
    shift_equivariance = 1

    def __init__(self, spec, width: int = 6, position: bool = False):
        super().__init__()
        self.inner = FNO(spec, [4] * spec.grid.ndim, width, n_layers=1, position=position)

    def forward(self, u):
        return self.inner(u)

class Untraced(Mine):
    compiles = False
"""

BASIS = """
import torch
from kanop.kan import Fourier

class Mine(Fourier):
    def __init__(self, harmonics: int = 2, slip: float = 1.0):
        super().__init__(harmonics)
        self.slip = slip

    def functions(self, t, order=0):
        return [(self.slip if order == 2 else 1.0) * value for value in super().functions(t, order)]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_equations.py").write_text(OWN)
    (tmp_path / "my_operators.py").write_text(OPERATOR)
    (tmp_path / "my_bases.py").write_text(BASIS)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_shipped_equation_keeps_every_law_and_is_drawn(folder, capsys):
    main(["verify", "equation=burgers", "constants={nu: 0.1}", "points=[32]"])
    out = capsys.readouterr().out
    assert "Burgers keeps every law" in out
    assert "etdrk4  order 4.0" in out or "etdrk4  order 3.9" in out
    assert (folder / "burgers-order.png").read_bytes().startswith(b"\x89PNG")


def test_a_users_equation_is_found_and_its_error_is_named(folder, capsys):
    main(["verify", "equation=my_equations.Mine", "constants={nu: 0.1}", "points=[32]"])
    assert "Mine keeps every law" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["verify", "equation=my_equations.Mine", "constants={nu: 0.1, factor: 2.0}", "points=[32]"])
    assert stop.value.code == 2
    assert "residual vanishes where linear + nonlinear does" in capsys.readouterr().err


# Tracing meets the run-time type checks of the tests, which no user has.
QUICK = ["operator.hidden_channels=6", "compile=false"]


def test_a_shipped_operator_keeps_its_laws_in_one_to_three_dimensions(folder, capsys):
    main(["verify", "operator=fno", "operator.n_layers=1", *QUICK])
    out = capsys.readouterr().out
    for where in ("32 points", "16 × 12 points", "8 × 6 × 8 points", "12 × 16 points, periodic, dirichlet"):
        assert f"laws of FNO on {where}" in out
    assert out.count("holds: 30 steps halve the loss on 4 samples") == 4
    assert out.rstrip().endswith("FNO keeps every law that it claims")


def test_the_grid_of_an_operator_can_be_chosen(folder, capsys):
    main(["verify", "operator=fno", "points=[16,8]", "boundaries=[neumann,periodic]", *QUICK])
    out = capsys.readouterr().out
    assert out.count("── laws of") == 1
    assert "laws of FNO on 16 × 8 points, neumann, periodic" in out
    assert "not claimed: commutes with shifts along periodic axes" in out


def test_a_users_operator_is_found_and_the_law_that_it_breaks_is_named(folder, capsys):
    words = ["verify", "+operator._target_=my_operators.Mine", "points=[24]", "compile=false"]
    main([*words, "+operator.width=8"])
    out = capsys.readouterr().out
    assert "holds: commutes with shifts by 1 points along periodic axes" in out
    assert "Mine keeps every law that it claims" in out
    with pytest.raises(SystemExit) as stop:
        main([*words, "+operator.position=true"])
    assert stop.value.code == 2
    assert "it should commute with shifts by 1 points along axis 0" in capsys.readouterr().err


def test_an_operator_may_say_that_it_cannot_be_compiled(folder, capsys):
    main(["verify", "+operator._target_=my_operators.Untraced", "points=[24]"])
    assert "not claimed: torch.compile changes nothing" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deeponet", "fno", "resnet"])
def test_compiled_operators_give_the_same(folder, name):
    """In a process of its own: tracing meets the run-time type checks of the tests, which no user has."""
    words = ["verify", f"operator={name}", "operator.hidden_channels=8", "points=[16]"]
    done = subprocess.run(
        [str(Path(sys.executable).parent / "kanop"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "holds: torch.compile changes nothing" in done.stdout


@pytest.mark.parametrize("word", ["basis=b_spline", "basis=kanop.kan.BSpline", "+basis._target_=kanop.kan.BSpline"])
def test_a_shipped_basis_keeps_its_laws(folder, capsys, word):
    main(["verify", word, "constants={cells: 4}"])
    out = capsys.readouterr().out
    assert "laws of BSpline(cells=4, degree=3, low=-1, high=1)" in out
    assert out.rstrip().endswith("BSpline keeps every law")


@pytest.mark.parametrize("words", [["basis=my_bases.Mine"], ["+basis._target_=my_bases.Mine", "+basis.harmonics=3"]])
def test_a_users_basis_is_found_and_the_law_that_it_breaks_is_named(folder, capsys, words):
    main(["verify", *words])
    assert "Mine keeps every law" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["verify", *words, "constants={slip: 1.01}"])
    assert stop.value.code == 2
    assert "functions(t, 2) are not the derivatives of functions(t, 1)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "verify needs equation=NAME"),
        ([], "or operator=NAME, one of codano, "),
        (["equation=burgers", "operator=fno"], "got both"),
        (["operator=fmo"], "unknown operator 'fmo'; did you mean 'fno'"),
        (["operator=fno", "operator.modes=3"], "did you mean operator.n_modes"),
        (["operator=fno", "operator.hidden_channels=0"], "hidden_channels is at least 2, got 0"),
        (["operator=codano", "points=[16]"], "CODANO works on 2 or 3 axes, got 1"),
        (["+operator._target_=nowhere.Mine"], "names no module that can be imported"),
        (["+operator._target_=my_operators.Mine", "+operator.size=3"], "unknown argument of Mine 'size'"),
        (["equation=navier_stokes"], "NavierStokes2D needs constants={nu: …}"),
        (["equation=burgerz"], "did you mean"),
        (["equation=burgers"], "Burgers needs constants={nu: …}"),
        (["equation=burgers", "constants={mu: 0.1}"], "unknown constant of Burgers 'mu'"),
        (["equation=burgers", "constants=3"], "constants are pairs, as constants={nu: 0.1}, got constants=3"),
        (["equation=nowhere.Mine"], "cannot be imported"),
        ([], "or basis=NAME, one of bspline, "),
        (["basis=fourier", "equation=burgers"], "got both equation and basis"),
        (["basis=fourrier"], "unknown basis 'fourrier'; did you mean 'fourier'"),
        (["basis=fourier", "constants={harmonic: 3}"], "did you mean 'harmonics'"),
        (["basis=fourier", "constants=3"], "constants are pairs, as constants={degree: 5}, got constants=3"),
        (["basis=fourier", "constants={harmonics: 0}"], "at least one harmonic, got harmonics=0"),
        (["basis=nowhere.Mine"], "names no module that can be imported"),
        (["basis=torch.nn.Linear"], "no subclass of kanop.kan.Basis"),
        (["basis=3"], "basis is a name, or {_target_: package.module.Class}"),
        (["equation=my_equations.dataclass"], "no subclass of kanop.solvers.Equation"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        main(["verify", *words])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
