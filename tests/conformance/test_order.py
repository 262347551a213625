"""The order that is observed is the scheme's, and a scheme or an equation that loses it is caught."""

import dataclasses
import math

import pytest

from kanop.solvers import (
    SCHEMES,
    Burgers,
    CosineMedium,
    Grid,
    HeterogeneousDiffusion,
    KanopError,
    KortewegDeVries,
    Wave,
)
from kanop.solvers.etdrk import EXPONENTIAL, Scheme
from kanop.testing import check_equation, check_order, observed_order

GRID = Grid((32,))


def test_the_schemes_have_their_orders():
    for result in observed_order(Burgers(0.05), GRID):
        assert result.slope == pytest.approx(result.nominal, abs=0.1)


@pytest.mark.parametrize("equation", [Wave(1.0), KortewegDeVries(1.0, 0.01)], ids=str)
def test_waves_keep_the_order_of_every_scheme(equation):
    """A linear equation has no order to see in exponential schemes: they are exact."""
    results = observed_order(equation, GRID)
    if equation == Wave(1.0):
        exponential = [result for result in results if result.scheme in EXPONENTIAL]
        assert all(result.slope is None and max(result.errors) < 1e-13 for result in exponential)
        assert all(result.slope for result in results if result.scheme not in EXPONENTIAL)
    check_order(results)


def test_an_equation_whose_linear_part_couples_the_modes():
    """Its laws hold as those of all others, and the schemes that can take it have their orders."""
    equation = HeterogeneousDiffusion(CosineMedium(0.02, 0.5, 2 * math.pi), 2.0)
    check_equation(equation)
    results = observed_order(equation, GRID)
    assert [result.scheme for result in results] == ["ark3", "ark4", "sbdf2", "sbdf3"]
    check_order(results)


def test_a_scheme_that_is_not_what_it_says_is_caught(monkeypatch):
    second = SCHEMES["etdrk2"]
    monkeypatch.setitem(SCHEMES, "etdrk3", Scheme(3, second.nodes, second.table))
    monkeypatch.setitem(SCHEMES, "ark4", dataclasses.replace(SCHEMES["ark3"], order=4))
    results = {result.scheme: result for result in observed_order(Burgers(0.05), GRID)}
    with pytest.raises(KanopError, match=r"etdrk3 is of order 3, observed is (2\.0|1\.9)"):
        check_order([results["etdrk3"]])
    with pytest.raises(KanopError, match=r"ark4 is of order 4, observed is (3\.0|2\.9)"):
        check_order([results["ark4"]])
