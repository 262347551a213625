"""The order that is observed is the scheme's, and a scheme or an equation that loses it is caught."""

import pytest

from kanop.solvers import SCHEMES, Burgers, Grid, KanopError, Wave
from kanop.solvers.etdrk import Scheme
from kanop.testing import check_order, observed_order

GRID = Grid((32,))


def test_the_schemes_have_their_orders():
    for result in observed_order(Burgers(0.05), GRID):
        assert result.slope == pytest.approx(result.nominal, abs=0.1)


def test_a_linear_equation_has_no_order_to_see():
    results = observed_order(Wave(1.0), GRID)
    assert all(result.slope is None and max(result.errors) < 1e-13 for result in results)
    check_order(results)


def test_a_scheme_that_is_not_what_it_says_is_caught(monkeypatch):
    second = SCHEMES["etdrk2"]
    monkeypatch.setitem(SCHEMES, "etdrk3", Scheme(3, second.nodes, second.table))
    with pytest.raises(KanopError, match=r"etdrk3 is of order 3, observed is (2\.0|1\.9)"):
        check_order(observed_order(Burgers(0.05), GRID))
