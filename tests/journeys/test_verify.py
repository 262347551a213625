"""`kanop verify`: shipped equations and a user's own, right and wrong."""

from __future__ import annotations

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


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_equations.py").write_text(OWN)
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "verify needs equation=NAME"),
        (["equation=navier_stokes"], "NavierStokes2D needs constants={nu: …}"),
        (["equation=burgerz"], "did you mean"),
        (["equation=burgers"], "Burgers needs constants={nu: …}"),
        (["equation=burgers", "constants={mu: 0.1}"], "unknown constant of Burgers 'mu'"),
        (["equation=burgers", "constants=3"], "constants are pairs, as constants={nu: 0.1}, got constants=3"),
        (["equation=nowhere.Mine"], "cannot be imported"),
        (["equation=my_equations.dataclass"], "no subclass of kanop.solvers.Equation"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        main(["verify", *words])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
